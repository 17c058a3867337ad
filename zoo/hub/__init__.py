"""Checkpoints: where they are, how they are verified, loaded, described and saved."""
