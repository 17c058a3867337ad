"""Tests, mirroring the packages; `helpers` holds what they share."""
