"""One module per data set; the module name is the name on the command line."""
