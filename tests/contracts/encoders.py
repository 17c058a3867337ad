"""What every interaction encoder must do."""

from abc import abstractmethod
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from zoo.encoders import InteractionEncoder
from zoo.interactions import PADDING, Interactions

SIZE = (24, 33)
BATCH = 4


def some_interactions(seed: int = 0, strokes: bool = True) -> Interactions:
    """Clicks of both signs on, off and beyond the image, never on a pixel's edge; some samples say little."""
    generator = torch.Generator().manual_seed(seed)
    height, width = SIZE
    place = torch.rand(BATCH, 9, 2, generator=generator) * torch.tensor([width * 1.6, height * 1.6])
    place = (place - 8).floor() + 0.1 + 0.8 * torch.rand(BATCH, 9, 2, generator=generator)
    label = torch.randint(-1, 2, (BATCH, 9, 1), generator=generator).float()
    label[0], label[1] = PADDING, 1.0
    turn = torch.arange(9.0).expand(BATCH, 9)[..., None]
    drawn = torch.rand(BATCH, 2, *SIZE, generator=generator) > 0.99
    drawn[1] = False
    return Interactions.of(torch.cat([place, label, turn], -1), SIZE, drawn if strokes else None)


class EncoderContract:
    """Inherit it in a test class and give `make`, which builds the encoder with small arguments."""

    @abstractmethod
    def make(self) -> InteractionEncoder:
        """The encoder under test."""

    def encode(self, interactions: Interactions, encoder: InteractionEncoder | None = None) -> Tensor:
        encoder = (encoder or self.make()).to(interactions.device)
        image = torch.zeros(len(interactions), 3, *interactions.size, device=interactions.device)
        return encoder.eval()(interactions, image)

    @pytest.mark.parametrize("strokes", [False, True])
    def test_shape_and_type(self, strokes: bool) -> None:
        encoder = self.make()
        maps = self.encode(some_interactions(strokes=strokes), encoder)
        assert maps.shape == (BATCH, encoder.out_channels, *SIZE)
        assert maps.dtype == torch.float32
        assert maps.isfinite().all()

    def test_says_something(self) -> None:
        if self.make().out_channels == 0:
            pytest.skip("this encoder has no channel to say it in")
        # Otherwise an encoder that always returns zeros would pass every other test here.
        spoken = self.encode(some_interactions())
        silent = self.encode(Interactions.empty(BATCH, SIZE))
        assert not torch.equal(spoken[1], silent[1])

    def test_nothing_given(self) -> None:
        silent = self.encode(Interactions.empty(BATCH, SIZE))
        assert silent.isfinite().all()
        assert torch.equal(silent, silent[:1].expand_as(silent))
        padded = Interactions.of(torch.tensor([3.5, 4.5, PADDING, 0.0]).expand(BATCH, 2, 4), SIZE)
        assert torch.equal(self.encode(padded), silent)
        no_strokes = Interactions.of(torch.zeros(BATCH, 0, 4), SIZE, torch.zeros(BATCH, 2, *SIZE, dtype=torch.bool))
        assert torch.equal(self.encode(no_strokes), silent)

    def test_no_samples(self) -> None:
        assert self.encode(Interactions.empty(0, SIZE)).shape == (0, self.make().out_channels, *SIZE)

    def test_clicks_outside_the_image(self) -> None:
        height, width = SIZE
        places = [(-0.5, 3.5), (-700.5, -2.5), (width + 0.5, 3.5), (3.5, height + 0.5), (3.5, -0.5), (1e4, 1e4)]
        points = torch.tensor([[(x, y, float(label), 0.0) for label in (0, 1)] for x, y in places])
        maps = self.encode(Interactions.of(points, SIZE))
        assert maps.shape == (len(places), self.make().out_channels, *SIZE)
        assert maps.isfinite().all()

    def test_batch_equals_single(self) -> None:
        encoder, given = self.make(), some_interactions()
        together = self.encode(given, encoder)
        for i in range(BATCH):
            assert torch.equal(self.encode(given.select(torch.tensor([i])), encoder)[0], together[i])

    def test_padding_anywhere(self) -> None:
        encoder, given = self.make(), some_interactions()
        padding = torch.tensor([5.5, 6.5, PADDING, 0.0]).expand(BATCH, 1, 4)
        parts = [part for column in given.points.split(1, 1) for part in (padding, column)]
        padded = replace(given, points=torch.cat([*parts, padding], 1))
        assert torch.equal(self.encode(padded, encoder), self.encode(given, encoder))

    def test_flip(self) -> None:
        encoder, given = self.make(), some_interactions()
        torch.testing.assert_close(
            self.encode(given.flip(), encoder), self.encode(given, encoder).flip(-1), rtol=1e-4, atol=1e-4
        )

    def test_input_unchanged(self) -> None:
        given = some_interactions()
        assert given.strokes is not None
        points, strokes = given.points.clone(), given.strokes.clone()
        self.encode(given)
        assert torch.equal(given.points, points)
        assert torch.equal(given.strokes, strokes)

    def test_state_dict(self) -> None:
        first, second = self.make(), self.make()
        second.load_state_dict(first.state_dict(), strict=True)
        assert torch.equal(self.encode(some_interactions(), first), self.encode(some_interactions(), second))

    def test_device_of_the_interactions(self) -> None:
        # The meta device would do without hardware, but data-dependent sizes don't work there.
        device = "cuda" if torch.cuda.is_available() else "cpu"
        maps = self.encode(some_interactions().to(device))
        assert maps.device.type == device
        torch.testing.assert_close(maps.cpu(), self.encode(some_interactions()), rtol=1e-5, atol=1e-5)
