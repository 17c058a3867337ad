"""Reading a slide tile by tile, beside a bare OpenSlide loop over the same tiles."""

import tempfile
from pathlib import Path

import numpy as np
import openslide

from benchmarks.common import Row, best_of
from tests.helpers.slides import mosaic, write_pyramid
from zoo.slides import open_slide

WIDTH, HEIGHT, TILE = 4096, 3072, 1024


def run() -> list[Row]:
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "slide.svs"
        write_pyramid(path, mosaic(WIDTH, HEIGHT), jpeg=90)
        one_level = Path(folder) / "level.svs"
        write_pyramid(one_level, mosaic(WIDTH, HEIGHT), levels=1, jpeg=90)

        def ours(file: Path, side: int, downsample: float) -> None:
            # Opened anew each time, so that no tile is in OpenSlide's cache.
            step = int(side * downsample)
            with open_slide(file) as slide:
                for y in range(0, HEIGHT - step + 1, step):
                    for x in range(0, WIDTH - step + 1, step):
                        slide.read(x, y, side, side, downsample)

        def bare(file: Path, side: int, downsample: float, level: int = 0) -> None:
            step = int(side * downsample)
            size = int(step / 2**level)
            with openslide.OpenSlide(file) as slide:
                for y in range(0, HEIGHT - step + 1, step):
                    for x in range(0, WIDTH - step + 1, step):
                        np.asarray(slide.read_region((x, y), level, (size, size)))

        for name, file, side, downsample, level in (
            ("the finest level", path, TILE, 1.0, 0),
            ("the finest level, small tiles", path, 256, 1.0, 0),
            ("a level's own scale", path, TILE // 2, 2.0, 1),
            ("4x averaged from one level", one_level, TILE // 4, 4.0, 0),
            ("2.5x averaged from one level", one_level, 400, 2.5, 0),
        ):
            rows.append(
                Row(
                    f"{name}, {side} px tiles of {WIDTH}x{HEIGHT} px",
                    best_of(lambda: ours(file, side, downsample), 3),  # noqa: B023  called at once
                    best_of(lambda: bare(file, side, downsample, level), 3),  # noqa: B023
                    "openslide, same pixels",
                )
            )
    return rows
