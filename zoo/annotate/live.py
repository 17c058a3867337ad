"""A session that follows what was said of an object."""

from __future__ import annotations

import time
import warnings
from dataclasses import dataclass
from math import ceil, floor

import numpy as np
import torch
from numpy.typing import NDArray

from zoo.annotate.document import Document, HandEdit, Say, Turn
from zoo.annotate.grid import MOST_PIXELS, PixelGrid
from zoo.annotate.models import Model
from zoo.annotate.shapes import Mask, filled, mask_of
from zoo.inference.session import Session
from zoo.interactions import Box, Click, Interaction, Scribble
from zoo.slides.slide import CALIBRATION


@dataclass(frozen=True)
class _Taken:
    """A turn that the session has taken, in `steps` turns of its own; an edit at a threshold, whose mask it is in."""

    turn: Turn
    steps: int
    threshold: float | None


class Live:
    """The pixels, the session and the mask of one object.

    What a person drew by hand holds: the session goes on from it, and later turns leave it as it was drawn, until
    something is said within it that contradicts it. A model that reads no boxes is told the centre of each; nothing
    around them belongs to the object then, unless something positive is said there.

    Args:
        model: what segments. Its lock is taken for as long as it works.
        pixels: (H, W, 3) uint8 of the region.
        grid: where they lie.
        start: mask (H, W) to begin with.
    """

    def __init__(self, model: Model, pixels: NDArray[np.uint8], grid: PixelGrid, start: Mask | None) -> None:
        self.model, self.grid = model, grid
        self.seconds = 0.0
        self.session = Session(model.engine, model.device)
        if grid.mpp is not None and self.session.mpp is not None:
            enlarged = grid.mpp / self.session.mpp
            # A region that had to be made coarser, to fit, is segmented as it is.
            if (grid.downsample > 1 and enlarged > 1 + CALIBRATION) or grid.pixels * enlarged**2 > MOST_PIXELS + 1:
                self.session.mpp = grid.mpp
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of an unknown mpp, which the object's answer says
            self.session.set_image(pixels, None if start is None else start.astype(np.uint8), grid.mpp)
        self._taken: list[_Taken] = []
        self._from_nothing = start is None

    @property
    def pixels(self) -> int:
        """How many it holds."""
        return self.grid.pixels

    def follow(self, document: Document, threshold: float | None = None) -> None:
        """Take back and take turns, until they are those of the document, its edits those of the threshold's masks."""
        began = time.perf_counter()
        with self.model.lock:
            same = 0
            for taken, turn in zip(self._taken, document, strict=False):
                if taken.turn != turn or (isinstance(turn, HandEdit) and taken.threshold != threshold):
                    break
                same += 1
            while len(self._taken) > same:
                for _ in range(self._taken.pop().steps):
                    self.session.undo()
            for number in range(same, len(document)):
                self._take(document[number], document[:number], threshold)
            _ = self.session.mask  # which the first turn computes
        self.seconds = time.perf_counter() - began

    def mask(self, document: Document, threshold: float | None = None) -> Mask:
        """(H, W) of a document that was followed at this threshold; None: the model's own."""
        with self.model.lock:
            if threshold is None or threshold == self.model.threshold:
                mask = self.session.mask[0, 0].cpu().numpy().copy()
            else:
                mask = self._at(threshold)
        around = self._around_boxes(document)
        if around is not None:
            mask[around] = False
        for number, turn in enumerate(document):
            if isinstance(turn, HandEdit):
                drawn = self._drawn(turn)
                if not self._contradicted(turn, drawn, document[number + 1 :]):
                    mask[drawn] = turn.add
        return np.asarray(mask, bool)

    @property
    def probability(self) -> NDArray[np.float32]:
        """(H, W) in 0..1."""
        with self.model.lock:
            return np.asarray(self.session.probability[0, 0].cpu().numpy(), np.float32)

    def _take(self, turn: Turn, before: Document, threshold: float | None) -> None:
        steps = 0
        if isinstance(turn, Say):
            self.session.add(*(self.grid.within(each) for _, each in turn.said))
            steps, result = 1, turn.result
            if result is not None and result.checkpoint == self.model.name:
                empty = np.zeros(self.grid.size, bool)
                self._go_on(empty if result.geometry is None else mask_of(result.geometry, self.grid))
                steps = 2
        else:
            mask = self.mask(before, threshold)
            mask[self._drawn(turn)] = turn.add
            self._go_on(mask)
            steps = 1
        self._taken.append(_Taken(turn, steps, threshold))

    def _go_on(self, mask: Mask) -> None:
        self.session.go_on_from(torch.from_numpy(mask.astype(np.float32))[None, None])

    def _drawn(self, edit: HandEdit) -> Mask:
        ring = (np.array(edit.polygon, np.float64) - np.array(self.grid.origin)) / self.grid.downsample
        return filled([ring], self.grid.size)

    def _contradicted(self, edit: HandEdit, drawn: Mask, later: Document) -> bool:
        for turn in later:
            for _, each in turn.said if isinstance(turn, Say) else ():
                positive = isinstance(each, Box) or each.positive
                if positive != edit.add and any(drawn[_place(x, y, drawn)] for x, y in _points(self.grid.within(each))):
                    return True
        return False

    def _around_boxes(self, document: Document) -> Mask | None:
        """(H, W): what lies outside of all boxes; None where this tells nothing."""
        said = [self.grid.within(each) for turn in document if isinstance(turn, Say) for _, each in turn.said]
        boxes = [each for each in said if isinstance(each, Box)]
        if not boxes or self.model.engine.boxes or not self._from_nothing:
            return None
        outside = np.ones(self.grid.size, bool)
        for box in boxes:
            outside[floor(box.y0) : ceil(box.y1), floor(box.x0) : ceil(box.x1)] = False
        positive = [point for each in said if isinstance(each, Box) or each.positive for point in _points(each)]
        return None if any(outside[_place(x, y, outside)] for x, y in positive) else outside

    def _at(self, threshold: float) -> Mask:
        """The model's way from probability to mask, with another threshold: that which it leads to its own."""
        own, probability = self.model.threshold, self.session.probability
        below = probability * (own / threshold if threshold > 0 else 0.0)
        above = own + (probability - threshold) * ((1 - own) / (1 - threshold) if threshold < 1 else 0.0)
        said = self.session.interactions
        said = said if self.model.engine.boxes else said.with_box_centres()
        moved = torch.where(probability > threshold, above, below.clamp(max=own))
        return np.array(self.model.engine.mask({"probability": moved}, said)[0, 0].cpu().numpy(), bool)


def _points(each: Interaction) -> list[tuple[float, float]]:
    if isinstance(each, Click):
        return [(each.x, each.y)]
    if isinstance(each, Scribble):
        return list(each.points)
    return [((each.x0 + each.x1) / 2, (each.y0 + each.y1) / 2)]


def _place(x: float, y: float, mask: Mask) -> tuple[int, int]:
    """Row and column of the pixel under a point."""
    return min(int(y), mask.shape[0] - 1), min(int(x), mask.shape[1] - 1)
