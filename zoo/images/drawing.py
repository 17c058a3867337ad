"""Images with outlines and interactions drawn on them, as arrays."""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage
from skimage.segmentation import find_boundaries

if TYPE_CHECKING:  # label images are drawn where torch is not loaded
    from zoo.interactions import Interactions

Picture = NDArray[np.uint8]

# Told apart by people with any colour vision, and from hematoxylin and eosin.
TARGET = (0, 229, 255)
PREDICTION = (255, 214, 0)
POSITIVE = (0, 158, 60)
NEGATIVE = (213, 0, 0)
BOX = (255, 255, 255)
MISSING = (213, 0, 0)
EXCESS = (0, 90, 220)
# Neighbours in the table of objects get different ones; none is close to hematoxylin or eosin.
INSTANCES = ((0, 229, 255), (255, 214, 0), (0, 200, 83), (255, 109, 0), (198, 255, 0), (29, 233, 182))
IGNORED = (90, 90, 90)
BAND = 512  # rows in which outlines are looked for at a time

# How tissue is saved where it is only looked at: colours as fine as brightness, or outlines would bleed.
JPEG = {"quality": 90, "subsampling": 0}


def overlay(
    image: Picture,
    target: NDArray[Any] | None = None,
    prediction: NDArray[Any] | None = None,
    interactions: Interactions | None = None,
    scale: int = 3,
    width: int = 1,
) -> Picture:
    """Enlarge an image and draw the target's outline, the prediction's, and what was said.

    The target's outline lies just inside the object, the prediction's just outside, so that both are seen where they
    agree. Positive clicks are green plus signs, negative ones red minus signs. Strokes have these colours and a thin
    white rim, and are drawn at least 1/100 of the picture wide, so that one of 1 px is seen.

    Args:
        image: (H, W, 3) uint8.
        target: (H, W) label map or mask.
        prediction: (H, W) label map or mask.
        interactions: in image pixels; of all samples, e.g. of all objects of the image.
        scale: whole number of pixels for each pixel of the image.
        width: of the outlines, in pixels of the result.

    Returns:
        (H * scale, W * scale, 3) uint8.
    """
    out = _enlarge(image, scale).copy()
    if interactions is not None and interactions.strokes is not None:
        positive, negative = (_enlarge(raster, scale) for raster in interactions.strokes.any(0).cpu().numpy())
        _strokes(out, positive, negative, scale)
    for labels, colour, mode in ((target, TARGET, "inner"), (prediction, PREDICTION, "outer")):
        if labels is not None:
            out[_outline(_enlarge(_integers(labels), scale), mode, width)] = colour
    if interactions is not None:
        for x0, y0, x1, y1, turn in interactions.boxes.reshape(-1, 5).tolist():
            if turn >= 0:
                _rectangle(out, *(round(v * scale) for v in (x0, y0, x1, y1)))
        arm = max(3, round(min(out.shape[:2]) / 50)) if len(interactions) == 1 else 3
        for x, y, label, _ in interactions.points.reshape(-1, 4).tolist():
            if label >= 0:
                _sign(out, int(x * scale), int(y * scale), arm, positive=label == 1)
    return out


def label_outlines(image: Picture, labels: NDArray[Any], width: int = 1, ignore: int | None = None) -> Picture:
    """The image with an outline just inside each label, in several colours; ignored pixels are hatched grey.

    Args:
        image: (H, W, 3) uint8.
        labels: (H, W) integers, 0 = background; any other ids.
        width: of the outlines in pixels.
        ignore: value that counts nowhere.

    Returns:
        (H, W, 3) uint8.
    """
    out = image.copy()
    ids, ranks = np.unique(labels, return_inverse=True)
    ranks = ranks.reshape(labels.shape)
    colours = np.array([INSTANCES[rank % len(INSTANCES)] for rank in range(len(ids))], np.uint8)
    background = labels == 0
    if ignore is not None:
        ignored = labels == ignore
        rows, columns = np.indices(labels.shape)
        out[ignored & ((rows + columns) % 8 < 2)] = IGNORED
        background |= ignored
    line = _outline(ranks + 1, "thick", 1)
    if width > 1:
        line = ndimage.binary_dilation(line, np.ones((3, 3)), iterations=width - 1)
    line &= ~background
    out[line] = colours[ranks[line]]
    return out


def errors(image: Picture, missing: NDArray[Any], excess: NDArray[Any], boxes: Sequence[Sequence[int]] = ()) -> Picture:
    """The image, pale and without colour, with wrong pixels in colour and frames around boxes.

    Args:
        image: (H, W, 3) uint8.
        missing: (H, W) bool, pixels that a mask lacks.
        excess: (H, W) bool, pixels that it should not have.
        boxes: x0, y0, x1, y1 of each frame; black with a white rim.

    Returns:
        (H, W, 3) uint8.
    """
    pale = (170 + image.mean(2, keepdims=True) / 3).astype(np.uint8)
    out = np.repeat(pale, 3, axis=2)
    out[missing], out[excess] = MISSING, EXCESS
    wide = max(1, round(max(image.shape[:2]) / 400))
    for x0, y0, x1, y1 in boxes:
        for grow, colour in ((2 * wide, (255, 255, 255)), (wide, (0, 0, 0))):
            rows, columns = slice(max(0, y0), y1), slice(max(0, x0), x1)
            for strip in (
                (slice(rows.start, rows.start + grow), columns),
                (slice(max(rows.start, y1 - grow), y1), columns),
                (rows, slice(columns.start, columns.start + grow)),
                (rows, slice(max(columns.start, x1 - grow), x1)),
            ):
                out[strip] = colour
    return out


def fitting_scale(height: int, width: int, side: int = 400) -> int:
    """The whole number by which an image is enlarged to about `side` pixels; at least 1."""
    return max(1, round(side / max(height, width)))


def square(mask: NDArray[Any], smallest: int, largest: int = 512, margin: float = 2.5) -> tuple[slice, slice]:
    """A square around what is not 0, moved inside the image, as slices of rows and columns.

    Args:
        mask: (H, W).
        smallest: side in pixels at least.
        largest: side in pixels at most.
        margin: side in multiples of what is not 0.
    """
    found = ndimage.find_objects((mask != 0).astype(np.uint8))
    box = found[0] if found else (slice(0, mask.shape[0]), slice(0, mask.shape[1]))
    side = min(max(smallest, round(margin * max(s.stop - s.start for s in box))), largest)
    starts = [
        min(max((s.start + s.stop - side) // 2, 0), max(length - side, 0))
        for s, length in zip(box, mask.shape, strict=True)
    ]
    return slice(starts[0], starts[0] + side), slice(starts[1], starts[1] + side)


def png(picture: Picture) -> bytes:
    """The picture as PNG."""
    buffer = BytesIO()
    Image.fromarray(picture).save(buffer, "PNG")
    return buffer.getvalue()


def jpeg(picture: Picture) -> bytes:
    """The picture as JPEG, a quarter of the PNG's size; no difference is seen, not at coloured outlines either."""
    buffer = BytesIO()
    Image.fromarray(picture).save(buffer, "JPEG", **JPEG)
    return buffer.getvalue()


def _outline(labels: NDArray[Any], mode: str, width: int) -> NDArray[np.bool_]:
    """In bands of rows: what lies between takes many times the memory of the labels."""
    out = np.zeros(labels.shape, bool)
    for first in range(0, len(labels), BAND):
        low = max(0, first - width)  # rows that decide where the line is
        found = _outline_of(labels[low : first + BAND + width], mode, width)
        out[first : first + BAND] = found[first - low :][:BAND]
    return out


def _outline_of(labels: NDArray[Any], mode: str, width: int) -> NDArray[np.bool_]:
    line: NDArray[np.bool_] = np.asarray(find_boundaries(labels, mode=mode))  # type: ignore[no-untyped-call]
    if width == 1:
        return line
    side = labels > 0 if mode == "inner" else labels == 0
    wide: NDArray[np.bool_] = ndimage.binary_dilation(line, np.ones((3, 3)), iterations=width - 1)
    return line | (side & wide)


def _integers(labels: NDArray[Any]) -> NDArray[Any]:
    return labels.astype(np.uint8) if labels.dtype == bool else labels


def _enlarge(array: NDArray[Any], scale: int) -> NDArray[Any]:
    return array.repeat(scale, 0).repeat(scale, 1)


def _strokes(out: Picture, positive: NDArray[np.bool_], negative: NDArray[np.bool_], width: int) -> None:
    """Lines that are `width` wide, widened where that is little for the picture, with a white rim."""
    missing = round(min(out.shape[:2]) / 100) - width
    rim = 1 if missing > 0 else 0
    for grow, colours in ((max(0, missing) + 2 * rim, ((255,) * 3,) * 2), (max(0, missing), (POSITIVE, NEGATIVE))):
        for raster, colour in zip((positive, negative), colours, strict=True):
            out[_widened(raster, grow)] = colour


def _widened(raster: NDArray[np.bool_], pixels: int) -> NDArray[np.bool_]:
    if pixels == 0 or not raster.any():
        return raster
    wide = raster.copy()
    box = tuple(
        slice(max(0, int(used[0]) - pixels), int(used[-1]) + pixels + 1)
        for used in (np.flatnonzero(raster.any(axis)) for axis in (1, 0))
    )
    wide[box] = ndimage.binary_dilation(raster[box], np.ones((pixels + 1, pixels + 1)))
    return wide


def _sign(out: Picture, x: int, y: int, arm: int, positive: bool) -> None:
    """A plus or minus of `2 * arm + 1` pixels with a white halo."""
    thick = max(0, arm // 4)
    strips = [(arm, thick)] + ([(thick, arm)] if positive else [])
    halo = max(1, arm // 3)
    for grow, colour in ((halo, (255, 255, 255)), (0, POSITIVE if positive else NEGATIVE)):
        for across, down in strips:
            dx, dy = across + grow, down + grow
            out[max(0, y - dy) : max(0, y + dy + 1), max(0, x - dx) : max(0, x + dx + 1)] = colour


def _rectangle(out: Picture, x0: int, y0: int, x1: int, y1: int) -> None:
    height, width = out.shape[:2]
    x0, x1 = (min(max(v, 0), width - 1) for v in (x0, x1 - 1))
    y0, y1 = (min(max(v, 0), height - 1) for v in (y0, y1 - 1))
    out[[y0, y1], x0 : x1 + 1] = BOX
    out[y0 : y1 + 1, [x0, x1]] = BOX
