"""Refiners: test-time optimisation for any trained method that offers the features they need."""

from zoo.refiners.base import Refiner

__all__ = ["Refiner"]
