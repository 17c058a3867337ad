"""All nuclei of a picture: a click into the middle of each spot of haematoxylin, all segmented in one run."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, Field
from scipy import ndimage
from skimage.color import rgb2hed
from skimage.feature import peak_local_max
from skimage.filters import threshold_otsu

from zoo.annotate.grid import grid_of
from zoo.annotate.models import About
from zoo.annotate.protocols.prompts import Answered, Prompts, RegionSource
from zoo.annotate.refused import RefusedError
from zoo.interactions import Click

SMOOTHED = 0.5
"""Micrometres over which stain and depth are smoothed (deviation of a Gaussian)."""
APART = 2.5
"""Micrometres between two clicks."""
DEPTH = 1.0
"""Micrometres that the middle of a spot lies at least within it."""
LEAST_AREA = 8.0
"""Square micrometres of a nucleus."""
FARTHEST = 8.0
"""How much finer and coarser than a checkpoint's own a picture may be."""
MOST = 4_000
"""Nuclei of a picture."""
Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]


class Wanted(BaseModel):
    """Which objects are wanted; what else clients say is about networks of another kind.

    Attributes:
        pred_iou_thresh: least quality.
        min_mask_region_area: least area in pixels.
        include_image_edge: whether those that touch the picture's edge count.
    """

    pred_iou_thresh: Share = 0.88
    min_mask_region_area: Annotated[int, Field(ge=0, le=10**9)] = 0
    include_image_edge: bool = False


def everything(here: Prompts, about: About, source: RegionSource, wanted: Wanted) -> list[Answered]:
    """Nuclei that do not overlap, the best first.

    Raises:
        RefusedError: the checkpoint is not for nuclei, told no clicks, or made for another resolution; or there are too
            many.
    """
    if "nuclei" not in about.task or not about.takes("click"):
        raise RefusedError(
            422, f"{about.name} can't look for objects itself; choose weights for nuclei, or show it each with a point"
        )
    mpp = source.mpp or about.mpp
    if mpp is None or not (about.mpp or mpp) / FARTHEST <= mpp <= (about.mpp or mpp) * FARTHEST:
        raise RefusedError(
            422, f"{about.name} can't look for nuclei at this resolution; choose the weights of the viewer's own"
        )
    pixels = source.read(grid_of(source.size, source.mpp, None))
    clicks = middles(pixels, mpp)
    if not clicks:
        return []
    if len(clicks) > MOST:
        raise RefusedError(413, f"there may be {len(clicks)} nuclei, more than {MOST}; zoom in")
    labels, probability, grid = here.many(about.name, source, clicks)
    found = []
    for number, box in enumerate(ndimage.find_objects(labels), 1):
        mask = labels[box] == number if box is not None else np.zeros(0, bool)
        if mask.sum() < max(1, LEAST_AREA / mpp**2, wanted.min_mask_region_area):
            continue
        part = grid.part(*box)
        x, y, w, h = part.region
        inside = x > 0 and y > 0 and x + w < source.size[0] and y + h < source.size[1]
        quality = float(probability[box][mask].mean().clip(0, 1))
        if quality >= wanted.pred_iou_thresh and (inside or wanted.include_image_edge):
            found.append(Answered(mask, part, quality))
    return sorted(found, key=lambda each: -each.quality)


def middles(pixels: NDArray[np.uint8], mpp: float) -> list[Click]:
    """Where something stained with haematoxylin is deepest: more than Otsu's threshold of the picture has it.

    Args:
        pixels: (H, W, 3).
        mpp: micrometres a pixel.
    """
    stain = ndimage.gaussian_filter(rgb2hed(pixels)[..., 0], SMOOTHED / mpp)
    spots = np.pad(stain > threshold_otsu(stain), 1)  # what the picture's edge cuts is deepest within it
    depth = ndimage.gaussian_filter(ndimage.distance_transform_edt(spots)[1:-1, 1:-1], SMOOTHED / mpp)
    found = peak_local_max(
        depth, min_distance=max(1, round(APART / mpp)), threshold_abs=DEPTH / mpp, exclude_border=False
    )
    return [Click(float(column) + 0.5, float(row) + 0.5) for row, column in found]
