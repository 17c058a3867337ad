"""The backends, and which of them opens what."""

import sys
from pathlib import Path

import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray
from PIL import Image

from tests.helpers.slide_contract import SlideContract, Written
from tests.helpers.slides import mosaic, write_pyramid
from zoo.errors import DataError
from zoo.slides import SlideReader, open_slide
from zoo.slides.openslide_reader import OpenSlideReader, _rgb
from zoo.slides.picture import PictureReader
from zoo.slides.reader import true_downsample
from zoo.slides.tiffslide_reader import TiffSlideReader


class TestOpenSlide(SlideContract):
    def reader(self, path: Path) -> SlideReader:
        return OpenSlideReader(path)


class TestOpenSlideGenericTiff(TestOpenSlide):
    magnification = None

    @classmethod
    def write(cls, folder: Path, image: NDArray[np.uint8]) -> Written:
        path = folder / "slide.tif"
        return path, write_pyramid(path, image, cls.mpp)


class TestTiffSlide(SlideContract):
    def reader(self, path: Path) -> SlideReader:
        pytest.importorskip("tiffslide")
        return TiffSlideReader(path)


class TestPicture(SlideContract):
    levels = 1
    magnification = None

    @classmethod
    def write(cls, folder: Path, image: NDArray[np.uint8]) -> Written:
        path = folder / "picture.tif"
        tifffile.imwrite(path, image, resolution=(25_400 / 0.25,) * 2, resolutionunit="INCH")
        return path, [image]

    def reader(self, path: Path) -> SlideReader:
        return PictureReader(path)


@pytest.fixture(scope="module")
def tissue() -> NDArray[np.uint8]:
    return mosaic(700, 500)


def test_jpeg_tiles_as_another_decoder_has_them(tmp_path: Path, tissue: NDArray[np.uint8]) -> None:
    pytest.importorskip("imagecodecs")
    path = tmp_path / "slide.svs"
    write_pyramid(path, tissue, jpeg=90)
    np.testing.assert_array_equal(OpenSlideReader(path).read_level(0, 0, 0, 700, 500), tifffile.imread(path))


@pytest.mark.parametrize(
    ("name", "reader"), [("a.svs", OpenSlideReader), ("b.tif", OpenSlideReader), ("c.png", PictureReader)]
)
def test_which_backend(tmp_path: Path, tissue: NDArray[np.uint8], name: str, reader: type) -> None:
    path = tmp_path / name
    if path.suffix == ".png":
        Image.fromarray(tissue).save(path)
    else:
        write_pyramid(path, tissue)
    with open_slide(str(path)) as slide:
        assert isinstance(slide.reader, reader)
        np.testing.assert_array_equal(slide.read(0, 0, 700, 500), tissue)


def test_tiffslide_reads_what_openslide_does_not(tmp_path: Path, tissue: NDArray[np.uint8]) -> None:
    pytest.importorskip("tiffslide")
    path = tmp_path / "png.tif"
    tifffile.imwrite(path, tissue, tile=(256, 256), compression="png")
    with pytest.raises(DataError, match="openslide"):
        open_slide(path, backend="openslide")
    with open_slide(path) as slide:
        assert isinstance(slide.reader, TiffSlideReader)
        np.testing.assert_array_equal(slide.read(0, 0, 700, 500), tissue)


def test_without_tiffslide(tmp_path: Path, tissue: NDArray[np.uint8], monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.svs"
    write_pyramid(path, tissue)
    monkeypatch.setitem(sys.modules, "tiffslide", None)
    assert open_slide(path).size == (700, 500)
    with pytest.raises(DataError, match=r"pip install 'isegzoo\[tiffslide\]'"):
        open_slide(path, backend="tiffslide")


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".bmp"])
def test_pictures_know_no_mpp(tmp_path: Path, tissue: NDArray[np.uint8], suffix: str) -> None:
    path = tmp_path / f"picture{suffix}"
    Image.fromarray(tissue).save(path, dpi=(96, 96))
    assert open_slide(path).mpp is None
    assert open_slide(path, mpp=0.4).mpp == 0.4


@pytest.mark.parametrize(("dpi", "mpp"), [(72, None), (1200, None), (101_600, 0.25)])
def test_print_resolution_is_no_mpp(tmp_path: Path, dpi: int, mpp: float | None) -> None:
    path = tmp_path / "picture.tif"
    tifffile.imwrite(path, np.zeros((20, 30, 3), np.uint8), resolution=(dpi, dpi), resolutionunit="INCH")
    assert open_slide(path).mpp == (mpp if mpp is None else pytest.approx(mpp))


def test_transparent_becomes_white() -> None:
    # Blue, green, red, alpha with premultiplied colours: clear, opaque, and half transparent red.
    pixels = np.array([[[0, 0, 0, 0], [10, 20, 30, 255], [0, 0, 128, 128]]], np.uint8)
    assert _rgb(pixels).tolist() == [[[255, 255, 255], [30, 20, 10], [255, 127, 127]]]
    assert _rgb(pixels[:, 1:2].copy()).tolist() == [[[30, 20, 10]]]


@pytest.mark.parametrize(
    ("size", "level", "reported", "expected"),
    [
        ((3001, 2300), (1500, 1150), 2.00033, 2.0),  # remainder dropped
        ((46_001, 32_914), (11_501, 8229), 3.99986, 4.0),  # remainder filled
        ((46_000, 32_914), (11_500, 8228), 4.00012, 4.0),
        ((1000, 1000), (1000, 1000), 1.0, 1.0),
        ((1000, 1000), (400, 400), 2.5, 2.5),
        ((100_000, 80_000), (24_900, 19_920), 4.01606, 4.01606),  # really another scale
    ],
)
def test_true_downsample(size: tuple[int, int], level: tuple[int, int], reported: float, expected: float) -> None:
    assert true_downsample(size, level, reported) == expected


def test_not_square_is_an_error_unless_mpp_is_given(tmp_path: Path) -> None:
    path = tmp_path / "picture.tif"
    image = np.zeros((64, 64, 3), np.uint8)
    tifffile.imwrite(path, image, tile=(16, 16), resolution=(20_000, 40_000), resolutionunit="CENTIMETER")
    with pytest.raises(DataError, match="not square"):
        open_slide(path)
    assert open_slide(path, mpp=0.3).mpp == 0.3


def test_missing(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none\.svs: no such slide"):
        open_slide(tmp_path / "none.svs")


@pytest.mark.parametrize("name", ["a.svs", "a.tif", "a.png"])
def test_not_a_slide(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_text("no pixels here")
    with pytest.raises(DataError, match=rf"{name}: not a slide"):
        open_slide(path)


@pytest.mark.parametrize("part", [0.001, 0.3, 0.7, 0.75, 0.9, 0.97, 0.995])
def test_truncated(tmp_path: Path, tissue: NDArray[np.uint8], part: float, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "cut.svs"
    write_pyramid(path, tissue)
    path.write_bytes(path.read_bytes()[: int(part * path.stat().st_size)])

    def read_all() -> None:
        with open_slide(path) as slide:
            for downsample in (1, 2, 4):
                slide.read(0, 0, 700 // downsample, 500 // downsample, downsample)

    with pytest.raises(DataError, match=r"cut\.svs.*(complete|damaged|incomplete)"):
        read_all()
    assert not caplog.records


def test_unknown_backend(tmp_path: Path) -> None:
    path = tmp_path / "a.svs"
    path.touch()
    with pytest.raises(DataError, match="openslide, picture, tiffslide"):
        open_slide(path, backend="bioformats")
