"""The template of every interactive method, as inference needs it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import torch
from torch import Tensor, nn

from zoo.encoders.base import InteractionEncoder
from zoo.errors import ConfigError
from zoo.inference.engine import Engine
from zoo.inference.evaluating import evaluating
from zoo.inference.network_engine import NetworkEngine
from zoo.inference.precision import Precision
from zoo.inference.refiner import Refiner
from zoo.inference.segmenter import Refinable
from zoo.inference.zoom import WholeImage, Zoom
from zoo.interactions import Interactions
from zoo.networks.staged import Features, LateNetwork, StagedNetwork
from zoo.segmenters.networked import NetworkedSegmenter


class InteractiveSegmenter(NetworkedSegmenter, Refinable):
    """A network that segments from an image, guidance and the previous mask.

    A subclass says through `start`, `carry`, `join` and `mask` what the previous mask is, how it enters and how a
    probability becomes a mask. `zoo.methods.InteractiveMethod` adds the training.

    Args:
        network: maps what `join` returns to logits (B, 1, H, W).
        encoder: makes guidance of interactions; None: the method's own.
        zoom: which part of an image the network sees; None: the method's own.
        threshold: probability above which a pixel belongs to the mask.
        mpp: micrometres per pixel that it works at; None: unknown or any.
        refiner: changes the prediction, so that it keeps to what was said.
        flip: whether the mirrored image is segmented too, and the probabilities are averaged.
        training: what the next class takes, where this is the base of one that is trained.
    """

    reach = "pixel"

    def __init__(
        self,
        network: nn.Module,
        *,
        encoder: InteractionEncoder | None = None,
        zoom: Zoom | None = None,
        threshold: float = 0.5,
        mpp: float | None = None,
        refiner: Refiner | None = None,
        flip: bool = False,
        **training: Any,
    ) -> None:
        super().__init__(network, threshold, mpp, **training)
        self.encoder = self.default_encoder() if encoder is None else encoder
        self.zoom = self.default_zoom() if zoom is None else zoom
        self.refiner = refiner
        self.flip = flip

    def default_encoder(self) -> InteractionEncoder:
        """The interaction encoder of a method that is given none."""
        raise ConfigError(f"{type(self).__name__} has no encoder of its own; name one under `encoder`")

    def default_zoom(self) -> Zoom:
        """What the network of a method that is given no zoom sees: the whole image."""
        return WholeImage()

    def forward(self, image: Tensor, guidance: Tensor, previous: Tensor) -> Tensor:
        """Logits (B, 1, H, W) from image (B, 3, H, W) in 0..1, guidance (B, C, H, W), previous (B, 1, H, W)."""
        logits: Tensor = self.network(self.join(image, guidance, previous))
        return logits

    def start(self, image: Tensor, mask: Tensor | None) -> Tensor:
        """The first probability and previous mask (B, 1, H, W) float32: the initial mask, or nothing."""
        return torch.zeros_like(image[:, :1]) if mask is None else mask

    def carry(self, probability: Tensor, previous: Tensor) -> Tensor:
        """The previous mask of the next turn: by default the last probability."""
        return probability

    def join(self, image: Tensor, guidance: Tensor, previous: Tensor) -> Tensor:
        """What the network is given: by default image and guidance."""
        return torch.cat([image, guidance.to(image.dtype)], 1)

    def mask(self, probability: Tensor, interactions: Interactions) -> Tensor:
        """(B, 1, H, W) bool from a probability: by default a threshold."""
        return probability > self.threshold

    @property
    def looks_once(self) -> bool:
        """Where the network is a `LateNetwork`."""
        return isinstance(self.network, LateNetwork)

    def look(self, image: Tensor) -> tuple[Tensor, ...]:
        """The features of a network that looks at the image once."""
        assert isinstance(self.network, LateNetwork)
        return self.network.look(image)

    def predict(
        self, image: Tensor, interactions: Interactions, previous: Tensor, looked: tuple[Tensor, ...] = ()
    ) -> Tensor:
        """Probability (B, 1, H, W) float32; the crop's interactions and previous mask as in training."""
        guidance = self.guide(interactions, image)
        if not looked:
            return torch.sigmoid(self(image, guidance, previous).float())
        assert isinstance(self.network, LateNetwork)
        further = self.join(image, guidance, previous)[:, image.shape[1] :]
        return torch.sigmoid(self.network.answer(looked, further).float())

    def guide(self, interactions: Interactions, image: Tensor) -> Tensor:
        """Guidance (B, C, H, W) float32, whatever autocast surrounds: coordinates do not survive bfloat16."""
        with torch.autocast(image.device.type, enabled=False):
            guidance: Tensor = self.encoder(interactions, image)
        return guidance

    def channels(self, point: str) -> int:
        """Channels of the features at a point: `image`, `guidance`, or one of the network's.

        Raises:
            ConfigError: there is no such point.
        """
        points = {"image": 3, "guidance": self.encoder.out_channels}
        points |= self.network.channels if isinstance(self.network, StagedNetwork) else {}
        if point not in points:
            raise ConfigError(
                f"{type(self.network).__name__} has no point {point!r}, where the refiner intervenes, only "
                f"{', '.join(points)}; choose another refiner or network"
            )
        return points[point]

    def trunk(self, image: Tensor, guidance: Tensor, previous: Tensor, point: str) -> Features:
        """What the method has computed when it reaches a point; inputs as in `forward`."""
        size = (image.shape[-2], image.shape[-1])
        if point == "image":
            return Features(image, (guidance, previous), size)
        if point == "guidance":
            return Features(guidance, (image, previous), size)
        assert isinstance(self.network, StagedNetwork)
        return self.network.until(self.join(image, guidance, previous), point)

    def rest(self, features: Features, point: str) -> Tensor:
        """Logits (B, 1, H, W) from what was computed up to a point."""
        if point == "image":
            return self.forward(features.value, *features.rest)
        if point == "guidance":
            image, previous = features.rest
            return self.forward(image, features.value, previous)
        assert isinstance(self.network, StagedNetwork)
        return self.network.after(features, point)

    def running(self) -> AbstractContextManager[object]:
        """Evaluation mode."""
        return evaluating(self)

    def replace_networks(self, by: Callable[[nn.Module], nn.Module]) -> None:
        """Replace the network.

        Raises:
            ConfigError: there is a refiner, which needs gradients, or the network's features.
        """
        if self.refiner is not None:
            raise ConfigError(f"{type(self.refiner).__name__} needs gradients and features, which only torch gives")
        super().replace_networks(by)

    def engine(self, precision: Precision = "trainer") -> Engine:
        """The method as it is used at test time: zoom, then refiner, then flip, then network."""
        return NetworkEngine(self, self.zoom, self.refiner, self.flip, precision, self.mpp)
