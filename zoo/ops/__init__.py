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
from zoo.ops.deep import choose_deep
from zoo.ops.dilation import dilate, erode
from zoo.ops.distance import distance_to, distance_transform
from zoo.ops.random import argmax_pixel, choose_pixel, choose_pixels, uniform
from zoo.ops.skeleton import skeletonize

__all__ = [
    "argmax_pixel",
    "choose_deep",
    "choose_pixel",
    "choose_pixels",
    "component_areas",
    "connected_components",
    "dilate",
    "distance_to",
    "distance_transform",
    "erode",
    "fill_holes",
    "keep_components",
    "largest_component",
    "reconstruct",
    "remove_small",
    "skeletonize",
    "uniform",
]
