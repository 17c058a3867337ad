import numpy as np
import torch

from zoo.encoders import Boxes, Concat, Disks, TanhDistance
from zoo.interactions import Box, Interactions
from zoo.testing.encoders import BATCH, SIZE, EncoderContract, some_interactions


class TestBoxes(EncoderContract):
    def make(self) -> Boxes:
        return Boxes()

    def test_against_reference(self) -> None:
        given = some_interactions()
        expected = np.zeros((BATCH, 1, *SIZE))
        for b, row, column in np.ndindex(BATCH, *SIZE):
            for x0, y0, x1, y1, turn in given.boxes[b].tolist():
                if turn >= 0 and x0 <= column + 0.5 <= x1 and y0 <= row + 0.5 <= y1:
                    expected[b, 0, row, column] = 1
        assert expected.sum() > 100
        np.testing.assert_array_equal(self.encode(given), expected)

    def test_a_box_of_whole_pixels_holds_these(self) -> None:
        maps = self.encode(Interactions.from_lists([[Box(3, 4, 7, 6)]], SIZE))[0, 0]
        assert maps.sum() == 8
        assert maps[4:6, 3:7].all()

    def test_clicks_and_strokes_are_not_shown(self) -> None:
        given = some_interactions()
        boxes_alone = Interactions.of(torch.zeros(BATCH, 0, 4), SIZE, boxes=given.boxes)
        assert torch.equal(self.encode(given), self.encode(boxes_alone))


class TestBoxesAndClicks(EncoderContract):
    def make(self) -> Concat:
        return Concat([Disks(2), Boxes()])

    def test_boxes_are_last(self) -> None:
        given = some_interactions()
        assert torch.equal(self.encode(given)[:, 2:], self.encode(given, Boxes()))


def test_who_reads_boxes() -> None:
    assert Concat([Disks(2), Boxes()]).boxes
    assert not Concat([Disks(2), TanhDistance()]).boxes
