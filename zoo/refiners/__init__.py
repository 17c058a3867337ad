"""Refiners: test-time optimisation for any trained method that offers the features they need."""

from zoo.inference.refiner import Refiner
from zoo.refiners.adam import BatchedAdam
from zoo.refiners.brs import FBRS, FBRSA, FBRSB, FBRSC, RGBBRS, DistMapBRS
from zoo.refiners.cgam import CGAM
from zoo.refiners.lbfgs import BatchedLBFGS
from zoo.refiners.minimizer import Minimizer
from zoo.refiners.scipy_lbfgsb import ScipyLBFGSB

__all__ = [
    "CGAM",
    "FBRS",
    "FBRSA",
    "FBRSB",
    "FBRSC",
    "RGBBRS",
    "BatchedAdam",
    "BatchedLBFGS",
    "DistMapBRS",
    "Minimizer",
    "Refiner",
    "ScipyLBFGSB",
]
