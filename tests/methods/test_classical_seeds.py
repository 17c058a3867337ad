"""Random walker, GrabCut and active contour against slow references, and all classical methods on awkward seeds."""

import warnings

import cv2
import numpy as np
import pytest
import torch

from tests.methods.test_classical import HEIGHT, LEFT, NOTHING, RIGHT, TWO, WIDTH, at, batch, disk, picture
from zoo import Click, Scribble, Session
from zoo.errors import ConfigError
from zoo.inference.engine import Engine
from zoo.interactions import Interactions
from zoo.methods import ActiveContour, GrabCut, RandomWalker, RegionGrowing, Watershed
from zoo.testing import EngineContract

BOTH = LEFT | RIGHT
APART = disk(20, 12, 8), disk(20, 37, 8)
PAIR = picture((APART[0], 0.3), (APART[1], 0.3))
ONE = picture((APART[0], 0.3))
WALK = {"stain": "gray", "sigma": 0.0, "max_radius": None, "window": None}
CONTOUR = {"stain": "gray", "sigma": 0.0, "window": None}
CUT = {"sigma": 0.0, "radius": 4.0, "seed_radius": 0, "window": None}


def walked(level: np.ndarray, seeds: np.ndarray, beta: float) -> np.ndarray:
    """Grady's equation 12 with dense matrices: every walk's probability to end at a positive seed."""
    height, width = level.shape
    laplacian = np.zeros((level.size, level.size))
    for r in range(height):
        for c in range(width):
            for nr, nc in ((r + 1, c), (r, c + 1)):
                if nr < height and nc < width:
                    i, j = r * width + c, nr * width + nc
                    weight = np.exp(-beta / 10 * ((level[r, c] - level[nr, nc]) / level.std()) ** 2)
                    laplacian[i, j] = laplacian[j, i] = -weight
                    laplacian[i, i] += weight
                    laplacian[j, j] += weight
    flat = seeds.ravel()
    free, fixed = flat == 0, flat > 0
    out = (flat == 1).astype(float)
    out[free] = np.linalg.solve(laplacian[np.ix_(free, free)], -laplacian[np.ix_(free, fixed)] @ out[fixed])
    return out.reshape(level.shape)


@pytest.mark.parametrize("beta", [0.5, 5.0, 20.0])
def test_random_walker_solves_the_graphs_laplacian(beta):
    random = np.random.default_rng(3)
    level, seeds = random.random((7, 9)), np.zeros((7, 9), np.int32)
    seeds[1, 1:4], seeds[5, 6], seeds[0, 8] = 1, 2, 2
    found = RandomWalker(**WALK, beta=beta).probability(level, seeds)
    np.testing.assert_allclose(found, walked(level, seeds, beta), atol=1e-6)


def test_without_contrast_the_walk_is_a_straight_line():
    seeds = np.zeros((6, 11), np.int32)
    seeds[:, 0], seeds[:, -1] = 1, 2
    found = RandomWalker(**WALK).probability(np.full((6, 11), 0.4), seeds)
    np.testing.assert_allclose(found, np.tile(1 - np.arange(11) / 10, (6, 1)), atol=1e-9)


def test_random_walker_stays_within_its_disk():
    method = RandomWalker(**WALK, beta=300.0)
    np.testing.assert_array_equal(method.segment(ONE, at((20, 12)), at((20, 37))), APART[0])
    np.testing.assert_array_equal(method.segment(ONE, at((20, 37)), at((20, 12))), ~APART[0])


def test_random_walker_without_negative_seeds():
    assert RandomWalker(**WALK).segment(ONE, at((20, 12)), NOTHING).all()
    near = RandomWalker(**(WALK | {"max_radius": 10.0}), beta=300.0)
    np.testing.assert_array_equal(near.segment(ONE, at((20, 12)), NOTHING), APART[0])
    assert not (near.segment(picture(), at((20, 12)), NOTHING) & ~disk(20, 12, 10)).any()


def test_random_walker_on_a_coarse_grid():
    big = np.kron(ONE, np.ones((4, 4, 1)))
    positive, negative = np.zeros(big.shape[:2], bool), np.zeros(big.shape[:2], bool)
    positive[82, 51], negative[82, 150] = True, True  # single pixels, which must not vanish
    fine = RandomWalker(**WALK, beta=300.0, grid=400).segment(big, positive, negative)
    coarse = RandomWalker(**WALK, beta=300.0, grid=50).segment(big, positive, negative)
    truth = np.kron(APART[0], np.ones((4, 4), bool))
    np.testing.assert_array_equal(fine, truth)
    assert (coarse & truth).sum() / (coarse | truth).sum() > 0.9


def test_grabcut_finds_what_has_its_colour():
    random = np.random.default_rng(0)
    noisy = (PAIR + random.normal(0, 0.03, PAIR.shape)).clip(0, 1)
    for image in (PAIR, noisy):
        connected = GrabCut(**CUT).segment(image, at((20, 12)), NOTHING)
        np.testing.assert_array_equal(connected, APART[0])
        every = GrabCut(**CUT, connected=False).segment(image, at((20, 12)), NOTHING)
        np.testing.assert_array_equal(every, APART[0] | APART[1])
        one = GrabCut(**CUT, connected=False).segment(image, at((20, 12)), APART[1])
        np.testing.assert_array_equal(one, APART[0])


def test_grabcut_goes_on_from_the_previous_mask():
    """Two levels of one disk each: which is inside was decided before."""
    said = Interactions.from_lists([[Click(44.5, 3.5, positive=False)]], (HEIGHT, WIDTH))
    for previous in (LEFT, RIGHT):
        method = GrabCut(**CUT, connected=False)
        state = method.start(batch(TWO), torch.from_numpy(previous)[None, None].float())
        mask = method.step(batch(TWO), said, state)["probability"][0, 0].numpy() > 0.5
        np.testing.assert_array_equal(mask, previous)


def test_grabcut_does_not_depend_on_opencvs_random_numbers():
    image = np.random.default_rng(1).random((HEIGHT, WIDTH, 3))
    found = []
    for seed in (1, 2, 3):
        cv2.setRNGSeed(seed)
        found.append(GrabCut(**CUT).segment(image, at((20, 12)), at((20, 30))))
    np.testing.assert_array_equal(found[0], found[1])
    np.testing.assert_array_equal(found[0], found[2])


def energy(level: np.ndarray, mask: np.ndarray) -> float:
    """Chan and Vese's, without the length: how much levels differ from the means inside and outside."""
    return float(sum(((level[part] - level[part].mean()) ** 2).sum() for part in (mask, ~mask)))


def test_active_contour_lowers_its_energy():
    random = np.random.default_rng(2)
    image = (ONE + random.normal(0, 0.1, (HEIGHT, WIDTH, 1))).clip(0, 1)
    level = 1 - image[..., 0]
    energies = [
        energy(level, ActiveContour(**CONTOUR, iterations=n, smoothing=0).segment(image, at((20, 12)), NOTHING))
        for n in (0, 2, 4, 6, 8)
    ]
    assert energies == sorted(energies, reverse=True)
    assert energies[-1] < 1.05 * energy(level, APART[0]) < 0.5 * energies[0]


def test_active_contour_ends_at_its_disk():
    exact = ActiveContour(**CONTOUR, smoothing=0)
    np.testing.assert_array_equal(exact.segment(ONE, at((20, 12)), NOTHING), APART[0])
    smooth = ActiveContour(**CONTOUR).segment(ONE, at((20, 12)), NOTHING)
    assert (smooth & APART[0]).sum() / (smooth | APART[0]).sum() > 0.9  # without corners
    # One pixel an iteration from the circle of radius 3.
    np.testing.assert_array_equal(
        ActiveContour(**CONTOUR, iterations=0).segment(ONE, at((20, 12)), NOTHING), disk(20, 12, 3)
    )


def test_active_contour_goes_on_from_the_previous_mask_and_around_negative_seeds():
    method = ActiveContour(**CONTOUR)
    negative = at((20, 37))
    found = method.segment(PAIR, at((20, 12)), negative, RIGHT)
    assert not found[disk(20, 37, 3)].any()
    assert found[APART[1] & ~disk(20, 37, 5)].mean() > 0.8
    assert not method.segment(PAIR, at((20, 12)), negative)[APART[1]].any()


def test_active_contour_does_not_depend_on_earlier_calls():
    """scikit-image alternates its smoothing operators over calls, too."""
    image = np.random.default_rng(5).random((HEIGHT, WIDTH, 3))
    method = ActiveContour(**CONTOUR, iterations=2)
    found = [method.segment(image, at((20, 12)), NOTHING) for _ in range(3)]
    np.testing.assert_array_equal(found[0], found[1])
    np.testing.assert_array_equal(found[0], found[2])
    with pytest.raises(ConfigError, match="iterations=3 must be even"):
        ActiveContour(iterations=3)


STROKE = Scribble(((10.5, 12.5), (20.5, 25.5)))
EVERYTHING = Scribble(((0.0, 20.0), (50.0, 20.0)), width=50)
SAID = {
    "click": [Click(16.5, 20.5)],
    "corner": [Click(0.5, 0.5)],
    "stroke": [STROKE],
    "both signs": [STROKE, Scribble(((30.5, 12.5), (40.5, 25.5)), positive=False)],
    "neighbours": [Click(16.5, 20.5), Click(17.5, 20.5, positive=False)],
    "everything": [EVERYTHING],
    "everything but a pixel": [Scribble(((0.0, 20.0), (50.0, 20.0)), width=50, positive=False), Click(16.5, 20.5)],
    "contradiction": [Click(16.5, 20.5), Click(16.5, 20.5, positive=False)],
    "everything twice": [EVERYTHING, Scribble(((0.0, 20.0), (50.0, 20.0)), width=50, positive=False)],
}
METHODS = [Watershed, RegionGrowing, RandomWalker, GrabCut, ActiveContour]


@pytest.mark.parametrize("image", [TWO, picture(), picture(ground=0.0)], ids=["disks", "white", "black"])
@pytest.mark.parametrize("name", SAID)
@pytest.mark.parametrize("make", METHODS)
def test_seeds_are_kept_and_nothing_warns(make, name, image):
    said = Interactions.from_lists([SAID[name]], (HEIGHT, WIDTH))
    method = make(window=None)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        mask = method.step(batch(image), said, method.start(batch(image)))["probability"][0, 0] > 0.5
    positive, negative = said.pixels(1)[0], said.pixels(0)[0]
    assert mask[positive].all()
    assert not mask[negative & ~positive].any()


@pytest.mark.parametrize("make", [GrabCut, ActiveContour])
def test_a_previous_mask_stands_for_positive_seeds(make):
    session = Session(make(window=None))
    session.set_image(batch(PAIR), torch.from_numpy(BOTH)[None, None].float())
    mask = session.add(Click(37.5, 20.5, positive=False))
    assert not mask[0, 0, 20, 37]
    session.undo()
    np.testing.assert_array_equal(session.mask[0, 0], BOTH)


@pytest.mark.parametrize(("make", "turns"), [(Watershed, 2), (RandomWalker, 2), (GrabCut, 1), (ActiveContour, 1)])
def test_turns_before_the_first_prediction(make, turns):
    assert make.warmup == turns


class TestRandomWalker(EngineContract):
    def make(self) -> Engine:
        return RandomWalker(grid=32)


class TestRandomWalkerInWindows(EngineContract):
    def make(self) -> Engine:
        return RandomWalker(window=24)


class TestGrabCut(EngineContract):
    def make(self) -> Engine:
        return GrabCut(window=24)


class TestActiveContour(EngineContract):
    def make(self) -> Engine:
        return ActiveContour()


@pytest.mark.parametrize("connected", [False, True])
def test_a_negative_click_alone_keeps_the_rest_of_grabcuts_mask(connected):
    mask = disk(20, 25, 12)
    session = Session(GrabCut(connected=connected, window=None))
    session.set_image((picture((mask, 0.3)) * 255).astype(np.uint8), mask)
    session.add(Click(14.5, 20.5, positive=False))
    assert session.mask.sum() > 0.7 * mask.sum()
    assert not session.mask[..., 20, 14].any()


@pytest.mark.parametrize("make", [Watershed, RegionGrowing, RandomWalker])
def test_without_a_positive_seed_the_mask_stays_to_the_pixel(make):
    """Negative clicks far apart make the window one that is scaled down."""
    mask = np.zeros((200, 200), bool)
    mask[::2] = True
    session = Session(make(window=64))
    session.set_image(np.full((200, 200, 3), 200, np.uint8), mask)
    session.add(*(Click(x, x, positive=False) for x in (20.5, 180.5)))
    np.testing.assert_array_equal(session.mask[0, 0], mask)
