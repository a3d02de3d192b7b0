"""What predictors are called in all plots of the study, and how they look."""

from __future__ import annotations

from figures.style import BLACK, BLUE, GREEN, ORANGE, PINK, YELLOW

LABELS = {
    "unrolled": "unrolled (multipartite)",
    "rolled": "rolled (bipartite)",
    "rolled-channel": "rolled-channel (bipartite)",
    "ramanujan": "Ramanujan metrics",
    "density": "layer density",
    "sparsity": "sparsity alone",
}
METRICS = {
    "density": "layer density",
    "imdb": "IMDB",
    "iterative_spectral_gap": "iterative spectral gap",
}
COLOURS = {
    "unrolled": BLUE,
    "rolled": ORANGE,
    "rolled-channel": YELLOW,
    "ramanujan": GREEN,
    "density": PINK,
    "sparsity": BLACK,
}
MARKERS = dict(zip(COLOURS, "osD^Px"))
