import argparse
from pathlib import Path

import cv2
import numpy as np
import pytest
import tifffile
from PIL import Image

from zoo.errors import ConfigError, DataError
from zoo.images.choice import Choice, add_choice_arguments, choice_of
from zoo.images.labels import read_labels
from zoo.images.reading import read_image
from zoo.slides import open_slide

COLOUR = np.random.default_rng(0).integers(0, 256, (40, 60, 3), np.uint8)
FIRST = np.moveaxis(COLOUR, -1, 0)
MORE = np.random.default_rng(1).integers(0, 256, (40, 60, 5), np.uint8)
LAYOUTS = {
    "planar": (FIRST, {"photometric": "rgb"}),
    "planar without a word": (FIRST, {"photometric": "minisblack", "planarconfig": "separate"}),
    "OME, channels first": (FIRST, {"photometric": "minisblack", "ome": True, "metadata": {"axes": "CYX"}}),
    "ImageJ, channels first": (FIRST, {"imagej": True, "metadata": {"axes": "CYX"}}),
    "ImageJ": (COLOUR, {"imagej": True}),
    "tiles": (COLOUR, {"photometric": "rgb", "tile": (16, 16)}),
    "planar tiles": (FIRST, {"photometric": "rgb", "planarconfig": "separate", "tile": (16, 16)}),
    "samples without a word": (COLOUR, {"photometric": "minisblack", "planarconfig": "contig"}),
    "big-endian": (COLOUR, {"photometric": "rgb", "byteorder": ">"}),
    "transparent": (np.dstack([COLOUR, COLOUR[..., 0]]), {"photometric": "rgb", "extrasamples": ["unassalpha"]}),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_rgb_in_any_layout(tmp_path: Path, layout: str) -> None:
    array, how = LAYOUTS[layout]
    tifffile.imwrite(tmp_path / "a.tif", array, **how)
    np.testing.assert_array_equal(read_image(tmp_path / "a.tif").pixels, COLOUR)
    if layout != "ImageJ":  # which has no 16-bit colours but as channels
        guess = {} if "imagej" in how else {"photometric": "rgb"}
        tifffile.imwrite(tmp_path / "b.tif", array.astype(np.uint16) * 10 + 3, **guess | how)
        np.testing.assert_array_equal(read_image(tmp_path / "b.tif", Choice(window=(3, 2553))).pixels, COLOUR)


@pytest.mark.parametrize("count", [2, 4, 5])
@pytest.mark.parametrize(
    "how", [{"planarconfig": "contig"}, {"planarconfig": "separate"}, {"ome": True, "metadata": {"axes": "CYX"}}]
)
def test_other_channels(tmp_path: Path, count: int, how: dict) -> None:
    array = MORE[..., :count] if how.get("planarconfig") == "contig" else np.moveaxis(MORE[..., :count], -1, 0)
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, array, photometric="minisblack", **how)
    with pytest.raises(DataError, match=rf"a\.tif: has {count} channels.*--channels"):
        read_image(path)
    np.testing.assert_array_equal(read_image(path, Choice((2,))).pixels, np.repeat(MORE[..., 1:2], 3, 2))
    if count > 2:
        found = read_image(path, Choice((3, 1, 2)))
        np.testing.assert_array_equal(found.pixels, MORE[..., [2, 0, 1]])
        assert found.channels == count
    with pytest.raises(DataError, match="has no channel 6"):
        read_image(path, Choice((1, 2, 6)))


def test_an_array_written_row_by_row(tmp_path: Path) -> None:
    """What tifffile makes of (H, W, 5) when nobody says what the axes are."""
    tifffile.imwrite(tmp_path / "a.tif", MORE)
    with pytest.raises(DataError, match="has 5 channels"):
        read_image(tmp_path / "a.tif")
    np.testing.assert_array_equal(read_image(tmp_path / "a.tif", Choice((1, 2, 3))).pixels, MORE[..., :3])


@pytest.mark.parametrize(("shape", "found"), [((40, 60, 5), 5), ((5, 40, 60), 5), ((2, 40, 60), 2)])
def test_arrays(tmp_path: Path, shape: tuple[int, ...], found: int) -> None:
    np.save(tmp_path / "a.npy", np.zeros(shape, np.uint8))
    with pytest.raises(DataError, match=f"has {found} channels"):
        read_image(tmp_path / "a.npy")
    assert read_image(tmp_path / "a.npy", Choice((1,))).pixels.shape == (40, 60, 3)
    np.save(tmp_path / "a.npy", FIRST)
    np.testing.assert_array_equal(read_image(tmp_path / "a.npy").pixels, COLOUR)


def test_fluorescence_is_not_taken_for_colours(tmp_path: Path) -> None:
    how = {"photometric": "minisblack", "ome": True}
    metadata = {"axes": "CYX", "Channel": {"Name": ["DAPI", "FITC", "Cy5"]}}
    tifffile.imwrite(tmp_path / "a.ome.tif", FIRST, metadata=metadata, **how)
    with pytest.raises(DataError, match=r"3 channels \(DAPI, FITC, Cy5\), not red, green and blue"):
        read_image(tmp_path / "a.ome.tif")
    np.testing.assert_array_equal(read_image(tmp_path / "a.ome.tif", Choice((1, 2, 3))).pixels, COLOUR)
    metadata = {"axes": "CYX", "Channel": {"Name": ["Red", "Green", "Blue"]}}
    tifffile.imwrite(tmp_path / "a.ome.tif", FIRST, metadata=metadata, **how)
    np.testing.assert_array_equal(read_image(tmp_path / "a.ome.tif").pixels, COLOUR)


def pages(path: Path, kind: str) -> list[np.ndarray]:
    """Three pages in colour."""
    stack = np.stack([COLOUR, COLOUR // 2, COLOUR // 3])
    match kind:
        case "z":
            tifffile.imwrite(path, stack, photometric="rgb", ome=True, metadata={"axes": "ZYXS"})
        case "pages":
            with tifffile.TiffWriter(path) as writer:
                for each in stack:
                    writer.write(each, photometric="rgb", contiguous=False, metadata=None)
        case "sizes":
            stack = [COLOUR, COLOUR[:30], COLOUR[:, :50]]
            with tifffile.TiffWriter(path) as writer:
                for each in stack:
                    writer.write(each, photometric="rgb", metadata=None)
        case "images":
            with tifffile.TiffWriter(path, ome=True) as writer:
                for each in stack:
                    writer.write(each, photometric="rgb", metadata={"axes": "YXS"})
    return list(stack)


@pytest.mark.parametrize("kind", ["z", "pages", "sizes", "images"])
def test_pages_are_chosen(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "a.tif"
    expected = pages(path, kind)
    with pytest.raises(DataError, match=r"a\.tif: holds 3 pages .*--page 1 to 3"):
        read_image(path)
    for number, each in enumerate(expected, 1):
        found = read_image(path, Choice(page=number))
        np.testing.assert_array_equal(found.pixels, each)
        assert found.pages == 3
    for number in (0, 4):
        with pytest.raises(DataError, match=f"no page {number}"):
            read_image(path, Choice(page=number))


def test_pages_may_be_channels(tmp_path: Path) -> None:
    with tifffile.TiffWriter(tmp_path / "a.tif") as writer:
        for each in FIRST:
            writer.write(each, contiguous=False, metadata=None)
    with pytest.raises(DataError, match="holds 3 pages"):
        read_image(tmp_path / "a.tif")
    with pytest.raises(DataError, match="holds 3 pages"):
        read_labels(tmp_path / "a.tif")
    np.testing.assert_array_equal(read_image(tmp_path / "a.tif", Choice((1, 2, 3))).pixels, COLOUR)


def test_moving_pictures(tmp_path: Path) -> None:
    first, second = (Image.fromarray(each) for each in (COLOUR, COLOUR // 2))
    for name in ("a.png", "a.webp"):
        first.save(tmp_path / name, save_all=True, append_images=[second], **{"lossless": True} if "w" in name else {})
        with pytest.raises(DataError, match="holds 2 pages"):
            read_image(tmp_path / name)
        np.testing.assert_array_equal(read_image(tmp_path / name, Choice(page=2)).pixels, COLOUR // 2)


def test_levels_and_thumbnails_are_no_pages(tmp_path: Path) -> None:
    with tifffile.TiffWriter(tmp_path / "a.tif") as writer:
        writer.write(COLOUR, photometric="rgb", metadata=None)
        writer.write(COLOUR[::2, ::2], photometric="rgb", metadata=None, subfiletype=1)
        writer.write(COLOUR[::5, ::5], photometric="rgb", metadata=None, subfiletype=1)
    np.testing.assert_array_equal(read_image(tmp_path / "a.tif").pixels, COLOUR)


@pytest.mark.parametrize(
    ("array", "how", "said"),
    [
        (np.stack([FIRST[0]] * 3), {"photometric": "minisblack", "metadata": None}, "3 pages"),
        (MORE[..., :2], {"photometric": "minisblack", "planarconfig": "contig"}, "2 channels"),
        (COLOUR.astype(np.uint16), {"photometric": "rgb"}, "8 bits"),
    ],
)
def test_tiled_tiffs_are_no_slides_either(tmp_path: Path, array: np.ndarray, how: dict, said: str) -> None:
    tifffile.imwrite(tmp_path / "a.tif", array, tile=(16, 16), **how)
    with pytest.raises(DataError, match=said):
        open_slide(tmp_path / "a.tif")


def test_windows(tmp_path: Path) -> None:
    values = np.array([[0, 1000], [2000, 4000]], np.uint16)
    tifffile.imwrite(tmp_path / "a.tif", values)
    cv2.imwrite(str(tmp_path / "a.png"), np.dstack([values] * 3))
    Image.fromarray(values).save(tmp_path / "g.png")
    tifffile.imwrite(tmp_path / "f.tif", (values / 4000).astype(np.float32))
    tifffile.imwrite(tmp_path / "w.tif", 65535 - values, photometric="miniswhite")
    for name in ("a.tif", "a.png", "g.png", "f.tif", "w.tif"):
        with pytest.raises(DataError, match=r"8 bits .*--window"):
            read_image(tmp_path / name)
        high = 0.5 if name == "f.tif" else 2000
        found = read_image(tmp_path / name, Choice(window=(0, high)))
        np.testing.assert_array_equal(found.pixels[..., 0], [[0, 128], [255, 255]])
        assert f"values 0 to {high:g}" in found.notes[0]
        np.testing.assert_array_equal(
            read_image(tmp_path / name, Choice(window="auto")).pixels[[0, 1], [0, 1], 2], [0, 255]
        )
    order = (values[..., None] // [1, 2, 4]).astype(np.uint16)  # red, green, blue
    cv2.imwrite(str(tmp_path / "c.png"), order[..., ::-1])
    found = read_image(tmp_path / "c.png", Choice(window=(0, 4080))).pixels
    np.testing.assert_array_equal(found, np.rint(order / 16))
    flat = tmp_path / "flat.tif"
    tifffile.imwrite(flat, np.full((4, 4), 7, np.uint16))
    with pytest.raises(DataError, match="nearly all values are 7"):
        read_image(flat, Choice(window="auto"))


def test_options() -> None:
    parser = argparse.ArgumentParser()
    add_choice_arguments(parser)
    assert choice_of(parser.parse_args([])) == Choice()
    given = ["--channels", "3,1,2", "--page", "4", "--window", "10,4095.5"]
    assert choice_of(parser.parse_args(given)) == Choice((3, 1, 2), 4, (10, 4095.5))
    assert choice_of(parser.parse_args(["--window", "auto"])).window == "auto"
    for wrong in (
        "--channels 1,2",
        "--channels 0",
        "--channels a",
        "--page 0",
        "--window 5",
        "--window 5,5",
        "--window x,y",
    ):
        with pytest.raises(ConfigError, match=wrong):
            choice_of(parser.parse_args(wrong.split()))
