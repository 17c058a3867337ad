"""Checkpoints for others: folders with their index, checks of them, and graphs that other programs run."""
