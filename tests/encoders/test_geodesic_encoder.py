import numpy as np
import pytest
import torch

from tests.helpers.encoder_reference import distances
from tests.helpers.geodesic import slow_geodesic
from zoo.encoders import GeodesicDistance
from zoo.errors import ConfigError
from zoo.interactions import Interactions
from zoo.testing.encoders import BATCH, SIZE, EncoderContract, some_interactions


def slow(given: Interactions, image: np.ndarray, weight: float, limit: float) -> np.ndarray:
    """(B, 2, H, W), one click and one pixel after the other."""
    height, width = given.size
    out = np.full((len(given), 2, height, width), np.inf)
    for b in range(len(given)):
        for x, y, label, _ in given.points[b].tolist():
            if label >= 0:
                column, row = np.floor(x), np.floor(y)
                c, r = int(np.clip(column, 0, width - 1)), int(np.clip(row, 0, height - 1))
                out[b, 1 - int(label), r, c] = min(out[b, 1 - int(label), r, c], np.hypot(column - c, row - r))
        if given.strokes is not None:
            out[b][given.strokes[b].numpy()] = 0
        out[b] = [slow_geodesic(first, image[b], weight, limit) for first in out[b]]
    return 1 - out / limit


class TestGeodesicDistance(EncoderContract):
    def make(self) -> GeodesicDistance:
        return GeodesicDistance(limit=20)

    @pytest.mark.parametrize("strokes", [False, True])
    def test_against_reference(self, strokes: bool) -> None:
        image = torch.rand(BATCH, 3, *SIZE, generator=torch.Generator().manual_seed(0)).double().round(decimals=2)
        given = some_interactions(3, strokes)
        for weight, limit in ((20.0, 255.0), (4.0, 12.0)):
            found = GeodesicDistance(weight, limit)(given, image.float())
            np.testing.assert_allclose(found, slow(given, image.numpy(), weight, limit), atol=1e-5)

    def test_without_weight_it_is_about_the_straight_distance(self) -> None:
        inside = Interactions.of(torch.tensor([[[20.5, 4.5, 1, 0], [3.5, 19.5, 0, 1]]]), SIZE)
        found = 255 * (1 - GeodesicDistance(weight=0)(inside, torch.rand(1, 3, *SIZE))).numpy()
        straight = distances(inside)
        # Eight directions make ways at most 8.24 % longer.
        assert (found > straight - 1e-3).all()
        assert (found < 1.0824 * straight + 1e-3).all()

    def test_an_edge_is_far_behind(self) -> None:
        image = torch.zeros(1, 3, *SIZE)
        image[..., 12:] = 0.5
        maps = GeodesicDistance()(Interactions.of(torch.tensor([[[10.5, 8.5, 1.0, 0.0]]]), SIZE), image)
        assert maps[0, 0, 8, 10] == 1
        assert maps[0, 0, 8, 8] == pytest.approx(1 - 2 / 255)
        assert maps[0, 0, 8, 12] == pytest.approx(1 - (1 + (1 + 400 * 0.75) ** 0.5) / 255)
        assert not maps[0, 1].any()

    def test_a_click_outside_begins_at_the_nearest_pixel(self) -> None:
        given = Interactions.of(torch.tensor([[[-2.5, 2.5, 1.0, 0.0]]]), SIZE)
        assert self.encode(given)[0, 0, 2, 0] == pytest.approx(1 - 3 / 20)

    @pytest.mark.parametrize("arguments", [{"weight": -1.0}, {"weight": float("nan")}, {"limit": 0.0}])
    def test_arguments_that_make_no_sense(self, arguments: dict[str, float]) -> None:
        with pytest.raises(ConfigError, match="number of pixels"):
            GeodesicDistance(**arguments)
