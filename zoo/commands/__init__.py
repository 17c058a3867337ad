"""The verbs of `zoo`, one file each, named after its verb."""
