"""Simulated users: what says, in training and evaluation, what a person would do next."""

from zoo.users.base import SimulatedUser, Truth
from zoo.users.box import BoxAround
from zoo.users.centroid import Centroid
from zoo.users.compose import IfEmpty, Together, Turns
from zoo.users.correction import CorrectionScribbles
from zoo.users.inside import RandomInside
from zoo.users.jitter import Jitter
from zoo.users.next_click import NextClick
from zoo.users.one_of import OneOf
from zoo.users.others import OtherObjects
from zoo.users.random_error import RandomInError
from zoo.users.recorded import Recorded
from zoo.users.squiggle import Squiggle
from zoo.users.training_clicks import TrainingClicks

__all__ = [
    "BoxAround",
    "Centroid",
    "CorrectionScribbles",
    "IfEmpty",
    "Jitter",
    "NextClick",
    "OneOf",
    "OtherObjects",
    "RandomInError",
    "RandomInside",
    "Recorded",
    "SimulatedUser",
    "Squiggle",
    "Together",
    "TrainingClicks",
    "Truth",
    "Turns",
]
