"""Slides made of real tissue: a mosaic of the embedded images, and pyramidal TIFFs that OpenSlide takes for slides."""

from pathlib import Path

import cv2
import numpy as np
import tifffile
from numpy.typing import NDArray

from zoo.store.reader import Store

EMBEDDED = Path(__file__).parents[2] / "experiments" / "data" / "dsb2018.h5"
GLASS = 243
CELL = (256, 320)


def mosaic(width: int, height: int, seed: int = 0) -> NDArray[np.uint8]:
    """(height, width, 3): an uneven patch of stained tissue over about 65 % of the slide, on slightly noisy glass.

    Cells of 256x320 px are embedded images, each turned over at random, so that no two places look the same.
    """
    rng = np.random.default_rng(seed)
    store = Store(EMBEDDED)
    # Stain 1 lies on white ground, which no tissue mask could tell from glass.
    names = [group.name for group in store.groups if group.patient != "stain-1"]
    image = np.empty((height, width, 3), np.uint8)
    for top in range(0, height, CELL[0]):
        for left in range(0, width, CELL[1]):
            cell = store.image(names[rng.integers(len(names))], 0)[:: rng.choice((-1, 1)), :: rng.choice((-1, 1))]
            place = image[top : top + CELL[0], left : left + CELL[1]]
            place[:] = cell[: place.shape[0], : place.shape[1]]
    store.close()
    glass = ~tissue(width, height)
    image[glass] = GLASS + rng.integers(-3, 4, (int(glass.sum()), 3))
    return image


def tissue(width: int, height: int) -> NDArray[np.bool_]:
    """(height, width): where `mosaic` has tissue, an ellipse with a wavy edge."""
    v, u = np.ogrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    angle = np.arctan2(v, u)
    return np.asarray(np.hypot(u, v) < 0.91 + 0.04 * np.sin(5 * angle) + 0.03 * np.cos(11 * angle))


def halved(image: NDArray[np.uint8], levels: int) -> list[NDArray[np.uint8]]:
    """The image and its area averages at half the size each; an odd last row or column is dropped, as scanners do."""
    pyramid = [image]
    for _ in range(levels - 1):
        height, width = (side // 2 for side in pyramid[-1].shape[:2])
        even = pyramid[-1][: 2 * height, : 2 * width]
        pyramid.append(np.asarray(cv2.resize(even, (width, height), interpolation=cv2.INTER_AREA), np.uint8))
    return pyramid


def write_large(path: Path, side: int, mpp: float = 0.25, tile: int = 512) -> None:
    """Write a pyramidal TIFF of any size in seconds: plain squares, each level a quarter of the last a side."""
    grey = np.full((tile, tile, 3), 200, np.uint8)
    plain = [cv2.imencode(".jpg", grey + np.uint8(k))[1].tobytes() for k in range(0, 50, 5)]
    with tifffile.TiffWriter(path, bigtiff=True) as writer:
        for level in range(0, 32, 2):
            length = side >> level
            across = -(-length // tile)
            writer.write(
                (plain[(row * 7 + column * 3) % len(plain)] for row in range(across) for column in range(across)),
                shape=(length, length, 3),
                dtype=np.uint8,
                photometric="ycbcr",
                subsampling=(2, 2),
                compression="jpeg",
                tile=(tile, tile),
                subfiletype=1 if level else 0,
                resolution=(1e4 / mpp / 2**level,) * 2,
                resolutionunit="CENTIMETER",
                metadata=None,
            )
            if length < 1024:
                break


def write_pyramid(
    path: Path,
    image: NDArray[np.uint8],
    mpp: float | None = 0.5,
    magnification: float | None = 20,
    levels: int = 3,
    tile: int = 256,
    jpeg: int | None = None,
) -> list[NDArray[np.uint8]]:
    """Write a pyramidal tiled TIFF, each level half the one before, and return the levels as they went in.

    Args:
        path: `.svs` or `.tif`; the former is described as Aperio does it (OpenSlide goes by the content), the latter
            is a generic TIFF, which has resolution tags and no magnification.
        image: (height, width, 3).
        mpp: micrometres a pixel, or unknown.
        magnification: of the objective, or unknown; only in an `.svs`.
        levels: how many, the full one included.
        tile: side of the tiles, a multiple of 16.
        jpeg: quality of JPEG tiles, 90 as scanners write them; lossless (deflate) if not given.
    """
    height, width = image.shape[:2]
    aperio = path.suffix == ".svs"
    pyramid = halved(image, levels)
    how = {"compression": "zlib"} if jpeg is None else {"compression": "jpeg", "compressionargs": {"level": jpeg}}
    with tifffile.TiffWriter(path, bigtiff=False) as writer:
        for level, pixels in enumerate(pyramid):
            size = "" if level == 0 else f" -> {pixels.shape[1]}x{pixels.shape[0]}"
            known = f"|AppMag = {magnification}" if magnification else ""
            known += f"|MPP = {mpp}" if mpp else ""
            writer.write(
                pixels,
                photometric="rgb",
                tile=(tile, tile),
                subfiletype=0 if aperio or level == 0 else 1,
                description=f"Aperio Image Library v11\r\n{width}x{height}{size}{known}" if aperio else None,
                resolution=None if aperio or not mpp else (1e4 / mpp / 2**level,) * 2,
                resolutionunit=None if aperio or not mpp else "CENTIMETER",
                metadata=None,
                **how,
            )
            if aperio and level == 0:
                # Readers take the second picture of an Aperio slide for its thumbnail.
                writer.write(pyramid[-1], photometric="rgb", description="Aperio Image Library v11", metadata=None)
    return pyramid
