"""A tiny copy of the GlaS download: the publisher's names, patients and encodings, other pictures."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from PIL import Image

from data_prep.datasets import glas

HEADER = "name,patient ID, grade (GlaS), grade (Sirinukunwattana et al. 2015)"


def write_copy(root: Path, patients: Mapping[str, str], end: str = "\r", size: tuple[int, int] = (6, 9)) -> Path:
    """Images of (height, width) `size` with random glands, and Grade.csv with lines ended by `end`."""
    folder = root / "Warwick QU Dataset (Released 2016_07_08)"
    folder.mkdir(parents=True)
    random = np.random.default_rng(0)
    for name in patients:
        Image.fromarray(random.integers(0, 256, (*size, 3), np.uint8)).save(folder / f"{name}.bmp")
        Image.fromarray(random.choice([0, 1, 2, 7], size).astype(np.uint8)).save(folder / f"{name}_anno.bmp")
    write_grades(folder, patients, end)
    return folder


def write_grades(folder: Path, patients: Mapping[str, str], end: str = "\r") -> None:
    lines = [f"{name},{patient}, malignant, poorly differentiated" for name, patient in patients.items()]
    (folder / "Grade.csv").write_bytes((end.join([HEADER, *lines]) + end).encode())


def tiles_of_fields() -> dict[str, str]:
    """Patient of every tile that the table of fields names."""
    return {name: place.patient for name, place in glas.read_places().items()}
