from contextlib import closing

import numpy as np
import pytest

from tests.helpers.fakes import Disks
from tests.helpers.slides import mosaic, write_pyramid
from zoo import Box, Click, Session
from zoo.errors import ConfigError
from zoo.inference.children import ParentSession
from zoo.inference.closer import CloserObject
from zoo.inference.large import LargeObject, Tiling
from zoo.inference.said import Said
from zoo.interactions.single import moved
from zoo.slides import open_slide
from zoo.slides.field import Field

LOW, HIGH = (50, 75), (200, 300)
BOXES = [(40, 24, 80, 60), (101, 51, 77, 99)]  # the second begins between pixels of the low magnification


@pytest.fixture
def slide(tmp_path):
    write_pyramid(tmp_path / "a.tif", mosaic(340, 220), mpp=0.5)
    with open_slide(tmp_path / "a.tif") as slide:
        yield slide


def test_as_a_parent_session(slide, tmp_path):
    """Boxes in one tile, and one of several; at an odd origin of the region."""
    region = (11, 7, HIGH[1], HIGH[0])
    low, high = (Field.of(slide, region, mpp) for mpp in (2.0, 0.5))
    assert (low.size, high.size) == (LOW, HIGH)
    said = [Click(100.5, 80.5), Click(150.5, 120.5), Click(60.5, 50.5, positive=False)]
    parent = ParentSession(Disks(12), Disks(9))
    parent.set_images(*(field.read((slice(0, field.size[0]), slice(0, field.size[1]))) for field in (low, high)))
    parent.add(*(moved(each, low.origin, 4) for each in said))
    with (
        closing(LargeObject(Session(Disks(12)), low, tmp_path / "low")) as large,
        closing(CloserObject(large, Session(Disks(9)), high, tmp_path / "high")) as closer,
    ):
        large.segment(Said([moved(each, low.origin, 4) for each in said], LOW, False))
        for box in BOXES:
            x, y, width, height = ((at - o) / 4 for at, o in zip(box, (*low.origin, 0, 0), strict=True))
            child = parent.zoom(Box(x, y, x + width, y + height))
            corner = [start.start + o for start, o in zip(child.place[::-1], high.origin, strict=True)]
            inside = [e for e in said if 0 <= e.x - box[0] < box[2] and 0 <= e.y - box[1] < box[3]]
            assert inside
            child.add(*(moved(each, corner, 1) for each in inside))
            closer.zoom(box, said)
        expected = parent.mask[0, 0].numpy()
        for top in range(0, HIGH[0], 64):
            rows = slice(top, min(top + 64, HIGH[0]))
            found = closer.mask((rows, slice(0, HIGH[1])))
            np.testing.assert_array_equal(found, expected[rows])
            assert ((closer.probability((rows, slice(0, HIGH[1]))) > 0.5) != expected[rows]).mean() < 0.05
        with pytest.raises(ConfigError, match="--zoom 0,0,5,5: nothing"):
            closer.zoom((0, 0, 5, 5), said)


def test_a_box_of_several_tiles(slide, tmp_path):
    """Begins with the low mask in each of them, and keeps it where nothing is said."""
    low, high = (Field.of(slide, (0, 0, 320, 200), mpp) for mpp in (2.0, 0.5))
    with (
        closing(LargeObject(Session(Disks(12)), low, tmp_path / "low")) as large,
        closing(CloserObject(large, Session(Disks(9)), high, tmp_path / "high", Tiling(32, 8))) as closer,
    ):
        large.segment(Said([Click(40.5, 25.5)], low.size, False))
        whole = slice(0, high.size[0]), slice(0, high.size[1])
        before = closer.mask(whole)
        closer.zoom((3, 5, 300, 190), [Click(200.5, 60.5, positive=False), Click(9999, 9999)])
        after = closer.mask(whole)
    y, x = np.ogrid[: high.size[0], : high.size[1]]
    changed = before != after
    assert before.any()
    assert changed.any()
    assert not changed[np.broadcast_to(np.hypot(x - 200, y - 60) > 32 * 2**0.5, changed.shape)].any()
