"""Suites that every encoder, user and method inherits."""
