import numpy as np
import torch

from tests.helpers.views import clicks, view
from zoo.interactions import Interactions
from zoo.ops.frame import Frame
from zoo.refiners.marks import click_marks

SIZE = (24, 28)


def boxes(said: Interactions) -> np.ndarray:
    """(B, 2, H, W): 3 x 3 boxes at clicks, drawn one by one."""
    out = np.zeros((len(said), 2, *said.size))
    for i, row in enumerate(said.points.numpy()):
        for x, y, label, _ in row:
            if label >= 0:
                r, c = int(y), int(x)
                out[i, 1 - int(label), max(r - 1, 0) : r + 2, max(c - 1, 0) : c + 2] = 1
    return out


def bilinear(image: np.ndarray, x: float, y: float) -> float:
    """At a place of an image, between pixel centres, its edge repeated, 0 outside."""
    height, width = image.shape
    if not (0 <= x < width and 0 <= y < height):
        return 0.0
    u, v = min(max(x - 0.5, 0), width - 1), min(max(y - 0.5, 0), height - 1)
    c, r = int(u), int(v)
    c1, r1 = min(c + 1, width - 1), min(r + 1, height - 1)
    top = image[r, c] * (1 - u + c) + image[r, c1] * (u - c)
    low = image[r1, c] * (1 - u + c) + image[r1, c1] * (u - c)
    return top * (1 - v + r) + low * (v - r)


# Corners, an edge, an inner pixel; a second sample with negative clicks alone.
SAID = [
    [(0.5, 0.5, 1), (27.5, 23.5, 0), (12.5, 0.5, 1), (9.5, 7.5, 0)],
    [(27.5, 0.5, 0), (0.5, 23.5, 0)],
]


def test_boxes_are_cut_at_the_border():
    said = clicks(SAID, SIZE)
    marks = click_marks(view(said))
    np.testing.assert_array_equal(marks.numpy(), boxes(said))
    assert marks[0, 0].sum() == 4 + 6
    assert marks[1, 1].sum() == 8
    assert not marks[1, 0].any()


def test_nothing_is_marked_beyond_the_image():
    said = clicks(SAID, SIZE)
    marks = click_marks(view(said, frame=Frame.whole(2, (32, 32))))
    np.testing.assert_array_equal(marks[..., :24, :28].numpy(), boxes(said))
    assert not marks[..., 24:, :].any()
    assert not marks[..., 28:].any()


def test_resampled_with_the_crop_and_renormalised():
    said = clicks(SAID, SIZE)
    for scale, x0, y0 in ((1.7, -3.0, -2.0), (0.8, 1.25, 0.0), (2.5, 6.0, 3.0)):
        origin = torch.tensor([x0, x0 / 2], dtype=torch.float64)
        frame = Frame(origin, origin * 0 + y0, origin * 0 + scale, (32, 32))
        marks = click_marks(view(said, frame=frame)).numpy()
        for i in range(2):
            for sign in range(2):
                image = boxes(said)[i, sign]
                slow = np.zeros((32, 32))
                for r in range(32):
                    for c in range(32):
                        points = [((c + a) / scale + float(origin[i]), (r + b) / scale + y0) for a, b in _inner(scale)]
                        inside = bilinear(np.ones(SIZE), (c + 0.5) / scale + float(origin[i]), (r + 0.5) / scale + y0)
                        slow[r, c] = inside * np.mean([bilinear_edge(image, x, y) for x, y in points])
                if slow.max() > 0:
                    slow /= slow.max()
                np.testing.assert_allclose(marks[i, sign], slow, atol=1e-4)


def bilinear_edge(image: np.ndarray, x: float, y: float) -> float:
    height, width = image.shape
    return bilinear(image, min(max(x, 0), width - 1e-9), min(max(y, 0), height - 1e-9))


def _inner(scale: float) -> list[tuple[float, float]]:
    """Sampling points of a crop pixel: its centre, or a grid when the image shrinks."""
    k = int(np.ceil(1 / scale - 1e-9))
    places = [(i + 0.5) / k for i in range(k)]
    return [(a, b) for a in places for b in places]


def test_strokes_are_marked_on_each_of_their_pixels():
    said = clicks([[(5.5, 5.5, 1)]], SIZE)
    strokes = torch.zeros(1, 2, *SIZE, dtype=torch.bool)
    strokes[0, 1, 10, 4:20] = True
    marks = click_marks(view(Interactions.of(said.points, SIZE, strokes)))
    assert marks[0, 0].sum() == 9
    assert marks[0, 1, 9:12, 3:21].all()
    assert marks[0, 1].sum() == 3 * 18
