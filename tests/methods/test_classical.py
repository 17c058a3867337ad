from functools import partial

import numpy as np
import pytest
import torch
from lightning import Trainer

from zoo import Click, Session
from zoo.data import ObjectWindows, PatchDataModule
from zoo.errors import NotTrainableError
from zoo.inference.engine import Engine
from zoo.interactions import Interactions
from zoo.methods import RegionGrowing, Watershed
from zoo.methods.classical import stain_map
from zoo.testing import EngineContract, tiny_store

HEIGHT, WIDTH = 40, 50
ROWS, COLUMNS = np.mgrid[:HEIGHT, :WIDTH]
NOTHING = np.zeros((HEIGHT, WIDTH), bool)
PLAIN = {"stain": "gray", "sigma": 0.0, "seed_radius": 0}


def disk(row: int, column: int, radius: float) -> np.ndarray:
    return (ROWS - row) ** 2 + (COLUMNS - column) ** 2 <= radius**2


def at(*pixels: tuple[int, int]) -> np.ndarray:
    seeds = NOTHING.copy()
    for row, column in pixels:
        seeds[row, column] = True
    return seeds


def picture(*parts: tuple[np.ndarray, float], ground: float = 0.95) -> np.ndarray:
    """(40, 50, 3) grey in 0..1."""
    level = np.full((HEIGHT, WIDTH), ground)
    for mask, value in parts:
        level[mask] = value
    return np.repeat(level[..., None], 3, 2)


LEFT, RIGHT = disk(20, 16, 8), disk(20, 33, 8)  # they touch: columns 24 and 25
TWO = picture((LEFT, 0.3), (RIGHT, 0.55))
# Two levels that mix everywhere: growth that tolerates both goes anywhere.
STRIPED = picture((COLUMNS % 2 == 0, 0.85))
ANY = {"stain": "gray", "sigma": 0.0, "seed_radius": 0, "tolerance": 9.0}
RING = disk(20, 25, 12) & ~disk(20, 25, 5)
HOLE = disk(20, 25, 5)


def test_watershed_floods_what_is_stained():
    found = Watershed(**PLAIN, max_radius=None).segment(TWO, at((20, 16)), NOTHING)
    np.testing.assert_array_equal(found, LEFT | RIGHT)
    alone = picture((disk(12, 10, 5), 0.3), (RIGHT, 0.3))
    np.testing.assert_array_equal(
        Watershed(**PLAIN, max_radius=None).segment(alone, at((12, 10)), NOTHING), disk(12, 10, 5)
    )


def test_watershed_parts_touching_discs_by_a_negative_seed():
    found = Watershed(**PLAIN, max_radius=None).segment(TWO, at((20, 16)), at((20, 33)))
    apart = (COLUMNS < 23) | (COLUMNS > 26)  # the gradient is as steep on both sides of where they meet
    np.testing.assert_array_equal(found[apart], LEFT[apart])
    other = Watershed(**PLAIN, max_radius=None).segment(TWO, at((20, 33)), at((20, 16)))
    np.testing.assert_array_equal(other[apart], RIGHT[apart])
    np.testing.assert_array_equal(found | other, LEFT | RIGHT)
    assert not (found & other).any()


@pytest.mark.parametrize("radius", [0.0, 1.0, 6.5, 9.0])
def test_watershed_ends_at_its_radius(radius):
    everywhere = Watershed(**PLAIN, foreground=False, max_radius=radius)
    np.testing.assert_array_equal(everywhere.segment(TWO, at((20, 16)), NOTHING), disk(20, 16, radius))
    stained = Watershed(**PLAIN, max_radius=radius)
    np.testing.assert_array_equal(stained.segment(TWO, at((20, 12)), NOTHING), disk(20, 12, radius) & LEFT)


def test_watershed_seeds_are_grown():
    method = Watershed(stain="gray", sigma=0.0, seed_radius=3, max_radius=2.0)
    np.testing.assert_array_equal(method.segment(picture(), at((5, 5)), NOTHING), disk(5, 5, 3))
    # Of overlapping seeds the positive keeps its disk, the negative one its pixel.
    found = method.segment(picture(), at((5, 5)), at((5, 7)))
    assert found[5, 6]
    assert not found[5, 7]


@pytest.mark.parametrize(
    "method", [Watershed(**PLAIN, max_radius=None), RegionGrowing(**PLAIN, tolerance=0.2, iterations=60)]
)
def test_holes_are_filled_but_for_negative_seeds(method):
    image = picture((RING, 0.3))
    seeds = at((20, 16), (20, 34), (11, 25), (29, 25))
    np.testing.assert_array_equal(method.segment(image, seeds, NOTHING), RING | HOLE)
    found = method.segment(image, seeds, at((20, 25)))
    assert not found[disk(20, 25, 3)].any()
    assert found[seeds].all()


def test_region_growing_stops_at_other_levels():
    method = RegionGrowing(**PLAIN, tolerance=0.3)
    assert 0.3 * (1 - TWO[..., 0]).std() < 0.25  # the discs differ by that much
    np.testing.assert_array_equal(method.segment(TWO, at((20, 16)), NOTHING), LEFT)
    np.testing.assert_array_equal(method.segment(TWO, at((20, 33)), NOTHING), RIGHT)
    both = RegionGrowing(**PLAIN, tolerance=2.0, iterations=60).segment(TWO, at((20, 16)), NOTHING)
    np.testing.assert_array_equal(both, LEFT | RIGHT)


@pytest.mark.parametrize("iterations", [1, 7])
def test_region_growing_takes_one_pixel_a_step(iterations):
    found = RegionGrowing(**ANY, iterations=iterations).segment(STRIPED, at((20, 20)), NOTHING)
    np.testing.assert_array_equal(found, abs(ROWS - 20) + abs(COLUMNS - 20) <= iterations)


def test_a_negative_seed_stops_growth():
    method = RegionGrowing(**ANY, iterations=100)
    found = method.segment(STRIPED, at((20, 10)), at((20, 20)))
    np.testing.assert_array_equal(found, COLUMNS <= 15)  # up to where both seeds are equally far
    assert method.segment(STRIPED, at((20, 10)), NOTHING).all()


def test_region_growing_compares_with_the_mean_around_its_seeds():
    image = picture((COLUMNS >= 25, 0.5), ground=0.9)
    # Seeds on both sides have the mean .7, from which both sides differ by one standard deviation (.2).
    both = at((20, 10), (20, 40))
    assert RegionGrowing(**PLAIN, tolerance=1.1, iterations=99).segment(image, both, NOTHING).all()
    np.testing.assert_array_equal(
        RegionGrowing(**PLAIN, tolerance=0.9, iterations=99).segment(image, both, NOTHING), both
    )


def test_stains():
    colours = np.array([[[1.0, 1.0, 1.0], [0.4, 0.25, 0.6], [0.9, 0.5, 0.7], [0.5, 0.5, 0.5]]])
    white, purple, pink, grey = stain_map(colours, "hematoxylin")[0]
    assert purple > pink >= white
    assert purple > grey > white
    assert stain_map(colours, "saturation")[0] == pytest.approx([0, (0.6 - 0.25) / 0.6, (0.9 - 0.5) / 0.9, 0])
    weights = np.array([0.2125, 0.7154, 0.0721])
    assert stain_map(colours, "gray")[0] == pytest.approx(1 - colours[0] @ weights)


def batch(image: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(image).float().permute(2, 0, 1)[None]


def test_all_seeds_of_a_session_count_and_its_initial_mask_stays_without_a_positive_one():
    method = RegionGrowing(**PLAIN, tolerance=0.3)
    session = Session(method)
    mask = torch.from_numpy(RIGHT)[None, None].float()
    session.set_image(batch(TWO), mask)
    np.testing.assert_array_equal(session.add(Click(16.5, 20.5, positive=False))[0, 0], RIGHT)
    session.add(Click(16.5, 20.5))
    session.undo()
    np.testing.assert_array_equal(session.mask[0, 0], RIGHT)
    session.reset()
    session.add(Click(33.5, 20.5))
    np.testing.assert_array_equal(session.mask[0, 0], RIGHT)


@pytest.mark.parametrize(("x", "y", "x0", "y0"), [(25.5, 20.5, 15, 10), (2.5, 38.5, 0, 20)])
def test_a_window_limits_what_is_seen(x, y, x0, y0):
    """Everything is alike enough, so that all of the window joins, and nothing else."""
    window = at()
    window[y0 : y0 + 20, x0 : x0 + 20] = True
    for make in (RegionGrowing, Watershed):
        more = (
            {"iterations": 99, "tolerance": 9.0} if make is RegionGrowing else {"foreground": False, "max_radius": None}
        )
        session = Session(make(**PLAIN, **more, window=20))
        session.set_image(batch(STRIPED))
        np.testing.assert_array_equal(session.add(Click(x, y))[0, 0], window)
        whole = Session(make(**PLAIN, **more, window=None))
        whole.set_image(batch(STRIPED))
        assert whole.add(Click(x, y)).all()


def test_an_image_that_fits_the_window_is_seen_as_it_is():
    said = Interactions.from_lists([[Click(16.5, 20.5)]], (HEIGHT, WIDTH))
    image = batch(TWO)
    results = []
    for window in (None, 50, 128):
        method = RegionGrowing(**PLAIN, tolerance=0.3, window=window)
        results.append(method.step(image, said, method.start(image))["probability"])
    assert torch.equal(results[0], results[1])
    assert torch.equal(results[0], results[2])


class TestRegionGrowingInWindows(EngineContract):
    def make(self) -> Engine:
        return RegionGrowing(window=24)


class TestWatershedInWindows(EngineContract):
    def make(self) -> Engine:
        return Watershed(window=24, foreground=False)


@pytest.mark.parametrize("make", [Watershed, RegionGrowing])
def test_there_is_nothing_to_fit(tmp_path, make):
    data = PatchDataModule([str(tiny_store(tmp_path / "tiny.h5"))], train=partial(ObjectWindows, side=32), batch_size=2)
    quiet = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False}
    trainer = Trainer(accelerator="cpu", max_epochs=1, enable_model_summary=False, default_root_dir=tmp_path, **quiet)
    with pytest.raises(NotTrainableError, match=f"{make.__name__}.*nothing to fit.*zoo test"):
        trainer.fit(make(), datamodule=data)
