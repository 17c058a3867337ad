"""What is kept of every evaluated sample: numbers for traces and curves, and what pictures need."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zoo.files import write_text
from zoo.interactions import Interactions


@dataclass(frozen=True)
class Record:
    """One sample of an evaluation.

    Attributes:
        sample_id: its position in the data set.
        image_id: the image it comes from.
        score: what the protocol ranks samples by, larger is better.
        ious: IoU after each interaction; empty where the protocol has no turns.
        seconds: of each interaction, or of the whole sample.
        interactions: what was said, in the sample's pixels, on the CPU: one sample, or one for every object.
        prediction: (H, W) label map or mask at the end; None where it was not kept.
        initial: IoU before the first counted interaction; None where the protocol has no turns.
        stuck: its user fell silent below the target before the last turn.
        more: what else the protocol has to say, as JSON.
    """

    sample_id: int
    image_id: int
    score: float
    ious: tuple[float, ...]
    seconds: tuple[float, ...]
    interactions: Interactions
    prediction: NDArray[Any] | None = None
    initial: float | None = None
    stuck: bool = False
    more: Mapping[str, Any] = field(default_factory=dict)

    @property
    def units(self) -> int:
        """Interactions made in turns, or objects."""
        return len(self.interactions) if self.initial is None else len(self.ious)

    def trace(self) -> dict[str, Any]:
        """The sample as JSON: numbers, clicks as x, y, label, turn, boxes, and the pixels of strokes."""
        said = self.interactions
        clicks = [[row for row in sample if row[2] >= 0] for sample in said.points.tolist()]
        out: dict[str, Any] = {
            "sample": self.sample_id,
            "image": self.image_id,
            "score": self.score,
            "ious": list(self.ious),
            "seconds": list(self.seconds),
            "clicks": clicks,
        }
        if self.initial is not None:
            out["initial"] = self.initial
        if self.stuck:
            out["stuck"] = True
        if said.boxes.shape[1]:
            out["boxes"] = [[row for row in sample if row[4] >= 0] for sample in said.boxes.tolist()]
        if said.strokes is not None:
            out["strokes"] = [
                {
                    name: np.argwhere(raster)[:, ::-1].tolist()
                    for name, raster in zip(("positive", "negative"), pair, strict=True)
                }
                for pair in said.strokes.numpy()
            ]
        return {**out, **self.more}


def write_traces(path: Path, records: Iterable[Record], places: Mapping[int, Mapping[str, str | int]]) -> None:
    """Write one JSON line a sample, with where it comes from (`places` by sample id)."""
    lines = [json.dumps(record.trace() | {"from": places[record.sample_id]}) for record in records]
    write_text(path, "".join(line + "\n" for line in lines))
