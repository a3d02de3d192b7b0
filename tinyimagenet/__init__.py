"""Tiny ImageNet: a script that downloads it and a loader that reads it."""
