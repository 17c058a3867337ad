import numpy as np
import pytest
import torch
from scipy import ndimage

from zoo import Box, Click, Scribble
from zoo.inference.said import Said
from zoo.inference.tiling import Tiles
from zoo.interactions import Interactions

SIZE = (90, 130)


def everything(rng: np.random.Generator) -> list:
    places = [(float(x) + 0.5, float(y) + 0.5) for x, y in rng.integers(0, 60, (12, 2))]
    said = [Click(x, y, positive=bool(i % 3), turn=i % 2) for i, (x, y) in enumerate(places)]
    said += [Click(130, 90), Box(20, 10, 90, 60), Box(0, 0, 5, 5, turn=1)]
    for width in (1, 1, 3, 8):
        points = tuple((float(x), float(y)) for x, y in rng.random((3, 2)) * 80)
        said.append(Scribble(points, positive=width != 3, width=width))
    return [*said, Scribble(((130.0, 90.0),))]


def in_order(rows: torch.Tensor, flag: int) -> list:
    return sorted(row for row in rows[0].tolist() if row[flag] >= 0)


@pytest.mark.parametrize("boxes", [True, False])
def test_tiles_hear_what_they_hear_of_the_whole(boxes):
    given = everything(np.random.default_rng(0))
    said = Said(given, SIZE, boxes)
    whole = Interactions.from_lists([given], SIZE)
    whole = whole if boxes else whole.with_box_centres()
    tiles = Tiles.over(SIZE, 32, 8)
    silent = 0
    for number, (y, x) in enumerate(tiles.corners):
        place = slice(y, y + 32), slice(x, x + 32)
        expected = tiles.within(whole, (torch.tensor([0]), torch.tensor([number])))
        found = said.within(place)
        assert not found or said.reaches(place)
        silent += not said.reaches(place)
        assert [each.size for each in found] == [(32, 32)] * len(found)
        points = torch.cat([each.points for each in found] or [torch.zeros(1, 0, 4)], 1)
        assert in_order(points, 2) == in_order(expected.points, 2)
        strokes = [each.strokes for each in found if each.strokes is not None]
        drawn = torch.stack(strokes).any(0) if strokes else torch.zeros(1, 2, 32, 32, dtype=torch.bool)
        assert torch.equal(drawn, expected.strokes)
        if boxes:
            given_boxes = torch.cat([each.boxes for each in found] or [torch.zeros(1, 0, 5)], 1)
            assert in_order(given_boxes, 4) == in_order(expected.boxes, 4)
    assert silent


def test_turns_in_order():
    said = Said([Click(3, 3, turn=4), Click(4, 4), Click(99, 5, turn=2)], SIZE, True)
    found = said.within((slice(0, 32), slice(0, 32)))
    assert [each.points[0, 0].tolist() for each in found] == [[4, 4, 1, 0], [3, 3, 1, 4]]


def test_a_long_line_is_drawn_without_a_raster_of_its_own(monkeypatch):
    monkeypatch.setattr("zoo.inference.said.LONGEST", 20)
    said = Said([Scribble(((2.0, 2.0), (120.0, 80.0)), width=3)], SIZE, True)
    whole = Interactions.from_lists([[Scribble(((2.0, 2.0), (120.0, 80.0)), width=3)]], SIZE).strokes
    (found,) = said.within((slice(32, 64), slice(32, 96)))
    exact, drawn = whole[0, 0, 32:64, 32:96].numpy(), found.strokes[0, 0].numpy()
    assert exact.any()
    assert not (drawn & ~ndimage.binary_dilation(exact, np.ones((3, 3)))).any()
    assert not (exact & ~ndimage.binary_dilation(drawn, np.ones((3, 3)))).any()
