"""Tests, mirroring the packages; `contracts` holds suites that every class of a kind inherits."""
