import numpy as np
import openslide
import pytest
import tifffile
import tiffslide

from zoo.images import pyramid
from zoo.images.labels import read_labels
from zoo.images.pyramid import steps, write_pyramid
from zoo.images.raster import Raster
from zoo.slides import open_slide

SIZE = (1301, 1710)


def labels() -> np.ndarray:
    y, x = np.ogrid[: SIZE[0], : SIZE[1]]
    return ((np.hypot(y - 700, x - 900) < 500) & (np.hypot(y - 600, x - 800) > 90)).astype(np.uint8)


@pytest.fixture
def written(tmp_path):
    raster, told = Raster(tmp_path / "labels.h5", SIZE, np.uint8), []
    raster.write((slice(0, SIZE[0]), slice(0, SIZE[1])), labels())
    with raster:
        write_pyramid(tmp_path / "a.tif", raster, 0.5, tmp_path, lambda: told.append(1))
    assert len(told) == steps(SIZE) == 12 + 4 + 1
    return tmp_path / "a.tif"


def test_read_again_as_a_slide(written):
    """With its mpp, its levels and every pixel."""
    with open_slide(written, backend="openslide") as slide:
        assert slide.size == SIZE[::-1]
        assert slide.mpp == pytest.approx(0.5)
        assert slide.reader.downsamples == (1, 2, 4)
        for level, down in enumerate((1, 2, 4)):
            small = labels()[::down, ::down]
            pixels = slide.reader.read_level(level, 0, 0, *small.shape[::-1])
            np.testing.assert_array_equal(pixels[..., 0], small)


def test_read_again_as_labels(written):
    np.testing.assert_array_equal(read_labels(written), labels())
    assert tiffslide.TiffSlide(written).level_downsamples == pytest.approx((1, 2, 4), rel=5e-3)
    assert openslide.OpenSlide.detect_format(written) == "generic-tiff"
    with tifffile.TiffFile(written) as file:
        assert all(page.is_tiled and page.compression == tifffile.COMPRESSION.ADOBE_DEFLATE for page in file.pages)
        assert not file.is_bigtiff


def test_large_ones_have_64_bit_addresses(tmp_path, monkeypatch):
    monkeypatch.setattr(pyramid, "CLASSIC", 0)
    with Raster(tmp_path / "labels.h5", (40, 30), np.uint8) as raster:
        write_pyramid(tmp_path / "a.tif", raster, None, tmp_path)
    with tifffile.TiffFile(tmp_path / "a.tif") as file:
        assert file.is_bigtiff
        assert len(file.pages) == 1
