"""Small copies of data sets of slides: real tissue under the publishers' file names, and how to prepare them."""

from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from data_prep.cli import main
from tests.helpers.slides import mosaic, write_pyramid
from zoo.store.reader import Store

WIDTH, HEIGHT = 500, 400


def add_slide(path: Path) -> None:
    """Write a slide of 500x400 px, 20x, 0.5 um/px."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(_slide(path.suffix))


@cache
def _slide(suffix: str) -> bytes:
    with TemporaryDirectory() as folder:
        path = Path(folder) / f"slide{suffix}"
        write_pyramid(path, mosaic(WIDTH, HEIGHT), mpp=0.5, magnification=20, levels=2)
        return path.read_bytes()


def box(x0: float, y0: float, x1: float, y1: float) -> list[tuple[float, float]]:
    """Corners of a rectangle."""
    return [(x0, y0), (x1, y0), (x1, y1), (x0, y1)]


def filled(*boxes: tuple[int, int, int, int]) -> np.ndarray:
    """(HEIGHT, WIDTH) uint8 with ones in boxes x0, y0, x1, y1."""
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    for x0, y0, x1, y1 in boxes:
        mask[y0:y1, x0:x1] = 1
    return mask


def prepare(name: str, source: Path, out: Path, *more: str) -> dict[str, Store]:
    """Stores of a data set by their stems."""
    assert main([name, "--source", str(source), "--out", str(out), *more]) == 0
    return {path.stem: Store(path) for path in sorted(out.glob("*.h5"))}


def check_labels(store: Store, group: str, truth: np.ndarray, factor: int) -> None:
    """Each patch holds the slide's truth at its pixels' centres, which are whole blocks."""
    (info,) = [each for each in store.groups if each.name == group]
    assert info.count > 0
    sampled = truth[factor // 2 :: factor, factor // 2 :: factor]
    for item, (x, y) in enumerate(store.origins(group).tolist()):
        x, y = x // factor, y // factor
        np.testing.assert_array_equal(
            store.label(group, item), sampled[y : y + info.height, x : x + info.width], err_msg=f"patch at {x}, {y}"
        )
