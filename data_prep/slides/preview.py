"""A picture of a slide with its tissue, its annotation and the patches that were kept."""

from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

from zoo.slides import Slide
from zoo.slides.tissue import Tissue
from zoo.store.reader import Store
from zoo.store.schema import GroupInfo

if TYPE_CHECKING:
    from data_prep.annotations import Annotation

SIDE = 1600
TISSUE, REGION = (0, 130, 60), (220, 0, 0)
# Of the patches, lower magnification first: two colours that neither stain nor the outlines have.
PATCHES = ((0, 70, 220), (255, 225, 0))
# Squares smaller than this would hide what is under them if their borders were solid.
_SMALL, _FAINT = 16, 0.5
_LINE, _SCALE = 28, 0.55


def draw(store: Path, slide: Slide, annotation: "Annotation") -> NDArray[np.uint8]:
    """Thumbnail with outlines of tissue and region, the squares of the patches in the store, and a key below.

    Args:
        store: the finished store.
        slide: the slide it was made from.
        annotation: its annotation.

    Returns:
        (H, W, 3) uint8 RGB, the slide's long side 1600 px or fewer.
    """
    image, downsample = slide.thumbnail(SIDE)
    image = np.ascontiguousarray(image)
    height, width = image.shape[:2]
    tissue = Tissue.of(slide)
    mask = cv2.resize(tissue.mask.astype(np.uint8), (width, height), interpolation=cv2.INTER_NEAREST)
    region = annotation.raster(0, 0, width, height, downsample)
    opened = Store(store)
    groups = sorted(opened.groups, key=_side_of_pixel, reverse=True)
    key = [(TISSUE, f"tissue {tissue.total:.0%} of the slide")]
    for group, colour in zip(groups, PATCHES, strict=False):
        _squares(
            image, opened.origins(group.name) / downsample, group.width * _side_of_pixel(group) / downsample, colour
        )
        key.append((colour, f"{group.name}: {group.count} patches of {group.width} px"))
    opened.close()
    for pixels, colour in ((mask, TISSUE), (region == 1, REGION)):
        outlines, _ = cv2.findContours(np.asarray(pixels, np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
        cv2.drawContours(image, outlines, -1, colour, 2)
    key.insert(1, (REGION, f"region {groups[0].attributes['tumour_fraction']:.0%} of tissue" if groups else "region"))
    if not groups:
        key.append((PATCHES[0], "no patches"))
    return np.vstack([image, _key(key, width)])


def _side_of_pixel(group: GroupInfo) -> float:
    return float(group.attributes["downsample"])


def _squares(image: NDArray[np.uint8], corners: NDArray[np.float64], side: float, colour: tuple[int, int, int]) -> None:
    below = image.copy()
    for x, y in corners:
        start, end = (round(x), round(y)), (round(x + side) - 1, round(y + side) - 1)
        cv2.rectangle(image, start, end, colour, 1 if side < _SMALL else 2)
    if side < _SMALL:
        cv2.addWeighted(image, _FAINT, below, 1 - _FAINT, 0, dst=image)


def _key(entries: list[tuple[tuple[int, int, int], str]], width: int) -> NDArray[np.uint8]:
    """One line for each entry, or several beside each other where they fit."""
    font = cv2.FONT_HERSHEY_SIMPLEX
    lines: list[list[tuple[int, tuple[int, int, int], str]]] = [[]]
    at = 8
    for colour, text in entries:
        (wide, _), _ = cv2.getTextSize(text, font, _SCALE, 1)
        if lines[-1] and at + wide + 32 > width:
            lines.append([])
            at = 8
        lines[-1].append((at, colour, text))
        at += wide + 48
    key = np.full((_LINE * len(lines) + 8, width, 3), 255, np.uint8)
    for number, line in enumerate(lines):
        base = number * _LINE + 24
        for left, colour, text in line:
            cv2.rectangle(key, (left, base - 12), (left + 14, base + 2), colour, -1)
            cv2.putText(key, text, (left + 22, base), font, _SCALE, (20, 20, 20), 1, cv2.LINE_AA)
    return key
