from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from tests.helpers.fakes import Disks
from zoo import Box, Click, Scribble, Session
from zoo.errors import ConfigError
from zoo.evaluation.speed import TimedEngine
from zoo.inference.engine import Engine, State
from zoo.inference.tiling import TiledEngine, Tiles
from zoo.interactions import Interaction, Interactions

SIZE = (70, 110)
SIDE, OVERLAP = 32, 8


class Bare(Engine):
    """A synthetic network; remembers what it was given.

    `kind` says what its output is: `constant` .75, `smooth` from the image's first channel, pixel by pixel, or `mean`
    of the window's second channel, so that every window has another one. The first probability is channel 3.
    """

    warmup = 0

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.started: list[tuple[int, ...]] = []
        self.steps: list[Interactions] = []

    def start(self, image: Tensor, mask: Tensor | None = None) -> State:
        if mask is None:
            self.started.append(tuple(image.shape))
        return {"probability": image[:, 2:] if mask is None else mask}

    def step(self, image: Tensor, interactions: Interactions, state: State) -> State:
        assert interactions.size == image.shape[-2:]
        self.steps.append(interactions)
        if self.kind == "constant":
            return {"probability": torch.full_like(image[:, :1], 0.75)}
        if self.kind == "smooth":
            return {"probability": 0.5 * image[:, :1] + 0.25}
        return {"probability": image[:, 1:2].mean((2, 3), keepdim=True).expand_as(image[:, :1])}


def smooth_image(size: tuple[int, int] = SIZE, batch: int = 1) -> Tensor:
    rows, columns = torch.meshgrid(torch.arange(size[0]), torch.arange(size[1]), indexing="ij")
    channels = [torch.sin(rows / 9) * torch.cos(columns / 11), columns / size[1], torch.sin((rows + columns) / 13)]
    return torch.stack([c.float() if i == 1 else 0.5 + 0.4 * c for i, c in enumerate(channels)]).expand(
        batch, -1, -1, -1
    )


def everywhere() -> list[Interaction]:
    """A click in every 5 x 5 pixels."""
    return [Click(x + 0.5, y + 0.5) for y in range(2, SIZE[0], 5) for x in range(2, SIZE[1], 5)]


def session(engine: Engine, image: Tensor | None = None, mask: Tensor | None = None) -> Session:
    made = Session(TiledEngine(engine, SIDE, OVERLAP))
    made.set_image(smooth_image() if image is None else image, mask)
    return made


def steps(image: Tensor) -> Tensor:
    """The largest difference of neighbouring pixels."""
    return torch.maximum(image.diff(dim=-1).abs().max(), image.diff(dim=-2).abs().max())


@given(
    height=st.integers(1, 90),
    width=st.integers(1, 90),
    side=st.integers(4, 40),
    part=st.floats(0, 1),
)
@settings(max_examples=60, deadline=None)
def test_weights_add_up_and_tiles_overlap(height, width, side, part):
    overlap = max(1, round(part * (side // 2)))
    tiles = Tiles.over((height, width), side, overlap)
    total, covered = np.zeros((height, width)), np.zeros((height, width), int)
    h, w = tiles.size
    assert (h, w) == (min(side, height), min(side, width))
    for tile, (y, x) in enumerate(tiles.corners):
        only = torch.arange(len(tiles.corners)) == tile
        share = tiles.blend(torch.ones(1, len(only), h, w), torch.zeros(1, 1, height, width), only)[0, 0].numpy()
        total += share
        assert y >= 0
        assert x >= 0
        assert y + h <= height
        assert x + w <= width
        assert (share[y : y + h, x : x + w] > 0).all()
        assert np.isclose(share.sum(), share[y : y + h, x : x + w].sum())
        covered[y : y + h, x : x + w] += 1
    np.testing.assert_allclose(total, 1, atol=1e-6)
    assert covered.min() >= 1
    for values, length, long in (
        (sorted({y for y, _ in tiles.corners}), height, h),
        (sorted({x for _, x in tiles.corners}), width, w),
    ):
        assert values[0] == 0
        assert values[-1] + long == length
        assert all(later - earlier <= long - overlap for earlier, later in pairwise(values))


def test_a_constant_network_gives_a_constant():
    made = session(Bare("constant"))
    made.add(*everywhere())
    torch.testing.assert_close(made.probability, torch.full((1, 1, *SIZE), 0.75), rtol=0, atol=1e-6)


def test_a_pointwise_network_gives_what_it_gives_the_whole_image():
    made = session(Bare("smooth"))
    torch.testing.assert_close(made.probability, smooth_image()[:, 2:], rtol=0, atol=1e-6)
    made.add(*everywhere())
    plain = 0.5 * smooth_image()[:, :1] + 0.25
    torch.testing.assert_close(made.probability, plain, rtol=0, atol=1e-6)
    assert steps(made.probability) <= steps(plain) + 1e-6


def test_no_seam_where_neighbouring_tiles_disagree():
    image = smooth_image()
    image = torch.cat([image[:, :2], torch.zeros_like(image[:, :1])], 1)
    made = session(Bare("mean"), image)
    made.add(*everywhere())
    means = torch.stack([part[1].mean() for part in Tiles.over(SIZE, SIDE, OVERLAP).cut(image, _all_tiles())])
    # At a seam the step would be the difference of two tiles; a ramp of 8 px shares it out among 8 px.
    jump = means.unique().diff().max()
    assert jump > 0.1
    assert steps(made.probability) <= jump / OVERLAP + 1e-6
    # One refined tile beside others that keep the first probability, 0.
    alone = session(Bare("mean"), image)
    alone.add(Click(96.5, 60.5))
    assert alone.probability.max() > 0.8
    assert steps(alone.probability) <= 1 / OVERLAP + 1e-6


def _all_tiles() -> tuple[Tensor, Tensor]:
    count = torch.arange(len(Tiles.over(SIZE, SIDE, OVERLAP).corners))
    return torch.zeros_like(count), count


@pytest.mark.parametrize("size", [(32, 32), (20, 31)])
def test_one_tile_is_the_plain_engine(size):
    plain, engine = Bare("mean"), Bare("mean")
    image = smooth_image(size)
    made, bare = session(engine, image), Session(plain)
    bare.set_image(image)
    for one in (made, bare):
        one.add(Click(3.5, 4.5), Scribble(((8.5, 9.5), (15.5, 9.5)), positive=False))
    assert torch.equal(made.probability, bare.probability)
    assert len(engine.steps) == 1
    assert torch.equal(engine.steps[0].points, plain.steps[0].points)


@given(
    drawn=st.lists(
        st.tuples(st.integers(0, SIZE[1] - 1), st.integers(0, SIZE[0] - 1), st.booleans()), min_size=1, max_size=3
    )
)
@settings(max_examples=25, deadline=None)
def test_only_windows_in_which_something_was_drawn_change(drawn):
    made = session(Bare("constant"))
    before = made.probability
    made.add(*[Scribble(((x + 0.5, y + 0.5),), positive) for x, y, positive in drawn])
    changed = np.zeros(SIZE, bool)
    tiles = Tiles.over(SIZE, SIDE, OVERLAP)
    h, w = tiles.size
    for y0, x0 in tiles.corners:
        if any(y0 <= y < y0 + h and x0 <= x < x0 + w for x, y, _ in drawn):
            changed[y0 : y0 + h, x0 : x0 + w] = True
    outside = ~torch.from_numpy(changed)
    assert torch.equal(made.probability[0, 0][outside], before[0, 0][outside])
    # A scribble's own pixel has changed, wherever the network says something else than before.
    for x, y, _ in drawn:
        assert made.probability[0, 0, y, x] != before[0, 0, y, x] or before[0, 0, y, x] == 0.75


def test_only_tiles_with_something_new_are_computed():
    engine = Bare("smooth")
    made = session(engine)
    tiles = Tiles.over(SIZE, SIDE, OVERLAP)
    middle = [(y + 16.5, x + 16.5) for y, x in tiles.corners]
    assert made.mask.shape == (1, 1, *SIZE)
    assert sum(shape[0] for shape in engine.started) == len(tiles.corners)
    assert all(shape[-2:] == (SIDE, SIDE) for shape in engine.started)

    def computed(*said: Interaction) -> int:
        engine.steps.clear()
        made.add(*said)
        return sum(map(len, engine.steps))

    (y, x), (v, u) = middle[0], middle[-1]
    assert computed(Scribble(((x, y), (x + 2, y)))) == 1
    assert computed(Click(u, v, positive=False)) == 1
    # all of the tile's interactions are said again, in its pixels, and no other tile's
    assert computed(Click(x, y - 2)) == 1
    assert engine.steps[0].points[0, :, 2].tolist() == [-1, 1]
    assert engine.steps[0].points[0, 1, :2].tolist() == [16.5, 14.5]
    assert engine.steps[0].strokes[0, 0].nonzero().tolist() == [[16, 16], [16, 17], [16, 18]]
    # the same pixels again: nothing is new
    assert computed(Scribble(((x, y), (x + 2, y)))) == 0
    assert computed(Box(x - 2, y - 2, x + 2, y + 2)) == 1
    # after an undo another click is new again
    made.undo()
    assert computed(Click(x + 1, y)) == 1
    assert sum(shape[0] for shape in engine.started) == len(tiles.corners)


def test_a_scribble_across_tiles_is_told_to_each_in_its_part():
    engine = Bare("smooth")
    made = session(engine)
    made.add(Scribble(((2.5, 40.5), (105.5, 40.5)), width=1))
    whole = made.interactions.strokes
    tiles = Tiles.over(SIZE, SIDE, OVERLAP)
    expected = [whole[0, :, y : y + SIDE, x : x + SIDE] for y, x in tiles.corners if y <= 40 < y + SIDE]
    told = [sample for step in engine.steps for sample in step.strokes]
    assert len(told) == len(expected) > 3
    assert all(torch.equal(a, b) for a, b in zip(told, expected, strict=True))


def test_a_given_mask_takes_the_place_of_the_first_probability():
    engine = Bare("constant")
    mask = torch.zeros(1, 1, *SIZE)
    mask[..., 10:30, 40:100] = 1
    made = session(engine, mask=mask)
    assert not engine.started
    assert torch.equal(made.probability, mask)
    made.add(Click(3.5, 3.5))
    assert torch.equal(made.probability[..., 32:, :], mask[..., 32:, :])
    assert torch.equal(made.probability[..., :, 32:], mask[..., :, 32:])
    assert made.probability[0, 0, 3, 3] == pytest.approx(0.75)


def test_samples_of_a_batch_have_tiles_of_their_own():
    image = torch.cat([smooth_image(), smooth_image().flip(-1), smooth_image().flip(-2)])
    said = [[Click(5.5, 6.5)], [], [Click(100.5, 60.5), Scribble(((30.5, 30.5), (60.5, 40.5)))]]
    made = session(Bare("mean"), image)
    made.add(Interactions.from_lists(said, SIZE))
    for i, mine in enumerate(said):
        alone = session(Bare("mean"), image[i : i + 1])
        if mine:
            alone.add(*mine)
        torch.testing.assert_close(made.probability[i : i + 1], alone.probability, rtol=0, atol=1e-6)


@pytest.mark.parametrize("overlap", [0, 17])
def test_an_overlap_that_does_not_fit(overlap):
    with pytest.raises(ConfigError, match="at most half of a tile of 32 px"):
        TiledEngine(Bare("mean"), 32, overlap)


def test_it_says_of_itself_what_its_engine_says():
    told = Disks(5, window=48)
    told.warmup, told.mpp, told.boxes, told.remembers = 2, 0.25, True, False
    for wrapped in (TiledEngine(told, 32, 8), TimedEngine(told)):
        assert (wrapped.window, wrapped.warmup, wrapped.mpp, wrapped.boxes) == (48, 2, 0.25, True)
        assert not wrapped.remembers
