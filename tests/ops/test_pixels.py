"""Pixels between pixels, of many images at once, against one pixel at a time."""

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from zoo.ops.pixels import LEVELS, Pyramids

CPU = torch.device("cpu")
# Odd sides, one image of a pixel, and two whose sides stop halving.
SIZES = [(24, 32), (17, 23), (1, 1), (3, 40), (9, 2)]


def images(sizes: list[tuple[int, int]] = SIZES, seed: int = 0) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    return [rng.integers(0, 256, (*size, 3)).astype(np.uint8) for size in sizes]


def levels(image: np.ndarray) -> list[np.ndarray]:
    out = [image]
    while len(out) < LEVELS:
        height, width = out[-1].shape[:2]
        smaller = (max(width // 2, 1), max(height // 2, 1))
        out.append(cv2.resize(out[-1], smaller, interpolation=cv2.INTER_AREA))
    return out


def bilinear(image: np.ndarray, x: float, y: float) -> np.ndarray:
    """The colour at a place, whose edge pixels go on for ever."""
    column, row = int(np.floor(x - 0.5)), int(np.floor(y - 0.5))
    u, v = x - 0.5 - column, y - 0.5 - row
    out = np.zeros(3)
    for r, q in ((row, 1 - v), (row + 1, v)):
        for c, p in ((column, 1 - u), (column + 1, u)):
            pixel = image[min(max(r, 0), image.shape[0] - 1), min(max(c, 0), image.shape[1] - 1)]
            out += p * q * pixel.astype(float)
    return out


def expected(image: np.ndarray, places: np.ndarray, scale: float) -> np.ndarray:
    """(h, w, 3) colours at places (h, w, 2): of a level of half the size where the scale is a half, and so on."""
    level = 0
    while level < LEVELS - 1 and scale * 2**level <= 0.5:
        level += 1
    read = levels(image)[level]
    factor = np.array([read.shape[1] / image.shape[1], read.shape[0] / image.shape[0]])
    out = np.zeros((*places.shape[:2], 3))
    for index in np.ndindex(places.shape[:2]):
        out[index] = bilinear(read, *(places[index] * factor))
    return out


def test_levels_are_halves_by_area():
    pictures = images()
    pyramids = Pyramids(pictures, CPU)
    assert len(pyramids) == len(SIZES)
    for number, picture in enumerate(pictures):
        for level, smaller in enumerate(levels(picture)):
            first, height, width = (
                int(each[level, number]) for each in (pyramids.first, pyramids.height, pyramids.width)
            )
            assert (height, width) == smaller.shape[:2]
            held = pyramids.pixels[first : first + height * width].view(height, width, 3)
            np.testing.assert_array_equal(held, smaller)
    assert len(pyramids.pixels) == sum(part.shape[0] * part.shape[1] for image in pictures for part in levels(image))


@given(
    st.lists(st.tuples(st.integers(1, 21), st.integers(1, 21)), min_size=1, max_size=3),
    st.sampled_from([4.0, 1.0, 0.7, 0.501, 0.5, 0.4, 0.25, 0.2, 0.125, 0.06, 0.01]),
    st.integers(0, 2**16),
)
@settings(max_examples=60, deadline=None)
def test_sampled_equals_one_pixel_at_a_time(sizes, scale, seed):
    pictures, rng = images(sizes, seed), np.random.default_rng(seed)
    which = torch.from_numpy(rng.integers(0, len(sizes), 4))
    places = rng.uniform(-6, 27, (4, 3, 2, 2)).astype(np.float32)
    places[0] = np.round(places[0] * 2) / 2  # pixels' edges and middles
    scales = torch.tensor([scale, 1.0, scale, 0.3])
    ours = Pyramids(pictures, CPU).sampled(which, torch.from_numpy(places), scales)
    assert ours.shape == (4, 3, 3, 2)
    assert ours.dtype == torch.float32
    for b in range(4):
        wanted = expected(pictures[which[b]], places[b].astype(float), float(scales[b]))
        np.testing.assert_allclose(ours[b].permute(1, 2, 0), wanted, atol=2e-2)


def test_colours_lie_together_in_memory():
    places = torch.rand(2, 5, 6, 2) * 20
    ours = Pyramids(images(), CPU).sampled(torch.tensor([0, 1]), places, torch.ones(2))
    assert ours.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("scale", [1.0, 0.5, 0.25, 0.12])
def test_odd_sides_do_not_move_what_is_seen(scale):
    """A picture of its own rows and columns says the place that it was read at, whichever level is read."""
    rows, columns = np.mgrid[:151, :203]
    ramp = np.stack([rows, columns, rows], -1).astype(np.uint8)
    x, y = torch.meshgrid(torch.linspace(12, 190, 30), torch.linspace(12, 138, 30), indexing="xy")
    ours = Pyramids([ramp], CPU).sampled(torch.tensor([0]), torch.stack([x, y], -1)[None], torch.tensor([scale]))
    assert (ours[0, 0] - (y - 0.5)).abs().max() < 1.0
    assert (ours[0, 1] - (x - 0.5)).abs().max() < 1.0


def test_nearest_and_what_lies_inside():
    sizes = [(5, 7), (3, 4)]
    labels = [np.arange(35).reshape(5, 7), 100 + np.arange(12).reshape(3, 4)]
    pyramids = Pyramids(images(sizes), CPU)
    values = torch.from_numpy(np.concatenate([label.ravel() for label in labels]))
    steps = np.arange(-2, 9, 0.25)
    places = torch.from_numpy(np.stack(np.meshgrid(steps, steps), -1)).float().expand(2, -1, -1, -1)
    ours, inside = pyramids.nearest(values.int(), torch.tensor([1, 0]), places)
    assert ours.dtype == torch.int64
    for b, number in enumerate((1, 0)):
        height, width = sizes[number]
        for r, y in enumerate(steps):
            for c, x in enumerate(steps):
                row, column = int(np.floor(y)), int(np.floor(x))
                within = 0 <= row < height and 0 <= column < width
                assert bool(inside[b, r, c]) == within
                row, column = min(max(row, 0), height - 1), min(max(column, 0), width - 1)
                assert int(ours[b, r, c]) == labels[number][row, column]
