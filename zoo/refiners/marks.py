"""Where a refined prediction is held to what was said."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from zoo.inference.view import View

SIDE = 3


def click_marks(view: View) -> Tensor:
    """Weights (B, 2, h, w) float32 in 0..1 of the crop's pixels near positive and near negative clicks.

    Boxes of 3 x 3 image pixels around every click, cut at the image's border, are resampled as the crop is; the largest
    weight of a sample and sign is 1 again (f-BRS, Sofiiuk et al. 2020, released code). Strokes are clicks on each of
    their pixels.
    """
    pixels = torch.stack([view.said.pixels(label) for label in (1, 0)], 1).float()
    boxes = F.max_pool2d(pixels, SIDE, stride=1, padding=SIDE // 2)
    # Beyond the image nothing was said, although the image's edge is repeated there.
    marks = view.frame.crop(boxes, outside="zero")
    largest = marks.amax((2, 3), keepdim=True)
    return marks / torch.where(largest > 0, largest, 1)
