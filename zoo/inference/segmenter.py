"""What inference asks of a method: the parts that an engine runs, and the engine itself."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

from torch import Tensor, nn

from zoo.errors import ConfigError
from zoo.inference.engine import Engine, Reach
from zoo.inference.precision import Precision
from zoo.interactions import Interactions
from zoo.networks.staged import Features


class Segmenter(ABC):
    """Segments crops from what was said of them; `NetworkEngine` gives it the crops.

    Shapes: image (B, 3, h, w) float32 in 0..1, previous mask and probability (B, 1, h, w) float32; interactions are in
    the crop's pixels.

    Attributes:
        warmup: turns before the first prediction, as `Engine` has it: 0 where `start` gives one.
        remembers: whether a prediction depends on the previous mask.
        threshold: probability above which a pixel belongs to the mask.
        reach: of `mask`, as `Engine` has it: a class with a `mask` of its own that does not say looks at everything.
    """

    warmup: int = 1
    remembers: bool = True
    threshold: float = 0.5
    reach: Reach = "image"

    def __init_subclass__(cls, **arguments: Any) -> None:
        super().__init_subclass__(**arguments)
        if "mask" in vars(cls) and "reach" not in vars(cls):
            cls.reach = "image"

    @abstractmethod
    def start(self, image: Tensor, mask: Tensor | None) -> Tensor:
        """The first probability and previous mask, from an initial mask or nothing."""

    @property
    def looks_once(self) -> bool:
        """Whether it looks at a crop once, and answers all turns from what it saw."""
        return False

    def look(self, image: Tensor) -> tuple[Tensor, ...]:
        """What it sees in crops (B, 3, h, w), for `predict`: each (B, ...)."""
        return ()

    @abstractmethod
    def predict(
        self, image: Tensor, interactions: Interactions, previous: Tensor, looked: tuple[Tensor, ...] = ()
    ) -> Tensor:
        """The probability after everything that was said; `looked` is what `look` returned, where it was called."""

    @abstractmethod
    def carry(self, probability: Tensor, previous: Tensor) -> Tensor:
        """The previous mask of the next turn."""

    @abstractmethod
    def mask(self, probability: Tensor, interactions: Interactions) -> Tensor:
        """(B, 1, H, W) bool from a probability of the image."""

    @abstractmethod
    def running(self) -> AbstractContextManager[object]:
        """Within it predictions are made as at test time, whatever is being trained around it."""


class Refinable(Segmenter):
    """A segmenter that can be stopped on the way, where a refiner intervenes."""

    @abstractmethod
    def channels(self, point: str) -> int:
        """Channels of the features at a point.

        Raises:
            ConfigError: there is no such point.
        """

    @abstractmethod
    def guide(self, interactions: Interactions, image: Tensor) -> Tensor:
        """Guidance (B, C, h, w) float32."""

    @abstractmethod
    def trunk(self, image: Tensor, guidance: Tensor, previous: Tensor, point: str) -> Features:
        """What has been computed when a point is reached."""

    @abstractmethod
    def rest(self, features: Features, point: str) -> Tensor:
        """Logits (B, 1, h, w) from what was computed up to a point."""


class Method(ABC):
    """What is loaded from a checkpoint and used in sessions.

    Attributes:
        mpp: micrometres per pixel that it works at; None: unknown or any.
    """

    mpp: float | None = None

    @abstractmethod
    def engine(self, precision: Precision = "trainer") -> Engine:
        """The method as it is used at test time; `precision` is that of its network, if it has one."""

    def replace_networks(self, by: Callable[[nn.Module], nn.Module]) -> None:
        """Have predictions made by what `by` returns for each network: a module of the same input and output.

        Raises:
            ConfigError: there are none, or more is asked of them than their output.
        """
        raise ConfigError(f"{type(self).__name__} has no network that something else could run")
