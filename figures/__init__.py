"""Drawings of graphs and plots of results, and the code that draws them."""
