"""The pixels that somebody wants segmented: a picture, or a part of a slide."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import openslide
from numpy.typing import NDArray

from zoo.errors import ConfigError, DataError
from zoo.images.choice import NOTHING, Choice
from zoo.images.reading import IMAGE_SUFFIXES, read_image
from zoo.images.resolution import chosen_mpp
from zoo.images.tiff import TIFF_SUFFIXES
from zoo.slides.field import Field, Region
from zoo.slides.opening import open_slide
from zoo.slides.picture import PictureReader
from zoo.slides.slide import Slide

MOST_PIXELS = 64_000_000  # of a slide at once; a session holds several times as much


@dataclass(frozen=True)
class Part:
    """Pixels with their place.

    Attributes:
        pixels: (H, W, 3) uint8.
        mpp: micrometres a pixel; None if unknown.
        origin: x, y of its top-left corner in pixels of the file (level 0).
        downsample: pixels of the file a pixel.
        notes: what was chosen or taken for granted, for people to read.
    """

    pixels: NDArray[np.uint8]
    mpp: float | None
    origin: tuple[float, float] = (0, 0)
    downsample: float = 1.0
    notes: tuple[str, ...] = ()


def read_part(
    path: Path,
    region: Region | None = None,
    choice: Choice = NOTHING,
    *,
    mpp: float | None = None,
    wanted_mpp: float | None = None,
) -> Part:
    """A picture or slide, whole in its own pixels, or a region of it no finer than wanted.

    Args:
        path: any picture or slide.
        region: x, y, width, height in pixels of the file (level 0); None: all of it.
        choice: what to take of a file that holds more than 8 bits of red, green and blue.
        mpp: micrometres a pixel, instead of what the file says or doesn't say.
        wanted_mpp: where this is coarser than the file's, a region is read at it.

    Raises:
        DataError: unreadable, or it contradicts itself; a slide of more than 64 megapixels without a region.
        ConfigError: the region is empty, too large or not inside.
    """
    if region is None and (choice != NOTHING or not is_slide(path)):
        image = read_image(path, choice)
        known, notes = image.mpp_or(mpp)
        return Part(image.pixels, known, notes=(*image.notes, *notes))
    with opened(path, choice, mpp) as slide:
        notes = [*getattr(slide.reader, "notes", ()), *chosen_mpp(path, slide.reader.stated, mpp)[1]]
        width, height = slide.size
        if region is None:
            if width * height > MOST_PIXELS:
                raise DataError(
                    f"{path}: {width} x {height} pixels are more than {MOST_PIXELS // 10**6} megapixels; "
                    "segment a part of it: --region x,y,width,height in pixels of the slide (level 0)"
                )
            return Part(slide.read(0, 0, width, height), slide.mpp, notes=tuple(notes))
        field = Field.of(slide, region, wanted_mpp)
        if field.pixels > MOST_PIXELS:
            raise ConfigError(
                f"--region {','.join(map(str, region))}: {field.size[1]} x {field.size[0]} pixels are more than "
                f"{MOST_PIXELS // 10**6} megapixels; take several smaller ones"
            )
        pixels = field.read((slice(0, field.size[0]), slice(0, field.size[1])))
        return Part(pixels, field.mpp, field.origin, field.downsample, tuple(notes))


def is_large(
    path: Path,
    region: Region | None = None,
    choice: Choice = NOTHING,
    *,
    mpp: float | None = None,
    wanted_mpp: float | None = None,
) -> bool:
    """Whether `read_part` would refuse this for its size."""
    if not is_slide(path) or (region is None and choice != NOTHING):
        return False
    with opened(path, choice, mpp) as slide:
        if region is None:
            return slide.size[0] * slide.size[1] > MOST_PIXELS
        return Field.of(slide, region, wanted_mpp).pixels > MOST_PIXELS


def is_slide(path: Path) -> bool:
    """Whether a file is read by parts: of a scanner's format, or a pyramid too large for a picture."""
    if path.suffix.lower() not in IMAGE_SUFFIXES:
        return True
    if path.suffix.lower() not in TIFF_SUFFIXES or not path.is_file():
        return False
    vendor = openslide.OpenSlide.detect_format(path)
    if vendor != "generic-tiff":
        return vendor is not None
    try:
        with openslide.OpenSlide(path) as slide:
            width, height = slide.dimensions
    except openslide.OpenSlideError:
        return False
    return bool(width * height > MOST_PIXELS)


def opened(path: Path, choice: Choice = NOTHING, mpp: float | None = None) -> Slide:
    """A slide, or a picture as a slide of one level."""
    if choice != NOTHING or not is_slide(path):
        return Slide(PictureReader(path, choice, tiled=True), mpp)
    return open_slide(path, mpp=mpp)
