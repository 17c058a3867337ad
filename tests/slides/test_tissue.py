import numpy as np
import pytest

from tests.helpers.slides import mosaic, tissue
from zoo.slides.tissue import Tissue, saturation_threshold, tissue_mask


@pytest.fixture(scope="module")
def slide() -> np.ndarray:
    return mosaic(1280, 1024)


def test_mask_of_a_mosaic_is_where_it_has_tissue(slide):
    mask = tissue_mask(slide[::4, ::4], 100)
    truth = tissue(1280, 1024)[::4, ::4]
    assert (mask & truth).sum() / (mask | truth).sum() > 0.97


@pytest.mark.parametrize("tint", [(243, 243, 243), (244, 240, 243), (255, 255, 255), (0, 0, 0), (7, 0, 3)])
def test_glass_and_black_hold_no_tissue(tint):
    noise = np.random.default_rng(0).integers(-3, 4, (200, 300, 3))
    assert not tissue_mask(np.clip(noise + tint, 0, 255).astype(np.uint8), 20).any()
    assert not tissue_mask(np.full((20, 30, 3), tint, np.uint8)).any()


def test_a_slide_of_tissue_only_is_tissue_everywhere(slide):
    inside = slide[300:700, 400:900]
    assert tissue_mask(inside[::8, ::8], 100).mean() > 0.99
    assert tissue_mask(np.full((20, 30, 3), (200, 120, 180), np.uint8)).all()


def test_a_little_tissue_is_found_on_much_glass(slide):
    image = np.full((1000, 1000, 3), 243) + np.random.default_rng(1).integers(-3, 4, (1000, 1000, 3))
    image[600:640, 200:250] = slide[500:540, 600:650]
    mask = tissue_mask(image.astype(np.uint8), 100)
    assert mask[600:640, 200:250].mean() > 0.95
    assert not mask[:590].any()
    assert not mask[650:].any()


def test_small_pieces_and_holes_go_and_others_stay():
    image = np.full((60, 60, 3), 245, np.uint8)
    stained = (180, 90, 160)
    image[10:40, 10:40] = stained
    image[15:20, 15:20] = 245  # a hole of 25 pixels
    image[25:35, 25:35] = 245  # one of 100
    image[50:55, 50:55] = stained
    mask = tissue_mask(image, 26)
    assert mask[15:20, 15:20].all()
    assert not mask[25:35, 25:35].any()
    assert not mask[45:].any()
    assert mask.sum() == 30 * 30 - 100
    assert tissue_mask(image, 25)[50:55, 50:55].all()


def test_threshold_is_otsus_where_glass_and_tissue_are_there():
    saturation = np.r_[np.full(500, 0.01), np.full(300, 0.4), np.full(200, 0.5)]
    assert 0.01 <= saturation_threshold(saturation) < 0.4


def test_fractions_are_areas_under_the_mask():
    rng = np.random.default_rng(2)
    mask, downsample = rng.random((30, 40)) > 0.5, 7.5
    made = Tissue(mask, downsample, (300, 225))
    origins, extent = rng.integers(0, 170, (20, 2)), 50.5
    found = made.fraction(origins, extent)
    # Independent: pixels of the mask in tenths of a level-0 pixel.
    fine = np.kron(mask, np.ones((75, 75)))
    for (x, y), fraction in zip(origins * 10, found, strict=True):
        assert fraction == pytest.approx(fine[y : y + 505, x : x + 505].mean(), abs=1e-9)
    assert made.total == pytest.approx(mask.mean())
    assert Tissue(mask, downsample, (295, 220)).total == pytest.approx(fine[:2200, :2950].mean())


def test_fractions_at_the_border_and_of_full_tissue():
    full = Tissue(np.ones((30, 40), bool), 7.5, (297, 221))
    assert full.fraction(np.array([[0, 0], [200, 150], [247, 171]]), 50).tolist() == [1, 1, 1]
    assert full.total == pytest.approx(1)
    assert Tissue(np.zeros((3, 4), bool), 8, (32, 24)).fraction(np.array([[0, 0]]), 24).tolist() == [0]
