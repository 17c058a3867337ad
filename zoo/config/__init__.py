"""From experiment files to model, data, protocol and trainer."""
