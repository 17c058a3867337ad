"""Reading at a scale, against a slow average over boxes."""

import pickle
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from math import ceil, floor
from pathlib import Path

import numpy as np
import openslide
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from tests.helpers.slides import mosaic, write_pyramid
from zoo.errors import DataError
from zoo.slides import Slide, open_slide
from zoo.slides import slide as slide_module

# Half a grey level for rounding, and float32.
ROUNDING = 0.502


@dataclass
class Levels:
    """A slide in memory that remembers how large the windows were that were read."""

    pyramid: Sequence[NDArray[np.uint8]]
    downsamples: tuple[float, ...] = (1.0,)
    mpp: float | None = None
    magnification: float | None = None
    path: Path = Path("memory.svs")
    windows: list[tuple[int, int, int]] = field(default_factory=list)

    @property
    def size(self) -> tuple[int, int]:
        return self.pyramid[0].shape[1], self.pyramid[0].shape[0]

    def read_level(self, level: int, x: int, y: int, width: int, height: int) -> NDArray[np.uint8]:
        self.windows.append((level, width, height))
        window = np.full((height, width, 3), 255, np.uint8)
        pixels = self.pyramid[level]
        left, top = round(x / self.downsamples[level]), round(y / self.downsamples[level])
        rows, columns = range(max(0, -top), height), range(max(0, -left), width)
        for r in rows:
            for c in columns:
                if top + r < len(pixels) and left + c < pixels.shape[1]:
                    window[r, c] = pixels[top + r, left + c]
        return window

    def close(self) -> None: ...


def box_average(
    pixels: NDArray[np.uint8], scale: Fraction, x: int, y: int, width: int, height: int, downsample: Fraction
) -> NDArray[np.float64]:
    """Each output pixel by itself: every level pixel that overlaps its box, weighted with the overlap."""

    def overlaps(start: Fraction, end: Fraction) -> list[tuple[int, Fraction]]:
        return [(i, min(end, Fraction(i + 1)) - max(start, Fraction(i))) for i in range(floor(start), ceil(end))]

    result = np.zeros((height, width, 3))
    for r in range(height):
        for c in range(width):
            rows = overlaps((y + r * downsample) / scale, (y + (r + 1) * downsample) / scale)
            columns = overlaps((x + c * downsample) / scale, (x + (c + 1) * downsample) / scale)
            for i, tall in rows:
                for j, wide in columns:
                    inside = 0 <= i < pixels.shape[0] and 0 <= j < pixels.shape[1]
                    result[r, c] += float(tall * wide) * (pixels[i, j] if inside else np.full(3, 255))
    return result / float((downsample / scale) ** 2)


@given(
    downsample=st.fractions(1, 6, max_denominator=8),
    x=st.integers(-9, 20),
    y=st.integers(-9, 20),
    width=st.integers(1, 5),
    height=st.integers(1, 4),
    seed=st.integers(0, 99),
    scales=st.sampled_from([(1,), (1, 2), (1, 2, 4), (1, Fraction(5, 2))]),
    block=st.sampled_from([1, 7, 2048]),
)
def test_area_average(
    downsample: Fraction,
    x: int,
    y: int,
    width: int,
    height: int,
    seed: int,
    scales: tuple[Fraction, ...],
    block: int,
) -> None:
    rng = np.random.default_rng(seed)
    pyramid = [rng.integers(0, 256, (ceil(20 / s), ceil(23 / s), 3), dtype=np.uint8) for s in scales]
    slide = Slide(Levels(pyramid, tuple(map(float, scales))))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(slide_module, "BLOCK", block)
        result = slide.read(x, y, width, height, float(downsample))
    level = max(i for i, scale in enumerate(scales) if scale <= downsample)
    expected = box_average(pyramid[level], Fraction(scales[level]), x, y, width, height, downsample)
    assert result.shape == (height, width, 3)
    assert result.dtype == np.uint8
    assert np.abs(result - expected).max() < ROUNDING


@pytest.fixture(scope="module")
def pyramid(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[NDArray[np.uint8]]]:
    path = tmp_path_factory.mktemp("slide") / "slide.svs"
    return path, write_pyramid(path, mosaic(1024, 768), mpp=0.499, magnification=20)


@pytest.mark.parametrize("level", [0, 1, 2])
def test_a_levels_own_scale_gives_its_pixels(pyramid: tuple[Path, list[NDArray[np.uint8]]], level: int) -> None:
    with open_slide(pyramid[0]) as slide:
        window = slide.read(40 * 2**level, 32 * 2**level, 100, 90, 2**level)
    np.testing.assert_array_equal(window, pyramid[1][level][32:122, 40:140])


def test_odd_sides_are_not_resampled(tmp_path: Path) -> None:
    image = mosaic(1023, 769)
    levels = write_pyramid(tmp_path / "odd.svs", image)
    with open_slide(tmp_path / "odd.svs") as slide:
        assert slide.reader.downsamples == (1.0, 2.0, 4.0)
        assert slide.reader._reported != slide.reader.downsamples
        far = slide.read(2 * 400, 2 * 300, 100, 80, 2)
    # Within what OpenSlide interpolates at most, a quarter of a pixel each way, and nearer than its own reading, which
    # divides by its reported downsample.
    expected = levels[1][300:380, 400:500].astype(int)
    error = np.abs(far - expected)
    own = np.asarray(openslide.OpenSlide(tmp_path / "odd.svs").read_region((800, 600), 1, (100, 80)))[..., :3]
    around = np.stack([np.roll(levels[1], (i, j), (0, 1)) for i in (-1, 0, 1) for j in (-1, 0, 1)])
    swing = (around.max(0).astype(int) - around.min(0))[300:380, 400:500]
    assert (error <= 0.25 * 2 * swing + 1).all()
    assert error.mean() < np.abs(own - expected).mean()


def test_thumbnail(pyramid: tuple[Path, list[NDArray[np.uint8]]]) -> None:
    with open_slide(pyramid[0]) as slide:
        image, downsample = slide.thumbnail(256)
        assert downsample == 4
        np.testing.assert_array_equal(image, pyramid[1][2])
        whole, one = slide.thumbnail(5000)
        assert one == 1
        np.testing.assert_array_equal(whole, pyramid[1][0])
        assert max(slide.thumbnail(300)[0].shape) == 300


def test_memory_is_bounded() -> None:
    class Large(Levels):
        size = (9000, 20_000)

        def read_level(self, level: int, x: int, y: int, width: int, height: int) -> NDArray[np.uint8]:
            self.windows.append((level, width, height))
            return np.full((height, width, 3), 100, np.uint8)

    reader = Large([])
    image, _ = Slide(reader).thumbnail(100)
    assert image.shape == (100, 45, 3)
    assert (image == 100).all()
    assert max(width * height for _, width, height in reader.windows) <= 2049**2
    assert sum(width * height for _, width, height in reader.windows) < 1.01 * 9000 * 20_000


def test_scales() -> None:
    slide = Slide(Levels([], mpp=0.499, magnification=20))
    assert slide.downsample(magnification=5) == 4
    assert slide.downsample(magnification=20) == 1
    assert slide.downsample(magnification=8) == 2.5
    assert slide.downsample(mpp=0.499) == 1
    assert slide.downsample(mpp=1.2) == pytest.approx(1.2 / 0.499)
    # Nominal scales: within 1 % of whole blocks of pixels.
    assert slide.downsample(mpp=1) == 2
    assert slide.downsample(mpp=0.496) == 1


@pytest.mark.parametrize(
    ("own", "wanted", "message"),
    [
        ({}, {"mpp": 1.0}, r"memory\.svs.*asked for mpp 1.*open_slide\(\.\.\., mpp=\)$"),
        ({}, {"magnification": 5}, r"open_slide\(\.\.\., magnification=\)$"),
        ({"magnification": 20}, {"mpp": 1.0}, r"mpp=\), or ask by magnification \(it is 20\)"),
        ({"mpp": 0.5}, {"magnification": 5}, r"magnification=\), or ask by mpp \(it is 0\.5\)"),
        ({"mpp": 0.5}, {"mpp": 0.25}, "finer than the slide's 0.5"),
        ({"magnification": 20}, {"magnification": 40}, "finer than the slide's 20"),
        ({"mpp": 0.5}, {}, "one of them"),
        ({"mpp": 0.5, "magnification": 20}, {"mpp": 1.0, "magnification": 10}, "one of them"),
        ({"mpp": 0.5}, {"mpp": 0.0}, "not above 0"),
        ({"mpp": 0.5}, {"mpp": -1.0}, "not above 0"),
        ({"magnification": 20}, {"magnification": 0}, "not above 0"),
    ],
)
def test_scale_errors(own: dict[str, float], wanted: dict[str, float], message: str) -> None:
    with pytest.raises(DataError, match=message):
        Slide(Levels([], **own)).downsample(**wanted)


@pytest.mark.parametrize("given", [{"mpp": 0.0}, {"mpp": float("nan")}, {"magnification": -20}])
def test_given_scale_is_checked(given: dict[str, float]) -> None:
    with pytest.raises(DataError, match="not above 0"):
        Slide(Levels([]), **given)


def test_given_scale_wins_and_is_pickled(pyramid: tuple[Path, list[NDArray[np.uint8]]]) -> None:
    slide = open_slide(pyramid[0], mpp=0.25, magnification=40)
    again = pickle.loads(pickle.dumps(slide))
    assert (again.mpp, again.magnification) == (slide.mpp, slide.magnification) == (0.25, 40)
    file = open_slide(pyramid[0])
    assert (file.mpp, file.magnification) == (0.499, 20)


@pytest.mark.parametrize(("width", "height", "downsample"), [(0, 5, 1.0), (5, 0, 1.0), (5, 5, 0.5)])
def test_bad_windows(width: int, height: int, downsample: float) -> None:
    with pytest.raises(DataError, match="can't read"):
        Slide(Levels([np.zeros((9, 9, 3), np.uint8)])).read(0, 0, width, height, downsample)
