"""Weights that move under a mask."""
