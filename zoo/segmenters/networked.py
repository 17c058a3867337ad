"""What GuideNet and the interactive methods share at test time: a network, laid out in memory as its device likes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Self

import torch
from torch import nn

from zoo.errors import ConfigError
from zoo.inference.segmenter import Method
from zoo.ops.device import layout


class NetworkedSegmenter(nn.Module, Method):
    """A method with a network.

    Args:
        network: kept in memory as its device likes it.
        threshold: probability above which a pixel belongs to the mask.
        mpp: micrometres per pixel that it works at; None: unknown or any.
        training: what the next class takes, where this is the base of one that is trained.

    Raises:
        ConfigError: a threshold beyond 0..1.
    """

    def __init__(self, network: nn.Module, threshold: float = 0.5, mpp: float | None = None, **training: Any) -> None:
        super().__init__(**training)
        if not 0 < threshold < 1:
            raise ConfigError(f"threshold={threshold} is of a probability: more than 0 and less than 1, e.g. 0.5")
        self.network = network.to(memory_format=layout(torch.get_default_device()))
        self.threshold = threshold
        self.mpp = mpp

    def to(self, *args: Any, **kwargs: Any) -> Self:
        """As every module, with the network's weights in the device's layout."""
        moved = super().to(*args, **kwargs)
        first = next(moved.parameters(), None)
        moved.network.to(memory_format=layout(torch.get_default_device() if first is None else first.device))
        return moved

    def replace_networks(self, by: Callable[[nn.Module], nn.Module]) -> None:
        """Replace the network."""
        self.network = by(self.network)
