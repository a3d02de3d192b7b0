"""Plots of the sections of the study: one file a section, from its tables to a figure."""
