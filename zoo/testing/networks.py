"""A network of a few layers."""

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
