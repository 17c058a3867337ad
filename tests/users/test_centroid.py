import numpy as np
import torch

from zoo.interactions import Interactions
from zoo.testing.users import BATCH, SIZE, UserContract, given, some_prediction, some_truth
from zoo.users import Centroid, SimulatedUser, Truth


class TestCentroid(UserContract):
    def make(self) -> SimulatedUser:
        return Centroid()

    def test_against_reference(self) -> None:
        truth = some_truth()
        assert truth.ignore is not None
        new = Centroid()(some_prediction(truth), truth, Interactions.empty(BATCH, SIZE), 0)
        for i in range(BATCH - 1):
            pixels = np.argwhere((truth.target & ~truth.ignore)[i, 0].numpy())
            row, column = np.floor(pixels.mean(0) + 0.5)
            # argmin returns the first of equal ones, and argwhere lists pixels in raster order.
            nearest = pixels[((pixels - (row, column)) ** 2).sum(1).argmin()]
            assert given(new, i)[0] == [[nearest[1] + 0.5, nearest[0] + 0.5, 1.0, 0.0]]


def test_a_ring_is_clicked_on_the_ring() -> None:
    target = torch.zeros(1, 1, 15, 15, dtype=torch.bool)
    target[..., 2:13, 2:13] = True
    target[..., 4:11, 4:11] = False
    truth = Truth(target, torch.zeros(1, dtype=torch.long))
    new = Centroid()(target, truth, Interactions.empty(1, (15, 15)), 0)
    # All four sides are equally near to the centre (7, 7); the upper one comes first.
    assert new.points[0].tolist() == [[7.5, 3.5, 1.0, 0.0]]
