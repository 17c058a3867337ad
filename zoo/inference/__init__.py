"""From an image and interactions to a mask: frames, engines, sessions, slides."""
