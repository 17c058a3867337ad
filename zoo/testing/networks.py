"""A network of a few layers, and what every network must do."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate, silu

from zoo.networks.staged import Features, StagedNetwork

SIDE = 32


class TinyNetwork(StagedNetwork):
    """Untrained and always the same; its logits lie on both sides of 0, and differ between places.

    It is smooth, so that differences give its gradients, and has features of 1/4 of the size at three points:
    `backbone`, `aspp` and `decoder`, as f-BRS names them. Images may have any size.

    Args:
        in_channels: of the input, e.g. 3 of the image and 2 of the guidance.
    """

    def __init__(self, in_channels: int = 5) -> None:
        super().__init__()
        self.channels = {"backbone": 8, "aspp": 10, "decoder": 6}
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(0)
            self.stem = nn.Conv2d(in_channels, 6, 3, stride=2, padding=1)
            self.deep = nn.Conv2d(6, 8, 3, stride=2, padding=1)
            self.context = nn.Conv2d(8, 4, 3, padding=1)
            self.decoder = nn.Conv2d(10, 6, 3, padding=1)
            self.last = nn.Conv2d(6, 1, 1)
            self._scale(torch.rand(4, in_channels, SIDE, SIDE))

    @torch.no_grad()
    def _scale(self, x: Tensor) -> None:
        """Give the logits of an input the mean 0 and the deviation 1.5."""
        for layer in (self.stem, self.deep, self.context, self.decoder):
            layer.weight *= 2.5
        self.last.weight *= 1.5 / self(x).std()
        assert self.last.bias is not None
        self.last.bias -= self(x).mean()

    def until(self, x: Tensor, point: str) -> Features:
        """As `StagedNetwork` has it."""
        low = silu(self.stem(x))
        features = Features(silu(self.deep(low)), (low[..., ::2, ::2],), (x.shape[-2], x.shape[-1]))
        for step, reached in ((self._context, "backbone"), (self._decode, "aspp")):
            if point == reached:
                return features
            features = step(features)
        return features

    def after(self, features: Features, point: str) -> Tensor:
        """As `StagedNetwork` has it."""
        if point == "backbone":
            features = self._context(features)
        if point != "decoder":
            features = self._decode(features)
        return interpolate(self.last(features.value), size=features.size)

    def _context(self, features: Features) -> Features:
        value = torch.cat([silu(self.context(features.value)), features.rest[0]], 1)
        return Features(value, (), features.size, features.views)

    def _decode(self, features: Features) -> Features:
        return Features(silu(self.decoder(features.value)), (), features.size, features.views)


class NetworkContract:
    """Inherit it in a class `TestSomething` and give `make`.

    What it demands, and why:

    - Logits (B, 1, H, W) as large as what it is given, finite, and not the same for everything.
    - In evaluation a sample's do not depend on its batch: results are what users feel, who segment one image.
    - Each step's loss depends on every weight that is trained: several processes would otherwise wait for a gradient
      that never comes.
    - Its weights are its state_dict: another one that loads it gives the same logits.

    Attributes:
        channels: of what it is given.
        size: height and width of it.
        tolerance: between a sample alone and in its batch; convolutions round differently there.
    """

    channels = 5
    size = (64, 96)
    tolerance = 1e-4

    def make(self) -> nn.Module:
        """The network under test."""
        raise NotImplementedError(f"{type(self).__name__} has to give `make`, which builds the network under test")

    def given(self) -> Tensor:
        """(3, channels, H, W) in 0..1, each another."""
        return torch.rand(3, self.channels, *self.size, generator=torch.Generator().manual_seed(0))

    def test_logits(self) -> None:
        """Of the right form, finite, and of the input."""
        with torch.no_grad():
            logits = self.make().eval()(self.given())
        assert logits.shape == (3, 1, *self.size), f"logits are {(3, 1, *self.size)}, not {tuple(logits.shape)}"
        assert logits.isfinite().all(), "every value is finite"
        assert logits[0].std() > 0, "logits differ between places"
        assert not torch.equal(logits[0], logits[1]), "logits differ between images"

    def test_a_sample_alone(self) -> None:
        """As in its batch."""
        network, x = self.make().eval(), self.given()
        with torch.no_grad():
            together = network(x)
            for i in range(len(x)):
                off = float((network(x[i : i + 1]) - together[i : i + 1]).abs().max())
                assert off <= self.tolerance, f"sample {i} alone has the logits of the batch, but for {off:.2g}"

    def test_every_weight_is_trained(self) -> None:
        """None is left without a gradient."""
        network = self.make().train()
        network(self.given()).square().mean().backward()
        left = [name for name, weight in network.named_parameters() if weight.requires_grad and weight.grad is None]
        assert not left, f"the loss depends on all weights, but not on {', '.join(left)}"

    def test_its_weights_are_all_it_knows(self) -> None:
        """Saved and loaded into another one."""
        network, other, x = self.make().eval(), self.make().eval(), self.given()
        with torch.no_grad():
            for weight in network.parameters():
                weight.mul_(1.01)
            other.load_state_dict(network.state_dict())
            assert torch.equal(network(x), other(x)), "the same weights give the same logits"
