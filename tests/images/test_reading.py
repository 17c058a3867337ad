import cv2
import numpy as np
import pytest
import tifffile
from PIL import Image

from zoo.errors import DataError
from zoo.images.reading import IMAGE_SUFFIXES
from zoo.images.reading import read_image as read_file

COLOUR = np.random.default_rng(0).integers(0, 256, (5, 7, 3), np.uint8)
GREY = COLOUR[..., 0]


def read_image(path):
    return read_file(path).pixels


REPEATED = np.repeat(GREY[..., None], 3, 2)
ALPHA = np.dstack([COLOUR, GREY])


@pytest.mark.parametrize("suffix", ["png", "tif", "bmp"])
@pytest.mark.parametrize(("saved", "expected"), [(COLOUR, COLOUR), (GREY, REPEATED)])
def test_kinds_of_files(tmp_path, suffix, saved, expected):
    path = tmp_path / f"a.{suffix}"
    Image.fromarray(saved).save(path)
    np.testing.assert_array_equal(read_image(path), expected)
    assert read_image(path).dtype == np.uint8


def test_webp(tmp_path):
    Image.fromarray(COLOUR).save(tmp_path / "a.webp", lossless=True)
    np.testing.assert_array_equal(read_image(tmp_path / "a.webp"), COLOUR)
    assert ".webp" in IMAGE_SUFFIXES
    (tmp_path / "a.webp").write_bytes((tmp_path / "a.webp").read_bytes()[:-20])
    with pytest.raises(DataError, match=r"a\.webp: not a readable"):
        read_image(tmp_path / "a.webp")


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_transparency_is_dropped(tmp_path, suffix):
    Image.fromarray(ALPHA).save(tmp_path / f"a.{suffix}")
    np.testing.assert_array_equal(read_image(tmp_path / f"a.{suffix}"), COLOUR)


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_a_palette_is_resolved(tmp_path, suffix):
    image = Image.fromarray(COLOUR).quantize(8)
    image.save(tmp_path / f"a.{suffix}")
    np.testing.assert_array_equal(read_image(tmp_path / f"a.{suffix}"), np.asarray(image.convert("COLOUR")))


@pytest.mark.parametrize("options", [{"compression": "zlib"}, {"tile": (16, 16)}, {"bigtiff": True}])
def test_tiffs(tmp_path, options):
    tifffile.imwrite(tmp_path / "a.tif", COLOUR, photometric="rgb", **options)
    np.testing.assert_array_equal(read_image(tmp_path / "a.tif"), COLOUR)


def test_a_planar_tiff(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", np.moveaxis(COLOUR, -1, 0), photometric="rgb", planarconfig="separate")
    np.testing.assert_array_equal(read_image(tmp_path / "a.tif"), COLOUR)


@pytest.mark.parametrize(("saved", "expected"), [(COLOUR, COLOUR), (GREY, REPEATED), (ALPHA, COLOUR)])
def test_arrays(tmp_path, saved, expected):
    np.save(tmp_path / "a.npy", saved)
    np.testing.assert_array_equal(read_image(tmp_path / "a.npy"), expected)
    np.save(tmp_path / "a.npy", saved.astype(np.float32))
    with pytest.raises(DataError, match=r"a\.npy: float32.*8 bits"):
        read_image(tmp_path / "a.npy")
    (tmp_path / "a.npy").write_bytes(b"nothing of the kind")
    with pytest.raises(DataError, match="not a readable"):
        read_image(tmp_path / "a.npy")


def test_more_than_8_bits_are_an_error(tmp_path):
    Image.fromarray(GREY.astype(np.uint16) * 200).save(tmp_path / "a.png")
    tifffile.imwrite(tmp_path / "b.tif", COLOUR.astype(np.uint16), photometric="rgb")
    tifffile.imwrite(tmp_path / "c.tif", GREY.astype(np.float32))
    cv2.imwrite(str(tmp_path / "d.png"), COLOUR.astype(np.uint16) * 200)
    for name in ("a.png", "b.tif", "c.tif", "d.png"):
        with pytest.raises(DataError, match=rf"{name}.*8 bits"):
            read_image(tmp_path / name)


@pytest.mark.parametrize("name", ["a.png", "a.tif"])
def test_unreadable_files(tmp_path, name):
    with pytest.raises(DataError, match="no such image"):
        read_image(tmp_path / name)
    (tmp_path / name).write_bytes(b"nothing of the kind")
    with pytest.raises(DataError, match="not a readable"):
        read_image(tmp_path / name)
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (90, 90, 3), np.uint8)).save(tmp_path / name)
    (tmp_path / name).write_bytes((tmp_path / name).read_bytes()[:5000])
    with pytest.raises(DataError, match="not a readable"):
        read_image(tmp_path / name)


@pytest.mark.parametrize("name", ["a.png", "a.tif"])
def test_a_picture_above_the_limit_of_pillow(tmp_path, monkeypatch, name):
    Image.fromarray(COLOUR).save(tmp_path / name)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)  # twice as many are an error there
    np.testing.assert_array_equal(read_image(tmp_path / name), COLOUR)
    assert Image.MAX_IMAGE_PIXELS == 10
