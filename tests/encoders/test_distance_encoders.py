import numpy as np
import pytest
import torch

from tests.helpers.encoder_reference import distances
from zoo.encoders import DistanceEncoder, Gaussians, InverseDistance, TanhDistance, TruncatedDistance
from zoo.errors import ConfigError
from zoo.interactions import Interactions
from zoo.testing.encoders import SIZE, EncoderContract, some_interactions


class DistanceContract(EncoderContract):
    empty: float
    at_click: float

    def expected(self, distance: np.ndarray) -> np.ndarray:
        raise NotImplementedError

    def test_against_reference(self) -> None:
        for seed, strokes in ((0, True), (1, False), (2, True)):
            given = some_interactions(seed, strokes)
            np.testing.assert_allclose(self.encode(given), self.expected(distances(given)), rtol=1e-4, atol=1e-5)

    def test_empty_map(self) -> None:
        assert (self.encode(Interactions.empty(1, SIZE)) == self.empty).all()

    def test_a_click_in_the_middle_of_a_pixel(self) -> None:
        given = Interactions.of(torch.tensor([[[7.5, 2.5, 0.0, 0.0]]]), SIZE)
        assert self.encode(given)[0, 1, 2, 7] == self.at_click
        assert (self.encode(given)[0, 0] == self.empty).all()

    def test_a_sequence_of_turns_is_encoded_as_each_alone(self) -> None:
        encoder, image = self.make(), torch.zeros(1, 3, *SIZE)
        maps = []
        # Strokes are added to one sign, then the other; the last ones are undone; another image follows.
        turns = [[(0, 2, 3)], [(0, 2, 3), (1, 9, 5)], [(0, 2, 3), (1, 9, 5), (0, 11, 1)], [(0, 2, 3)], [(1, 2, 3)]]
        for turn in turns:
            strokes = torch.zeros(1, 2, *SIZE, dtype=torch.bool)
            for channel, row, column in turn:
                strokes[0, channel, row, column] = True
            given = Interactions.of(torch.zeros(1, 0, 4), SIZE, strokes)
            maps.append((encoder(given, image), encoder(given, image).clone()))
            np.testing.assert_allclose(maps[-1][0], self.expected(distances(given)), rtol=1e-4, atol=1e-5)
        assert all(torch.equal(given, kept) for given, kept in maps)

    def test_a_turn_after_turns_is_encoded_as_all_at_once(self) -> None:
        encoder, image = self.make(), torch.zeros(1, 3, *SIZE)
        draws = torch.Generator().manual_seed(0)
        every = torch.rand(1, 12, 4, generator=draws) * torch.tensor([20.0, 15.0, 1, 1]) - torch.tensor([2.0, 2, 0, 0])
        every[..., 2] = (every[..., 2] > 0.4).float()
        # One more each turn, mirrored too; the last three are undone; then another image.
        for count in [*range(13), 9, 10, 11]:
            for given in (said := Interactions.of(every[:, :count], SIZE), said.flip()):
                assert torch.equal(encoder(given, image), self.make()(given, image))
        other = Interactions.of(every[:, 3:7].flip(1), SIZE)
        assert torch.equal(encoder(other, image), self.make()(other, image))
        larger = Interactions.of(every[:, 3:8].flip(1), (SIZE[0] + 2, SIZE[1]))
        assert torch.equal(encoder(larger, image), self.make()(larger, image))

    def test_a_click_outside_is_seen(self) -> None:
        given = Interactions.of(torch.tensor([[[-2.5, 2.5, 1.0, 0.0]]]), SIZE)
        assert self.encode(given)[0, 0, 2, 0] != self.empty

    def test_a_length_of_nothing(self) -> None:
        with pytest.raises(ConfigError, match="positive number of pixels"):
            type(self.make())(0.0)


class TestTruncatedDistance(DistanceContract):
    empty, at_click = 9.0, 0.0

    def make(self) -> DistanceEncoder:
        return TruncatedDistance(9.0)

    def expected(self, distance: np.ndarray) -> np.ndarray:
        return np.minimum(distance, 9.0)


class TestTruncatedDistanceInUnits(DistanceContract):
    empty, at_click = 3.0, 0.0

    def make(self) -> DistanceEncoder:
        return TruncatedDistance(9.0, unit=3.0)

    def expected(self, distance: np.ndarray) -> np.ndarray:
        return np.minimum(distance, 9.0) / 3


class TestInverseDistance(DistanceContract):
    empty, at_click = 0.0, 1.0

    def make(self) -> DistanceEncoder:
        return InverseDistance()

    def expected(self, distance: np.ndarray) -> np.ndarray:
        return 1 - np.minimum(distance, 255) / 255


class TestTanhDistance(DistanceContract):
    empty, at_click = 1.0, 0.0

    def make(self) -> DistanceEncoder:
        return TanhDistance()

    def expected(self, distance: np.ndarray) -> np.ndarray:
        return np.tanh(2 * distance / 260)


class TestGaussians(DistanceContract):
    empty, at_click = 0.0, 1.0

    def make(self) -> DistanceEncoder:
        return Gaussians()

    def expected(self, distance: np.ndarray) -> np.ndarray:
        # DEXTR writes its Gaussian of 10 px width like this.
        return np.exp(-4 * np.log(2) * distance**2 / 10**2)
