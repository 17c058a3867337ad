"""What was said of an object, as turns, with everything that can be taken back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from zoo.annotate.refused import RefusedError
from zoo.interactions import Interaction
from zoo.interactions.wire import parse, written

Event = dict[str, Any]
"""What was done, as JSON: `do` says what."""


@dataclass(frozen=True)
class RunResult:
    """The mask that a turn had where many objects were segmented in one run, which settled what belongs to which.

    Attributes:
        geometry: of the mask; None: it was empty.
        checkpoint: that made it. Another one makes its own.
    """

    geometry: dict[str, Any] | None
    checkpoint: str


@dataclass(frozen=True)
class Say:
    """A turn of interactions.

    Attributes:
        said: the interactions in pixels of the image (level 0), each with its number.
        result: what came of it, where this is not what the object's session makes of it.
    """

    said: tuple[tuple[int, Interaction], ...]
    result: RunResult | None = None


@dataclass(frozen=True)
class HandEdit:
    """A turn in which a person drew a part of the mask by hand.

    Attributes:
        number: as interactions have one.
        polygon: x, y of its corners (level 0).
        add: whether it belongs; else it does not.
    """

    number: int
    polygon: tuple[tuple[float, float], ...]
    add: bool


Turn = Say | HandEdit
Document = tuple[Turn, ...]


@dataclass(frozen=True)
class History:
    """An object's turns now, before and after.

    Attributes:
        past: what `undo` returns to, the last one first to be taken.
        now: the turns that count.
        future: what `redo` returns to, the last one first to be taken.
        about: `class`, `checkpoint` and `threshold`, as they were set last.
        numbers: how many interactions and edits there ever were.
        deleted: whether the object is gone.
    """

    about: Mapping[str, Any]
    past: tuple[Document, ...] = ()
    now: Document = ()
    future: tuple[Document, ...] = ()
    numbers: int = 0
    deleted: bool = False

    @property
    def said(self) -> list[tuple[int, int, Interaction]]:
        """Number, turn and interaction of all that count."""
        return [(n, k, each) for k, turn in enumerate(self.now) if isinstance(turn, Say) for n, each in turn.said]

    @property
    def edits(self) -> list[tuple[int, HandEdit]]:
        """Turn and edit of all that count."""
        return [(k, turn) for k, turn in enumerate(self.now) if isinstance(turn, HandEdit)]

    def after(self, event: Event) -> History:
        """What it is once something was done.

        Raises:
            RefusedError: there is nothing to be undone, redone or removed.
        """
        match event["do"]:
            case "say":
                said = tuple(enumerate(map(parse, event["interactions"]), self.numbers + 1))
                result = RunResult(**event["result"]) if event.get("result") else None
                return replace(self._next((*self.now, Say(said, result))), numbers=self.numbers + len(said))
            case "edit":
                polygon = tuple((float(x), float(y)) for x, y in event["polygon"])
                edit = HandEdit(self.numbers + 1, polygon, event["add"])
                return replace(self._next((*self.now, edit)), numbers=self.numbers + 1)
            case "remove":
                return self._next(self._without(event["number"]))
            case "reset":
                return self._next(()) if self.now else self
            case "undo":
                if not self.past:
                    raise RefusedError(409, "nothing was done that could be undone")
                return replace(self, past=self.past[:-1], now=self.past[-1], future=(*self.future, self.now))
            case "redo":
                if not self.future:
                    raise RefusedError(409, "nothing was undone that could be done again")
                return replace(self, past=(*self.past, self.now), now=self.future[-1], future=self.future[:-1])
            case "set":
                return replace(self, about={**self.about, **event["about"]})
            case "delete" | "restore":
                return replace(self, deleted=event["do"] == "delete")
        raise ValueError(f"an event {event['do']!r} of another version")

    def _next(self, document: Document) -> History:
        return replace(self, past=(*self.past, self.now), now=document, future=())

    def _without(self, number: int) -> Document:
        found = False
        turns: list[Turn] = []
        for turn in self.now:
            if isinstance(turn, HandEdit):
                found |= turn.number == number
                turns += [] if turn.number == number else [turn]
                continue
            left = tuple((n, each) for n, each in turn.said if n != number)
            if len(left) < len(turn.said):
                found = True
                turns += [Say(left)] if left else []
            else:
                turns.append(turn)
        if not found:
            raise RefusedError(404, f"the object has no interaction {number}; it has {_listed(self)}")
        return tuple(turns)


def history_of(about: Mapping[str, Any], events: Sequence[Event]) -> History:
    """The history that was made by these events."""
    history = History(about)
    for event in events:
        history = history.after(event)
    return history


def say(interactions: Sequence[Interaction], result: RunResult | None = None) -> Event:
    """The event in which interactions are said."""
    event: Event = {"do": "say", "interactions": [written(each) for each in interactions]}
    if result is not None:
        event["result"] = {"geometry": result.geometry, "checkpoint": result.checkpoint}
    return event


def _listed(history: History) -> str:
    numbers = [n for n, _, _ in history.said] + [edit.number for _, edit in history.edits]
    return ", ".join(map(str, sorted(numbers))) or "none"
