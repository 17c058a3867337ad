"""TIFF files: what they state about their pixels, and their pages and channels."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import tifffile
from numpy.typing import NDArray

from zoo.images.orientation import ORIENTATION
from zoo.images.resolution import Resolution, micrometres, resolution

TIFF_SUFFIXES = (".tif", ".tiff")
INCH, CENTIMETRE = 2, 3  # ResolutionUnit
GREY, RGB = (0, 1), (2, 6)  # PhotometricInterpretation: white or black is 0; RGB or YCbCr
ALPHA = (1, 2)  # ExtraSamples: associated and unassociated
MOST_CHANNELS = 8  # a longer axis at the end of an array is no axis of channels
Element = ElementTree.Element


@dataclass(frozen=True)
class Plane:
    """One page of a TIFF.

    Attributes:
        series: images of one shape that belong together, as tifffile finds them.
        index: of the page in its series.
        pages: pages of the series.
        axes: of the series' array: Y, X, S (samples of a pixel), C (channels); others number pages.
        shape: of the series' array.
    """

    series: tifffile.TiffPageSeries
    index: int
    pages: int
    axes: str
    shape: tuple[int, ...]

    @property
    def channels(self) -> int:
        """Samples of a pixel or channels."""
        return math.prod(side for axis, side in zip(self.axes, self.shape, strict=True) if axis in "SC")

    @property
    def orientation(self) -> int:
        """Of the tag; 1 without it."""
        return tag_orientation(self.series.keyframe)

    @property
    def photometric(self) -> int:
        """PhotometricInterpretation."""
        return int(self.series.keyframe.photometric)

    @property
    def has_alpha(self) -> bool:
        """Whether the last sample is transparency."""
        extra = self.series.keyframe.extrasamples
        return bool(extra) and int(extra[-1]) in ALPHA

    def read(self) -> NDArray[Any]:
        """(H, W, channels) as stored, not turned upright."""
        array = np.asarray(self.series.asarray(level=0)).reshape(self.shape)
        inner = [self.axes.index(axis) for axis in "YXCS" if axis in self.axes]
        array = np.moveaxis(array, inner, range(-len(inner), 0))
        height, width = array.shape[array.ndim - len(inner) :][:2]
        return np.asarray(array.reshape(self.pages, height, width, -1)[self.index])


@contextmanager
def open_tiff(path: Path) -> Iterator[tifffile.TiffFile]:
    """The open file; what tifffile logs about a damaged one is kept to itself, since the error says it."""
    logger = logging.getLogger("tifffile")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        with tifffile.TiffFile(path) as file:
            yield file
    finally:
        logger.setLevel(level)


def planes(file: tifffile.TiffFile) -> list[Plane]:
    """The pages of a file in order. Smaller levels of a pyramid and a scanner's thumbnails are none."""
    if not len(file.pages):
        raise ValueError("it holds no pages")
    every = [each for each in file.series if not each.keyframe.is_reduced] or file.series[:1]
    if every[0].kind not in ("generic", "shaped", "uniform", "ome", "imagej"):
        every = every[:1]
    found = []
    for series in every:
        axes, shape = _axes(series)
        pages = math.prod(side for axis, side in zip(axes, shape, strict=True) if axis not in "YXSC")
        found += [Plane(series, index, pages, axes, shape) for index in range(pages)]
    return found


def tag_orientation(page: Any) -> int:
    """Of the page's tag; 1 without it."""
    tag = page.tags.get(ORIENTATION)
    return int(tag.value) if tag is not None else 1


def stated_resolutions(file: tifffile.TiffFile) -> list[Resolution]:
    """From the OME-XML, ImageJ's or Aperio's description and the resolution tags, whatever of them there is."""
    page = file.pages.first
    aperio = _aperio(file).get("MPP")
    found = _ome_resolution(file) + resolution("Aperio description", aperio, aperio)
    x, y = page.resolution
    x, y = (each if each > 0 else math.nan for each in (x, y))
    unit = micrometres(str((file.imagej_metadata or {}).get("unit", ""))) if file.is_imagej else None
    if unit is not None:
        return found + resolution("ImageJ description", unit / x, unit / y)
    unit = {INCH: 25_400.0, CENTIMETRE: 10_000.0}.get(int(page.resolutionunit), math.nan)
    return found + resolution("TIFF resolution tag", unit / x, unit / y)


def stated_magnification(file: tifffile.TiffFile) -> float | None:
    """Of the objective, from Aperio's description or the OME-XML."""
    found: object = _aperio(file).get("AppMag")
    root = _ome(file)
    if found is None and root is not None:
        used = root.find("{*}Image/{*}ObjectiveSettings")
        objectives = {each.get("ID"): each for each in root.iter() if each.tag.endswith("}Objective")}
        if used is not None and used.get("ID") in objectives:
            found = objectives[used.get("ID")].get("NominalMagnification")
    return _number(found)


def channel_names(file: tifffile.TiffFile) -> list[str]:
    """Of the first image, from the OME-XML; empty strings where channels have none."""
    root = _ome(file)
    pixels = None if root is None else root.find("{*}Image/{*}Pixels")
    return [] if pixels is None else [each.get("Name", "") for each in pixels.findall("{*}Channel")]


def _axes(series: tifffile.TiffPageSeries) -> tuple[str, tuple[int, ...]]:
    """Without axes of length 1 other than rows and columns."""
    axes, shape = series.axes, tuple(series.shape)
    if axes == "QYX" and shape[2] <= MOST_CHANNELS < shape[0]:
        axes = "YXS"  # (H, W, channels) written as if it were H pages
    if "S" in axes and shape[axes.index("S")] > 1:
        axes = axes.replace("C", "I")  # colour images in several channels: each is a page
    kept = [(axis, side) for axis, side in zip(axes, shape, strict=True) if side > 1 or axis in "YX"]
    return "".join(axis for axis, _ in kept), tuple(side for _, side in kept)


def _ome(file: tifffile.TiffFile) -> Element | None:
    if not file.is_ome or not file.ome_metadata:
        return None
    try:
        return ElementTree.fromstring(file.ome_metadata)
    except ElementTree.ParseError:
        return None


def _ome_resolution(file: tifffile.TiffFile) -> list[Resolution]:
    root = _ome(file)
    pixels = None if root is None else root.find("{*}Image/{*}Pixels")
    if pixels is None:
        return []
    sizes = []
    for axis in "XY":
        value = _number(pixels.get(f"PhysicalSize{axis}"))
        unit = micrometres(pixels.get(f"PhysicalSize{axis}Unit", "um"))
        sizes.append(None if value is None or unit is None else value * unit)
    return resolution("OME-XML", sizes[0], sizes[1])


def _aperio(file: tifffile.TiffFile) -> dict[str, float]:
    """Numbers of an Aperio description: 'text|AppMag = 20|MPP = 0.4990'."""
    if not file.pages.first.description.startswith("Aperio"):
        return {}
    pairs = (field.partition("=") for field in file.pages.first.description.split("|")[1:])
    values = ((key.strip(), _number(value)) for key, _, value in pairs)
    return {key: value for key, value in values if value is not None}


def _number(text: object) -> float | None:
    try:
        value = float(str(text))
    except ValueError:
        return None
    return value if math.isfinite(value) and value > 0 else None
