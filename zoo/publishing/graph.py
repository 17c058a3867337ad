"""A method as a graph: from an image, what was said of it and the previous mask to a probability, at any size.

The zoom stays outside: a graph segments what it is given. Normalisation and guidance are inside.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from zoo.errors import ConfigError
from zoo.networks.staged import LateNetwork
from zoo.segmenters.guidenet import GuideNet
from zoo.segmenters.interactive import InteractiveSegmenter

MULTIPLE = 32
"""Of the sides that networks are given."""
Axes = dict[int, str]
IMAGE_AXES: Axes = {0: "batch", 2: "height", 3: "width"}
PROBABILITY: dict[str, Axes] = {"probability": IMAGE_AXES}


@dataclass(frozen=True)
class Part:
    """One graph.

    Attributes:
        name: of its file.
        module: computes it.
        inputs: names, with the axes whose size is free.
        outputs: the same.
        examples: inputs to trace it with, of two samples.
    """

    name: str
    module: nn.Module
    inputs: dict[str, Axes]
    outputs: dict[str, Axes]
    examples: tuple[Tensor, ...]


class Whole(nn.Module):
    """Image, what was said and the previous mask to the probability."""

    def __init__(self, method: InteractiveSegmenter) -> None:
        super().__init__()
        self.method = method

    def forward(self, image: Tensor, said: Tensor, previous: Tensor) -> Tensor:
        """(B, 1, H, W) of (B, 3, H, W) uint8, see `InteractionEncoder.in_graph`, and (B, 1, H, W)."""
        pixels = _pixels(image)
        guidance = self.method.encoder.in_graph(_said(said), pixels)
        logits = self.method(pixels, guidance, _edges_repeated(previous))
        return _cut(torch.sigmoid(logits), image)


class Look(nn.Module):
    """The image's features, of a network that looks at it once."""

    def __init__(self, method: InteractiveSegmenter) -> None:
        super().__init__()
        self.method = method

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        """Each (B, C, h, w)."""
        return self.method.look(_pixels(image))


class Answer(nn.Module):
    """What was said, the previous mask and the image's features to the probability."""

    def __init__(self, method: InteractiveSegmenter) -> None:
        super().__init__()
        self.method = method

    def forward(self, said: Tensor, previous: Tensor, *looked: Tensor) -> Tensor:
        """(B, 1, H, W)."""
        assert isinstance(self.method.network, LateNetwork)
        before = _edges_repeated(previous)
        image = before.expand(-1, 3, -1, -1)  # for its size; what it shows is in the features
        guidance = self.method.encoder.in_graph(_said(said), image)
        further = self.method.join(image, guidance, before)[:, 3:]
        return _cut(torch.sigmoid(self.method.network.answer(looked, further)), previous)


class First(nn.Module):
    """The image to what a method begins with: the previous mask of the first turn."""

    def __init__(self, method: InteractiveSegmenter | GuideNet) -> None:
        super().__init__()
        self.method = method

    def forward(self, image: Tensor) -> Tensor:
        """(B, 1, H, W)."""
        return _cut(torch.sigmoid(self.method(_pixels(image))), image)


def _pixels(image: Tensor) -> Tensor:
    return _edges_repeated(image.float() / 255)


def _edges_repeated(x: Tensor) -> Tensor:
    """Right and bottom edges repeated up to the multiple."""
    rows, columns = (
        torch.arange((side + MULTIPLE - 1) // MULTIPLE * MULTIPLE, device=x.device).clamp(max=side - 1)
        for side in x.shape[-2:]
    )
    return x[:, :, rows][..., columns]


def _said(said: Tensor) -> Tensor:
    return said


def _cut(x: Tensor, like: Tensor) -> Tensor:
    return x[..., : like.shape[-2], : like.shape[-1]]
