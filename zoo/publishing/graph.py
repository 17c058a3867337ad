"""A method as graphs: from an image, what was said of it and the previous mask to a probability, at any size.

The zoom stays outside: a graph segments what it is given. Normalisation and guidance are inside.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from zoo.errors import ConfigError
from zoo.networks.staged import LateNetwork
from zoo.segmenters.guidenet import GuideNet
from zoo.segmenters.interactive import InteractiveSegmenter
from zoo.segmenters.refinenet import RefineNet
from zoo.segmenters.ritm import RITM

MULTIPLE = 32
"""Of the sides that networks are given."""
Axes = dict[int, str]
PLANE: Axes = {0: "batch", 2: "height", 3: "width"}
SAID: dict[str, Axes] = {"clicks": {0: "batch", 1: "clicks"}, "strokes": PLANE}


@dataclass(frozen=True)
class GraphPart:
    """One graph.

    Attributes:
        name: of its file.
        module: computes it.
        inputs: examples of two samples, by name.
        axes: whose size is free, of each input and output by name; the others are the outputs.
    """

    name: str
    module: nn.Module
    inputs: dict[str, Tensor]
    axes: dict[str, Axes]

    @property
    def outputs(self) -> list[str]:
        """Names of what it gives."""
        return [name for name in self.axes if name not in self.inputs]


def parts(method: nn.Module) -> Iterator[GraphPart]:
    """The graphs of a method: `model`, and `image` and `click` where its network looks at the image once.

    Raises:
        ConfigError: it can't be one.
    """
    image = torch.randint(0, 256, (2, 3, 70, 90), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    if isinstance(method, GuideNet):
        yield GraphPart("model", AutomaticGraph(method), {"image": image}, {"image": PLANE, "probability": PLANE})
        return
    if not isinstance(method, InteractiveSegmenter):
        raise ConfigError(f"{type(method).__name__} has no network that could be a graph; methods with networks have")
    connected = isinstance(method, RITM) and method.connected
    held = {"a refiner": method.refiner is not None, "flip: true": method.flip, "connected: true": connected}
    for name, there in held.items():
        if there:
            raise ConfigError(
                f"{type(method).__name__} has {name}, which a graph can't hold; publish a checkpoint without it"
            )
    said = method.encoder.graph_input
    examples = {"clicks": torch.tensor([[[10.5, 20.5, 1.0], [30.0, 40.0, 0.0], [0.0, 0.0, -1.0]]] * 2)}
    examples |= {"strokes": torch.zeros(2, 2, 70, 90)}
    inputs = {"image": image, said: examples[said], "previous": torch.zeros(2, 1, 70, 90)}
    axes = {"image": PLANE, said: SAID[said], "previous": PLANE}
    yield GraphPart("model", WholeGraph(method), inputs, axes | {"probability": PLANE})
    if isinstance(method, RefineNet):
        begin = {"image": image}
        yield GraphPart("start", AutomaticGraph(method.guide_net), begin, {"image": PLANE, "probability": PLANE})
    if method.looks_once:
        look = LookGraph(method)
        with torch.no_grad():
            features = {f"features_{number}": each for number, each in enumerate(look(image))}
        # Of another free size than the image: a fraction of what it is padded to.
        free = {name: {0: "batch", 2: f"{name}_height", 3: f"{name}_width"} for name in features}
        yield GraphPart("image", look, {"image": image}, {"image": PLANE} | free)
        rest = {name: value for name, value in inputs.items() if name != "image"} | features
        free = {name: axes[name] for name in rest if name in axes} | free
        yield GraphPart("click", AnswerGraph(method), rest, free | {"probability": PLANE})


class AutomaticGraph(nn.Module):
    """The image to the probability of a network that is told nothing."""

    def __init__(self, method: GuideNet) -> None:
        super().__init__()
        self.method = method

    def forward(self, image: Tensor) -> Tensor:
        """(B, 1, H, W) float32 of (B, 3, H, W) uint8."""
        return _cut(torch.sigmoid(self.method(_pixels(image))), image)


class WholeGraph(nn.Module):
    """Image, what was said and the previous mask to the probability."""

    def __init__(self, method: InteractiveSegmenter) -> None:
        super().__init__()
        self.method = method

    def forward(self, image: Tensor, said: Tensor, previous: Tensor) -> Tensor:
        """(B, 1, H, W) of (B, 3, H, W) uint8, what the encoder's `in_graph` takes, and (B, 1, H, W)."""
        pixels = _pixels(image)
        logits = self.method(pixels, _guidance(self.method, said, pixels), _edges_repeated(previous))
        return _cut(torch.sigmoid(logits), image)


class LookGraph(nn.Module):
    """The image's features, of a network that looks at it once."""

    def __init__(self, method: InteractiveSegmenter) -> None:
        super().__init__()
        self.method = method

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        """Each (B, C, h, w) of (B, 3, H, W) uint8."""
        return self.method.look(_pixels(image))


class AnswerGraph(nn.Module):
    """What was said, the previous mask and the image's features to the probability."""

    def __init__(self, method: InteractiveSegmenter) -> None:
        super().__init__()
        self.method = method

    def forward(self, said: Tensor, previous: Tensor, *looked: Tensor) -> Tensor:
        """(B, 1, H, W)."""
        assert isinstance(self.method.network, LateNetwork)
        before = _edges_repeated(previous)
        image = before.expand(-1, 3, -1, -1)  # for its size: what it shows is in the features
        further = self.method.join(image, _guidance(self.method, said, image), before)[:, 3:]
        return _cut(torch.sigmoid(self.method.network.answer(looked, further)), previous)


def _pixels(image: Tensor) -> Tensor:
    return _edges_repeated(image.float() / 255)


def _guidance(method: InteractiveSegmenter, said: Tensor, image: Tensor) -> Tensor:
    if method.encoder.graph_input == "strokes":
        height, width = said.shape[-2:]
        rows, columns = (torch.arange(side, device=said.device) for side in image.shape[-2:])
        # Nothing is drawn beyond the image.
        said = _edges_repeated(said) * (rows < height)[:, None] * (columns < width)
    return method.encoder.in_graph(said, image)


def _edges_repeated(x: Tensor) -> Tensor:
    """With the right and bottom edges repeated up to the multiple."""
    rows, columns = (
        torch.arange((side + MULTIPLE - 1) // MULTIPLE * MULTIPLE, device=x.device).clamp(max=side - 1)
        for side in x.shape[-2:]
    )
    return x[:, :, rows][..., columns]


def _cut(x: Tensor, like: Tensor) -> Tensor:
    return x[..., : like.shape[-2], : like.shape[-1]]
