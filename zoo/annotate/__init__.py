"""The annotator: a server on this machine through which people segment images and slides in a browser."""
