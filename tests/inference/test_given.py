import math

import numpy as np
import pytest
import torch

from zoo import Box, Click, Scribble
from zoo.errors import InteractionError
from zoo.inference.given import GivenObjects
from zoo.inference.zoom import InteractionWindow
from zoo.interactions import Interaction, Interactions
from zoo.ops.frame import Frame

SIZE = (90, 120)


def drawings(count: int) -> list[list[Interaction]]:
    """Scribbles of any width, up to the image's edges, some with clicks and boxes."""
    draws = np.random.default_rng(0)
    out: list[list[Interaction]] = []
    for number in range(count):
        centre = draws.uniform((0, 0), (120, 90))
        places = np.clip(centre + draws.normal(0, 12, (draws.integers(1, 6), 2)), 0, (120, 90))
        out.append([Scribble(tuple(map(tuple, places.tolist())), True, float(draws.uniform(0.5, 9)))])
        if number % 3 == 0:
            out[-1].append(Click(*draws.uniform((0, 0), (120, 90)).tolist()))
        if number % 4 == 0:
            out[-1].append(Scribble(((0.0, 3.0), (120.0, 88.7)), positive=False, width=3))
        if number % 5 == 0:
            out[-1].append(Box(10, 12, 40, 31))
    return out


@pytest.mark.parametrize("scale", [None, 0.37, 1.8])
def test_small_rasters_are_those_of_the_image(scale):
    objects = drawings(40)
    whole = Interactions.from_lists(objects, SIZE)
    given = GivenObjects.of_lists(objects, SIZE)
    if scale is not None:
        zero = torch.zeros(1, dtype=torch.float64)
        frame = Frame(zero, zero, zero + scale, (math.ceil(SIZE[0] * scale), math.ceil(SIZE[1] * scale)))
        given = given.through(frame)
        whole = whole.through(frame.select(torch.zeros(40, dtype=torch.long)))
    for each in (given, GivenObjects.of(whole)):
        windows = InteractionWindow(32)(each.extent, torch.zeros(0))
        expected = InteractionWindow(32)(whole, torch.zeros(0))
        assert torch.equal(windows.rows(), expected.rows())
        (((said, who),)) = each.in_turns(each.marks.through(windows), windows)
        there = whole.through(windows)
        assert torch.equal(said.points, there.points)
        assert torch.equal(said.boxes, there.boxes)
        assert torch.equal(said.strokes, there.strokes)
        assert who.all()
        assert said.strokes.any()
    assert torch.equal(given.anchors, GivenObjects.of(whole).anchors)
    assert given.positive.all()


def test_scribbles_come_in_their_turn():
    objects: list[list[Interaction]] = [
        [Click(20.5, 20.5), Scribble(((22.5, 20.5), (26.5, 20.5)), False, turn=2)],
        [Scribble(((60.5, 40.5), (64.5, 40.5))), Click(58.5, 40.5, turn=1)],
        [Click(90.5, 50.5)],
    ]
    given = GivenObjects.of_lists(objects, SIZE)
    windows = InteractionWindow(32)(given.extent, torch.zeros(0))
    turns = list(given.in_turns(given.marks.through(windows), windows))
    assert [who.tolist() for _, who in turns] == [[True, True, True], [False, True, False], [True, False, False]]
    drawn = [said.strokes.flatten(2).sum(2).tolist() for said, _ in turns]
    assert drawn == [[[0, 0], [5, 0], [0, 0]]] * 2 + [[[0, 5], [5, 0], [0, 0]]]
    assert [(said.points[..., 2] == 1).sum().item() for said, _ in turns] == [2, 3, 3]


def test_a_window_is_around_what_was_given_first_and_holds_the_rest():
    near = [Click(40.5, 40.5), Scribble(((44.5, 40.5), (50.5, 40.5)), turn=1)]
    far = [Click(40.5, 40.5), Scribble(((44.5, 40.5), (66.5, 40.5)), turn=1)]
    refused = [Scribble(((40.5, 40.5), (44.5, 40.5))), Click(60.5, 40.5, positive=False)]
    given = GivenObjects.of_lists([near, far, refused], SIZE)
    windows = InteractionWindow(32)(given.extent, torch.zeros(0))
    assert windows.x0.tolist() == [24, 37, 26]


def test_nothing_positive_and_nothing_at_all():
    given = GivenObjects.of_lists([[Scribble(((1, 1), (2, 2)), False)], [], [Box(1, 1, 3, 3)]], SIZE)
    assert given.positive.tolist() == [False, False, True]
    with pytest.raises(InteractionError, match="outside"):
        GivenObjects.of_lists([[Scribble(((1, 1), (121, 2)))]], SIZE)
