"""Two checkpoints as one method: one for the whole at a low magnification, one for parts at a high one."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn

from zoo.errors import CheckpointError, ConfigError, NotTrainableError
from zoo.hub.load import load_method
from zoo.inference.engine import Engine, Scales, State
from zoo.inference.precision import Precision
from zoo.interactions import Interactions
from zoo.methods.evaluated import EvaluatedModule


class TwoScales(EvaluatedModule):
    """What `zoo.evaluation.ZoomSimulation` evaluates: methods of any kind at two magnifications, or at one of them.

    Args:
        low: checkpoint that segments the low image: a name, folder or .ckpt; None: the high magnification alone.
        high: checkpoint that segments parts of the high image; None: the low magnification alone.
        down: whether a part begins with the low mask (ZoomISEG's low-to-high transfer).
        up: whether the low mask goes on from the parts (high-to-low, the paper's future work).

    Raises:
        ConfigError: neither is given.
        CheckpointError: a checkpoint is unknown, or can't be evaluated.
    """

    def __init__(self, low: str | None = None, high: str | None = None, down: bool = True, up: bool = False) -> None:
        super().__init__()
        self.save_hyperparameters()
        if low is None and high is None:
            raise ConfigError("TwoScales needs a checkpoint for one of the magnifications at least: `low`, `high`")
        self.low, self.high = (None if name is None else _frozen(name) for name in (low, high))
        self.down, self.up = down, up
        parts = [part for part in (self.low, self.high) if part is not None]
        self.patients = frozenset().union(*(part.patients for part in parts))
        self.mpp = parts[-1].mpp

    def engine(self, precision: Precision = "trainer") -> Engine:
        """Segments as the low method does, or the high one where that is alone; `scales` holds both."""
        low, high = (None if part is None else part.engine(precision) for part in (self.low, self.high))
        return _BothEngines(Scales(low, high, self.down, self.up))

    def replace_networks(self, by: Callable[[nn.Module], nn.Module]) -> None:
        """Replace those of both."""
        for part in (self.low, self.high):
            if part is not None:
                part.replace_networks(by)

    def configure_optimizers(self) -> None:
        """There is nothing to train.

        Raises:
            NotTrainableError: always.
        """
        raise NotTrainableError("TwoScales: the methods of both magnifications are trained by themselves, before")

    def training_step(self) -> None:
        """Never called: `configure_optimizers` refuses before."""


class _BothEngines(Engine):
    def __init__(self, scales: Scales) -> None:
        self._scales = scales
        main = scales.low or scales.high
        assert main is not None  # checked by TwoScales
        self._main = main
        self.resemble(main)

    @property
    def scales(self) -> Scales:
        """Both."""
        return self._scales

    def start(self, image: Tensor, mask: Tensor | None = None) -> State:
        return self._main.start(image, mask)

    def step(self, image: Tensor, interactions: Interactions, state: State) -> State:
        return self._main.step(image, interactions, state)

    def mask(self, state: State, interactions: Interactions) -> Tensor:
        return self._main.mask(state, interactions)


def _frozen(name: str) -> EvaluatedModule:
    method = load_method(name)
    if not isinstance(method, EvaluatedModule):
        raise CheckpointError(f"{name} holds {type(method).__name__}, which can't be evaluated")
    return method.requires_grad_(False)
