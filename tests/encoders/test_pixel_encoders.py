import numpy as np
import pytest
import torch

from tests.helpers.encoder_reference import per_sign, same_pixel
from zoo.encoders import Concat, Disks, InclusionExclusion, NoGuidance, Pixels, StrokeRaster, TanhDistance
from zoo.errors import ConfigError
from zoo.interactions import Interactions
from zoo.testing.encoders import SIZE, EncoderContract, some_interactions


class TestPixels(EncoderContract):
    def make(self) -> Pixels:
        return Pixels()

    def test_against_reference(self) -> None:
        for seed in range(3):
            given = some_interactions(seed)
            np.testing.assert_array_equal(self.encode(given), per_sign(given, same_pixel, 0, max, strokes=False))
            np.testing.assert_array_equal(self.encode(given, Pixels(strokes=True)), per_sign(given, same_pixel, 0, max))


class TestInclusionExclusion(EncoderContract):
    def make(self) -> InclusionExclusion:
        return InclusionExclusion()

    def test_against_reference(self) -> None:
        given = some_interactions()
        np.testing.assert_array_equal(self.encode(given), per_sign(given, same_pixel, 0, max))

    def test_without_exclusion(self) -> None:
        given = some_interactions()
        maps, bare = self.encode(given), self.encode(given, InclusionExclusion(exclusion=False))
        assert maps[:, 1].any()
        assert not bare[:, 1].any()
        assert torch.equal(maps[:, 0], bare[:, 0])


class TestStrokeRaster(EncoderContract):
    def make(self) -> StrokeRaster:
        return StrokeRaster()

    def test_says_something(self) -> None:
        strokes = torch.zeros(1, 2, *SIZE, dtype=torch.bool)
        strokes[0, 1, 3, 2:7] = True
        given = Interactions.of(torch.tensor([[[9.5, 9.5, 1.0, 0.0]]]), SIZE, strokes)
        assert torch.equal(self.encode(given), strokes.float())


class TestDisks(EncoderContract):
    def make(self) -> Disks:
        return Disks(3)

    @pytest.mark.parametrize("radius", [0, 1, 2.5, 5, 40])
    def test_against_reference(self, radius: float) -> None:
        height, width = SIZE

        def disk(x: float, y: float, px: np.ndarray, py: np.ndarray) -> np.ndarray:
            if not (0 <= x < width and 0 <= y < height):
                return np.zeros_like(px)
            return ((np.floor(x) + 0.5 - px) ** 2 + (np.floor(y) + 0.5 - py) ** 2 <= radius**2).astype(float)

        for seed in range(2):
            given = some_interactions(seed)
            expected = per_sign(given, disk, 0, max)
            np.testing.assert_array_equal(self.encode(given, Disks(radius)), expected)

    def test_a_disk_of_radius_five_has_81_pixels(self) -> None:
        assert self.encode(Interactions.of(torch.tensor([[[12.3, 12.9, 1.0, 0.0]]]), SIZE), Disks()).sum() == 81


class TestConcat(EncoderContract):
    def make(self) -> Concat:
        return Concat([Disks(2), StrokeRaster(), TanhDistance()])

    def test_channels(self) -> None:
        given = some_interactions()
        assert self.make().out_channels == 6
        parts = [self.encode(given, e) for e in (Disks(2), StrokeRaster(), TanhDistance())]
        assert torch.equal(self.encode(given), torch.cat(parts, 1))

    def test_nothing_to_join(self) -> None:
        with pytest.raises(ConfigError, match="at least one"):
            Concat([])


class TestNoGuidance(EncoderContract):
    def make(self) -> NoGuidance:
        return NoGuidance()
