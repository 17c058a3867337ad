"""Whole-slide images in DICOM, which OpenSlide reads: one made with pydicom."""

from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from zoo.errors import DataError
from zoo.slides import open_slide
from zoo.slides.openslide_reader import OpenSlideReader
from zoo.slides.part import is_slide, read_part

pydicom = pytest.importorskip("pydicom")

TILE, SIDE = 256, 512
WHOLE_SLIDE = "1.2.840.10008.5.1.4.1.1.77.1.6"  # VL Whole Slide Microscopy Image Storage


def write_dicom(path: Path, image: NDArray[np.uint8], mpp: float) -> None:
    """One level of JPEG tiles; 20x."""
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.encaps import encapsulate
    from pydicom.uid import JPEGBaseline8Bit, generate_uid

    frames = []
    for row in range(0, SIDE, TILE):
        for column in range(0, SIDE, TILE):
            buffer = BytesIO()
            tile = Image.fromarray(image[row : row + TILE, column : column + TILE])
            tile.save(buffer, "JPEG", quality=95, subsampling=0)
            frames.append(buffer.getvalue())
    meta, data, spacing, groups, optics = FileMetaDataset(), Dataset(), Dataset(), Dataset(), Dataset()
    meta.MediaStorageSOPClassUID = data.SOPClassUID = WHOLE_SLIDE
    meta.MediaStorageSOPInstanceUID = data.SOPInstanceUID = generate_uid()
    meta.TransferSyntaxUID = JPEGBaseline8Bit
    data.file_meta = meta
    data.StudyInstanceUID, data.SeriesInstanceUID = generate_uid(), generate_uid()
    data.Modality, data.ImageType = "SM", ["ORIGINAL", "PRIMARY", "VOLUME", "NONE"]
    data.Rows = data.Columns = TILE
    data.TotalPixelMatrixColumns = data.TotalPixelMatrixRows = SIDE
    data.NumberOfFrames, data.SamplesPerPixel, data.PlanarConfiguration = len(frames), 3, 0
    data.PhotometricInterpretation = "YBR_FULL_422"
    data.BitsAllocated = data.BitsStored = 8
    data.HighBit, data.PixelRepresentation = 7, 0
    data.DimensionOrganizationType = "TILED_FULL"
    data.TotalPixelMatrixFocalPlanes = data.NumberOfOpticalPaths = 1
    spacing.PixelSpacing = [mpp / 1000, mpp / 1000]
    groups.PixelMeasuresSequence = [spacing]
    data.SharedFunctionalGroupsSequence = [groups]
    optics.OpticalPathIdentifier, optics.ObjectiveLensPower = "1", 20
    data.OpticalPathSequence = [optics]
    data.PixelData = encapsulate(frames, has_bot=True)
    data["PixelData"].VR, data["PixelData"].is_undefined_length = "OB", True
    data.save_as(path, enforce_file_format=True)


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
