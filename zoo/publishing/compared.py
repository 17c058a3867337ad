"""Graphs compared with the method that they were made of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from zoo.errors import ConfigError
from zoo.inference.network_engine import NetworkEngine
from zoo.inference.zoom import WholeImage
from zoo.interactions import Interactions
from zoo.segmenters.guidenet import GuideNet
from zoo.segmenters.interactive import InteractiveSegmenter
from zoo.segmenters.refinenet import RefineNet

Arrays = dict[str, NDArray[Any]]
TOLERANCE = 1e-4
"""Of probabilities."""
CHECKED = ((1, 64, 64, 1), (2, 97, 130, 4), (1, 33, 160, 2))
"""Batch, height, width and clicks that a graph is compared at; it was made at others."""


def check(method: nn.Module, made: Mapping[str, bytes]) -> None:
    """Compare graphs with the method, at sizes that they were not made at, alone and in parts.

    Raises:
        ConfigError: they give other probabilities.
    """
    sessions = {name: session(content) for name, content in made.items()}
    for number, (batch, height, width, clicks) in enumerate(CHECKED):
        given, expected = example(method, batch, height, width, clicks, number)
        right = {"model": expected}
        if "click" in sessions:
            right["click"] = expected
            given |= run(sessions["image"], given)
        if isinstance(method, RefineNet):
            right["start"] = method.guided(torch.from_numpy(given["image"]).float() / 255).numpy()
        for name, probability in right.items():
            most = float(np.abs(run(sessions[name], given)["probability"] - probability).max())
            if not most <= TOLERANCE:
                raise ConfigError(
                    f"{name}.onnx of {type(method).__name__} gives other probabilities than the method, by {most:.2g} "
                    f"on {height} x {width} pixels with {clicks} clicks; it can't be published in this format"
                )


def session(content: bytes) -> Any:
    """A session of onnxruntime on the CPU."""
    import onnxruntime

    return onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])


def run(graph: Any, given: Mapping[str, NDArray[Any]]) -> Arrays:
    """The outputs of a graph by name, for those of the inputs that it takes."""
    taken = {each.name: given[each.name] for each in graph.get_inputs()}
    names = [each.name for each in graph.get_outputs()]
    return dict(zip(names, graph.run(names, taken), strict=True))


def example(
    method: nn.Module, batch: int, height: int, width: int, clicks: int, seed: int = 0
) -> tuple[Arrays, NDArray[np.float32]]:
    """Inputs of a graph by name, and the probability that the method itself gives for them on whole images."""
    noise = torch.Generator().manual_seed(seed)
    image = torch.randint(0, 256, (batch, 3, height, width), dtype=torch.uint8, generator=noise)
    given: Arrays = {"image": image.numpy()}
    pixels = image.float() / 255
    if isinstance(method, GuideNet):
        return given, method.probability(pixels).numpy()
    assert isinstance(method, InteractiveSegmenter)
    points = torch.rand(batch, clicks, 4, generator=noise) * torch.tensor([width, height, 1.0, 0.0])
    points[..., 2] = (torch.arange(clicks) % 2 == 0).float()
    points[:, 2:3] = torch.tensor([0.0, 0.0, -1.0, 0.0])  # padding
    strokes = torch.rand(batch, 2, height, width, generator=noise) < 0.02
    drawn = method.encoder.graph_input == "strokes"
    interactions = Interactions.of(points, (height, width), strokes if drawn else None)
    previous = torch.rand(batch, 1, height, width, generator=noise)
    given |= {"strokes": strokes.float().numpy()} if drawn else {"clicks": points[..., :3].numpy()}
    engine = NetworkEngine(method, WholeImage(most=None))
    expected = engine.step(pixels, interactions, engine.start(pixels, previous))["probability"]
    return given | {"previous": previous.numpy()}, expected.numpy()
