"""Masks like those that a network makes of a lower magnification: for training that begins with one."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from zoo.errors import ConfigError
from zoo.ops.distance import distance_transform
from zoo.ops.draws import Draw
from zoo.users.base import Truth
from zoo.users.draws import draw, draws


class CoarseMasks:
    """Degrades targets: borders that are off, false and missing blobs, soft edges, and the pixels of a lower level.

    The target's signed distance to its border, positive inside, is changed and becomes a probability again:

    - A smooth random field, whose deviation is drawn up to `border` coarse pixels, and a constant of up to half as
      much either way move the border.
    - Where another field is above a threshold a false blob is added, where it is below the negative one the mask goes
      missing; each covers up to a share `blobs` of the image, drawn a sample.
    - A sigmoid, whose width is drawn up to one coarse pixel, makes it a probability, which is averaged over blocks of
      `factor` pixels and enlarged again by cubic interpolation, as a mask of the lower magnification is.

    Args:
        share: of the samples that get a mask; the others get an empty one.
        factor: pixels of the high magnification along one of the low.
        border: see above, in pixels of the low magnification.
        blobs: see above, in [0, 0.5).
        grain: distance of the values that the fields interpolate, in pixels of the low magnification.

    Raises:
        ConfigError: a number out of its range.
    """

    def __init__(
        self, share: float = 0.5, factor: int = 4, border: float = 2.0, blobs: float = 0.1, grain: float = 8.0
    ) -> None:
        if not (0 <= share <= 1 and 0 <= blobs < 0.5):
            raise ConfigError(f"share={share} must be within 0..1, and blobs={blobs} at least 0 and below 0.5")
        if factor < 1 or border < 0 or grain <= 0:
            raise ConfigError(f"factor={factor} must be 1 or more, border={border} 0 or more, grain={grain} above 0")
        self.share, self.factor, self.border, self.blobs, self.grain = share, factor, border, blobs, grain

    def __call__(self, truth: Truth) -> Tensor:
        """Probabilities (B, 1, H, W) float32; they depend on sample ids and steps alone."""
        size, inside = truth.size, truth.target[:, 0]
        edge = float(sum(size))
        distance = (distance_transform(inside) - distance_transform(~inside)).clamp(-edge, edge)
        distance = distance - 0.5 * distance.sign()
        amounts = draws(truth, 0, Draw.COARSE_AMOUNT, 5).float()[:, :, None, None]
        deviation, constant, more, fewer, softness = amounts.unbind(1)
        unit = self.border * self.factor
        distance = distance + unit * (deviation * self._field(truth, Draw.COARSE_BORDER) + constant - 0.5)
        blobs, grain = self._field(truth, Draw.COARSE_BLOBS), self.grain * self.factor
        distance = torch.maximum(distance, (blobs + _normal(self.blobs * more)) * grain)
        distance = torch.minimum(distance, (blobs - _normal(self.blobs * fewer)) * grain)
        fine = torch.sigmoid(distance / (self.factor * (0.1 + 0.9 * softness)))[:, None]
        coarse = interpolate(fine, size=[-(-length // self.factor) for length in size], mode="area")
        mask = interpolate(coarse, size=size, mode="bicubic", align_corners=False).clamp(0, 1)
        given = draw(truth, 0, Draw.COARSE) < self.share
        return mask * given[:, None, None, None]

    def _field(self, truth: Truth, kind: Draw) -> Tensor:
        """(B, H, W): smooth, of about normal values."""
        step = self.grain * self.factor
        rows, columns = (int(length / step) + 2 for length in truth.size)
        values = _normal(draws(truth, 0, kind, rows * columns).float()).view(-1, 1, rows, columns)
        return interpolate(values, size=truth.size, mode="bicubic", align_corners=True)[:, 0]


def _normal(share: Tensor) -> Tensor:
    """The number below which a share of a normal distribution lies."""
    number: Tensor = torch.special.ndtri(share.clamp(1e-6, 1 - 1e-6))
    return number
