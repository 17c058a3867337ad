"""What every slide backend must do: inherit `SlideContract` in a class `TestSomething` and give `reader`."""

import pickle
from abc import abstractmethod
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.helpers.slides import mosaic, write_pyramid
from zoo.errors import DataError
from zoo.slides import SlideReader

WIDTH, HEIGHT = 1280, 768
Written = tuple[Path, list[NDArray[np.uint8]]]


class SlideContract:
    """Reads a lossless slide of 1280x768 px whose levels halve exactly.

    Attributes:
        levels: how many levels of the slide the backend sees.
        mpp, magnification: what the file tells.
    """

    levels = 3
    mpp: float | None = 0.25
    magnification: float | None = 40

    @abstractmethod
    def reader(self, path: Path) -> SlideReader:
        """Open a slide with the backend under test."""

    @classmethod
    def write(cls, folder: Path, image: NDArray[np.uint8]) -> Written:
        """Write the slide with `mpp` and `magnification`; its path, and its levels as read without loss."""
        path = folder / "slide.svs"
        return path, write_pyramid(path, image, cls.mpp, cls.magnification, cls.levels)

    @pytest.fixture(scope="class")
    @classmethod
    def written(cls, tmp_path_factory: pytest.TempPathFactory) -> Written:
        return cls.write(tmp_path_factory.mktemp("slide"), mosaic(WIDTH, HEIGHT))

    @pytest.fixture
    def slide(self, written: Written) -> SlideReader:
        return self.reader(written[0])

    @pytest.fixture
    def pyramid(self, written: Written) -> list[NDArray[np.uint8]]:
        return written[1]

    def test_description(self, slide: SlideReader, written: Written) -> None:
        assert slide.path == written[0]
        assert slide.size == (WIDTH, HEIGHT)
        assert slide.downsamples == tuple(2.0**level for level in range(self.levels))
        assert slide.mpp == (None if self.mpp is None else pytest.approx(self.mpp, rel=1e-4))
        assert slide.magnification == self.magnification

    def test_every_level_as_written(self, slide: SlideReader, pyramid: list[NDArray[np.uint8]]) -> None:
        for level, pixels in enumerate(pyramid):
            height, width = pixels.shape[:2]
            whole = slide.read_level(level, 0, 0, width, height)
            assert whole.dtype == np.uint8
            assert whole.flags.c_contiguous
            np.testing.assert_array_equal(whole, pixels)

    @pytest.mark.parametrize(("column", "row"), [(0, 0), (37, 51), (319, 191), (256, 100)])
    def test_windows(self, slide: SlideReader, pyramid: list[NDArray[np.uint8]], column: int, row: int) -> None:
        for level, pixels in enumerate(pyramid):
            step = 2**level
            window = slide.read_level(level, column * step, row * step, 60, 45)
            expected = np.full((45, 60, 3), 255, np.uint8)
            inside = pixels[row : row + 45, column : column + 60]
            expected[: inside.shape[0], : inside.shape[1]] = inside
            np.testing.assert_array_equal(window, expected)

    def test_places_between_pixels_of_a_level(self, slide: SlideReader, pyramid: list[NDArray[np.uint8]]) -> None:
        level = self.levels - 1
        if level == 0:
            pytest.skip("one level")
        window = slide.read_level(level, 4 * 20 + 1, 4 * 30 - 1, 10, 12)
        np.testing.assert_array_equal(window, pyramid[level][30:42, 20:30])

    @pytest.mark.parametrize(("x", "y"), [(-30, -20), (WIDTH - 30, -20), (-30, HEIGHT - 20), (WIDTH - 30, HEIGHT - 20)])
    def test_corners(self, slide: SlideReader, pyramid: list[NDArray[np.uint8]], x: int, y: int) -> None:
        padded = np.pad(pyramid[0], ((20, 20), (30, 30), (0, 0)), constant_values=255)
        expected = padded[y + 20 : y + 60, x + 30 : x + 90]
        np.testing.assert_array_equal(slide.read_level(0, x, y, 60, 40), expected)

    @pytest.mark.parametrize(("x", "y"), [(-500, 0), (WIDTH, 0), (0, 10 * HEIGHT), (-16, -16)])
    def test_outside_is_white(self, slide: SlideReader, x: int, y: int) -> None:
        assert (slide.read_level(0, x, y, 16, 16) == 255).all()

    def test_what_was_read_is_the_readers_own(self, slide: SlideReader, pyramid: list[NDArray[np.uint8]]) -> None:
        slide.read_level(0, 0, 0, WIDTH, HEIGHT)[:] = 0
        np.testing.assert_array_equal(slide.read_level(0, 0, 0, WIDTH, HEIGHT), pyramid[0])

    def test_pickling(self, slide: SlideReader) -> None:
        packed = pickle.dumps(slide)
        assert len(packed) < 1000
        again = pickle.loads(packed)
        assert (again.path, again.size, again.mpp) == (slide.path, slide.size, slide.mpp)
        np.testing.assert_array_equal(again.read_level(0, 600, 300, 40, 30), slide.read_level(0, 600, 300, 40, 30))

    def test_closing(self, slide: SlideReader) -> None:
        slide.close()
        slide.close()
        with pytest.raises(DataError, match="closed"):
            slide.read_level(0, 0, 0, 4, 4)
