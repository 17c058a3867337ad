"""A region of a slide at a scale, of which parts are read."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from zoo.errors import ConfigError
from zoo.slides.slide import Slide

Region = tuple[int, int, int, int]
Place = tuple[slice, slice]


@dataclass(frozen=True)
class Field:
    """The pixels of a region at a scale, none of which are held.

    Attributes:
        slide: of which they are; open.
        origin: x, y of the top-left corner in pixels of the slide (level 0).
        downsample: pixels of the slide a pixel, at least 1.
        size: height and width in pixels.
    """

    slide: Slide
    origin: tuple[float, float]
    downsample: float
    size: tuple[int, int]

    @classmethod
    def of(cls, slide: Slide, region: Region | None = None, wanted_mpp: float | None = None) -> Field:
        """A region no finer than wanted; as fine as the slide where either mpp is unknown.

        Args:
            slide: an open one.
            region: x, y, width, height in pixels of the slide (level 0); None: all of it.
            wanted_mpp: micrometres a pixel; where this is finer than the slide, the slide's own pixels are taken.

        Raises:
            ConfigError: the region is empty or not inside.
        """
        width, height = slide.size
        x, y, w, h = (0, 0, width, height) if region is None else region
        if not (w > 0 and h > 0 and x >= 0 and y >= 0 and x + w <= width and y + h <= height):
            raise ConfigError(f"--region {x},{y},{w},{h}: is not inside {slide.path} of {width} x {height} pixels")
        coarser = slide.mpp is not None and wanted_mpp is not None and wanted_mpp > slide.mpp
        down = slide.downsample(mpp=wanted_mpp) if coarser else 1.0
        return cls(slide, (x, y), down, (max(1, int(h / down + 1e-6)), max(1, int(w / down + 1e-6))))

    @property
    def mpp(self) -> float | None:
        """Micrometres a pixel; None if unknown."""
        return self.slide.mpp and self.slide.mpp * self.downsample

    @property
    def pixels(self) -> int:
        """How many there are."""
        return self.size[0] * self.size[1]

    def part(self, place: Place) -> Field:
        """These rows and columns alone."""
        rows, columns = place
        x, y = (start + each.start * self.downsample for start, each in zip(self.origin, (columns, rows), strict=True))
        return Field(self.slide, (x, y), self.downsample, (rows.stop - rows.start, columns.stop - columns.start))

    def read(self, place: Place) -> NDArray[np.uint8]:
        """(h, w, 3) of these rows and columns."""
        part = self.part(place)
        return self.slide.read(*part.origin, *part.size[::-1], self.downsample)
