"""What is published: the weights of a training, or a checkpoint that there is already."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from zoo.config.runs import is_run, run_weights
from zoo.errors import CheckpointError
from zoo.hub.ckpt import read_ckpt
from zoo.hub.folder import build, load_state, read_config, read_weights
from zoo.hub.index import WEIGHTS
from zoo.hub.indices import Indices
from zoo.hub.load import load_method, load_segmenter
from zoo.hub.locate import located
from zoo.methods.base import InteractiveMethod


@dataclass(frozen=True)
class Source:
    """Weights with the method that they are of.

    Attributes:
        config: as a checkpoint folder has it.
        state: state dict.
        gives: what users say to it; None: nothing, its first mask is all there is.
        file: that the weights were read from.
        folder: where it is a checkpoint's already.
    """

    config: dict[str, Any]
    state: dict[str, Tensor]
    gives: Any
    file: Path
    folder: Path | None = None

    @property
    def mpp(self) -> float | None:
        """Micrometres per pixel that it works at."""
        found: float | None = self.config["init_args"].get("mpp")
        return found


def read_source(name: str) -> Source:
    """What a name means: a folder or `.ckpt` that `zoo fit` left, a checkpoint folder, or a checkpoint's name.

    Raises:
        CheckpointError: it can't be read, or does not load.
        ConfigError: a training left no weights.
    """
    path = Path(name)
    if is_run(path) and not (path / WEIGHTS).is_file():
        file = path if path.suffix == ".ckpt" else run_weights(path)
        config, state = read_ckpt(file)
        module = build(config, file)
        load_state(module, config, state, file)
        segmenter = vars(type(module)).get("segmenter")  # not one that is inherited: subclasses may segment otherwise
        if segmenter is not None:
            config["segmenter"] = f"{segmenter.__module__}.{segmenter.__qualname__}"
        return Source(config, state, _gives(module), file)
    module = load_method(name)
    folder = located(name, Indices()).folder
    config = read_config(folder)
    config |= {"init_args": config.get("init_args", {})}
    return Source(config, read_weights(folder), _gives(module), folder / WEIGHTS, folder)


def read_segmenter(name: str) -> nn.Module:
    """What segments of it, in evaluation mode.

    Raises:
        CheckpointError: it can't be read, or does not load.
    """
    path = Path(name)
    weights = str(run_weights(path)) if path.is_dir() and not (path / WEIGHTS).is_file() else name
    method = load_segmenter(weights)
    if not isinstance(method, nn.Module):
        raise CheckpointError(f"{name}: holds {type(method).__name__}, which has no network")
    return method


def _gives(module: nn.Module) -> Any:
    return module.user.gives if isinstance(module, InteractiveMethod) else None
