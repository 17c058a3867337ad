"""The objects that people segment: what is kept of each, and the sessions of those in use."""

from __future__ import annotations

import threading
import time
import uuid
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from zoo.annotate.document import Event, History, history_of
from zoo.annotate.grid import PixelGrid, grid_of
from zoo.annotate.journal import Journal, Kept
from zoo.annotate.live import Live
from zoo.annotate.models import Models
from zoo.annotate.pictures import Pictures
from zoo.annotate.refused import RefusedError
from zoo.annotate.shapes import Geometry, Mask, filled, geometry_of, mask_of, mask_png, png, read_mask
from zoo.annotate.view import answer, seen_of
from zoo.interactions import Interaction
from zoo.interactions.single import check

IDLE = 600.0
"""Seconds after which an object that nobody uses leaves memory."""
MOST_LIVE_PIXELS = 64_000_000
"""Of the sessions in memory, which take some fifty bytes a pixel."""
MOST_EVENTS = 10_000
"""Of an object."""
MOST_SAID = 2_000
"""Interactions of an object."""


@dataclass
class _Entry:
    """An object in memory; `kept` and `history` are None until it was read."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    users: int = 0
    used: float = 0.0
    kept: Kept | None = None
    history: History | None = None
    live: Live | None = None


@dataclass(frozen=True)
class New:
    """An object to be begun.

    Attributes:
        made: with what; see `AnnotatedObjects.begin`.
        events: what is done to it at once.
        mask: (H, W) that comes of these, where it is known; else it is segmented.
    """

    made: dict[str, Any]
    events: Sequence[Event] = ()
    mask: Mask | None = None


class AnnotatedObjects:
    """Objects as resources. Each has a lock, and what is done to one is on the disk before it is answered.

    Args:
        journal: keeps them.
        pictures: the images that they lie in.
        models: what segments them.
        idle: seconds after which one that nobody uses leaves memory.
    """

    def __init__(self, journal: Journal, pictures: Pictures, models: Models, idle: float = IDLE) -> None:
        self.journal, self.pictures, self.models, self.idle = journal, pictures, models, idle
        self._entries: OrderedDict[str, _Entry] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, identity: str) -> dict[str, Any]:
        """What is answered of an object.

        Raises:
            RefusedError: there is none of this name, or it was deleted.
        """
        with self._open(identity) as (_, kept, history):
            return answer(kept, history)

    def of_image(self, image: str) -> list[dict[str, Any]]:
        """The answers of all objects of an image."""
        found = []
        for identity in self.journal.of_image(image):
            with suppress(RefusedError):  # deleted meanwhile
                found.append(self.get(identity))
        return found

    def begin(self, new: Sequence[New]) -> list[dict[str, Any]]:
        """Begin objects, all or none.

        `made` of each holds `image`; `region`, x, y, width, height, and `mpp`, where these are given; `class`,
        `checkpoint`, `parent`; and `start`, a geometry to begin with.
        """
        made = []
        for each in new:
            identity = uuid.uuid4().hex
            kept = Kept(identity, each.made["image"], each.made, {}, b"", len(each.events) + 1)
            events: list[Event] = [{"do": "begin"}, *each.events]
            history = history_of(_about(each.made), each.events)
            live = None
            if each.mask is not None:
                grid = self._grid(kept, history)
                kept = self._seen(kept, history, grid, each.mask, 0.0, 0.0)
            elif each.events or "start" in each.made:
                began = time.perf_counter()
                live = self._live(kept, history) if each.events else None
                kept = self._followed(kept, history, live, began)
            else:
                grid = self._grid(kept, history)
                kept = self._seen(kept, history, grid, np.zeros(grid.size, bool), 0.0, 0.0)
            made.append((kept, history, live, events))
        revision = self.journal.begin([(kept, events) for kept, _, _, events in made])
        with self._lock:
            for kept, history, live, _ in made:
                if live is not None:
                    kept = replace(kept, revision=revision)
                    entry = _Entry(used=time.monotonic(), kept=kept, history=history, live=live)
                    # Who lists the image's objects may have found it already: an object has one lock.
                    self._entries.setdefault(kept.id, entry)
        self.sweep()
        return [answer(replace(kept, revision=revision), history) for kept, history, _, _ in made]

    def do(self, identity: str, event: Event) -> dict[str, Any]:
        """Do something to an object, keep it, and say what came of it.

        Raises:
            RefusedError: it can't be done.
        """
        began = time.perf_counter()
        with self._open(identity, deleted=event["do"] == "restore") as (entry, kept, history):
            after = history.after(event)
            if kept.number >= MOST_EVENTS or len(after.said) > MOST_SAID:
                raise RefusedError(409, "so much was done to this object that it takes no more; begin another one")
            if event["do"] == "edit":
                _check_drawn(event["polygon"], PixelGrid.of_json(kept.seen["grid"]))
            changes = event["do"] in ("delete", "restore") or set(event.get("about", ())) == {"class"}
            if not changes:
                live = entry.live
                if live is None or after.about["checkpoint"] != live.model.name:
                    live = self._live(kept, after)
                try:
                    kept = self._followed(kept, after, live, began)
                except RefusedError:
                    raise  # with the session that it had: another checkpoint's would show another probability
                except Exception:
                    entry.live = None  # it may have stopped half way
                    raise
                entry.live = live
            kept = replace(kept, number=kept.number + 1)
            try:
                kept = replace(kept, revision=self.journal.append(kept, event))
            except RefusedError:
                entry.kept = entry.history = entry.live = None  # it is read again
                raise
            entry.kept, entry.history = kept, after
            out = answer(kept, after)
        self.sweep()
        return out

    def mask(self, identity: str) -> tuple[bytes, int]:
        """PNG of the mask, 0 and 255, and the revision that it is of."""
        with self._open(identity) as (_, kept, _):
            return kept.mask, kept.revision

    def probability(self, identity: str) -> tuple[bytes, int]:
        """PNG of the probability, 255 times, and the revision that it is of."""
        with self._open(identity) as (entry, kept, history):
            if entry.live is None:
                entry.live = self._live(kept, history)
            entry.live.follow(history.now, history.about["threshold"])
            return png(np.rint(entry.live.probability * 255).astype(np.uint8)), kept.revision

    def read(self, identity: str) -> tuple[Kept, History, PixelGrid, Mask]:
        """An object with where its mask lies, and the mask."""
        with self._open(identity) as (_, kept, history):
            return kept, history, PixelGrid.of_json(kept.seen["grid"]), read_mask(kept.mask)

    def geometry(self, identity: str) -> tuple[Kept, History, Geometry | None]:
        """The polygons of an object's mask; None where it is empty."""
        kept, history, grid, mask = self.read(identity)
        return kept, history, geometry_of(mask, grid)

    def sweep(self) -> None:
        """Let objects go that nobody used for a while, and those unused for the longest time where there are many."""
        now = time.monotonic()
        with self._lock:
            # Those in use change meanwhile: each is looked at once.
            live = sum(held.pixels for entry in self._entries.values() if (held := entry.live) is not None)
            for identity, entry in list(self._entries.items()):
                large = live > MOST_LIVE_PIXELS and entry.live is not None
                if entry.users == 0 and (large or now - entry.used > self.idle):
                    live -= 0 if entry.live is None else entry.live.pixels
                    del self._entries[identity]

    @property
    def in_memory(self) -> int:
        """How many objects have a session in memory."""
        with self._lock:
            return sum(entry.live is not None for entry in self._entries.values())

    @contextmanager
    def _open(self, identity: str, deleted: bool = False) -> Iterator[tuple[_Entry, Kept, History]]:
        """An object, for this thread alone."""
        with self._lock:
            entry = self._entries.setdefault(identity, _Entry())
            self._entries.move_to_end(identity)
            entry.users += 1
        try:
            with entry.lock:
                if entry.kept is None or entry.history is None:
                    entry.kept, entry.history = self._read(identity)
                if entry.history.deleted != deleted:
                    raise RefusedError(
                        404, _NONE if entry.history.deleted else "the object is there; nothing to restore"
                    )
                yield entry, entry.kept, entry.history
        finally:
            with self._lock:
                entry.users -= 1
                entry.used = time.monotonic()
                if entry.kept is None and entry.users == 0:
                    self._entries.pop(identity, None)

    def _read(self, identity: str) -> tuple[Kept, History]:
        found = self.journal.read(identity)
        if found is None:
            raise RefusedError(404, _NONE)
        kept, events = found
        return kept, history_of(_about(kept.made), [each for each in events if each["do"] != "begin"])

    def _grid(self, kept: Kept, history: History) -> PixelGrid:
        """The pixels that the object's checkpoint sees of its region."""
        wanted = self.models.about(history.about["checkpoint"]).mpp
        with self.pictures.open(kept.image) as slide:
            size, mpp = slide.size, slide.mpp
        if tuple(kept.made.get("size", size)) != tuple(size):
            raise RefusedError(
                409, f"{kept.image!r} is another image than when the object was begun; put the old one back"
            )
        mpp = kept.made.get("mpp") if mpp is None else mpp
        if "grid" in kept.made and history.about["checkpoint"] == kept.made["checkpoint"]:
            return PixelGrid.of_json(kept.made["grid"])
        return grid_of(size, mpp, wanted, kept.made.get("region"), fit=kept.made.get("fit", False))

    def _live(self, kept: Kept, history: History) -> Live:
        model = self.models.get(history.about["checkpoint"])
        grid = self._grid(kept, history)
        start = kept.made.get("start")
        pixels = self.pictures.read(kept.image, grid)
        return Live(model, pixels, grid, None if start is None else mask_of(start, grid))

    def _followed(self, kept: Kept, history: History, live: Live | None, began: float) -> Kept:
        """The object once its session has followed; without one, as it begins."""
        if live is None:
            grid = self._grid(kept, history)
            return self._seen(kept, history, grid, mask_of(kept.made["start"], grid), 0.0, 0.0)
        for _, _, each in history.said:
            self._check(history.about["checkpoint"], live.grid, each)
        threshold = history.about["threshold"]
        live.follow(history.now, threshold)
        model = live.seconds
        mask = live.mask(history.now, threshold)
        return self._seen(kept, history, live.grid, mask, model, time.perf_counter() - began)

    def _check(self, checkpoint: str, grid: PixelGrid, each: Interaction) -> None:
        about = self.models.about(checkpoint)
        if not about.takes(each.kind):
            kinds = ", ".join(about.told)
            raise RefusedError(
                422, f"{checkpoint} is told {kinds}, no {each.kind}; give that, or choose another checkpoint"
            )
        check(grid.within(each), grid.size)

    def _seen(self, kept: Kept, history: History, grid: PixelGrid, mask: Mask, model: float, whole: float) -> Kept:
        threshold = history.about["threshold"]
        if threshold is None:
            threshold = self.models.threshold(history.about["checkpoint"])
        return replace(kept, seen=seen_of(grid, mask, threshold, model, whole), mask=mask_png(mask))


_NONE = "there is no such object; GET /api/objects lists those of an image"


def _check_drawn(polygon: Sequence[tuple[float, float]], grid: PixelGrid) -> None:
    ring = (np.array(polygon, np.float64) - np.array(grid.origin)) / grid.downsample
    if not filled([ring], grid.size).any():
        x, y, w, h = grid.region
        raise RefusedError(
            422,
            f"the polygon holds no pixel of the object's region, which begins at ({x:g}, {y:g}) and is {w:g} x {h:g} "
            "pixels large; draw inside it, or begin another object",
        )


def _about(made: Mapping[str, Any]) -> dict[str, Any]:
    return {"class": made.get("class"), "checkpoint": made["checkpoint"], "threshold": made.get("threshold")}
