"""Pictures of segmentation at two magnifications: errors and probabilities, as in ZoomISEG's Figures 4 and 3."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from zoo.data.batch import Batch
from zoo.evaluation.record import Record
from zoo.evaluation.stages import Panel
from zoo.images.drawing import errors, fitting_scale, overlay
from zoo.inference.engine import Engine
from zoo.inference.session import Session
from zoo.users.base import SimulatedUser

LARGEST = 800
"""Long side of a picture in pixels."""


def truth_picture(batch: Batch) -> list[Panel]:
    """The image and its target's outline, of a batch of one pair."""
    image, target, _ = _arrays(batch)
    return [("target", _shrunk(overlay(image, target, scale=1, width=3)))]


def error_picture(batch: Batch, record: Record) -> NDArray[np.uint8]:
    """Where a record's mask is wrong, and frames around what was looked at closer."""
    image, target, ignore = _arrays(batch)
    assert record.prediction is not None  # the protocol keeps it
    assert batch.frame is not None
    frame = batch.frame.to("cpu")
    boxes = [look["box"] for look in record.more["zooms"] if look["why"] != "tile"]
    corners = torch.tensor(boxes, dtype=torch.float64).reshape(1, -1, 2)
    places = frame.points(corners).reshape(-1, 4).round().int().tolist()
    wrong = (record.prediction != target) & ~ignore
    return _shrunk(errors(image, wrong & target, wrong & ~target, places))


def probability_pictures(
    engine: Engine, user: SimulatedUser, batch: Batch, mpp: float | None, turns: Sequence[int]
) -> list[Panel]:
    """The mask with all clicks on the image, and the probability, after so many clicks on a batch of one."""
    image, target, _ = _arrays(batch)
    scale = fitting_scale(image.shape[0], image.shape[1], LARGEST)
    session = Session(engine, batch.image.device, undoable=False)
    session.set_image(batch.image, mpp=mpp)
    out: list[Panel] = []
    for turn in range(max(turns)):
        new = user(session.mask, batch.truth, session.interactions, turn)
        if bool(new.spoken):
            session.add(new)
        if turn + 1 in turns:
            said, mask = session.interactions.to("cpu"), session.mask[0, 0].cpu().numpy()
            number = f"{turn + 1} click{'' if turn == 0 else 's'}"
            out.append((f"mask after {number}", overlay(image, target, mask, said, scale, max(2, scale // 3))))
            out.append((f"probability after {number}", overlay(_grey(session.probability), None, None, said, scale)))
    return out


def _grey(probability: Tensor) -> NDArray[np.uint8]:
    values = (probability[0, 0].clamp(0, 1) * 255).round().byte().cpu().numpy()
    return np.repeat(values[..., None], 3, axis=2)


def _arrays(batch: Batch) -> tuple[NDArray[np.uint8], NDArray[np.bool_], NDArray[np.bool_]]:
    truth = batch.truth
    ignore = torch.zeros_like(truth.target) if truth.ignore is None else truth.ignore
    image = batch.image[0].permute(1, 2, 0).cpu().numpy()
    return image, truth.target[0, 0].cpu().numpy(), ignore[0, 0].cpu().numpy()


def _shrunk(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    by = -(-max(picture.shape[:2]) // LARGEST)
    size = (picture.shape[1] // by, picture.shape[0] // by)
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)
