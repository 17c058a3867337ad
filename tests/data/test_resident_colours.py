"""Colours that a device changes: each step alone, against what does the same on the CPU."""

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from zoo.data import Colours
from zoo.data.resident_colours import GREY, LEAST_SPREAD, Stains
from zoo.data.transforms import HEDJitter
from zoo.errors import ConfigError
from zoo.ops.draws import Draw
from zoo.ops.pixels import Pyramids
from zoo.ops.random import uniform

CPU = torch.device("cpu")
# The draws that switch a step on, in their order; the others say how much.
STEPS = {"stain": 2, "light": 9, "saturation and hue": 12, "sharpness": 15, "noise": 17}


def picture(seed: int, size: tuple[int, int] = (32, 40)) -> np.ndarray:
    """Of middling colours, so that no change reaches black or white."""
    return np.random.default_rng(seed).integers(70, 180, (*size, 3)).astype(np.uint8)


def as_pixels(image: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(image).permute(2, 0, 1)[None].float()


def changed(colours: Colours, image: np.ndarray, number: int = 0, epoch: int = 0) -> np.ndarray:
    """(H, W, 3) of one window in 0..255, from the only training image."""
    stains = Stains.of(Pyramids([image], CPU))
    index = [torch.tensor([each]) for each in (0, number, epoch)]
    return colours(as_pixels(image), stains, *index)[0].permute(1, 2, 0).numpy()


def alone(step: str, p: float = 0.3) -> tuple[Colours, list[np.ndarray]]:
    """Colours, and the 20 draws of the first samples, with their numbers before them, in which only one step is on."""
    numbers = torch.arange(5000)
    draws = torch.stack([uniform(numbers, 0, k, Draw.AUGMENT) for k in range(20)], 1)
    limits = {name: p / 2 if name == "noise" else p for name in STEPS}
    on = torch.stack([draws[:, k] < limits[name] for name, k in STEPS.items()], 1)
    wanted = torch.tensor([name == step for name in STEPS])
    found = (on == wanted).all(1).nonzero()[:8, 0]
    assert len(found) == 8
    return Colours(stain_of_others=0, p=p), [np.append(int(n), draws[n].numpy()) for n in found]


def test_without_strength_nothing_changes():
    image = np.random.default_rng(0).integers(1, 256, (32, 32, 3)).astype(np.uint8)
    for number in range(20):
        ours = changed(Colours(strength=0, stain_of_others=0, p=1), image, number)
        np.testing.assert_array_equal(np.round(ours), image)


def test_nor_without_probability():
    image = picture(0)
    for number in range(20):
        ours = changed(Colours(strength=2, stain_of_others=0, p=0), image, number)
        np.testing.assert_allclose(ours, image, atol=1e-2)


def test_stains_are_changed_as_hed_jitter_does_it():
    colours, drawn = alone("stain")
    image = picture(1)
    for number, *u in drawn:
        factors, offsets = 1 + (2 * np.array(u[3:6]) - 1) * 0.2, (2 * np.array(u[6:9]) - 1) * 0.02
        expected = HEDJitter().apply(image, factors=factors, offsets=offsets)
        ours = changed(colours, image, int(number))
        assert np.abs(ours - expected).max() <= 0.6
        assert np.abs(ours - image).max() > 3


def test_contrast_and_brightness():
    colours, drawn = alone("light")
    image = picture(2)
    for number, *u in drawn:
        contrast, brightness = (2 * np.array(u[10:12]) - 1) * 0.25
        expected = (image * (1 + contrast) + brightness * 255).clip(0, 255)
        np.testing.assert_allclose(changed(colours, image, int(number)), expected, atol=0.02)


def test_saturation_and_hue_leave_grey_alone():
    colours, drawn = alone("saturation and hue")
    image = picture(3)
    image[:8] = image[:8, :, :1]
    for number, *u in drawn:
        saturation, angle = (2 * u[13] - 1) * 0.2, (2 * u[14] - 1) * np.pi / 9
        grey = image @ np.array(GREY)
        expected = grey[..., None] + (image - grey[..., None]) * (1 + saturation)
        turn = Rotation.from_rotvec(angle * np.ones(3) / np.sqrt(3))
        expected = turn.apply(expected.reshape(-1, 3)).reshape(image.shape).clip(0, 255)
        ours = changed(colours, image, int(number))
        np.testing.assert_allclose(ours, expected, atol=0.02)
        np.testing.assert_allclose(ours[:8], image[:8], atol=0.02)


@pytest.mark.parametrize("strength", [0.5, 1.0, 3.0])
def test_sharpness(strength):
    """Towards the mean of 3 x 3 pixels, or away from it; never past it, whatever the strength."""
    colours, drawn = alone("sharpness")
    colours.strength = strength
    image = picture(4).astype(float)
    padded = np.pad(image, ((1, 1), (1, 1), (0, 0)), mode="edge")
    soft = sum(padded[r : r + 32, c : c + 40] for r in range(3) for c in range(3)) / 9
    for number, *u in drawn:
        amount = (2 * u[16] - 1) * 0.8 * min(strength, 1)
        expected = (image + (soft - image) * amount).clip(0, 255)
        np.testing.assert_allclose(changed(colours, picture(4), int(number)), expected, atol=0.02)


def test_noise():
    colours, drawn = alone("noise")
    image = picture(5, (200, 200))
    for number, *u in drawn[:3]:
        noise = changed(colours, image, int(number)) - image
        assert noise.std() == pytest.approx(u[18] * 0.03 * 255, rel=0.05, abs=0.02)


def test_stains_are_the_mean_and_deviation_of_the_optical_density():
    images = [picture(seed, (96, 128)) for seed in range(3)]
    images[1] = images[1] // 3 + 20
    images.append(np.full((40, 40, 3), 200, np.uint8))
    images.append(picture(6, (9, 12)))  # an eighth of it is one pixel, which has no deviation
    held = Pyramids(images, CPU)
    stains = Stains.of(held)
    for k in range(5):
        first, height, width = (int(each[-1, k]) for each in (held.first, held.height, held.width))
        density = -np.log(held.pixels[first : first + height * width].numpy() / 255)
        np.testing.assert_allclose(stains.mean[k], density.mean(0), rtol=1e-4)
        np.testing.assert_allclose(stains.spread[k], density.std(0).clip(LEAST_SPREAD), rtol=1e-3)
    assert (stains.spread[3:] == LEAST_SPREAD).all()


def test_a_window_is_given_the_stains_of_another_image():
    images = [picture(0, (64, 64)), picture(1, (64, 64)) // 2 + 15, (picture(2, (64, 64)) // 4 + 150)]
    images[2][..., 1] -= 60
    stains = Stains.of(Pyramids(images, CPU))
    window = as_pixels(images[0])
    density = -(window / 255).log()
    # As if the window were all of its image.
    stains.mean[0], stains.spread[0] = density.mean((0, 2, 3)), density.std((0, 2, 3), correction=0)
    others = set()
    for number in range(40):
        index = torch.tensor([number])
        other = int(uniform(index, 0, 0, Draw.AUGMENT)[0] * 3)
        others.add(other)
        ours = Colours(stain_of_others=1, p=0)(window, stains, index * 0, index, index * 0)
        result = -(ours / 255).log()
        torch.testing.assert_close(result.mean((0, 2, 3)), stains.mean[other], rtol=0, atol=2e-3)
        torch.testing.assert_close(result.std((0, 2, 3), correction=0), stains.spread[other], rtol=0.02, atol=0)
    assert others == {0, 1, 2}


def test_how_often_another_images_stains_are_taken():
    images = [picture(0), picture(1) // 3]
    numbers = torch.arange(600)
    zero = numbers * 0
    window = as_pixels(images[0])[:, :, :4, :4].expand(600, -1, -1, -1)
    ours = Colours(stain_of_others=0.4, p=0)(window, Stains.of(Pyramids(images, CPU)), zero, numbers, zero)
    other = (ours - window).abs().amax((1, 2, 3)) > 1
    assert other.float().mean() == pytest.approx(0.4 / 2, abs=0.05)


def test_a_window_does_not_depend_on_its_batch():
    stains = Stains.of(Pyramids([picture(0), picture(1)], CPU))
    pixels = torch.cat([as_pixels(picture(seed)) for seed in range(6)])
    image, number, epoch = torch.tensor([0, 1, 0, 1, 0, 1]), torch.arange(6) + 7, torch.tensor([0, 0, 0, 1, 1, 1])
    quiet = uniform(number, epoch, 17, Draw.AUGMENT) >= 0.35  # noise is no sample's own
    assert quiet.sum() > 2
    together = Colours(p=0.7)(pixels, stains, image, number, epoch)
    for k in quiet.nonzero()[:, 0].tolist():
        part, *index = (each[k : k + 1] for each in (pixels, image, number, epoch))
        single = Colours(p=0.7)(part, stains, *index)
        torch.testing.assert_close(single[0], together[k], rtol=0, atol=1e-2)
    assert (together - pixels).abs().amax((1, 2, 3)).min() > 0.5


@pytest.mark.parametrize("wrong", [{"strength": -1}, {"stain_of_others": 1.5}, {"p": -0.1}])
def test_arguments(wrong):
    with pytest.raises(ConfigError, match=f"{next(iter(wrong))}={next(iter(wrong.values()))}"):
        Colours(**wrong)
