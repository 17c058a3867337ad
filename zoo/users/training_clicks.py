"""The random clicks that networks for clicks are trained with."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate

import torch
from torch import Tensor

from zoo.errors import ConfigError
from zoo.interactions import PADDING, Interactions
from zoo.ops.dilation import dilate, erode
from zoo.ops.draws import Draw
from zoo.ops.extent import area
from zoo.ops.random import choose_pixels
from zoo.users.base import SimulatedUser, Truth
from zoo.users.draws import draw, draws


class TrainingClicks(SimulatedUser):
    """Some positive clicks on the target and some negative ones off it, whatever the prediction (RITM's release).

    The number of positive clicks is 1 + k and that of negative ones k, k drawn with probabilities that fall as
    decay^k. Positive clicks are random pixels of the target, mostly without its margin; a target that is all margin
    keeps it. Each negative click is a random pixel of the background, of the other objects or of a ring around the
    target, which may reach into either; a kind of which a sample has no pixels leaves its share to the others. Pixels
    are drawn one by one, so that two clicks may be the same. Where the target is empty nothing is said.

    Args:
        max_points: most clicks of either sign.
        decay: how much rarer one click more is, in [0, 1].
        margin: of the target, in pixels: what as many erosions by 3x3 pixels take away. The image's edge has none.
        margin_off: probability that a sample's positive clicks keep off the margin.
        background: weight of negative clicks on the background, where there is no object.
        others: weight of negative clicks on other objects.
        border: weight of negative clicks on the ring around the target.
        ring: the ring's width as a share of the square root of the target's area; rounded up to whole pixels.
    """

    def __init__(
        self,
        max_points: int = 24,
        decay: float = 0.8,
        margin: int = 3,
        margin_off: float = 0.9,
        background: float = 0.1,
        others: float = 0.4,
        border: float = 0.5,
        ring: float = 0.1,
    ) -> None:
        if max_points < 1 or margin < 0 or not ring > 0:
            raise ConfigError(
                f"max_points={max_points} must be at least 1, margin={margin} at least 0 px and ring={ring} above 0"
            )
        if not (0 <= decay <= 1 and 0 <= margin_off <= 1):
            raise ConfigError(f"decay={decay} and margin_off={margin_off} must be between 0 and 1")
        if not (min(background, others, border) >= 0 and background + others + border > 0):
            raise ConfigError(
                f"background={background}, others={others} and border={border} must be 0 or more, and one above 0"
            )
        self.max_points, self.decay, self.margin, self.margin_off = max_points, decay, margin, margin_off
        self.background, self.others, self.border, self.ring = background, others, border, ring

    def __call__(self, prediction: Tensor, truth: Truth, so_far: Interactions, turn: int) -> Interactions:
        """(B, 2 max_points, 4) points: first the positive ones, then the negative ones, both padded."""
        there, valid = choose_pixels(self._inside(truth, turn), draws(truth, turn, Draw.POSITIVE, self.max_points))
        off, outside = self._negative(truth, turn)
        label = torch.cat(
            [
                self._labels(1, 1 + self._extra(truth, turn, Draw.POSITIVE_COUNT, self.max_points - 1), valid),
                self._labels(0, self._extra(truth, turn, Draw.NEGATIVE_COUNT, self.max_points), valid & outside),
            ],
            1,
        )
        x, y = torch.cat([there, off], 1).unbind(-1)
        return Interactions.clicks(x, y, label, turn, truth.size)

    def _inside(self, truth: Truth, turn: int) -> Tensor:
        """(B, H, W) bool: where positive clicks may be."""
        target = truth.target[:, 0]
        allowed = _counted(target, truth)
        core = allowed & erode(target, torch.full_like(truth.sample_id, self.margin))
        eroded = (draw(truth, turn, Draw.MARGIN) < self.margin_off) & (area(core) > 0)
        return core | (allowed & ~eroded[:, None, None])

    def _negative(self, truth: Truth, turn: int) -> tuple[Tensor, Tensor]:
        """Places (B, max_points, 2), and (B,) bool, whether the sample has any."""
        target, others = truth.target[:, 0], truth.others[:, 0]
        width = (self.ring * area(target).double().sqrt()).ceil().long()
        kinds = torch.stack([~(target | others), others, dilate(target, width) & ~target])
        kinds = _counted(kinds, truth)
        u = draws(truth, turn, Draw.NEGATIVE, self.max_points)
        xy, some = choose_pixels(kinds.flatten(0, 1), u.repeat(len(kinds), 1))
        weight = u.new_tensor([self.background, self.others, self.border])
        limits = (some.view(len(kinds), -1).T * weight).cumsum(1)
        u = draws(truth, turn, Draw.NEGATIVE_KIND, self.max_points) * limits[:, -1:]
        kind = (u[:, :, None] >= limits[:, None, :-1]).sum(2)
        xy = xy.view(len(kinds), *u.shape, 2).gather(0, kind[None, :, :, None].expand(1, -1, -1, 2))[0]
        return xy, limits[:, -1] > 0

    def _extra(self, truth: Truth, turn: int, kind: Draw, most: int) -> Tensor:
        """(B,) int64: k in 0..most with probabilities in proportion to decay^k."""
        return (draw(truth, turn, kind)[:, None] >= self._limits(most, truth.target.device)).sum(1)

    def _limits(self, most: int, device: torch.device) -> Tensor:
        """(most,) float64: the probabilities of at most 0, 1 ... most - 1."""
        sums: Sequence[float] = list(accumulate(self.decay**k for k in range(most + 1)))
        return torch.tensor([each / sums[-1] for each in sums[:-1]], dtype=torch.float64, device=device)

    def _labels(self, label: int, count: Tensor, valid: Tensor) -> Tensor:
        """(B, max_points): the first `count` clicks have the label, where `valid`; the others are padding."""
        given = torch.arange(self.max_points, device=count.device) < (count * valid)[:, None]
        return torch.where(given, float(label), PADDING)


def _counted(mask: Tensor, truth: Truth) -> Tensor:
    """The mask (..., B, H, W) without the pixels to be ignored."""
    return mask if truth.ignore is None else mask & ~truth.ignore[:, 0]
