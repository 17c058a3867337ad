"""A trained method at test time: zoom, then refiner, then flip, then network."""

from __future__ import annotations

import math
from functools import partial

import torch
from torch import Tensor, nn

from zoo.encoders.base import InteractionEncoder
from zoo.errors import ConfigError
from zoo.inference.bounds import bounds_of
from zoo.inference.change import Edit, Edits
from zoo.inference.engine import Change, Engine, State, among, pick
from zoo.inference.layered import Layered, averaged
from zoo.inference.precision import Precision, in_precision
from zoo.inference.refiner import Refiner
from zoo.inference.seen_crops import SeenCrops
from zoo.inference.segmenter import Refinable, Segmenter
from zoo.inference.view import FlippedView, View
from zoo.inference.zoom import Zoom
from zoo.interactions import Interactions
from zoo.ops.frame import Frame
from zoo.ops.rows import box_in

REFINER = "refiner."
ROWS, COLUMNS = "rows", "columns"
SEEN, SEEN_SCALE = "seen", "seen_scale"
NOWHERE = torch.tensor([[torch.inf, torch.inf, -torch.inf, -torch.inf]], dtype=torch.float64)
"""Bounds of no pixel."""
PIXELS_AT_ONCE = 320 * 1024
"""Of crops, on a CPU: twice 384x384. Beyond, the samples of a batch take longer together than one after another."""


class NetworkEngine(Engine):
    """A trained method in each sample's frame, pasted back into the image.

    Beside the probability, a state holds the previous mask, the last frame, how many pixels of each row and column are
    above the method's threshold, so that nobody has to look for them, and what the refiner learned, under names that
    begin with `refiner.`. Of an image that is scaled down to be seen first it holds the image at that scale, and what
    the method says in crops as these crops, in a `Layered`; the counts are then 1 in a box around these pixels.

    Args:
        method: segments crops.
        zoom: chooses the crops.
        refiner: changes the prediction, so that it keeps to what was said.
        flip: whether the mirrored crop is segmented too, and the probabilities are averaged.
        precision: of the network.
        mpp: micrometres per pixel that the method works at; None: any.

    Raises:
        ConfigError: the method can't be refined, or not where the refiner intervenes.
    """

    def __init__(
        self,
        method: Segmenter,
        zoom: Zoom,
        refiner: Refiner | None = None,
        flip: bool = False,
        precision: Precision = "trainer",
        mpp: float | None = None,
    ) -> None:
        self.method, self.zoom, self.refiner, self.precision = method, zoom, refiner, precision
        self.view = FlippedView if flip else View
        self.window, self.warmup, self.mpp = zoom.window, method.warmup, mpp
        self.remembers = method.remembers or refiner is not None
        self.reach = method.reach
        parts = method.modules() if isinstance(method, nn.Module) else ()
        self.boxes = any(isinstance(part, InteractionEncoder) and part.boxes for part in parts)
        self.seen = SeenCrops(method.look) if method.looks_once and refiner is None else None
        self.channels = 0
        if refiner is not None:
            if not isinstance(method, Refinable):
                raise ConfigError(f"{type(method).__name__} offers no point at which a refiner could intervene")
            self.channels = method.channels(refiner.at)

    def start(self, image: Tensor, mask: Tensor | None = None) -> State:
        """The previous mask before the first turn is the first probability too."""
        with in_precision(self.precision, image.device):
            previous = self.method.start(image, mask)
        size = (image.shape[-2], image.shape[-1])
        state = {"frame": torch.zeros(len(image), 5, dtype=torch.float64, device=image.device)}
        state |= _counts(previous[:, 0] > self.method.threshold)
        if (scale := self._seen_at(size)) is not None:
            # All of a large image is read here, and not when somebody clicks.
            scales = torch.full((len(image),), scale, dtype=torch.float64, device=image.device)
            nowhere = torch.zeros_like(scales)
            height, width = (math.ceil(side * scale - 1e-6) for side in size)
            state |= {SEEN: averaged(image, Frame(nowhere, nowhere, scales, (height, width))), SEEN_SCALE: scales}
            previous = Layered.of(previous, around=math.ceil(2 / scale))
        return state | {"probability": previous, "previous": previous} | self._fresh(len(image), size, image.device)

    def _seen_at(self, size: tuple[int, int]) -> float | None:
        """The scale of the first view of images of `size`; None where they are seen as they are."""
        if self.zoom.window is not None or math.prod(self.zoom.largest(size)) >= math.prod(size):
            return None
        nothing = Interactions.empty(1, size)
        ((_, frame),) = self.zoom.frames(nothing, torch.zeros(1, 1, 1, 1), torch.zeros(1, 5).double(), NOWHERE)
        scale = float(frame.scale)
        return scale if scale < 1 else None

    def _fresh(self, batch: int, size: tuple[int, int], device: torch.device) -> State:
        """The refiner's state before anything was said, for images of `size`."""
        if self.refiner is None:
            return {}
        learned = self.refiner.start(batch, self.channels, self.zoom.largest(size), device)
        return {REFINER + name: value for name, value in learned.items()}

    def prepare(self, image: Tensor) -> None:
        """Look at what the first turn shows of images, where that helps and is known before: all of them."""
        if self.seen is None or self.zoom.window is not None:
            return
        state = self.start(image)
        height, width = image.shape[-2:]
        nothing = Interactions.empty(len(image), (height, width), image.device)
        for index, frame in self._frames(self.zoom, nothing, state):
            if frame.reached(0, (height, width)) != (slice(0, height), slice(0, width)):
                continue  # of such large images the first interaction says which part
            with torch.no_grad(), self.method.running(), in_precision(self.precision, image.device):
                self.seen(_shown(frame, image[index], pick(state, index)))

    def step(self, image: Tensor, interactions: Interactions, state: State) -> State:
        """Run the method in each sample's frame; outside it the probability stays."""
        return self.change(image, interactions, state).applied(state)

    def change(self, image: Tensor, interactions: Interactions, state: State) -> Change:
        """The frames' boxes, of all looks that the zoom takes, from the beginning that finds the surest."""
        new = ~state[ROWS].any(1)
        look = self._look(self.zoom, image, interactions, state)
        change = self._followed(self.zoom, image, interactions, state, look, new)
        who = new.nonzero()[:, 0]
        if not self.zoom.wider or len(who) == 0:
            return change
        first, best = self._certainty(look.applied(state)), self._certainty(change.applied(state))
        for zoom in self.zoom.wider:
            look = among(who, partial(self._look, zoom), image, interactions, state)
            which = new & (self._certainty(look.applied(state)) > first + self.zoom.surer)
            if not bool(which.any()):
                continue
            other = self._followed(zoom, image, interactions, state, look, which)
            certainty = self._certainty(other.applied(state))
            which = which & (certainty > best + self.zoom.surer)
            best = torch.where(which, certainty, best)
            parts = [(index.nonzero()[:, 0], each) for index, each in ((~which, change), (which, other))]
            change = Change.joined([(index, each.select(index)) for index, each in parts if len(index)], state)
        return change

    def _certainty(self, state: State) -> Tensor:
        """(B,) mean probability of the pixels above the threshold, 0 without any."""
        out = torch.zeros(len(state["frame"]), device=state["frame"].device)
        for i, bounds in enumerate(_bounds(state).tolist()):
            if bounds[0] < bounds[2]:
                x0, y0, x1, y1 = map(int, bounds)
                part = state["probability"][i, 0, y0:y1, x0:x1]
                out[i] = part[part > self.method.threshold].mean()
        return out

    def _followed(
        self, zoom: Zoom, image: Tensor, interactions: Interactions, state: State, change: Change, which: Tensor
    ) -> Change:
        """One look of a policy and, of the samples `which` (B,) bool, all that follow."""
        for _ in range(1, zoom.looks if bool(which.any()) else 1):
            now = change.applied(state)
            who = (which & self._moves(zoom, interactions, now)).nonzero()[:, 0]
            if len(who) == 0:
                break
            change = change.then(among(who, partial(self._look, zoom), image, interactions, now))
        return change

    def _moves(self, zoom: Zoom, interactions: Interactions, state: State) -> Tensor:
        """(B,) bool: whether another look would have another frame than the last."""
        rows = torch.zeros_like(state["frame"])
        for index, frame in self._frames(zoom, interactions, state):
            rows[index] = frame.rows()
        return (rows != state["frame"]).any(1)

    def _look(self, zoom: Zoom, image: Tensor, interactions: Interactions, state: State) -> Change:
        groups = _portions(self._frames(zoom, interactions, state), image.device)
        if len(groups) == 1:
            return self._change(image, interactions, state, groups[0][1])
        parts = [(i, self._change(image[i], interactions.select(i), pick(state, i), frame)) for i, frame in groups]
        return Change.joined(parts, state)

    def _frames(self, zoom: Zoom, interactions: Interactions, state: State) -> list[tuple[Tensor, Frame]]:
        if zoom.threshold != self.method.threshold:
            return zoom.frames(interactions, state["probability"], state["frame"])
        return zoom.frames(interactions, state["probability"], state["frame"], _bounds(state))

    def _change(self, image: Tensor, interactions: Interactions, state: State, frame: Frame) -> Change:
        before = state["previous"]
        view = self.view(
            method=self.method,
            image=_shown(frame, image, state),
            previous=before.crop(frame) if isinstance(before, Layered) else frame.crop(before),
            interactions=interactions.through(frame),
            said=interactions,
            frame=frame,
            look=self.seen,
        )
        with torch.no_grad(), self.method.running(), in_precision(self.precision, image.device):
            probability, learned = self._run(view, state)
        carried = self.method.carry(probability, view.previous)
        size = interactions.size
        if isinstance(before, Layered):
            now = state["probability"]
            assert isinstance(now, Layered)  # both begin as one
            after = now.covered(frame, probability)
            same = carried is probability and now is before
            values = {"probability": after, "previous": after if same else before.covered(frame, carried)}
            return Change({"frame": frame.rows()} | learned | values | self._around(after, size), {})
        edits = {"probability": _edits(frame, probability, size)}
        edits["previous"] = edits["probability"] if carried is probability else _edits(frame, carried, size)
        edits |= self._counted(edits["probability"], state)
        return Change({"frame": frame.rows()} | learned, edits)

    def _counted(self, edits: Edits, state: State) -> dict[str, Edits]:
        """What these edits of the probability change in the numbers of pixels above the threshold."""
        found: dict[str, list[Edit]] = {ROWS: [], COLUMNS: []}
        for edit in edits:
            before = state["probability"][edit.index][0] > self.method.threshold
            after = edit.values[0] > self.method.threshold
            for name, axis, place in zip((ROWS, COLUMNS), (1, 0), edit.place, strict=True):
                more = after.sum(axis, dtype=torch.int32) - before.sum(axis, dtype=torch.int32)
                found[name].append(Edit(edit.sample, (place,), state[name][edit.sample, place] + more))
        return {name: tuple(each) for name, each in found.items()}

    def _around(self, probability: Layered, size: tuple[int, int]) -> State:
        """Rows and columns that have a pixel above the threshold, and with them some around these."""
        bounds = probability.bounds(self.method.threshold)
        found = {}
        for name, first, side in ((ROWS, 1, size[0]), (COLUMNS, 0, size[1])):
            places = torch.arange(side, device=bounds.device)
            found[name] = ((places >= bounds[:, first, None]) & (places < bounds[:, first + 2, None])).int()
        return found

    def _run(self, view: View, state: State) -> tuple[Tensor, State]:
        """Probability in the crop and what the refiner learned."""
        refiner = self.refiner
        if refiner is None:
            return view.predict(), {}
        learned = {name: value for name, value in state.items() if name.startswith(REFINER)}
        if refiner.crop_bound:
            fresh = self._fresh(len(view.image), view.said.size, view.image.device)
            moved = (state["frame"] != view.frame.rows()).any(1)
            learned = {
                name: torch.where(moved.view(-1, *[1] * (value.ndim - 1)), fresh[name], value)
                for name, value in learned.items()
            }
        logits, after = refiner(view, {name.removeprefix(REFINER): value for name, value in learned.items()})
        return torch.sigmoid(logits.float()), {REFINER + name: value for name, value in after.items()}

    def mask(self, state: State, interactions: Interactions) -> Tensor:
        """The method's own way from probability to mask."""
        return self.method.mask(state["probability"], interactions)


def _bounds(state: State) -> Tensor:
    """(B, 4) of the pixels above the threshold."""
    return bounds_of(state[ROWS], state[COLUMNS])


def _counts(above: Tensor) -> State:
    """How many pixels of each row and column are true in (B, H, W) bool."""
    rows, columns = (torch.zeros(len(above), n, dtype=torch.int32, device=above.device) for n in above.shape[1:])
    if (place := box_in(above)) is not None:
        part = above[:, *place]
        rows[:, place[0]], columns[:, place[1]] = (part.sum(axis, dtype=torch.int32) for axis in (2, 1))
    return {ROWS: rows, COLUMNS: columns}


def _shown(frame: Frame, image: Tensor, state: State) -> Tensor:
    """What frames show of images; where they are scaled as the state has them, of these."""
    if SEEN not in state or not torch.equal(frame.scale, state[SEEN_SCALE]):
        return frame.crop(image)
    scales = state[SEEN_SCALE]
    return Frame(frame.x0 * scales, frame.y0 * scales, torch.ones_like(scales), frame.size).crop(state[SEEN])


def _edits(frame: Frame, crops: Tensor, size: tuple[int, int]) -> Edits:
    return tuple(Edit(i, place, values) for i, place, values in frame.boxes(crops, size))


def _portions(groups: list[tuple[Tensor, Frame]], device: torch.device) -> list[tuple[Tensor, Frame]]:
    """The groups cut into as many samples as are best segmented together."""
    if device.type != "cpu":
        return groups
    out = []
    for index, frame in groups:
        rows = torch.arange(len(index)).split(max(1, PIXELS_AT_ONCE // (frame.size[0] * frame.size[1])))
        out += [(index[row], frame.select(row)) for row in rows]
    return out
