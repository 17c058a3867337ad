"""What is kept of every evaluated sample: numbers for traces and curves, and what pictures need."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from zoo.errors import ResultError
from zoo.files import write_text
from zoo.interactions import Interactions
from zoo.interactions.batch import PADDING


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
        outline: of the last mask, or of a label map's objects, as an SVG path in the sample's pixels; None where it was
            not kept.
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
    outline: str | None = None

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

    @classmethod
    def of_trace(cls, trace: Mapping[str, Any]) -> Record:
        """What `trace` wrote, without masks and strokes."""
        known = dict(trace)
        clicks: list[list[list[float]]] = known.pop("clicks")
        most = max(map(len, clicks), default=0)
        points = torch.full((len(clicks), most, 4), 0.0)
        points[..., 2] = PADDING
        for row, said in zip(points, clicks, strict=True):
            row[: len(said)] = torch.tensor(said, dtype=torch.float32).reshape(-1, 4)
        for name in ("boxes", "strokes", "from"):
            known.pop(name, None)
        return cls(
            sample_id=known.pop("sample"),
            image_id=known.pop("image"),
            score=known.pop("score"),
            ious=tuple(known.pop("ious")),
            seconds=tuple(known.pop("seconds")),
            interactions=Interactions.of(points, (0, 0)),
            initial=known.pop("initial", None),
            stuck=known.pop("stuck", False),
            more=known,
        )


def read_traces(path: Path) -> list[Record]:
    """The records of a file that `write_traces` wrote, without masks and strokes.

    Raises:
        ResultError: the file is missing or holds something else.
    """
    try:
        return [Record.of_trace(json.loads(line)) for line in path.read_text().splitlines()]
    except (OSError, ValueError, KeyError, TypeError, RuntimeError) as error:
        raise ResultError(f"{path}: no traces ({type(error).__name__}: {error}); evaluate again") from None


def write_traces(path: Path, records: Iterable[Record], places: Mapping[int, Mapping[str, str | int]]) -> None:
    """Write one JSON line a sample, with where it comes from (`places` by sample id)."""
    lines = [json.dumps(record.trace() | {"from": places[record.sample_id]}) for record in records]
    write_text(path, "".join(line + "\n" for line in lines))
