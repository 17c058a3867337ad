"""Traces and masks of samples in the log."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from lightning import Trainer
from lightning.pytorch.loggers import TensorBoardLogger, WandbLogger
from numpy.typing import NDArray

from zoo.comparison.markdown import table
from zoo.evaluation.record import Record

COLUMNS = ("step", "sample", "turn", "x", "y", "sign", "IoU", "seconds", "score")
Row = tuple[int | float | str | None, ...]
"""Of `COLUMNS` without the step."""


def trace_rows(sample: int, record: Record) -> list[Row]:
    """A row for each click of a session with what it led to; of an image that is segmented at once, for each object."""
    said = [row for sample_points in record.interactions.points.tolist() for row in sample_points if row[2] >= 0]
    turns = {int(turn) for *_, turn in said} | set(range(len(record.ious)))
    rows: list[Row] = []
    for turn in sorted(turns):
        iou = round(record.ious[turn], 4) if turn < len(record.ious) else None
        seconds = float(f"{record.seconds[turn]:.3g}") if turn < len(record.seconds) else None
        clicks = [row for row in said if int(row[3]) == turn] or [[None, None, None, turn]]
        for x, y, label, _ in clicks:
            sign = None if label is None else "+" if label == 1 else "-"
            rows.append((sample, turn + 1, x, y, sign, iou, seconds, round(record.score, 4)))
    return rows


def log_traces(trainer: Trainer, name: str, rows: Sequence[Row]) -> None:
    """Write traces as a table to W&B, and as a text that holds one to TensorBoard."""
    step = trainer.global_step
    data: list[list[Any]] = [[step, *row] for row in rows]
    for logger in trainer.loggers:
        if isinstance(logger, TensorBoardLogger):
            cells = [["" if value is None else str(value) for value in row] for row in data]
            logger.experiment.add_text(name, table(COLUMNS, cells), step)
        elif isinstance(logger, WandbLogger):
            logger.log_table(name, columns=list(COLUMNS), data=data, step=step)


def log_masks(trainer: Trainer, name: str, image: NDArray[np.uint8], masks: Mapping[str, NDArray[Any]]) -> None:
    """Write an image (H, W, 3) with masks or label maps (H, W) over it to W&B."""
    for logger in trainer.loggers:
        if isinstance(logger, WandbLogger):
            import wandb

            over = {
                kind: {"mask_data": (mask > 0).astype(np.uint8), "class_labels": {0: "outside", 1: kind}}
                for kind, mask in masks.items()
            }
            logger.log_metrics({name: wandb.Image(image, masks=over)}, trainer.global_step)  # type: ignore[dict-item]
