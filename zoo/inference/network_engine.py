"""A trained method at test time: zoom, then refiner, then flip, then network."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from zoo.encoders.base import InteractionEncoder
from zoo.errors import ConfigError
from zoo.inference.change import Edit, Edits
from zoo.inference.coarse import Coarse, averaged, of_view
from zoo.inference.engine import Change, Engine, State, pick
from zoo.inference.looks import Looks
from zoo.inference.precision import Precision, in_precision
from zoo.inference.refiner import Refiner
from zoo.inference.segmenter import Refinable, Segmenter
from zoo.inference.view import FlippedView, View
from zoo.inference.zoom import Zoom
from zoo.inference.zoom_in import along
from zoo.interactions import Interactions
from zoo.ops.frame import Frame

REFINER = "refiner."
ROWS, COLUMNS = "rows", "columns"
SEEN = "seen"
PIXELS_AT_ONCE = 320 * 1024
"""Of crops, on a CPU: twice 384x384. Beyond, the samples of a batch take longer together than one after another."""


class NetworkEngine(Engine):
    """A trained method in each sample's frame, pasted back into the image.

    Beside the probability, a state holds the previous mask, the last frame, how many pixels of each row and column are
    above the method's threshold, so that nobody has to look for them, and what the refiner learned, under names that
    begin with `refiner.`. Of an image that is scaled down to be seen whole it holds this view, and what was said of the
    image in it as a `Coarse`.

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
        self.looks = Looks(method.look) if method.looks and refiner is None else None
        self.channels = 0
        if refiner is not None:
            if not isinstance(method, Refinable):
                raise ConfigError(f"{type(method).__name__} offers no point at which a refiner could intervene")
            self.channels = method.channels(refiner.at)

    def start(self, image: Tensor, mask: Tensor | None = None) -> State:
        """The previous mask before the first turn is the first probability too."""
        previous = self.method.start(image, mask)
        above = previous[:, 0] > self.method.threshold
        state = {"probability": previous, "previous": previous}
        state |= {ROWS: above.sum(2, dtype=torch.int32), COLUMNS: above.sum(1, dtype=torch.int32)}
        state["frame"] = torch.zeros(len(image), 5, dtype=torch.float64, device=image.device)
        view = self._view(state, (image.shape[-2], image.shape[-1]))
        if view is not None:
            # All of a large image is read here, and not when somebody clicks.
            coarse = of_view(previous, view)
            state |= {SEEN: averaged(image, view), "probability": coarse, "previous": coarse}
        return state | self._fresh(len(image), (image.shape[-2], image.shape[-1]), image.device)

    def _view(self, state: State, size: tuple[int, int]) -> Frame | None:
        """The frame of the first view, where it shows the whole of large images at a lower scale."""
        if self.zoom.window is not None or math.prod(self.zoom.largest(size)) >= math.prod(size):
            return None
        batch, device = len(state["frame"]), state["frame"].device
        groups = self._frames(Interactions.empty(batch, size, device), state)
        if len(groups) != 1:
            return None
        frame = groups[0][1]
        height, width = frame.size
        whole = (frame.x0 <= 0) & (frame.y0 <= 0) & (frame.scale < 1)
        whole &= (frame.y0 + height / frame.scale >= size[0]) & (frame.x0 + width / frame.scale >= size[1])
        return frame if bool(whole.all()) else None

    def _fresh(self, batch: int, size: tuple[int, int], device: torch.device) -> State:
        """The refiner's state before anything was said, for images of `size`."""
        if self.refiner is None:
            return {}
        learned = self.refiner.start(batch, self.channels, self.zoom.largest(size), device)
        return {REFINER + name: value for name, value in learned.items()}

    def prepare(self, image: Tensor) -> None:
        """Look at what the first turn shows of images, where that is known before and helps."""
        if self.looks is None or self.zoom.window is not None:
            return
        state = self.start(image)
        nothing = Interactions.empty(len(image), (image.shape[-2], image.shape[-1]), image.device)
        for index, frame in self._frames(nothing, state):
            with torch.no_grad(), self.method.running(), in_precision(self.precision, image.device):
                self.looks(state[SEEN][index] if SEEN in state else frame.crop(image[index]))

    def step(self, image: Tensor, interactions: Interactions, state: State) -> State:
        """Run the method in each sample's frame; outside it the probability stays."""
        return self.change(image, interactions, state).applied(state)

    def change(self, image: Tensor, interactions: Interactions, state: State) -> Change:
        """The frames' boxes."""
        groups = _portions(self._frames(interactions, state), image.device)
        if len(groups) == 1:
            return self._change(image, interactions, state, groups[0][1])
        parts = [(i, self._change(image[i], interactions.select(i), pick(state, i), frame)) for i, frame in groups]
        return Change.joined(parts, state)

    def _frames(self, interactions: Interactions, state: State) -> list[tuple[Tensor, Frame]]:
        if self.zoom.threshold != self.method.threshold:
            return self.zoom.frames(interactions, state["probability"], state["frame"])
        bounds = bounds_of(state[ROWS], state[COLUMNS])
        return self.zoom.frames(interactions, state["probability"], state["frame"], bounds)

    def _change(self, image: Tensor, interactions: Interactions, state: State, frame: Frame) -> Change:
        before = state["previous"]
        coarse = isinstance(before, Coarse) and before.made_in(frame)
        view = self.view(
            method=self.method,
            image=state[SEEN] if coarse else frame.crop(image),
            previous=before.crop(frame) if isinstance(before, Coarse) else frame.crop(before),
            interactions=interactions.through(frame),
            said=interactions,
            frame=frame,
            look=self.looks,
        )
        with torch.no_grad(), self.method.running(), in_precision(self.precision, image.device):
            probability, learned = self._run(view, state)
        carried = self.method.carry(probability, view.previous)
        size = interactions.size
        if isinstance(before, Coarse) and coarse:
            after = Coarse(probability, before.back)
            values = {"probability": after}
            values["previous"] = after if carried is probability else Coarse(carried, before.back)
            return Change({"frame": frame.rows()} | learned | values | self._counts(after), {})
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

    def _counts(self, coarse: Coarse) -> State:
        """The numbers of pixels above the threshold in a map that was made in one view."""
        size, device = coarse.back.size, coarse.device
        rows, columns = (torch.zeros(len(coarse), side, dtype=torch.int32, device=device) for side in size)
        for i in range(len(coarse)):
            place = coarse.around(i, self.method.threshold)
            if place is not None:
                above = coarse[i, ..., *place][0] > self.method.threshold
                rows[i, place[0]], columns[i, place[1]] = (above.sum(axis, dtype=torch.int32) for axis in (1, 0))
        return {ROWS: rows, COLUMNS: columns}

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


def bounds_of(rows: Tensor, columns: Tensor) -> Tensor:
    """(B, 4) float64 x0, y0, x1, y1 of all that is counted in rows (B, H) and columns (B, W); see `bounds`."""
    (x0, x1), (y0, y1) = along(columns > 0), along(rows > 0)
    return torch.stack([x0, y0, x1, y1], 1)


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
