"""Networks that can be stopped at a named point and continued from there."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from zoo.errors import ConfigError


@dataclass(frozen=True)
class Features:
    """What has been computed up to a point.

    Attributes:
        value: (V * B, C, h, w), what a refiner may change: V views of each of B samples, the views of the first kind
            first.
        rest: what else the remaining layers need, each with leading dimension V * B.
        size: (H, W) of the logits that will come out.
        views: V.
    """

    value: Tensor
    rest: tuple[Tensor, ...]
    size: tuple[int, int]
    views: int = 1

    def select(self, index: Tensor) -> Features:
        """The samples in `index` (integers), all views of them."""
        batch = len(self.value) // self.views
        rows = torch.cat([index + view * batch for view in range(self.views)])
        return replace(self, value=self.value[rows], rest=tuple(part[rows] for part in self.rest))


class StagedNetwork(nn.Module, ABC):
    """A network whose forward pass can be cut in two at any of its `points`.

    Refiners change the features there and run the rest again. Whatever the point, `after(until(x, point), point)`
    equals `forward(x)`.

    Attributes:
        channels: of the features at each point, in the order in which the points are reached.
    """

    channels: Mapping[str, int]

    @abstractmethod
    def until(self, x: Tensor, point: str) -> Features:
        """Run the input (B, C, H, W) up to a point."""

    @abstractmethod
    def after(self, features: Features, point: str) -> Tensor:
        """Run the rest: logits (B, 1, H, W)."""

    def forward(self, x: Tensor) -> Tensor:
        """Logits (B, 1, H, W) of the input (B, C, H, W)."""
        last = list(self.channels)[-1]
        return self.after(self.until(x, last), last)


class SteppedNetwork(StagedNetwork):
    """A staged network that is written as a row of steps, each from one point to the next."""

    @abstractmethod
    def begin(self, x: Tensor) -> Features:
        """Run the input (B, C, H, W) up to the first point."""

    @abstractmethod
    def steps(self) -> Sequence[Callable[[Features], Features]]:
        """What leads from each point to the next, in order: one fewer than there are points."""

    @abstractmethod
    def finish(self, features: Features) -> Tensor:
        """Logits (B, 1, H, W) from the features at the last point."""

    def until(self, x: Tensor, point: str) -> Features:
        """Run the input (B, C, H, W) up to a point."""
        features = self.begin(x)
        for step in self.steps()[: list(self.channels).index(point)]:
            features = step(features)
        return features

    def after(self, features: Features, point: str) -> Tensor:
        """Run the rest: logits (B, 1, H, W)."""
        for step in self.steps()[list(self.channels).index(point) :]:
            features = step(features)
        return self.finish(features)


class LateNetwork(SteppedNetwork):
    """A network in two parts: one looks at the image, one answers what was said of it.

    What the first part returns can be kept for all further turns on the same pixels. Its first point is `image`, whose
    value has not yet seen what was said.

    Args:
        in_channels: RGB and further channels.
    """

    def __init__(self, in_channels: int) -> None:
        super().__init__()
        self.in_channels = in_channels

    @abstractmethod
    def look(self, image: Tensor) -> tuple[Tensor, ...]:
        """Features of RGB (B, 3, H, W) in 0..1, each (B, C, h, w)."""

    def begin(self, x: Tensor) -> Features:
        """The image's features; the rest of them and the further channels are the rest.

        Raises:
            ConfigError: another number of channels.
        """
        check_input(x, self.in_channels)
        return self._looked(self.look(x[:, :3]), x[:, 3:])

    def answer(self, looked: tuple[Tensor, ...], further: Tensor) -> Tensor:
        """Logits (B, 1, H, W) of what `look` returned and the channels (B, C - 3, H, W) beyond RGB."""
        return self.after(self._looked(looked, further), "image")

    @staticmethod
    def _looked(looked: tuple[Tensor, ...], further: Tensor) -> Features:
        return Features(looked[0], (*looked[1:], further), (further.shape[-2], further.shape[-1]))


def check_input(x: Tensor, channels: int) -> None:
    """Refuse an input (B, C, H, W) of another number of channels.

    Raises:
        ConfigError: it has.
    """
    if x.shape[1] != channels:
        # In torch's words, which the check of encoder against network understands.
        raise ConfigError(
            f"expected the network's input to have {channels} channels, but got {x.shape[1]} channels; "
            f"set in_channels to {x.shape[1]}"
        )
