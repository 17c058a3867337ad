from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image, ImageOps

from data_prep.annotations.mask import MaskSlide
from zoo.errors import DataError
from zoo.images.labels import read_labels
from zoo.images.orientation import ORIENTATION, upright
from zoo.images.reading import read_image
from zoo.slides import open_slide

VALUES = range(1, 9)
# Blocks of 8 px, so that JPEG's colours stay apart; not square, and no symmetry maps it to itself.
CELLS = np.array([[1, 2, 3, 0], [0, 4, 0, 5], [6, 0, 0, 0]], np.uint8)
LABEL = CELLS.repeat(8, 0).repeat(8, 1)


def save(path: Path, stored: np.ndarray, orientation: int) -> Path:
    """The array as it is, with a tag."""
    if path.suffix == ".tif":
        tag = (ORIENTATION, "H", 1, orientation, True)
        how = {"photometric": "rgb"} if stored.ndim == 3 else {}
        tifffile.imwrite(path, stored, extratags=[tag], metadata=None, **how)
        return path
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    options = {"quality": 95, "subsampling": 0} if path.suffix == ".jpg" else {}
    Image.fromarray(stored).save(path, exif=exif, **options)
    return path


def stored_as(shown: np.ndarray, orientation: int) -> np.ndarray:
    """What has to be stored for `shown` to be shown: turning by the value that undoes it."""
    return np.ascontiguousarray(upright(shown, {6: 8, 8: 6}.get(orientation, orientation)))


def iou(one: np.ndarray, other: np.ndarray) -> float:
    assert one.shape == other.shape
    return float((one & other).sum() / (one | other).sum())


@pytest.mark.parametrize("orientation", VALUES)
def test_upright_as_pillow(tmp_path: Path, orientation: int) -> None:
    path = save(tmp_path / "a.png", LABEL, orientation)
    np.testing.assert_array_equal(upright(LABEL, orientation), ImageOps.exif_transpose(Image.open(path)))


@pytest.mark.parametrize("image", ["a.jpg", "a.tif", "a.png", "a.webp"])
@pytest.mark.parametrize("label", ["l.tif", "l.png"])
def test_equal_tags_and_pixels_agree(tmp_path: Path, image: str, label: str) -> None:
    stain = np.repeat(255 - 40 * LABEL[..., None], 3, 2)
    for orientation in VALUES:
        pixels = read_image(save(tmp_path / image, stain, orientation)).pixels
        labels = read_labels(save(tmp_path / label, LABEL, orientation))
        np.testing.assert_array_equal(labels, upright(LABEL, orientation))
        for value in range(1, 7):
            found = np.abs(pixels[..., 1].astype(int) - (255 - 40 * value)) < 20
            assert iou(found, labels == value) == 1.0
    with pytest.raises(AssertionError):  # the label without its tag is another one
        assert iou(pixels[..., 1] < 235, read_labels(save(tmp_path / label, LABEL, 1)) > 0) == 1.0


@pytest.mark.parametrize("orientation", VALUES)
def test_different_tags_of_one_picture(tmp_path: Path, orientation: int) -> None:
    """Image and label stored in two ways show the same."""
    label = read_labels(save(tmp_path / "l.tif", stored_as(LABEL, orientation), orientation))
    np.testing.assert_array_equal(label, LABEL)
    stain = np.repeat(255 - 40 * LABEL[..., None], 3, 2)
    pixels = read_image(save(tmp_path / "a.png", stored_as(stain, orientation), orientation)).pixels
    np.testing.assert_array_equal(pixels, stain)


@pytest.mark.parametrize("orientation", VALUES)
@pytest.mark.parametrize("how", [{"compression": "zlib"}, {"tile": (16, 16)}])
def test_turned_once_whoever_decodes(tmp_path: Path, orientation: int, how: dict) -> None:
    deep = np.stack([LABEL, LABEL * 2, LABEL * 3], -1).astype(np.uint16)
    tag = (ORIENTATION, "H", 1, orientation, True)
    tifffile.imwrite(tmp_path / "a.tif", deep.astype(np.uint8), photometric="rgb", extratags=[tag], **how)
    np.testing.assert_array_equal(read_image(tmp_path / "a.tif").pixels, upright(deep, orientation))
    tifffile.imwrite(tmp_path / "l.tif", LABEL.astype(np.int32), extratags=[tag], **how)
    np.testing.assert_array_equal(read_labels(tmp_path / "l.tif"), upright(LABEL, orientation))


@pytest.mark.parametrize("orientation", VALUES)
@pytest.mark.parametrize("name", ["m.tif", "m.png"])
def test_masks_of_slides_are_turned_too(tmp_path: Path, orientation: int, name: str) -> None:
    shown = upright(LABEL, orientation)
    height, width = shown.shape
    mask = MaskSlide(save(tmp_path / name, LABEL, orientation), (width, height))
    np.testing.assert_array_equal(mask.instances(0, 0, width, height, 1), shown)


def test_slides(tmp_path: Path) -> None:
    picture = np.stack([LABEL] * 3, -1)
    slide = open_slide(save(tmp_path / "a.tif", picture, 6), mpp=1)
    assert slide.size == (24, 32)
    np.testing.assert_array_equal(slide.read(0, 0, 24, 32), upright(picture, 6))
    tag = (ORIENTATION, "H", 1, 6, True)
    tifffile.imwrite(tmp_path / "t.tif", picture, photometric="rgb", tile=(16, 16), extratags=[tag], metadata=None)
    with pytest.raises(DataError, match=r"orientation tag \(6\)"):
        open_slide(tmp_path / "t.tif", mpp=1)


@pytest.mark.parametrize("orientation", VALUES)
@pytest.mark.parametrize("name", ["a.png", "a.tif"])
def test_palettes_and_depths(tmp_path: Path, orientation: int, name: str) -> None:
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    image = Image.frombytes("P", LABEL.shape[::-1], LABEL.tobytes())
    image.putpalette(list(range(255, -1, -1)) * 3)
    image.save(tmp_path / name, exif=exif)
    np.testing.assert_array_equal(read_labels(tmp_path / name), upright(LABEL, orientation))
    shown = upright(np.asarray(image.convert("RGB")), orientation)
    np.testing.assert_array_equal(read_image(tmp_path / name).pixels, shown)
    for deep in (LABEL.astype(np.uint16) * 1000, LABEL > 2):
        Image.fromarray(deep).save(tmp_path / name, exif=exif)
        np.testing.assert_array_equal(read_labels(tmp_path / name), upright(deep, orientation))
    np.testing.assert_array_equal(read_image(tmp_path / name).pixels[..., 1], upright((LABEL > 2) * 255, orientation))
