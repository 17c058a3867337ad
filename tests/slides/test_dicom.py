"""Whole-slide images in DICOM, which OpenSlide reads."""

from pathlib import Path

import numpy as np
import pytest

from tests.helpers.dicom import write_dicom
from zoo.errors import DataError
from zoo.slides import open_slide
from zoo.slides.openslide_reader import OpenSlideReader
from zoo.slides.part import is_slide, read_part

pytest.importorskip("pydicom")

SIDE = 512


def test_a_slide_in_dicom(tmp_path: Path) -> None:
    image = np.random.default_rng(0).integers(0, 256, (8, 8, 3), np.uint8).repeat(64, 0).repeat(64, 1)
    path = tmp_path / "slide.dcm"
    write_dicom(path, image, 0.5)
    assert is_slide(path)
    with open_slide(path) as slide:
        assert isinstance(slide.reader, OpenSlideReader)
        assert (slide.size, slide.mpp, slide.magnification) == ((SIDE, SIDE), 0.5, 20)
    part = read_part(path, (64, 128, 320, 200), wanted_mpp=1.0)
    assert (part.mpp, part.downsample, part.pixels.shape) == (1.0, 2.0, (100, 160, 3))
    assert np.abs(part.pixels.astype(int) - image[128:328:2, 64:384:2]).max() <= 8  # JPEG's


def test_another_dicom_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.dcm").write_bytes(bytes(128) + b"DICM" + bytes(64))
    with pytest.raises(DataError, match=r"a\.dcm: not a slide"):
        read_part(tmp_path / "a.dcm")
