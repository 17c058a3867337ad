"""Training augmentations on uint8 images and their labels; the only file that knows albumentations."""

import os
import random
from typing import Any

# Albumentations asks the package index for updates at import unless told not to.
os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")

import albumentations as A
import cv2
import numpy as np
from numpy.typing import NDArray
from skimage.color import hed_from_rgb, rgb_from_hed

_OPTICAL_DENSITY = -np.log(np.maximum(np.arange(256, dtype=np.float32), 1) / 255)


class HEDJitter(A.ImageOnlyTransform):
    """Vary the amounts of haematoxylin, eosin and residual (DAB) stain of every pixel.

    Each of the three stains of Ruifrok and Johnston's colour deconvolution (2001) is multiplied by a number
    from U(1 - scale, 1 + scale) and moved by one from U(-shift, shift), as in Tellez et al. (2018).

    Args:
        scale: largest relative change of a stain, 0..1.
        shift: largest added amount, in units of optical density.
        p: probability that an image is changed.
    """

    def __init__(self, scale: float = 0.2, shift: float = 0.02, p: float = 0.5) -> None:
        super().__init__(p=p)
        self.scale = scale
        self.shift = shift

    def get_params(self) -> dict[str, Any]:
        """Draw one factor and one offset per stain."""
        draw = self.random_generator.uniform
        return {"factors": 1 + draw(-self.scale, self.scale, 3), "offsets": draw(-self.shift, self.shift, 3)}

    def apply(
        self,
        img: NDArray[np.uint8],
        factors: NDArray[np.float64],
        offsets: NDArray[np.float64],
        **params: Any,
    ) -> NDArray[np.uint8]:
        """Image (H, W, 3) uint8 with other amounts of stain."""
        # Separating, scaling and mixing stains are linear in optical density: one 3x4 matrix does all three.
        mix = hed_from_rgb @ np.diag(factors) @ rgb_from_hed
        matrix = np.column_stack([mix.T, offsets @ rgb_from_hed]).astype(np.float32)
        density = cv2.transform(cv2.LUT(img, _OPTICAL_DENSITY), matrix)
        return np.asarray(cv2.convertScaleAbs(cv2.exp(-density), alpha=255), np.uint8)


class Augment:
    """NuClick's augmentations and a stain jitter, together on an image and its labels.

    Flips and quarter turns move both; brightness, contrast, sharpness, hue, saturation, Gaussian noise (Alemi
    Koohbanani et al., NuClick, 2020) and stains change the image. Ranges are ours. Every probability set to 0
    removes its step.

    Args:
        flip: probability of each of a horizontal and a vertical flip.
        rotate: probability of a quarter turn (once, twice or three times); an image that is not
            square changes its shape with it.
        brightness_contrast: probability of changing both by up to `strength` * 0.25.
        hue_saturation: probability of changing hue by up to `strength` * 10 degrees of 180, saturation by 20 of 255.
        stain: probability of `HEDJitter`, stains scaled by up to `strength` * 0.2.
        sharpness: probability of sharpening or blurring slightly.
        noise: probability of Gaussian noise with a deviation of up to `strength` * 0.03 of the range.
        strength: scales all the colour ranges at once.
    """

    def __init__(
        self,
        flip: float = 0.5,
        rotate: float = 0.5,
        brightness_contrast: float = 0.5,
        hue_saturation: float = 0.3,
        stain: float = 0.5,
        sharpness: float = 0.3,
        noise: float = 0.2,
        strength: float = 1.0,
    ) -> None:
        s = strength
        steps: list[A.BasicTransform | A.BaseCompose] = [
            A.HorizontalFlip(p=flip),
            A.VerticalFlip(p=flip),
            A.RandomRotate90(p=rotate),
            A.RandomBrightnessContrast(0.25 * s, 0.25 * s, p=brightness_contrast),
            A.HueSaturationValue(round(10 * s), round(20 * s), 0, p=hue_saturation),
            HEDJitter(0.2 * s, 0.02 * s, p=stain),
            A.OneOf(
                [A.Sharpen((0.1, 0.4), (0.8, 1.0)), A.GaussianBlur(blur_limit=(3, 3), sigma_limit=(0.3, 1.0))],
                p=sharpness,
            ),
            A.GaussNoise(std_range=(0.0, 0.03 * s), p=noise),
        ]
        self._compose = A.Compose([step for step in steps if step.p > 0])

    def __call__(
        self, image: NDArray[np.uint8], labels: NDArray[np.integer], seed: int
    ) -> tuple[NDArray[np.uint8], NDArray[np.integer]]:
        """Augment one sample; the same seed gives the same result in any process.

        Args:
            image: (H, W, 3) uint8 RGB.
            labels: (H, W) integers, any ids; their dtype is kept.
            seed: any non-negative integer.
        """
        # set_random_seed would give every step a generator of its own with the same seed, and so the same draws:
        # both flips or none. The steps share one generator instead.
        self._compose.set_random_state(np.random.default_rng(seed), random.Random(seed))
        result = self._compose(image=image, mask=labels)
        return result["image"], result["mask"]
