"""What a data loader gives."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from zoo.errors import DataError
from zoo.ops.frame import Frame
from zoo.users.base import Truth


@dataclass(frozen=True)
class Sample:
    """One sample: image (H, W, 3) uint8, target and ignore (H, W) bool, instances (H, W) int64 or None.

    `mpp` is in micrometres per pixel, None where unknown; the data set fills it in. A pair (`zoo.data.PairedImages`)
    also has `low`, the same at a lower magnification, and `place`: x0, y0 and scale of the `zoo.ops.frame.Frame` that
    leads from there to here.
    """

    image: NDArray[np.uint8]
    target: NDArray[np.bool_]
    instances: NDArray[np.int64] | None
    ignore: NDArray[np.bool_] | None
    object_id: int
    sample_id: int
    image_id: int
    mpp: float | None = None
    low: Sample | None = None
    place: tuple[float, float, float] | None = None


@dataclass(frozen=True)
class Batch:
    """A batch of samples of one size.

    Attributes:
        image: (B, 3, H, W) uint8.
        truth: what is true of them.
        image_id: (B,) int64, which image of the data set each sample comes from.
        mpp: micrometres per pixel of all of them; None: unknown, or not one, as batches of a training may be.
        low: of pairs, the same at a lower magnification; None of others.
        frame: of pairs, from the images of `low` to these.
    """

    image: Tensor
    truth: Truth
    image_id: Tensor
    mpp: float | None = None
    low: Batch | None = None
    frame: Frame | None = None

    def __len__(self) -> int:
        return self.image.shape[0]

    def to(self, device: torch.device | str, **_: Any) -> Batch:
        """The same batch on another device."""
        return replace(
            self,
            image=self.image.to(device),
            truth=self.truth.to(device),
            image_id=self.image_id.to(device),
            low=None if self.low is None else self.low.to(device),
            frame=None if self.frame is None else self.frame.to(device),
        )


def collate(samples: Sequence[Sample]) -> Batch:
    """Stack samples; the image keeps its channels last in memory.

    Raises:
        DataError: images of several sizes.
    """
    first = samples[0]
    sizes = sorted({f"{s.image.shape[1]}x{s.image.shape[0]}" for s in samples})
    if len(sizes) > 1:
        raise DataError(f"images of {', '.join(sizes)} px in one batch; use windows or batch_size: 1")
    truth = Truth(
        target=_stack([s.target for s in samples]),
        sample_id=torch.tensor([s.sample_id for s in samples]),
        instances=None if first.instances is None else _stack([s.instances for s in samples]),
        object_id=None if first.instances is None else torch.tensor([s.object_id for s in samples]),
        ignore=None if first.ignore is None else _stack([s.ignore for s in samples]),
    )
    image = torch.from_numpy(np.stack([s.image for s in samples])).permute(0, 3, 1, 2)
    resolutions = {s.mpp for s in samples}
    mpp = resolutions.pop() if len(resolutions) == 1 else None
    image_id = torch.tensor([s.image_id for s in samples])
    lows, places = [s.low for s in samples if s.low is not None], [s.place for s in samples if s.place is not None]
    if not lows:
        return Batch(image, truth, image_id, mpp)
    x0, y0, scale = torch.tensor(places, dtype=torch.float64).unbind(1)
    return Batch(image, truth, image_id, mpp, collate(lows), Frame(x0, y0, scale, truth.size))


def _stack(arrays: Sequence[NDArray[Any] | None]) -> Tensor:
    return torch.from_numpy(np.stack([a for a in arrays if a is not None]))[:, None]
