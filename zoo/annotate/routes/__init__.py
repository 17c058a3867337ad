"""What the server answers, one file a kind of thing."""
