"""GuideNet: the automatic first segmentation that scribbles then correct."""

from __future__ import annotations

import torch
from torch import Tensor

from zoo.inference.engine import Engine, State
from zoo.inference.evaluating import evaluating
from zoo.inference.precision import Precision, in_precision
from zoo.inference.zoom import WholeImage
from zoo.interactions import Interactions
from zoo.ops.device import layout
from zoo.segmenters.networked import NetworkedSegmenter


class GuideNet(NetworkedSegmenter):
    """A network that segments regions from the image alone; see `zoo.methods.GuideNet`, and `NetworkedSegmenter`."""

    def forward(self, image: Tensor) -> Tensor:
        """Logits (B, 1, H, W) of images (B, 3, H, W) float in 0..1."""
        logits: Tensor = self.network(image.contiguous(memory_format=layout(image.device)))
        return logits

    def probability(self, image: Tensor) -> Tensor:
        """(B, 1, H, W) float32 for images of any size, without gradient and in evaluation mode."""
        size = (image.shape[-2], image.shape[-1])
        frame = WholeImage(most=None)(Interactions.empty(len(image), size, image.device), image[:, :1])
        with torch.no_grad(), evaluating(self):
            return torch.sigmoid(self(frame.crop(image)).float())[..., : size[0], : size[1]]

    def engine(self, precision: Precision = "trainer") -> Engine:
        """The network before anybody has said anything."""
        return GuideEngine(self, precision)


class GuideEngine(Engine):
    """Predicts once; interactions change nothing."""

    warmup = 0
    reach = "pixel"

    def __init__(self, method: GuideNet, precision: Precision = "trainer") -> None:
        self.method, self.mpp, self.precision = method, method.mpp, precision

    def start(self, image: Tensor, mask: Tensor | None = None) -> State:
        """The network's probability, unless a mask is given."""
        if mask is not None:
            return {"probability": mask}
        with in_precision(self.precision, image.device):
            return {"probability": self.method.probability(image)}

    def step(self, image: Tensor, interactions: Interactions, state: State) -> State:
        """The same state."""
        return state

    def mask(self, state: State, interactions: Interactions) -> Tensor:
        """Above the method's threshold."""
        return state["probability"] > self.method.threshold
