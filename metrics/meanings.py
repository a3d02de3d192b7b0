"""What each topometric says of a network, in one line."""

from __future__ import annotations

MEANINGS = {
    "nodes": "units of the network: padded input, feature maps, outputs of linear layers",
    "edges": "connections that the kept weights stand for, each at every position it is used",
    "sink_nodes": "units whose output nobody reads, though they compute one",
    "source_nodes": "units that are read but have no input, so are constant",
    "disconnected_nodes": "units cut off altogether",
    "removable_out": "edges into sinks, which could go too",
    "removable_in": "edges out of sources, which carry nothing of the input",
    "1-hop": "how many units one reaches along at most one edge, itself included, in the mean",
    "2-hop": "how many units one reaches along at most two edges, itself included, in the mean",
    "motifs": "small connected patterns: connected subgraphs on four nodes, counted exactly",
    "strength": "weight that meets at a unit, in the mean",
    "k-core": "how deep in the dense part a unit sits: its core number, in the mean",
    "cut-edges": "connections whose loss disconnects something (bridges)",
    "cut-nodes": "units whose loss disconnects something (articulation points)",
    "connected_components": "separate parts of the graph",
    "avg_connected_components": "nodes in a part, in the mean",
    "spectral-gap": "how well the graph mixes: largest less third largest eigenvalue modulus of "
    "the weighted adjacency matrix",
    "spectral-radius": "largest eigenvalue of the weighted Laplacian: it grows with the strongest "
    "hubs",
}
