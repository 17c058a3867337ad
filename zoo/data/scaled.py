"""Windows of objects at many scales, so that a network learns what does not depend on the resolution."""

from __future__ import annotations

import cv2
import numpy as np

from zoo.data.batch import Sample
from zoo.data.datasets import Selection, drawn_number
from zoo.data.objects import Objects
from zoo.errors import ConfigError
from zoo.ops.draws import Draw

SMALLEST = 16
"""Of a window, in image pixels, whatever the scale."""


class ScaledWindows(Objects):
    """One sample an object, for training: a window around it, enlarged or shrunk to `side` pixels.

    Its scale, window pixels per image pixel, is drawn for each sample and epoch: log(scale) has a triangular
    distribution between the two limits, so that scales near their geometric mean are the most frequent. Pixels are
    resampled (cubic to enlarge, by area to shrink), of labels the nearest is taken. Where a window does not fit into
    its image it is as large as the image allows, and the scale larger.

    Args:
        selection: stores of instances.
        side: width and height of the samples in pixels.
        low: smallest scale.
        high: largest scale.
        shift: the window's centre is moved by up to this share of the window both ways, uniformly.
        min_area: as in `Objects`, in image pixels.
        per_image: as in `Objects`.

    Raises:
        ConfigError: the limits are no scales, or so much shift that a window could miss its object.
    """

    kind = "scaled_windows"

    def __init__(
        self,
        selection: Selection,
        side: int = 128,
        low: float = 0.5,
        high: float = 2.0,
        shift: float = 0.1,
        min_area: int = 1,
        per_image: int | None = None,
    ) -> None:
        if not 0 < low <= high or not 0 <= shift < 0.5:
            raise ConfigError(
                f"low={low} and high={high} must be above 0, the smaller first, and shift={shift} in 0..0.5"
            )
        self.side, self.low, self.high, self.shift = side, low, high, shift
        super().__init__(selection, min_area, per_image)

    def describe(self, number: int) -> dict[str, str | int]:
        """Where a sample comes from in epoch 0; x0, y0 is the window's corner, side its size, in image pixels."""
        x0, y0, side = self._window(number, epoch=0)
        place = self.place(*self.image_of(number))
        return place | {"object": int(self._objects[number, 2]), "x0": x0, "y0": y0, "side": side}

    def mpp(self, number: int) -> None:
        """Unknown, since no two samples have the same."""

    def sample(self, number: int, epoch: int) -> Sample:
        """The window of one object."""
        image, label = self.whole(*self.image_of(number))
        x0, y0, side = self._window(number, epoch)
        window = np.s_[y0 : y0 + side, x0 : x0 + side]
        method = cv2.INTER_CUBIC if side < self.side else cv2.INTER_AREA
        pixels = np.asarray(cv2.resize(image[window], (self.side, self.side), interpolation=method), np.uint8)
        # Ids are of any size, which OpenCV does not take: places are resampled instead of values.
        nearest = ((np.arange(self.side) + 0.5) * side / self.side).astype(int)
        return self._sample((pixels, label[window][np.ix_(nearest, nearest)]), number, epoch)

    def _window(self, number: int, epoch: int) -> tuple[int, int, int]:
        """Corner and side in image pixels."""
        source, _, _, bx0, by0, bx1, by1 = (int(v) for v in self._objects[number])
        info = self.sources[source][1]
        one, other = (drawn_number(number, epoch, 0, draw) for draw in (Draw.SCALE_ONE, Draw.SCALE_OTHER))
        scale = self.low ** (1 - (one + other) / 2) * self.high ** ((one + other) / 2)
        side = min(max(round(self.side / scale), SMALLEST), info.width, info.height)
        corner = []
        for low, high, length, draw in (
            (bx0, bx1, info.width, Draw.OBJECT_SHIFT_X),
            (by0, by1, info.height, Draw.OBJECT_SHIFT_Y),
        ):
            centre = (low + high) / 2 + (2 * drawn_number(number, epoch, 0, draw) - 1) * self.shift * side
            corner.append(min(max(int(centre) - side // 2, 0), length - side))
        return corner[0], corner[1], side
