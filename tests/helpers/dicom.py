"""Whole-slide images in DICOM, made with pydicom."""

from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

TILE = 256
WHOLE_SLIDE = "1.2.840.10008.5.1.4.1.1.77.1.6"  # VL Whole Slide Microscopy Image Storage


def write_dicom(path: Path, image: NDArray[np.uint8], mpp: float, series: str | None = None) -> None:
    """One level of a slide, in JPEG tiles; 20x. `series` is the same of all levels of a slide; None: it's the only one.

    Args:
        path: the file.
        image: (H, W, 3) uint8; H and W divisible by `TILE`.
        mpp: micrometres per pixel of this level.
        series: the slide's UID.
    """
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.encaps import encapsulate
    from pydicom.uid import JPEGBaseline8Bit, generate_uid

    height, width = image.shape[:2]
    frames = []
    for row in range(0, height, TILE):
        for column in range(0, width, TILE):
            buffer = BytesIO()
            tile = Image.fromarray(image[row : row + TILE, column : column + TILE])
            tile.save(buffer, "JPEG", quality=95, subsampling=0)
            frames.append(buffer.getvalue())
    meta, data, spacing, groups, optics = FileMetaDataset(), Dataset(), Dataset(), Dataset(), Dataset()
    meta.MediaStorageSOPClassUID = data.SOPClassUID = WHOLE_SLIDE
    meta.MediaStorageSOPInstanceUID = data.SOPInstanceUID = generate_uid()
    meta.TransferSyntaxUID = JPEGBaseline8Bit
    data.file_meta = meta
    data.SeriesInstanceUID = series or generate_uid()
    data.StudyInstanceUID = data.FrameOfReferenceUID = f"{data.SeriesInstanceUID[:60]}.1"
    data.Modality, data.ImageType = "SM", ["ORIGINAL", "PRIMARY", "VOLUME", "NONE"]
    data.Rows = data.Columns = TILE
    data.TotalPixelMatrixColumns, data.TotalPixelMatrixRows = width, height
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
