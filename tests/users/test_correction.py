import cv2
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage
from skimage.morphology import skeletonize

from zoo.errors import ConfigError
from zoo.interactions import Interactions
from zoo.ops.draws import Draw
from zoo.testing.users import SIZE, UserContract, some_prediction, some_truth
from zoo.users import CorrectionScribbles, Truth
from zoo.users.correction import longest_path
from zoo.users.draws import draw


class TestEvery(UserContract):
    corrective = True
    random = True

    def make(self) -> CorrectionScribbles:
        return CorrectionScribbles()


class TestLargest(UserContract):
    corrective = True
    random = True

    def make(self) -> CorrectionScribbles:
        return CorrectionScribbles("largest", limit=0.0025)


class TestHumanLike(UserContract):
    corrective = True
    random = True
    tells_signs = False

    def make(self) -> CorrectionScribbles:
        return CorrectionScribbles("largest", limit=0.01, width=3, jitter=2)


def scribbles(user: CorrectionScribbles, prediction: torch.Tensor, truth: Truth, turn: int = 0) -> torch.Tensor:
    new = user(prediction, truth, Interactions.empty(len(truth), truth.size), turn)
    assert new.strokes is not None
    return new.strokes


def regions(prediction: np.ndarray, target: np.ndarray, ignore: np.ndarray | None):
    """Wrong regions as (sign, mask), missing ones first, each sign in raster order."""
    valid = np.ones_like(target) if ignore is None else ~ignore
    for sign, wrong in ((0, target & ~prediction & valid), (1, prediction & ~target & valid)):
        numbers, count = ndimage.label(wrong, np.ones((3, 3)))
        for number in range(1, count + 1):
            yield sign, numbers == number


def slow(prediction: np.ndarray, target: np.ndarray, ignore: np.ndarray | None, u: float, rule: str) -> np.ndarray:
    found = list(regions(prediction, target, ignore))
    if rule == "largest" and found:
        found = [max(found, key=lambda each: each[1].sum())]
    out = np.zeros((2, *target.shape), bool)
    for sign, mask in found:
        padded = np.pad(mask, 1)
        distance = np.sqrt(np.rint(ndimage.distance_transform_edt(padded) ** 2))[1:-1, 1:-1].astype(np.float32)
        inner = (distance > np.float32(u) * distance.max()) | (distance == distance.max())
        out[sign] |= skeletonize(inner & mask)
    return out


@pytest.mark.parametrize("rule", ["every", "largest"])
@pytest.mark.parametrize("turn", [0, 4])
def test_equals_a_slow_reference(rule, turn):
    truth = some_truth()
    prediction = some_prediction(truth)
    strokes = scribbles(CorrectionScribbles(rule), prediction, truth, turn).numpy()
    u = draw(truth, turn, Draw.THRESHOLD)
    for i in range(len(truth)):
        ignore = truth.ignore[i, 0].numpy()
        expected = slow(prediction[i, 0].numpy(), truth.target[i, 0].numpy(), ignore, float(u[i]), rule)
        np.testing.assert_array_equal(strokes[i], expected)


def test_limit_cuts_one_connected_path_from_its_ends():
    target = torch.zeros(1, 1, 60, 200, dtype=torch.bool)
    target[:, :, 20:31, 10:190] = True
    truth = Truth(target, torch.tensor([3]))
    whole = scribbles(CorrectionScribbles("largest", limit=1.0), torch.zeros_like(target), truth)
    short = scribbles(CorrectionScribbles("largest", limit=0.0025), torch.zeros_like(target), truth)
    assert short.sum() == 29  # fewer than 0.0025 * 60 * 200 = 30
    assert not (short & ~whole).any()
    assert cv2.connectedComponents(short[0, 0].numpy().astype(np.uint8), connectivity=8)[0] == 2
    columns, all_columns = short[0, 0].any(0).nonzero()[:, 0], whole[0, 0].any(0).nonzero()[:, 0]
    assert abs((columns[0] - all_columns[0]) - (all_columns[-1] - columns[-1])) <= 1


def test_small_regions_are_left():
    target = torch.zeros(1, 1, 40, 40, dtype=torch.bool)
    target[..., 5:8, 5:8] = True
    target[..., 20:30, 20:30] = True
    truth = Truth(target, torch.tensor([0]))
    strokes = scribbles(CorrectionScribbles(min_area=10), torch.zeros_like(target), truth)
    assert strokes[0, 0, 20:30, 20:30].any()
    assert not strokes[0, 0, :10].any()
    assert not scribbles(CorrectionScribbles(min_area=101), torch.zeros_like(target), truth).any()


def test_longest_path_of_a_branching_line():
    drawn = np.zeros((20, 20), bool)
    drawn[10, 2:18] = True
    drawn[7:10, 9] = True
    pixels = np.argwhere(drawn)
    path = pixels[longest_path(pixels)]
    assert len(path) == 16
    assert (np.abs(np.diff(path, axis=0)).max(1) == 1).all()
    assert {tuple(path[0]), tuple(path[-1])} == {(10, 2), (10, 17)}
    assert longest_path(np.array([[4, 4]])).tolist() == [0]


def test_width_and_jitter():
    truth = some_truth()
    prediction = some_prediction(truth)
    thin = scribbles(CorrectionScribbles("largest"), prediction, truth)
    wide = scribbles(CorrectionScribbles("largest", width=3), prediction, truth)
    brush = torch.from_numpy(cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (3, 3)))
    for i in range(len(truth)):
        for sign in range(2):
            expected = cv2.dilate(thin[i, sign].numpy().astype(np.uint8), brush.numpy())
            np.testing.assert_array_equal(wide[i, sign].numpy(), expected > 0)
    moved = scribbles(CorrectionScribbles("largest", jitter=3), prediction, truth)
    assert moved.shape == (len(truth), 2, *SIZE)
    assert not torch.equal(moved, thin)


@pytest.mark.parametrize(
    "wrong", [{"rule": "all"}, {"limit": 0}, {"limit": 2}, {"width": 0}, {"min_area": 0}, {"jitter": -1}]
)
def test_impossible_arguments(wrong):
    with pytest.raises(ConfigError):
        CorrectionScribbles(**wrong)


@st.composite
def scenes(draw_from):
    """A target, a prediction and what is ignored (H, W), of blobs that may touch the border, and a sample id."""
    height, width = draw_from(st.integers(6, 26)), draw_from(st.integers(6, 26))
    rng = np.random.default_rng(draw_from(st.integers(0, 10_000)))
    smooth = draw_from(st.sampled_from([0.0, 0.7, 1.5, 3.0]))
    fields = ndimage.gaussian_filter(rng.standard_normal((3, height, width)), (0, smooth, smooth), mode="nearest")
    levels = [np.quantile(field, rng.uniform(0, 1)) for field in fields[:2]]
    target, prediction = (field >= level for field, level in zip(fields, levels, strict=False))
    ignore = fields[2] > np.quantile(fields[2], rng.uniform(0.6, 1))
    return target, prediction, ignore, draw_from(st.integers(0, 1000))


def one(target: np.ndarray, ignore: np.ndarray, sample: int) -> Truth:
    return Truth(
        torch.from_numpy(target)[None, None], torch.tensor([sample]), ignore=torch.from_numpy(ignore)[None, None]
    )


@given(scenes(), st.sampled_from(["every", "largest"]), st.sampled_from([None, 0.01, 0.1]), st.integers(1, 6))
def test_strokes_lie_in_wrong_regions_and_are_there_when_one_is(scene, rule, limit, min_area):
    target, prediction, ignore, sample = scene
    user = CorrectionScribbles(rule, limit=limit, min_area=min_area)
    truth = one(target, ignore, sample)
    strokes = scribbles(user, torch.from_numpy(prediction)[None, None], truth, turn=sample % 5)[0].numpy()
    assert not (strokes[0] & ~(target & ~prediction & ~ignore)).any()
    assert not (strokes[1] & ~(prediction & ~target & ~ignore)).any()
    wrong = [(sign, mask) for sign, mask in regions(prediction, target, ignore) if mask.sum() >= min_area]
    said = [bool((strokes[sign] & mask).any()) for sign, mask in wrong]
    if rule == "every":
        assert all(said)
    elif wrong:
        largest = max(mask.sum() for _, mask in wrong)
        assert sum(said) == 1
        assert wrong[said.index(True)][1].sum() == largest
    if not wrong:
        assert not strokes.any()
    if limit is not None:
        for sign, mask in wrong:
            drawn = strokes[sign] & mask
            assert drawn.sum() < max(2, limit * target.size)
            assert ndimage.label(drawn, np.ones((3, 3)))[1] <= 1


@pytest.mark.parametrize("rows", [slice(0, 3), slice(27, 30), slice(0, 30), slice(0, 1)])
@pytest.mark.parametrize("positive", [True, False])
def test_a_region_at_the_border_is_drawn_on_within_it(rows, positive):
    region = np.zeros((30, 40), bool)
    region[rows, 5:] = True
    nothing = np.zeros_like(region)
    target, prediction = (region, nothing) if positive else (nothing, region)
    for turn in range(4):
        drawn = scribbles(
            CorrectionScribbles(), torch.from_numpy(prediction)[None, None], one(target, nothing, 8), turn
        )
        strokes = drawn[0].numpy()
        assert strokes[0 if positive else 1].any()
        assert not strokes[1 if positive else 0].any()
        assert not (strokes & ~region).any()
    # the border of the image counts as border: the middle of a whole image is its middle
    if rows == slice(0, 30):
        row, column = np.argwhere(strokes.any(0)).mean(0)
        assert abs(row - 14.5) < 3
        assert abs(column - 22) < 6
