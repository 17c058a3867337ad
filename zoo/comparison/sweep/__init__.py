"""Sweeps: a grid of rows, each trained and evaluated by a process of its own, and one table of all."""
