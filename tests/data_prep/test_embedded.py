"""The data in the repository: what its README says, and no near-twins in two splits."""

from pathlib import Path

import numpy as np
import pytest

from data_prep.appearance import STAIN_DISTANCE, background, fields
from zoo.store.reader import Store

PATH = Path(__file__).parents[2] / "experiments" / "data" / "dsb2018.h5"


@pytest.fixture(scope="module")
def store() -> Store:
    return Store(PATH)


@pytest.fixture(scope="module")
def images(store) -> list[np.ndarray]:
    return [store.image(group.name, 0) for group in store.groups]


def test_counts_stand_in_the_readme(store):
    readme = (PATH.parent / "README.md").read_text()
    for split, patient in (("train", "stain-0"), ("val", "stain-2"), ("test", "stain-1")):
        groups = [group for group in store.groups if group.split == split]
        assert {group.patient for group in groups} == {patient}
        nuclei = sum(len(store.objects(group.name)) for group in groups)
        slides = len({group.slide for group in groups})
        (row,) = [line for line in readme.splitlines() if line.startswith(f"| {split} |")]
        assert row.endswith(f"| {len(groups)} | {slides} | {nuclei} |")
    assert store.info.licence == "CC0 1.0"
    assert 3e6 < PATH.stat().st_size < 6e6


def test_no_stain_is_in_two_splits(store, images):
    colours = np.array([background(image) for image in images])
    splits = np.array([group.split for group in store.groups])
    apart = np.linalg.norm(colours[:, None] - colours[None], axis=-1)
    assert apart[splits[:, None] != splits[None]].min() > 1.3 * STAIN_DISTANCE


def test_no_field_is_in_two_splits(store, images):
    split_of: dict[int, str] = {}
    for field, group in zip(fields(images), store.groups, strict=True):
        assert split_of.setdefault(int(field), group.split) == group.split


def test_no_two_images_look_alike(images):
    small = np.array([image.reshape(32, 8, 40, 8, 3).mean(axis=(1, 3, 4)).ravel() for image in images])
    alike = np.corrcoef(small) - np.eye(len(images))
    assert np.abs(alike).max() < 0.6
