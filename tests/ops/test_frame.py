from typing import Any

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from zoo.interactions import Interactions
from zoo.ops.frame import Frame, Mode

SIZE = (19, 24)
HEIGHT, WIDTH = SIZE


def frame(x0: float, y0: float, scale: float, size: tuple[int, int], batch: int = 1) -> Frame:
    one = torch.ones(batch, dtype=torch.float64)
    return Frame(one * x0, one * y0, one * scale, size)


def noise(seed: int = 0, batch: int = 1, channels: int = 2) -> Tensor:
    return torch.rand(batch, channels, *SIZE, generator=torch.Generator().manual_seed(seed))


places = st.floats(-40, 40)
scales = st.floats(0.15, 5)
modes = st.sampled_from(["bilinear", "nearest", "max"])


@given(places, places, scales)
def test_points_follow_the_definition_and_come_back(x0: float, y0: float, scale: float) -> None:
    xy = torch.rand(1, 5, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(1)) * 50 - 10
    there = frame(x0, y0, scale, (8, 9))
    uv = there.points(xy)
    np.testing.assert_allclose(uv[..., 0], (xy[..., 0] - x0) * scale, atol=1e-9)
    np.testing.assert_allclose(uv[..., 1], (xy[..., 1] - y0) * scale, atol=1e-9)
    torch.testing.assert_close(there.inverse(SIZE).points(uv), xy)
    back = there.inverse(SIZE).inverse((8, 9))
    torch.testing.assert_close(torch.stack([back.x0, back.y0]), torch.stack([there.x0, there.y0]), atol=1e-9, rtol=1e-9)


@given(st.integers(-30, 30), st.integers(-30, 30), st.integers(1, 30), st.integers(1, 30), modes)
def test_a_window_on_whole_pixels_is_a_slice(x0: int, y0: int, height: int, width: int, mode: Mode) -> None:
    image = noise()
    margin = 70
    window = np.s_[..., y0 + margin : y0 + margin + height, x0 + margin : x0 + margin + width]
    for outside, padding in (("edge", "edge"), ("zero", "constant")):
        padded = np.pad(image.numpy(), ((0, 0), (0, 0), (margin, margin), (margin, margin)), mode=padding)
        crop = frame(x0, y0, 1.0, (height, width)).crop(image, mode, outside=outside)  # type: ignore[arg-type]
        np.testing.assert_array_equal(crop, padded[window])


@pytest.mark.parametrize("dtype", [torch.bool, torch.uint8, torch.int64, torch.float32])
@pytest.mark.parametrize("scale", [0.3, 1.0, 2.0])
def test_labels_keep_type_and_values(dtype: torch.dtype, scale: float) -> None:
    labels = (noise() * 5).to(dtype)
    crop = frame(-2, 3, scale, (9, 11)).crop(labels, "nearest")
    assert crop.dtype == dtype
    assert set(crop.unique().tolist()) <= set(labels.unique().tolist())


def test_large_ids_survive() -> None:
    labels = torch.full((1, 1, *SIZE), 2**40 + 1)
    assert (frame(0.5, 0.5, 0.7, (9, 9)).crop(labels, "nearest") == 2**40 + 1).all()


@given(places, places, scales)
def test_nearest_against_reference(x0: float, y0: float, scale: float) -> None:
    image = noise()
    crop = frame(x0, y0, scale, (7, 6)).crop(image, "nearest", outside="zero")
    for row in range(7):
        for column in range(6):
            x, y = x0 + (column + 0.5) / scale, y0 + (row + 0.5) / scale
            inside = 0 <= x < WIDTH and 0 <= y < HEIGHT
            expected = image[0, :, int(y), int(x)] if inside else torch.zeros(2)
            assert torch.equal(crop[0, :, row, column], expected)


@given(places, places, scales)
def test_bilinear_is_exact_on_a_ramp(x0: float, y0: float, scale: float) -> None:
    """Interpolation and averaging keep a linear image linear wherever they don't meet the edge."""
    rows, columns = torch.meshgrid(torch.arange(HEIGHT) + 0.5, torch.arange(WIDTH) + 0.5, indexing="ij")
    crop = frame(x0, y0, scale, (7, 6)).crop(torch.stack([columns, rows])[None])
    u, v = torch.arange(6) + 0.5, torch.arange(7) + 0.5
    x, y = (x0 + u / scale)[None, :].expand(7, 6), (y0 + v / scale)[:, None].expand(7, 6)
    reach = max(1, 1 / scale)
    safe = (x > reach) & (x < WIDTH - reach) & (y > reach) & (y < HEIGHT - reach)
    torch.testing.assert_close(crop[0, 0][safe], x[safe].float(), atol=1e-3, rtol=1e-4)
    torch.testing.assert_close(crop[0, 1][safe], y[safe].float(), atol=1e-3, rtol=1e-4)


@pytest.mark.parametrize("k", [2, 3, 5])
def test_shrinking_averages_blocks(k: int) -> None:
    image = noise()
    size = (HEIGHT // k, WIDTH // k)
    crop = frame(0, 0, 1 / k, size).crop(image)
    blocks = image[..., : size[0] * k, : size[1] * k].unflatten(-1, (size[1], k)).unflatten(-3, (size[0], k))
    torch.testing.assert_close(crop, blocks.mean((-1, -3)), atol=1e-5, rtol=1e-5)


@given(st.integers(0, HEIGHT - 1), st.integers(0, WIDTH - 1), st.floats(0.1, 1.5), st.floats(-5, 0), st.floats(-5, 0))
@settings(max_examples=100)
def test_no_stroke_vanishes(row: int, column: int, scale: float, x0: float, y0: float) -> None:
    mask = torch.zeros(1, 1, *SIZE, dtype=torch.bool)
    mask[..., row, column] = True
    covered = int(np.ceil(30 * scale)) + 1
    crop = frame(x0, y0, scale, (covered, covered)).crop(mask, "max", outside="zero")
    assert crop.any()
    # It lands where its centre goes, give or take the pixel that a boundary decides.
    u, v = (column + 0.5 - x0) * scale, (row + 0.5 - y0) * scale
    hits = crop[0, 0].nonzero() + 0.5
    reach = scale / 2 + 1
    assert ((hits[:, 1] - u).abs() <= reach).all()
    assert ((hits[:, 0] - v).abs() <= reach).all()


@given(st.floats(0.12, 1.0), st.floats(-5, 0), st.floats(-5, 0), st.booleans())
def test_a_shrunken_line_has_no_gaps(scale: float, x0: float, y0: float, upright: bool) -> None:
    strokes = torch.zeros(1, 2, *SIZE, dtype=torch.bool)
    strokes[0, 0, :, 7] = True
    size = (int(30 * scale) + 2, int(30 * scale) + 2)
    if not upright:
        strokes = torch.zeros(1, 2, *SIZE, dtype=torch.bool)
        strokes[0, 0, 7, :] = True
    through = Interactions.of(torch.zeros(1, 0, 4), SIZE, strokes).through(frame(x0, y0, scale, size))
    assert through.strokes is not None
    along = through.strokes[0, 0].any(1 if upright else 0).nonzero()[:, 0]
    assert along.tolist() == list(range(int(along[0]), int(along[-1]) + 1))
    assert len(along) >= int((HEIGHT if upright else WIDTH) * scale) - 1


@given(st.integers(-10, 22), st.integers(-10, 22), st.integers(1, 16))
def test_pasting_a_crop_back_changes_nothing(x0: int, y0: int, side: int) -> None:
    image = noise()
    window = frame(x0, y0, 1.0, (side, side))
    assert torch.equal(window.paste(window.crop(image), image), image)


@given(st.integers(-10, 22), st.integers(-10, 22), st.integers(1, 16))
def test_pasting_changes_the_window_only(x0: int, y0: int, side: int) -> None:
    image = noise()
    before = image.clone()
    pasted = frame(x0, y0, 1.0, (side, side)).paste(torch.full((1, 2, side, side), 7.0), image)
    expected = image.clone()
    expected[..., max(y0, 0) : max(y0 + side, 0), max(x0, 0) : max(x0 + side, 0)] = 7.0
    assert torch.equal(pasted, expected)
    assert torch.equal(image, before)


def test_pasting_an_enlarged_crop_of_a_smooth_image() -> None:
    rows, columns = torch.meshgrid(torch.arange(HEIGHT) + 0.5, torch.arange(WIDTH) + 0.5, indexing="ij")
    image = torch.stack([columns, rows])[None]
    zoomed = frame(4, 5, 3.0, (24, 30))
    pasted = zoomed.paste(zoomed.crop(image), torch.zeros_like(image))
    torch.testing.assert_close(pasted[..., 6:12, 5:13], image[..., 6:12, 5:13], atol=1e-4, rtol=1e-4)
    outside = torch.ones(SIZE, dtype=torch.bool)
    outside[5:13, 4:14] = False
    assert (pasted[..., outside] == 0).all()
    assert (pasted[..., ~outside] != 0).all()


@pytest.mark.parametrize("mode", ["bilinear", "nearest", "max"])
@pytest.mark.parametrize("outside", ["edge", "zero"])
def test_batch_equals_single(mode: Mode, outside: str) -> None:
    images = noise(batch=5)
    x0 = torch.tensor([0, -3.3, 4, 9.5, 0.25], dtype=torch.float64)
    scale = torch.tensor([1, 0.4, 2.5, 1 / 3, 1], dtype=torch.float64)
    frames = Frame(x0, x0 / 2, scale, (11, 9))
    together = frames.crop(images, mode, outside=outside)  # type: ignore[arg-type]
    crops = noise(1, 5)[..., :11, :9]
    pasted = frames.paste(crops, images)
    for i in range(5):
        one = torch.tensor([i])
        assert torch.equal(frames.select(one).crop(images[one], mode, outside=outside)[0], together[i])  # type: ignore[arg-type]
        assert torch.equal(frames.select(one).paste(crops[one], images[one])[0], pasted[i])
    shared = frames.crop(images[:1], mode, outside=outside)  # type: ignore[arg-type]
    assert torch.equal(shared, frames.crop(images[:1].expand(5, -1, -1, -1), mode, outside=outside))  # type: ignore[arg-type]


@pytest.mark.parametrize("scale", [0.5, 1.0, 1.5])
@pytest.mark.parametrize("dtype", [torch.bool, torch.uint8])
def test_interpolation_gives_floats(dtype: torch.dtype, scale: float) -> None:
    assert frame(0, 0, scale, (4, 4)).crop((noise() * 5).to(dtype)).dtype == torch.float32


def test_no_samples() -> None:
    none = Frame.whole(0, (7, 8))
    assert none.crop(noise()[:0]).shape == (0, 2, 7, 8)


def test_whole_is_the_identity() -> None:
    image = noise(batch=2)
    assert torch.equal(Frame.whole(2, SIZE).crop(image), image)


@given(st.floats(0, WIDTH - 0.01), st.floats(0, HEIGHT - 0.01), st.integers(1, 40))
def test_around(x: float, y: float, side: int) -> None:
    window = Frame.around(torch.tensor([x]), torch.tensor([y]), side, SIZE)
    assert window.size == (side, side)
    for place, low, length in ((x, float(window.x0), WIDTH), (y, float(window.y0), HEIGHT)):
        assert low == int(low)
        assert low <= np.float32(place) < low + side
        if side <= length:
            assert 0 <= low <= length - side
            if side // 2 <= int(np.float32(place)) <= length - side + side // 2:
                assert low == int(np.float32(place)) - side // 2
        else:
            assert abs((low + side / 2) - length / 2) <= 1


class Transfers(TorchDispatchMode):
    """How often a number was read from a tensor."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.count += func is torch.ops.aten._local_scalar_dense.default
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("scale", [1.0, 1.5])
def test_pasting_many_crops_waits_for_the_device_as_often_as_pasting_one(scale: float) -> None:
    counts = []
    for batch in (1, 6):
        x0 = torch.arange(batch, dtype=torch.float64)
        with Transfers() as transfers:
            Frame(x0, x0, torch.full_like(x0, scale), (8, 8)).paste(torch.rand(batch, 1, 8, 8), noise(batch=batch))
        counts.append(transfers.count)
    assert counts[0] == counts[1]


@given(st.integers(0, 9), st.integers(0, 9), st.sampled_from([2, 3, 4]))
def test_cubic_enlarges_as_opencv_does(x0: int, y0: int, factor: int) -> None:
    """Whole images enlarged by OpenCV, and cut there."""
    image = noise(channels=1)
    whole = cv2.resize(image[0, 0].numpy(), None, fx=factor, fy=factor, interpolation=cv2.INTER_CUBIC)
    size = (5 * factor + 1, 6 * factor - 1)
    found = frame(x0 + 1 / factor, y0, factor, size).crop(image, "cubic")[0, 0].numpy()
    expected = whole[y0 * factor :, x0 * factor + 1 :][: size[0], : size[1]]
    np.testing.assert_allclose(found, expected, atol=2e-4)


def test_cubic_shrinks_to_means_of_blocks() -> None:
    image = noise(channels=1)[..., :16, :24]
    found = frame(0, 0, 0.25, (4, 6)).crop(image, "cubic")
    torch.testing.assert_close(found, torch.nn.functional.avg_pool2d(image, 4))
