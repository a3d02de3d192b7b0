"""Pruners as the paper's released code has them, where it departs from the pruners' papers.

Cunegatti, Farina, Bucur and Iacca, Understanding Sparse Neural Networks from their Topology via
Multipartite Graph Representations, TMLR 2024; code at eliacunegatti/mge-snn. The table in
``pruning/README.md`` says what differs, and by how much.
"""
