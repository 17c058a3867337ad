"""Where a slide holds tissue, and how much of any window is tissue."""

from typing import Self

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.color import rgb2hsv
from skimage.filters import threshold_otsu

from zoo.slides.slide import Slide

# Bounds of the thumbnail's long side; in between one of its pixels is 16 level-0 pixels.
SMALLEST_SIDE, LARGEST_SIDE, LEVEL0 = 256, 2048, 16
# Pieces and holes of less than this many level-0 pixels (50 to 100 um across) are dust, folds and lumens.
SPECK = 200**2
# Mean HSV saturation up to which a class is glass, and from which on it is tissue.
GLASS, STAINED = 0.05, 0.1
# Pixels darker than this are no tissue: scanners fill what they did not scan with black, whose saturation is noise.
BLACK = 0.1
# Rows of which saturation is computed at a time: its conversion takes a hundred bytes a pixel.
BAND = 64


class Tissue:
    """Tissue mask of a slide.

    Args:
        mask: (h, w) bool.
        downsample: level-0 pixels per pixel of the mask.
        size: width and height of the slide in level-0 pixels.
    """

    def __init__(self, mask: NDArray[np.bool_], downsample: float, size: tuple[int, int]) -> None:
        self.mask, self.downsample, self.size = mask, downsample, size
        self._integral = np.zeros((mask.shape[0] + 1, mask.shape[1] + 1))
        self._integral[1:, 1:] = mask.cumsum(0, dtype=np.int64).cumsum(1)

    @classmethod
    def of(cls, slide: Slide) -> Self:
        """Tissue of a slide, from a thumbnail of at most 2048 px."""
        side = int(np.clip(max(slide.size) / LEVEL0, SMALLEST_SIDE, LARGEST_SIDE))
        image, downsample = slide.thumbnail(side)
        return cls(tissue_mask(image, SPECK / downsample**2), downsample, slide.size)

    def fraction(self, origins: NDArray[np.integer], extent: float) -> NDArray[np.float64]:
        """Share of tissue in square windows.

        Args:
            origins: (N, 2) x, y of the windows' top-left corners in level-0 pixels.
            extent: side of the windows in level-0 pixels.

        Returns:
            (N,) in 0..1: the exact area under the mask, whose pixels count in part where a window cuts them.
        """
        low = np.asarray(origins, np.float64).T
        # Differences of large sums: 1 - 1e-16 must pass a filter that asks for 1.
        return np.clip((self._area(low, low + extent) / extent**2).round(9), 0, 1)

    def within(self, x: float, y: float, width: float, height: float) -> bool:
        """Whether a window in level-0 pixels holds any."""
        low, high = np.array([[x], [y]], np.float64), np.array([[x + width], [y + height]], np.float64)
        return bool(self._area(low, high)[0] > 0.5)

    @property
    def total(self) -> float:
        """Share of tissue in the slide, 0..1."""
        size = np.array(self.size, np.float64)[:, None]
        return float((self._area(np.zeros((2, 1)), size) / size.prod())[0])

    def _area(self, low: NDArray[np.float64], high: NDArray[np.float64]) -> NDArray[np.float64]:
        """(N,) level-0 pixels of tissue in windows from (2, N) x, y to (2, N) x, y."""
        (x0, y0), (x1, y1) = low / self.downsample, high / self.downsample
        corners = np.array([(y1, x1), (y0, x1), (y1, x0), (y0, x0)]).swapaxes(0, 1)
        # Between corners of pixels the integral of a mask is bilinear, so that this is exact.
        integral = ndimage.map_coordinates(self._integral, corners, order=1, mode="nearest")
        area: NDArray[np.float64] = integral[0] - integral[1] - integral[2] + integral[3]
        return area * self.downsample**2


def tissue_mask(image: NDArray[np.uint8], smallest: float = 0) -> NDArray[np.bool_]:
    """Pixels with tissue: more saturated than Otsu's threshold on HSV saturation, where that parts tissue from glass.

    Otsu parts any image in two. Where its pale half is no glass (all of the slide is tissue), everything more
    saturated than glass is tissue; where its coloured half is not stained (all is glass), nothing is.

    Args:
        image: (H, W, 3) uint8 RGB.
        smallest: pieces, and holes in them, of fewer pixels are removed.

    Returns:
        (H, W) bool.
    """
    saturation, lit = np.empty(image.shape[:2]), np.empty(image.shape[:2], bool)
    for first in range(0, len(image), BAND):
        rows = slice(first, first + BAND)
        hsv = rgb2hsv(image[rows])
        saturation[rows], lit[rows] = hsv[..., 1], hsv[..., 2] > BLACK
    mask = (saturation > saturation_threshold(saturation)) & lit
    return ~_without_small(~_without_small(mask, smallest), smallest)


def saturation_threshold(saturation: NDArray[np.floating]) -> float:
    """Saturation above which a pixel is tissue; infinite where there is none. `tissue_mask` says how."""
    threshold = float(threshold_otsu(saturation))
    coloured = saturation > threshold
    if not coloured.any():  # one value only
        return GLASS if threshold > GLASS else np.inf
    if saturation[~coloured].mean() > GLASS:
        return GLASS
    return threshold if saturation[coloured].mean() > STAINED else np.inf


def _without_small(mask: NDArray[np.bool_], smallest: float) -> NDArray[np.bool_]:
    _, pieces, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=4)
    keep = stats[:, cv2.CC_STAT_AREA] >= smallest
    keep[0] = False  # the background
    return np.asarray(keep[pieces])
