"""What RITM's released training does to simulate clicks (Sofiiuk et al. 2021), a sample at a time in NumPy and OpenCV.

Written after its description, for timing: its numbers of points, kinds of pixels and approximate distances.
"""

import cv2
import numpy as np
from numpy.random import RandomState

MOST, DECAY, MARGIN, MARGIN_OFF = 24, 0.8, 3, 0.9
KINDS = (0.1, 0.4, 0.5)
"""Shares of negative clicks on the background, on other objects and on the ring around the target."""
SQUARE = np.ones((3, 3), np.uint8)
FALLING = DECAY ** np.arange(MOST + 1)


def first_clicks(instances: np.ndarray, target: np.ndarray, rng: RandomState) -> np.ndarray:
    """(48, 2) rows and columns, -1 where there are fewer; of (H, W) object ids and (H, W) bool."""
    points = np.full((2 * MOST, 2), -1)
    chances = FALLING[:-1] / FALLING[:-1].sum()
    positive = np.argwhere(_core(target) if rng.random_sample() < MARGIN_OFF else target)
    for k in range(1 + rng.choice(MOST, p=chances)):
        points[k] = positive[rng.randint(len(positive))]
    others = (instances > 0) & ~target
    width = int(np.ceil(0.1 * np.sqrt(target.sum())))
    ring = cv2.dilate(target.view(np.uint8), SQUARE, iterations=width).view(bool) & ~target
    negative = [np.argwhere(kind) for kind in (~target & ~others, others, ring)]
    for k in range(rng.choice(MOST + 1, p=FALLING / FALLING.sum())):
        places = negative[rng.choice(3, p=KINDS)]
        if len(places):
            points[MOST + k] = places[rng.randint(len(places))]
    return points


def _core(target: np.ndarray) -> np.ndarray:
    eroded = cv2.erode(target.view(np.uint8), SQUARE, iterations=MARGIN).view(bool)
    return eroded if eroded.sum() > 10 else target


def next_click(prediction: np.ndarray, target: np.ndarray, rng: RandomState) -> np.ndarray:
    """Row, column and sign of a click deep inside the larger error, by approximate distances; (H, W) bool."""
    missing, excess = (distance(error) for error in (target & ~prediction, prediction & ~target))
    positive = missing.max() > excess.max()
    larger = missing if positive else excess
    inside = np.argwhere(larger > larger.max() / 2)
    if not len(inside):
        return np.full(3, -1)
    return np.array([*inside[rng.randint(len(inside))], positive])


def distance(error: np.ndarray, mask: int = cv2.DIST_MASK_5) -> np.ndarray:
    """To the error's border, the image's edge included: approximately, over 5x5 pixels."""
    padded = np.pad(error, 1).view(np.uint8)
    found: np.ndarray = cv2.distanceTransform(padded, cv2.DIST_L2, mask)
    return found[1:-1, 1:-1]
