"""Interactive segmentation of pathology images: methods, simulated users, sessions and measurements."""
