"""Colours of windows varied on the device: stains, brightness, contrast, saturation, sharpness and noise."""

from __future__ import annotations

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


class Colours:
    """The colours of `Augment`, for batches on a device, and the stains of one training image given to another.

    In this order, s being `strength`: with probability `stain_of_others` mean and deviation of each colour's optical
    density become those of another image (Reinhard et al. 2001, there in another space); the amounts of haematoxylin,
    eosin and residual are scaled by U(1 - .2 s, 1 + .2 s) and moved by U(-.02 s, .02 s), as `HEDJitter` does it;
    brightness and contrast change by up to .25 s, saturation by .2 s, and colours turn around grey by up to 20 s
    degrees; the window is blurred or sharpened; noise of up to .03 s, which no seed of a sample decides, is added.

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
        self._mean, self._spread = torch.zeros(0, 3), torch.zeros(0, 3)

    def learn(self, images: Pyramids) -> None:
        """Remember the stains of the training images: mean and deviation of their optical density, from their
        smallest level."""
        means, spreads = [], []
        for first, width, height in zip(images.first[-1], images.width[-1], images.height[-1], strict=True):
            density = _density(images.pixels[first : first + width * height].float())
            means.append(density.mean(0))
            spreads.append(density.std(0).clamp(min=LEAST_SPREAD))
        self._mean, self._spread = torch.stack(means), torch.stack(spreads)

    def __call__(self, pixels: Tensor, image: Tensor, number: Tensor, epoch: Tensor) -> Tensor:
        """Changed windows, uint8.

        Args:
            pixels: (B, 3, H, W) float32 in 0..255.
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
        other = (next(draws) * len(self._mean)).long()
        use = on(self.stain_of_others)
        mean, spread = (each[image][..., None, None] for each in (self._mean, self._spread))
        new_mean, new_spread = (each[other][..., None, None] for each in (self._mean, self._spread))
        density = density.lerp((density - mean) / spread * new_spread + new_mean, use)

        use = on(self.p)
        scale = 1 + use * torch.cat([between(0.2 * s) for _ in range(3)], 1)
        move = use * torch.cat([between(0.02 * s) for _ in range(3)], 1)
        to_stains, to_colours = (density.new_tensor(m) for m in (hed_from_rgb, rgb_from_hed))
        stains = torch.einsum("bchw,cd->bdhw", density, to_stains) * scale + move
        density = torch.einsum("bchw,cd->bdhw", stains, to_colours)
        out = torch.exp(-density).clamp(max=1.0)

        use = on(self.p)
        out = out * (1 + use * between(0.25 * s)) + use * between(0.25 * s)
        grey = (out * out.new_tensor(GREY)[:, None, None]).sum(1, keepdim=True)
        use = on(self.p)
        out = grey + (out - grey) * (1 + use * between(0.2 * s))
        out = _turned(out, use * between(s * torch.pi / 9))

        use = on(self.p)
        soft = F.avg_pool2d(F.pad(out, (1, 1, 1, 1), mode="replicate"), 3, 1)
        out = out + (soft - out) * use * between(0.8)
        deviation = on(self.p / 2) * next(draws)[:, None, None, None] * 0.03 * s
        out = out + torch.randn_like(out) * deviation
        return (out.clamp(0, 1) * 255 + 0.5).to(torch.uint8)


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
