"""The samples of a picture file as stored, turned upright: what images and label images are both made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from zoo.errors import DataError, NotRgbError
from zoo.images.orientation import ORIENTATION, upright
from zoo.images.resolution import Resolution, resolution
from zoo.images.tiff import (
    GREY,
    MOST_CHANNELS,
    RGB,
    TIFF_SUFFIXES,
    Plane,
    channel_names,
    open_tiff,
    planes,
    stated_magnification,
    stated_resolutions,
)  # fmt: skip
from zoo.images.unlimited import unlimited

PALETTE = 3  # PhotometricInterpretation
EIGHT_BIT = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr")
BAND = 256  # rows
Kind = Literal["grey", "colour", "channels"]


@dataclass(frozen=True)
class Stored:
    """One page of a file.

    Attributes:
        samples: (H, W, C) upright, of any type.
        kind: grey (C = 1), colour (C = 3) or channels of which nothing is known.
        pages: of the file.
        names: of channels, if the file has them.
        stated: what the file says of its resolution.
        magnification: of the objective, if the file says it.
        notes: what had to be taken for granted.
    """

    samples: NDArray[Any]
    kind: Kind
    pages: int = 1
    names: tuple[str, ...] = ()
    stated: tuple[Resolution, ...] = ()
    magnification: float | None = None
    notes: tuple[str, ...] = ()


def load(path: Path, page: int | None = None, indices: bool = False, stack: bool = False) -> Stored:
    """Read one page; whatever the libraries raise on damaged files is let through.

    Args:
        path: a PNG, JPEG, WebP, BMP, GIF, TIFF or NPY.
        page: from 1; None: the only one.
        indices: give values as stored, those of a palette too, instead of colours.
        stack: pages of one channel are channels.

    Raises:
        DataError: there are several pages and none is chosen, or not as many.
    """
    if path.suffix.lower() == ".npy":
        return _array(path, np.load(path, allow_pickle=False))
    with unlimited():
        if path.suffix.lower() in TIFF_SUFFIXES:
            return _tiff(path, page, indices, stack)
        return _picture(path, page, indices)


def _array(path: Path, array: NDArray[Any]) -> Stored:
    if array.ndim == 2:
        return Stored(array[..., None], "grey")
    if array.ndim != 3:
        raise DataError(f"{path}: has the shape {array.shape}; an image is (H, W), (H, W, 3) or (3, H, W)")
    # Channels are at the end unless only the beginning is as short as they are.
    if array.shape[-1] > MOST_CHANNELS or (array.shape[-1] not in (3, 4) and array.shape[0] in (3, 4)):
        array = np.moveaxis(array, 0, -1)
    if array.shape[-1] in (3, 4):
        return Stored(array[..., :3], "colour")
    return Stored(array, "grey" if array.shape[-1] == 1 else "channels")


def _picture(path: Path, page: int | None, indices: bool) -> Stored:
    with Image.open(path) as image:
        # The further pictures of an MPO, which cameras write as JPEG, are previews.
        pages = 1 if image.format == "MPO" else getattr(image, "n_frames", 1)
        image.seek(_page(path, page, pages))
        dpi = image.info.get("dpi")
        stated = tuple(resolution("dpi", *(25_400 / float(each or np.nan) for each in dpi))) if dpi else ()
        return Stored(*_decoded(path, image, indices), pages=pages, stated=stated)


def _decoded(path: Path, image: Image.Image, indices: bool) -> tuple[NDArray[Any], Kind]:
    """Samples of an open picture, upright."""
    # Pillow reads 16-bit colour as its upper 8 bits; only the raw mode of its tiles tells.
    deep = any(";16" in str(tile[3]) for tile in getattr(image, "tile", ()))
    if deep and len(image.getbands()) > 1:
        array = upright(_deep(path), image.getexif().get(ORIENTATION, 1))
        return array, "grey" if array.shape[2] == 1 else "colour"
    image.load()  # which turns a TIFF
    if image.format != "TIFF":
        ImageOps.exif_transpose(image, in_place=True)
    if not indices and image.mode in EIGHT_BIT:
        return _rgb(image), "colour"
    array = np.asarray(image)
    if array.ndim == 2:
        return array[..., None], "grey"
    return (array[..., :1], "grey") if image.mode == "LA" else (array[..., :3], "colour")


def _rgb(image: Image.Image) -> NDArray[np.uint8]:
    """(H, W, 3) of an open picture, in bands: conversion and transfer take several times the memory of their result."""
    pixels = np.empty((image.height, image.width, 3), np.uint8)
    for first in range(0, image.height, BAND):
        band = image.crop((0, first, image.width, min(first + BAND, image.height)))
        pixels[first : first + BAND] = np.asarray(band.convert("RGB"))
    return pixels


def _deep(path: Path) -> NDArray[Any]:
    """(H, W, 1 or 3) of a picture with 16 bits a channel."""
    array = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_UNCHANGED)
    if array is None:
        raise OSError("16-bit colour that OpenCV doesn't know")
    return array[..., None] if array.ndim == 2 else array[..., 2::-1]


def _tiff(path: Path, page: int | None, indices: bool, stack: bool) -> Stored:
    with open_tiff(path) as file:
        found = planes(file)
        about: dict[str, Any] = {
            "stated": tuple(stated_resolutions(file)),
            "magnification": stated_magnification(file),
            "names": tuple(channel_names(file)),
        }
        if stack and page is None and len(found) > 1 and all(each.channels == 1 for each in found):
            return Stored(_stacked(path, found), "channels", **about)
        plane = found[_page(path, page, len(found))]
        about["pages"] = len(found)
        alone = len(found) == 1 and plane.channels == plane.series.keyframe.samplesperpixel
        if alone and not indices and _pillow_knows(plane):
            try:
                with Image.open(path) as image:
                    if image.mode in EIGHT_BIT:
                        return Stored(*_decoded(path, image, indices), **about)
            except OSError:
                pass  # a compression that only tifffile knows
        try:
            samples = upright(plane.read(), plane.orientation)
        except ValueError as error:
            if "imagecodecs" not in str(error) or not alone:
                raise
            with Image.open(path) as image:  # Pillow has some of the compressions built in
                return Stored(*_decoded(path, image, indices), **about)
        if not indices and samples.dtype == bool:
            samples = samples.astype(np.uint8) * 255
        if not indices and plane.photometric == PALETTE:
            colours = np.asarray(plane.series.keyframe.colormap) >> 8  # (3, values) of 16 bits
            return Stored(colours.T[samples[..., 0]].astype(np.uint8), "colour", **about)
        if not indices and plane.photometric == 0 and samples.dtype.kind == "u":
            samples = np.iinfo(samples.dtype).max - samples
        return _interpreted(samples, plane, about)


def _pillow_knows(plane: Plane) -> bool:
    """Whether Pillow, which knows more ways to write colours, takes the samples for what they are."""
    page = plane.series.keyframe
    if page.dtype not in (np.dtype(np.uint8), np.dtype(bool)):
        return False
    if plane.orientation != 1 and plane.photometric in (*GREY, RGB[0], PALETTE):
        return False  # it turns those with a palette wrong
    if plane.photometric in GREY:
        return plane.channels == 1 or (plane.channels == 2 and plane.has_alpha)
    return plane.photometric not in RGB or plane.channels in (3, 4)


def _interpreted(samples: NDArray[Any], plane: Plane, about: dict[str, Any]) -> Stored:
    """Samples with what they are: colour, grey or channels."""
    count = samples.shape[2]
    if count == 1 or (count == 2 and plane.has_alpha):
        return Stored(samples[..., :1], "grey", **about)
    if plane.photometric in RGB and count in (3, 4):
        return Stored(samples[..., :3], "colour", **about)
    if count == 3 and _red_green_blue(about["names"]):
        note = "its three channels are taken as red, green and blue"
        return Stored(samples, "colour", notes=(note,), **about)
    return Stored(samples, "channels", **about)


def _red_green_blue(names: Sequence[str]) -> bool:
    """Whether names of channels don't speak against it."""
    spoken = [name.strip().lower() for name in names if name.strip()]
    return not spoken or spoken in (["red", "green", "blue"], ["r", "g", "b"])


def _stacked(path: Path, found: Sequence[Plane]) -> NDArray[Any]:
    pages = [upright(each.read(), each.orientation) for each in found]
    if len({each.shape for each in pages}) > 1:
        raise NotRgbError(f"{path}: its {len(pages)} pages differ in size", "choose one with --page")
    return np.concatenate(pages, 2)


def _page(path: Path, page: int | None, pages: int) -> int:
    """Index of the wanted page."""
    if page is None and pages > 1:
        raise NotRgbError(
            f"{path}: holds {pages} pages (or z-planes, or times)",
            f"choose one with --page 1 to {pages}, or where they are channels say which with --channels, e.g. 1,2,3 "
            "for red, green, blue",
        )
    if page is not None and not 1 <= page <= pages:
        raise DataError(f"{path}: has no page {page}; it has {pages}, counted from 1")
    return 0 if page is None else page - 1
