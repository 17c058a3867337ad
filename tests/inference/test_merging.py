"""Corrections that stay where they were made, against SciPy's components."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import ndimage

from zoo import Scribble, Session
from zoo.errors import ConfigError
from zoo.inference.engine import Engine, State
from zoo.inference.merging import MergingEngine
from zoo.inference.tiling import TiledEngine
from zoo.interactions import Interactions
from zoo.ops.distance import distance_to

SIDE = 8
MASKS = arrays(bool, (2, SIDE, SIDE))


class Foretold(Engine):
    """Says one mask after the other, whatever it is told."""

    def __init__(self, *masks: np.ndarray) -> None:
        self.masks = [torch.from_numpy(mask).float()[:, None] for mask in masks]

    def start(self, image, mask=None) -> State:
        return {"probability": self.masks[0], "turn": torch.zeros(len(image), dtype=torch.long)}

    def step(self, image, interactions, state) -> State:
        turn = state["turn"] + 1
        return {"probability": self.masks[int(turn[0])], "turn": turn}


def merged(before: np.ndarray, last: np.ndarray, now: np.ndarray, strokes: np.ndarray, within: float) -> np.ndarray:
    """One image, component by component, in the box of what the engine itself changes: its last mask to `now`."""
    out = before.copy()
    differs = last != now
    box = np.outer(differs.any(1), differs.any(0))
    if box.any():
        rows, columns = (np.flatnonzero(box.any(axis)) for axis in (1, 0))
        box[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1] = True
    strokes = strokes & box
    for label, changed in ((1, now & ~before), (0, before & ~now)):
        near = ndimage.distance_transform_edt(~strokes[1 - label]) <= within
        changed &= near & box & strokes[1 - label].any()
        components, number = ndimage.label(changed, np.ones((3, 3)))
        for component in range(1, number + 1):
            if (strokes[1 - label] & (components == component)).any():
                out[components == component] = bool(label)
    return out


@given(
    st.tuples(MASKS, MASKS, MASKS),
    arrays(bool, (2, 2, SIDE, SIDE), elements=st.booleans(), fill=st.just(False)),
    st.sampled_from([1.0, 1.5, 2.9, 20.0]),
)
def test_only_what_is_connected_with_what_was_said_changes(masks, strokes, within):
    engine = MergingEngine(Foretold(*masks), within)
    image = torch.zeros(2, 3, SIDE, SIDE)
    said = Interactions.of(torch.zeros(2, 0, 4), (SIDE, SIDE), torch.from_numpy(strokes))
    state, expected = engine.start(image), masks[0]
    np.testing.assert_array_equal(engine.mask(state, said)[:, 0], expected)
    for last, now in pairwise(masks):
        state = engine.step(image, said, state)
        expected = np.stack([merged(*each, within) for each in zip(expected, last, now, strokes, strict=True)])
        np.testing.assert_array_equal(engine.mask(state, said)[:, 0], expected)


@pytest.mark.parametrize("label", [0, 1])
def test_a_click_moves_its_side_alone(label):
    """The engine turns both halves over; the click in the left one asks for that half."""
    before = np.full((1, SIDE, SIDE), label == 1)
    before[..., :4] = label == 0
    engine = MergingEngine(Foretold(before, ~before), 20.0)
    said = Interactions.of(torch.tensor([[[1.5, 1.5, label, 0.0]]]), (SIDE, SIDE))
    image = torch.zeros(1, 3, SIDE, SIDE)
    mask = engine.mask(engine.step(image, said, engine.start(image)), said)
    assert bool((mask == (label == 1)).all())


@pytest.mark.parametrize("within", [0.0, -3.0, float("nan")])
def test_no_distance_is_a_named_error(within):
    with pytest.raises(ConfigError, match="must be above 0"):
        MergingEngine(Foretold(), within)


def test_masks_that_look_beyond_pixels_are_refused():
    class Filled(Foretold):
        reach = "image"

    with pytest.raises(ConfigError, match=r"each by itself.*\(image\); leave `merge` out"):
        MergingEngine(Filled(), 64.0)


class Forgetful(Engine):
    """Disks around the newest positive strokes; the first ones are forgotten once there are others."""

    warmup, reach = 0, "pixel"

    def start(self, image: torch.Tensor, mask: torch.Tensor | None = None) -> State:
        return {"probability": torch.zeros_like(image[:, :1]) if mask is None else mask}

    def step(self, image: torch.Tensor, interactions: Interactions, state: State) -> State:
        on = interactions.pixels(1)
        last = on & (torch.arange(on.shape[2]) > 60)
        return {"probability": (distance_to(last if last.any() else on) <= 5).float()[:, None]}


@pytest.mark.parametrize("side", [128, 200])
def test_a_scribble_keeps_what_an_earlier_one_made_in_the_same_tile(side):
    session = Session(MergingEngine(TiledEngine(Forgetful(), 128, 32), 20.0))
    session.set_image(torch.zeros(1, 3, side, side))
    session.add(Scribble(((20.5, 60.5), (24.5, 60.5))))
    first = session.mask
    session.add(Scribble(((90.5, 60.5), (94.5, 60.5))))
    assert first.any()
    assert not (first & ~session.mask).any()
    assert session.mask[..., 60, 92].all()
