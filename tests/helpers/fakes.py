"""Engines whose results can be worked out by hand."""

import torch
from torch import Tensor

from zoo.inference.engine import Engine, State
from zoo.interactions import Interactions


class Disks(Engine):
    """1 within `radius` pixels of a positive click, `weak` where a positive stroke is, 0 near negative clicks.

    Attributes:
        steps: what each step was given.
        starts: samples of each start.
    """

    def __init__(self, radius: float = 5.0, window: int | None = None, weak: float = 0.8) -> None:
        self.radius, self.window, self.weak = radius, window, weak
        self.steps: list[Interactions] = []
        self.starts: list[int] = []

    def start(self, image: Tensor, mask: Tensor | None = None) -> State:
        self.starts.append(len(image))
        return {"probability": torch.zeros_like(image[:, :1]) if mask is None else mask}

    def step(self, image: Tensor, interactions: Interactions, state: State) -> State:
        self.steps.append(interactions)
        height, width = interactions.size
        y = torch.arange(height)[:, None] + 0.5
        x = torch.arange(width) + 0.5
        out = torch.zeros(len(interactions), 1, height, width)
        for i, points in enumerate(interactions.points.tolist()):
            if interactions.strokes is not None:
                out[i, 0][interactions.strokes[i, 0]] = self.weak
            for u, v, label, _ in points:
                if label >= 0:
                    out[i, 0][(x - u) ** 2 + (y - v) ** 2 <= self.radius**2] = label
        return {"probability": out}


class NearestClick(Disks):
    """Falls with the distance to the nearest positive click: exp(-d / radius)."""

    def step(self, image: Tensor, interactions: Interactions, state: State) -> State:
        self.steps.append(interactions)
        height, width = interactions.size
        y = torch.arange(height)[:, None] + 0.5
        x = torch.arange(width) + 0.5
        out = torch.zeros(len(interactions), 1, height, width)
        for i, points in enumerate(interactions.points.tolist()):
            for u, v, label, _ in points:
                if label == 1:
                    near = torch.exp(-(((x - u) ** 2 + (y - v) ** 2) ** 0.5) / self.radius)
                    out[i, 0] = torch.maximum(out[i, 0], near)
        return {"probability": out}
