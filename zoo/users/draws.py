"""Which random numbers users draw: each kind has its own counter, so that no two share a number."""

from __future__ import annotations

from enum import IntEnum

import torch
from torch import Tensor

from zoo.ops.random import uniform
from zoo.users.base import Truth

_STRIDE = 64


class Draw(IntEnum):
    """What a random number decides."""

    # 3 is left out: `zoo.methods.base.TURN_DRAW` is of that residue.
    INSIDE = 8
    DROP_RATE = 9
    DROP = 10
    SHIFT_X = 11
    SHIFT_Y = 12
    THRESHOLD = 13
    JITTER_LENGTH = 14
    JITTER_ANGLE = 15
    IN_ERROR = 16
    MARGIN = 17
    POSITIVE_COUNT = 18
    NEGATIVE_COUNT = 19
    POSITIVE = 20
    NEGATIVE = 21
    NEGATIVE_KIND = 22


def draw(truth: Truth, turn: int, kind: Draw, item: int | Tensor = 0, sample: Tensor | None = None) -> Tensor:
    """Uniform numbers in [0, 1), float64.

    Args:
        truth: whose sample ids and steps count.
        turn: of the session.
        kind: what the numbers decide.
        item: which of a sample's objects or clicks; one number, or (K,) int64 with `sample`.
        sample: (K,) int64, the position in the batch that each number is for; None: one number a sample.
    """
    ids, step = truth.sample_id, 0 if truth.step is None else truth.step
    if sample is not None:
        ids, step = ids[sample], step if isinstance(step, int) else step[sample]
    return uniform(ids, step, turn, item * _STRIDE + int(kind))


def draws(truth: Truth, turn: int, kind: Draw, count: int) -> Tensor:
    """(B, count) numbers of `draw`, for the items 0, 1 ... count - 1 of each sample."""
    batch, device = len(truth), truth.sample_id.device
    sample = torch.arange(batch, device=device).repeat_interleave(count)
    item = torch.arange(count, device=device).repeat(batch)
    return draw(truth, turn, kind, item, sample).view(batch, count)
