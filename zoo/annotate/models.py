"""The checkpoints that the server segments with, loaded when they are first asked for."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from zoo.annotate.refused import RefusedError
from zoo.errors import ZooError
from zoo.hub.indices import Indices
from zoo.hub.load import load
from zoo.inference.engine import Engine

EVERY = ("click", "scribble", "box")
"""Kinds that a checkpoint is told that no index describes."""
STROKES = ("scribble", "squiggle")


@dataclass(frozen=True)
class About:
    """What a person chooses a checkpoint by; `interaction` are the kinds that its index names."""

    name: str
    title: str
    task: tuple[str, ...]
    interaction: tuple[str, ...]
    mpp: float | None
    licence: str

    @property
    def told(self) -> tuple[str, ...]:
        """The kinds of interactions that it can be told, by their names in JSON.

        A method of clicks that reads no boxes takes a box too: sessions tell it a click at the centre of each.
        """
        own = set(self.interaction)
        taken = {"click": {"click"}, "scribble": set(STROKES), "box": {"box", "click"}}
        return tuple(kind for kind, words in taken.items() if own & words)

    def takes(self, kind: str) -> bool:
        """Whether it can be told interactions of this kind."""
        return kind in self.told


@dataclass
class Model:
    """A loaded checkpoint. Who runs it holds its lock."""

    name: str
    engine: Engine
    device: Any
    lock: threading.RLock = field(default_factory=threading.RLock)

    @property
    def threshold(self) -> float:
        """Probability above which it takes a pixel for the object's."""
        return float(getattr(getattr(self.engine, "method", None), "threshold", 0.5))


class Models:
    """Checkpoints by name: those of the indices, and the one that the server was started with.

    Nobody can have another one loaded through the server, by a path or an address.

    Args:
        default: a name, folder or address, as `zoo.load` takes it.
        device: where all run.
        trust_code: as `zoo.load` takes it, for the default one.
        index: addresses of further indices.
    """

    def __init__(
        self,
        default: str = "anything",
        device: str = "cpu",
        trust_code: bool = False,
        index: Sequence[str] | None = None,
    ) -> None:
        default = default.rstrip("/") or default  # which shells put behind folders, and clients do not ask for
        self.default, self._device, self._trust, self._index = default, device, trust_code, index
        self._models: dict[str, Model] = {}
        self._lock = threading.Lock()
        self._loading: dict[str, threading.Lock] = {}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of indices that can't be reached
            listed = Indices(index).listed()
        known = {
            name: About(name, e.title, e.task, e.interaction, e.mpp, e.licence)
            for name, e in ((name, found.entry) for name, found in listed.items())
            if e.interaction
        }
        if default not in known:
            model = self._load(default)
            title = Path(default).name
            own = {default: About(default, title, (), EVERY, model.engine.mpp, "unknown")}
            known = own | known
        self.known: dict[str, About] = known

    def about(self, name: str) -> About:
        """What is known of a checkpoint.

        Raises:
            RefusedError: there is none of this name.
        """
        if name not in self.known:
            raise RefusedError(404, f"there is no checkpoint {name!r}; GET /api/about lists those there are")
        return self.known[name]

    def threshold(self, name: str) -> float:
        """Probability above which a checkpoint takes a pixel for the object's, as far as it is loaded."""
        return self._models[name].threshold if name in self._models else 0.5

    def get(self, name: str) -> Model:
        """A checkpoint, loaded, and downloaded if need be.

        Raises:
            RefusedError: there is none of this name, or it can't be had.
        """
        self.about(name)
        try:
            return self._load(name)
        except ZooError as error:
            raise RefusedError(424, f"the checkpoint {name!r} can't be loaded: {error}") from None

    def prepare(self) -> None:
        """Load the default one, so that nobody waits for it; what is wrong with it is told when it is asked for."""
        with suppress(RefusedError):
            self.get(self.default)

    def _load(self, name: str) -> Model:
        with self._lock:
            loading = self._loading.setdefault(name, threading.Lock())
        with loading:
            if name not in self._models:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    trust = self._trust and name == self.default
                    session = load(name, self._device, trust_code=trust, index=self._index)
                self._models[name] = Model(name, session.engine, session.device)
            return self._models[name]
