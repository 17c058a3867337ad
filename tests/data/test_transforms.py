import pickle
import subprocess
import sys

import numpy as np
import pytest
from skimage.color import hed2rgb, rgb2hed

from zoo.data.transforms import Augment, HEDJitter

NOTHING = {
    "flip": 0.0,
    "rotate": 0.0,
    "brightness_contrast": 0.0,
    "hue_saturation": 0.0,
    "stain": 0.0,
    "sharpness": 0.0,
    "noise": 0.0,
}


@pytest.fixture(scope="module")
def image() -> np.ndarray:
    rng = np.random.default_rng(0)
    return rng.integers(20, 240, (32, 32, 3), np.uint8)


@pytest.fixture(scope="module")
def labels() -> np.ndarray:
    return np.arange(32 * 32, dtype=np.int32).reshape(32, 32) + 70_000


def test_the_seed_decides_everything(image, labels):
    augment, other = Augment(), pickle.loads(pickle.dumps(Augment()))
    for seed in (0, 3, 2**32 + 5, 2**63):
        first, second = augment(image, labels, seed), other(image, labels, seed)
        np.testing.assert_array_equal(first[0], second[0])
        np.testing.assert_array_equal(first[1], second[1])
        assert first[0].dtype == np.uint8
        assert first[1].dtype == np.int32
    different = {augment(image, labels, seed)[0].tobytes() for seed in range(50)}
    assert len(different) > 45


def test_another_process_draws_the_same(image, labels):
    code = (
        "import numpy as np; from zoo.data.transforms import Augment;"
        "image = np.random.default_rng(0).integers(20, 240, (32, 32, 3), np.uint8);"
        "print(Augment()(image, np.zeros((32, 32), np.int32), 11)[0].sum())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert int(done.stdout) == Augment()(image, labels, 11)[0].sum()


def test_geometry_moves_image_and_labels_alike(labels):
    image = np.stack([labels % 251] * 3, axis=-1).astype(np.uint8)
    augment = Augment(**(NOTHING | {"flip": 0.5, "rotate": 0.5}))
    orientations = set()
    for seed in range(100):
        moved, moved_labels = augment(image, labels, seed)
        np.testing.assert_array_equal(moved[..., 0], moved_labels % 251)
        orientations.add(tuple(moved_labels[0, :2].tolist()))
    assert len(orientations) == 8


def test_colour_leaves_labels_alone(image, labels):
    augment = Augment(flip=0, rotate=0)
    for seed in range(10):
        np.testing.assert_array_equal(augment(image, labels, seed)[1], labels)


@pytest.mark.parametrize("step", NOTHING)
def test_each_step_acts_alone(image, labels, step):
    off, on = Augment(**NOTHING), Augment(**(NOTHING | {step: 1.0}))
    assert any(not np.array_equal(on(image, labels, seed)[0], image) for seed in range(10))
    np.testing.assert_array_equal(off(image, labels, 0)[0], image)


def test_no_stain_change_is_no_change(image):
    np.testing.assert_array_equal(HEDJitter(0, 0, p=1)(image=image)["image"], image)


def test_stain_change_equals_skimage():
    factors, offsets = np.array([1.3, 0.8, 1.1]), np.array([0.02, -0.01, 0.03])
    unit = -np.log(1e-6)  # skimage counts stains in units of this optical density
    picture = np.round(hed2rgb(np.random.default_rng(1).uniform(0.1, 0.6, (64, 64, 3)) / unit) * 255)
    picture = picture.astype(np.uint8)
    stains = rgb2hed(picture)
    assert (stains > 0).mean() > 0.99
    # skimage sets negative amounts of a stain to 0, ours are kept.
    clean = (stains > 0).all(axis=-1)
    expected = np.round(hed2rgb(stains * factors + offsets / unit) * 255)
    ours = HEDJitter().apply(picture, factors=factors, offsets=offsets)
    assert np.abs(ours.astype(int) - expected)[clean].max() <= 1
    assert np.abs(ours.astype(int) - picture).max() > 10
