"""Exact, batched geometry and counter-based randomness, the same on every device."""

from zoo.ops.components import (
    component_areas,
    connected_components,
    fill_holes,
    keep_components,
    largest_component,
    reconstruct,
    remove_small,
)
from zoo.ops.distance import distance_to, distance_transform
from zoo.ops.random import argmax_pixel, choose_pixel, uniform
from zoo.ops.skeleton import skeletonize

__all__ = [
    "argmax_pixel",
    "choose_pixel",
    "component_areas",
    "connected_components",
    "distance_to",
    "distance_transform",
    "fill_holes",
    "keep_components",
    "largest_component",
    "reconstruct",
    "remove_small",
    "skeletonize",
    "uniform",
]
