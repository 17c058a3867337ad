"""Colours of windows varied on the device: stains, brightness, contrast, saturation, sharpness and noise."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from skimage.color import hed_from_rgb, rgb_from_hed
from torch import Tensor

from zoo.errors import ConfigError
from zoo.ops.draws import Draw
from zoo.ops.pixels import Pyramids
from zoo.ops.random import uniform

GREY = (0.299, 0.587, 0.114)
LEAST_SPREAD = 0.02
"""Of optical density: below it an image has no stain to speak of."""


@dataclass(frozen=True)
class Stains:
    """How images are stained: of their optical density.

    Attributes:
        mean: (N, 3) float32, of each colour.
        spread: (N, 3) float32, its deviation, at least `LEAST_SPREAD`.
    """

    mean: Tensor
    spread: Tensor

    @classmethod
    def of(cls, images: Pyramids) -> Stains:
        """Those of images, from their smallest level."""
        means, spreads = [], []
        for first, width, height in torch.stack([images.first, images.width, images.height])[:, -1].T.tolist():
            density = _density(images.pixels[first : first + width * height].float())
            means.append(density.mean(0))
            spreads.append(density.std(0, correction=0).clamp(min=LEAST_SPREAD))
        return cls(torch.stack(means), torch.stack(spreads))


class Colours:
    """The colours of `Augment`, for batches on a device, and the stains of one training image given to another.

    In this order, s being `strength`: with probability `stain_of_others` mean and deviation of each colour's optical
    density become those of another image (Reinhard et al. 2001, there in another space); the amounts of haematoxylin,
    eosin and residual are scaled by U(1 - .2 s, 1 + .2 s) and moved by U(-.02 s, .02 s), as `HEDJitter` does it;
    brightness and contrast change by up to .25 s, saturation by .2 s, and colours turn around grey by up to 20 s
    degrees; the window is blurred or sharpened by up to .8 s, at most .8; noise of up to .03 s is added, which no seed
    of a sample decides.

    Args:
        strength: of all changes.
        stain_of_others: probability of another image's stains.
        p: probability of each other change.
    """

    def __init__(self, strength: float = 1.0, stain_of_others: float = 0.3, p: float = 0.5) -> None:
        if strength < 0 or not 0 <= stain_of_others <= 1 or not 0 <= p <= 1:
            raise ConfigError(
                f"strength={strength} must be at least 0, stain_of_others={stain_of_others} and p={p} in 0..1"
            )
        self.strength, self.stain_of_others, self.p = strength, stain_of_others, p

    def __call__(self, pixels: Tensor, stains: Stains, image: Tensor, number: Tensor, epoch: Tensor) -> Tensor:
        """Changed windows, as `pixels`.

        Args:
            pixels: (B, 3, H, W) float32 in 0..255.
            stains: of the training images.
            image: (B,) int64, which training image each comes from.
            number: (B,) int64, of the sample.
            epoch: (B,) int64.
        """
        draws = iter(torch.stack([uniform(number, epoch, k, Draw.AUGMENT) for k in range(20)]).float())
        s = self.strength

        def on(probability: float) -> Tensor:
            return torch.lt(next(draws), probability).float()[:, None, None, None]

        def between(reach: float) -> Tensor:
            value: Tensor = (next(draws) * 2 - 1)[:, None, None, None] * reach
            return value

        density = _density(pixels)
        other = (next(draws) * len(stains.mean)).long()
        use = on(self.stain_of_others)
        mean, spread = (each[image][..., None, None] for each in (stains.mean, stains.spread))
        new_mean, new_spread = (each[other][..., None, None] for each in (stains.mean, stains.spread))
        density = density.lerp((density - mean) / spread * new_spread + new_mean, use)

        use = on(self.p)
        scale = 1 + use * torch.cat([between(0.2 * s) for _ in range(3)], 1)
        move = use * torch.cat([between(0.02 * s) for _ in range(3)], 1)
        to_stains, to_colours = (density.new_tensor(m) for m in (hed_from_rgb, rgb_from_hed))
        amounts = torch.einsum("bchw,cd->bdhw", density, to_stains) * scale + move
        density = torch.einsum("bchw,cd->bdhw", amounts, to_colours)
        out = torch.exp(-density).clamp(max=1.0)

        use = on(self.p)
        out = out * (1 + use * between(0.25 * s)) + use * between(0.25 * s)
        grey = (out * out.new_tensor(GREY)[:, None, None]).sum(1, keepdim=True)
        use = on(self.p)
        out = grey + (out - grey) * (1 + use * between(0.2 * s))
        out = _turned(out, use * between(s * torch.pi / 9))

        use = on(self.p)
        soft = F.avg_pool2d(F.pad(out, (1, 1, 1, 1), mode="replicate"), 3, 1)
        out = out + (soft - out) * use * between(0.8 * min(s, 1.0))
        deviation = on(self.p / 2) * next(draws)[:, None, None, None] * 0.03 * s
        out = out + torch.randn_like(out) * deviation
        changed: Tensor = out.clamp(0, 1) * 255
        return changed


def _density(pixels: Tensor) -> Tensor:
    """Optical density of 0..255, float32."""
    density: Tensor = -(pixels.clamp(min=1) / 255).log()
    return density


def _turned(colours: Tensor, angle: Tensor) -> Tensor:
    """Colours (B, 3, H, W) turned around the line of greys by angles (B, 1, 1, 1) in radians."""
    cos, part = angle.cos(), angle.sin() / 3**0.5
    mean = colours.mean(1, keepdim=True)
    side = colours.roll(1, 1) - colours.roll(-1, 1)
    turned: Tensor = mean + (colours - mean) * cos + side * part
    return turned
