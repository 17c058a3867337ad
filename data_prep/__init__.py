"""Turns what publishers distribute into the HDF5 store that `zoo.data` reads."""
