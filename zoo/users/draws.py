"""The random numbers that users draw."""

from __future__ import annotations

import torch
from torch import Tensor

from zoo.ops.draws import Draw
from zoo.ops.random import uniform
from zoo.users.base import Truth


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
    return uniform(ids, step, turn, kind.of(item))


def draws(truth: Truth, turn: int, kind: Draw, count: int) -> Tensor:
    """(B, count) numbers of `draw`, for the items 0, 1 ... count - 1 of each sample."""
    batch, device = len(truth), truth.sample_id.device
    sample = torch.arange(batch, device=device).repeat_interleave(count)
    item = torch.arange(count, device=device).repeat(batch)
    return draw(truth, turn, kind, item, sample).view(batch, count)
