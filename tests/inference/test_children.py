"""Parents and children: geometry, what they tell each other, and one undo for all."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.helpers.fakes import Disks
from zoo.errors import InteractionError
from zoo.inference.children import ParentSession, enlarged
from zoo.inference.session import Session
from zoo.interactions import Box, Click
from zoo.ops.frame import Frame

LOW, HIGH = (21, 30), (86, 122)  # 2 rows and 2 columns are left over


def session(child: Disks | None = None, **options) -> ParentSession:
    out = ParentSession(Disks(radius=6), child or Disks(radius=9), **options)
    out.set_images(np.zeros((*LOW, 3), np.uint8), np.zeros((*HIGH, 3), np.uint8))
    return out


places = st.integers(0, 4 * 20)


@settings(max_examples=30, deadline=None)
@given(places, places, st.integers(1, 50), st.integers(1, 50))
def test_boxes_show_whole_pixels_wherever_they_lie(x, y, width, height):
    parent = session()
    parent.add(Click(12.5, 9.5))
    box = Box(x / 4, y / 4, (x + width) / 4, (y + height) / 4)
    child = parent.zoom(box)
    rows, columns = child.place
    assert (rows, columns) == (slice(y, min(y + height, HIGH[0])), slice(x, min(x + width, HIGH[1])))
    if x + width <= HIGH[1] and y + height <= HIGH[0]:
        assert child.box == box
    # The child begins with what the whole enlarged mask shows there.
    assert torch.equal(child.mask, parent.coarse[..., rows, columns])
    assert torch.equal(parent.mask, parent.coarse)


def test_a_frame_says_where_the_high_image_lies():
    parent = ParentSession(Disks(), Disks())
    zero = torch.zeros(1, dtype=torch.float64)
    frame = Frame(zero + 5, zero + 2, zero + 4, (40, 60))
    parent.set_images(np.zeros((*LOW, 3), np.uint8), np.zeros((40, 60, 3), np.uint8), frame)
    child = parent.zoom(Box(6, 3, 8.3, 5))
    assert child.place == (slice(4, 12), slice(4, 14))
    assert child.box == Box(6, 3, 8.5, 5)
    with pytest.raises(InteractionError, match="shows nothing of the high image"):
        parent.zoom(Box(0, 0, 4, 2))
    with pytest.raises(InteractionError, match="no whole number"):
        parent.set_images(np.zeros((*LOW, 3), np.uint8), np.zeros((90, 122, 3), np.uint8))


def test_children_are_pasted_in_order_and_begin_with_the_parents_mask():
    parent = session()
    parent.add(Click(12.5, 9.5))
    before = parent.mask.clone()
    first = parent.zoom(Box(10, 6, 20, 14))
    first.add(Click(30.5, 10.5), Click(5.5, 5.5, positive=False))
    second = parent.zoom(Box(15, 8, 22, 16))
    assert torch.equal(second.mask, parent.coarse[..., *second.place])  # not the first child's
    expected = before.clone()
    expected[..., 24:56, 40:80] = first.mask
    expected[..., 32:64, 60:88] = second.mask
    assert torch.equal(parent.mask, expected)
    assert torch.equal(parent.low_mask, parent.parent.mask)
    empty = session(down=False)
    empty.add(Click(12.5, 9.5))
    assert not empty.zoom(Box(10, 6, 20, 14)).mask.any()


def test_undo_takes_back_turns_and_openings_wherever_they_were():
    parent = session(up=True)
    masks = [parent.mask.clone()]

    def done() -> None:
        masks.append(parent.mask.clone())

    parent.add(Click(12.5, 9.5))
    done()
    first = parent.zoom(Box(10, 6, 20, 14))
    done()
    first.add(Click(30.5, 10.5))
    done()
    parent.add(Click(3.5, 3.5))  # goes on from the child's mask
    done()
    second = parent.zoom(Box(1, 1, 9, 9))
    done()
    second.add(Click(3.5, 3.5, positive=False))
    done()
    first.add(Click(2.5, 2.5, positive=False))
    done()
    assert parent.parent.turn == 3  # two, and the return
    for expected in reversed(masks[:-1]):
        parent.undo()
        assert torch.equal(parent.mask, expected)
    parent.undo()  # nothing is left
    assert parent.children == []
    assert parent.parent.turn == 0
    with pytest.raises(InteractionError, match="taken back"):
        first.add(Click(2.5, 2.5))
    parent.add(Click(12.5, 9.5))
    parent.zoom(Box(10, 6, 20, 14)).add(Click(30.5, 10.5))
    parent.reset()
    assert torch.equal(parent.mask, masks[0])
    with pytest.raises(InteractionError, match="undoable"):
        session(undoable=False).undo()


class Keeps(Disks):
    """Says what it was started with, and what its clicks say on top."""

    def start(self, image, mask=None):
        self.given = mask
        return super().start(image, mask)


def test_the_parent_goes_on_from_the_area_of_its_children():
    engine = Keeps(radius=3)
    parent = ParentSession(engine, Disks(radius=9), up=True)
    parent.set_images(np.zeros((*LOW, 3), np.uint8), np.zeros((*HIGH, 3), np.uint8))
    parent.add(Click(12.5, 9.5))
    before = parent.parent.probability.clone()
    child = parent.zoom(Box(10.25, 6, 20, 14))  # a quarter into a pixel
    child.add(Click(20.5, 12.5))
    whole = parent.mask.float()
    parent.add(Click(3.5, 3.5))
    area = torch.nn.functional.avg_pool2d(whole[..., :84, :120], 4)
    given = engine.given
    inside = torch.zeros_like(before, dtype=torch.bool)
    inside[..., 6:14, 11:20] = True
    torch.testing.assert_close(given[inside], area[inside])
    edge = (0, 0, slice(6, 14), 10)
    share = whole[0, 0, 24:56, 41:44].reshape(8, 4, 3).mean((1, 2)) * 0.75 + before[edge] * 0.25
    torch.testing.assert_close(given[edge], share)
    inside[..., 10] = True
    outside = ~inside
    torch.testing.assert_close(given[outside], before[outside])


def test_enlarging_keeps_a_constant_mask_and_halves_of_it():
    mask = torch.zeros(1, 1, *LOW, dtype=torch.bool)
    frame = session().frame
    assert not enlarged(mask, frame).any()
    assert enlarged(~mask, frame).all()
    mask[..., 15:] = True
    up = enlarged(mask, frame)
    assert bool(up[..., 60:].all())
    assert not up[..., :60].any()


def test_a_session_goes_on_from_a_mask_and_back():
    alone = Session(Disks(radius=4))
    alone.set_image(np.zeros((20, 20, 3), np.uint8))
    alone.add(Click(5.5, 5.5))
    before = alone.mask
    mask = torch.zeros(1, 1, 20, 20)
    mask[..., 3, 4] = 1
    alone.go_on_from(mask)
    assert torch.equal(alone.mask, mask > 0)
    assert alone.interactions.points.shape[1] == 1
    alone.undo()
    assert torch.equal(alone.mask, before)
