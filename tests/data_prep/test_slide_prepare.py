import argparse
import json
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import openslide
import pytest
from matplotlib.path import Path as Outliner

from benchmarks.prep import made_slide, peak
from data_prep.annotations import Outline, Polygons
from data_prep.shard import Job, carry_out
from data_prep.slides import add_slide_arguments, slide_shard
from tests.helpers.slides import mosaic, tissue, write_pyramid
from zoo.store.reader import Store

WIDTH, HEIGHT = 2600, 2100
INK = (0, 0, 255)
PAIR = ("--preset", "zoomiseg", "--size", "128", "--parent-size", "128")
angle = np.linspace(0, 2 * np.pi, 60, endpoint=False)
RING = np.stack([1300 + 700 * np.cos(angle), 1000.3 + 560 * np.sin(angle) * (1 + 0.3 * np.cos(3 * angle))], 1)
OUTLINES = (Outline((RING,)),)


def polygons(outlines, slide):
    return Polygons(outlines)


def inside(ring: np.ndarray, width: int, height: int, downsample: int) -> np.ndarray:
    """(height, width) bool, from matplotlib: which pixel centres of the whole slide are inside."""
    y, x = np.mgrid[:height, :width]
    centres = (np.stack([x, y], -1).reshape(-1, 2) + 0.5) * downsample
    return Outliner(ring).contains_points(centres).reshape(height, width)


@pytest.fixture(scope="module")
def truth() -> dict[int, np.ndarray]:
    return {by: inside(RING, WIDTH // by, HEIGHT // by, by) for by in (1, 4)}


@pytest.fixture(scope="module")
def slide(tmp_path_factory, truth) -> Path:
    """Lossless, and blue where the annotation is."""
    image = mosaic(WIDTH, HEIGHT)
    image[truth[1]] = INK
    path = tmp_path_factory.mktemp("slides") / "s.svs"
    write_pyramid(path, image)
    return path


def prepare(out: Path, slide: Path, *options: str, outlines=OUTLINES, defaults=None, **about):
    parser = argparse.ArgumentParser()
    add_slide_arguments(parser, **(defaults or {}))
    args = parser.parse_args(options)
    annotation = partial(polygons, outlines)
    shard = slide_shard(slide.stem, slide, annotation, [slide], patient="p", split="test", args=args, **about)
    fields = {
        "dataset": "d",
        "licence": "l",
        "citation": "c",
        "parameters": "",
        "labels": about.get("labels", "region"),
    }
    return carry_out(Job(shard, out, fields))


@pytest.fixture(scope="module")
def pair(tmp_path_factory, slide) -> Path:
    out = tmp_path_factory.mktemp("out")
    record = prepare(out, slide, *PAIR)
    assert record.status == "written", record
    return out / "s.h5"


def test_groups_say_what_they_are(pair):
    fine, coarse = sorted(Store(pair).groups, key=lambda group: group.mpp)
    assert (fine.name, fine.magnification, fine.mpp, fine.parent) == ("20x", 20, 0.5, "5x")
    assert (coarse.name, coarse.magnification, coarse.mpp, coarse.parent) == ("5x", 5, 2, None)
    for group, downsample in ((fine, 1), (coarse, 4)):
        assert (group.slide, group.patient, group.split, group.width, group.height) == ("s", "p", "test", 128, 128)
        about = group.attributes
        assert (about["slide_width"], about["slide_height"], about["slide_mpp"]) == (WIDTH, HEIGHT, 0.5)
        assert about["downsample"] == downsample


def test_fractions_are_of_the_slide_and_of_its_tissue(pair, slide, truth):
    about = Store(pair).groups[0].attributes
    stained = np.asarray(openslide.OpenSlide(slide).read_region((0, 0), 0, (WIDTH, HEIGHT)))[..., :3].min(2) < 235
    assert about["tissue_fraction"] == pytest.approx(stained.mean(), abs=0.03)
    assert about["tumour_fraction"] == pytest.approx(truth[1].sum() / stained.sum(), abs=0.03)


@pytest.mark.parametrize(("name", "level"), [("20x", 0), ("5x", 2)])
def test_every_patch_is_the_slides_own_pixels(pair, slide, name, level):
    store, image = Store(pair), openslide.OpenSlide(slide)
    origins = store.origins(name)
    assert len(origins) > 5
    for item, (x, y) in enumerate(origins.tolist()):
        expected = np.asarray(image.read_region((x, y), level, (128, 128)))[..., :3]
        np.testing.assert_array_equal(store.image(name, item), expected)


@pytest.mark.parametrize(("name", "by"), [("20x", 1), ("5x", 4)])
def test_every_label_is_the_annotation_at_its_pixels(pair, truth, name, by):
    store = Store(pair)
    for item, (x, y) in enumerate((store.origins(name) // by).tolist()):
        label, image = store.label(name, item), store.image(name, item)
        np.testing.assert_array_equal(label, truth[by][y : y + 128, x : x + 128])
        blue = (image == INK).all(2)
        # No pixel in between at full resolution; below, a wholly blue one is surely inside, one without blue outside.
        np.testing.assert_array_equal(label[blue], 1)
        np.testing.assert_array_equal(label[image[..., 0].astype(int) > image[..., 2]], 0)
        if by == 1:
            np.testing.assert_array_equal(label == 1, blue)


def kept_by_hand(truth: np.ndarray, by: int, low: float, high: float) -> list[tuple[int, int]]:
    """Level-0 corners of patches of 128 px whose share of tumour is within limits, in raster order."""
    height, width = truth.shape
    corners = [(x, y) for y in range(0, height - 127, 128) for x in range(0, width - 127, 128)]
    shares = [truth[y : y + 128, x : x + 128].mean() for x, y in corners]
    return [(x * by, y * by) for (x, y), share in zip(corners, shares, strict=True) if low <= share <= high]


def test_pairs_keep_what_the_filters_and_the_geometry_say(pair, truth):
    store = Store(pair)
    coarse = kept_by_hand(truth[4], 4, 1e-9, 1)
    assert [tuple(corner) for corner in store.origins("5x").tolist()] == coarse
    fine = kept_by_hand(truth[1], 1, 0.1, 0.9)
    inside_one = [(x, y) for x, y in fine if any(a <= x <= a + 384 and b <= y <= b + 384 for a, b in coarse)]
    assert [tuple(corner) for corner in store.origins("20x").tolist()] == inside_one
    groups = {group.name: group for group in store.groups}
    skipped = {name: json.loads(group.attributes["skipped"]) for name, group in groups.items()}
    assert groups["5x"].count + sum(skipped["5x"].values()) == (WIDTH // 512) * (HEIGHT // 512)
    assert groups["20x"].count + sum(skipped["20x"].values()) == (WIDTH // 128) * (HEIGHT // 128)
    assert set(skipped["5x"]) == {"little tumour"}
    assert set(skipped["20x"]) == {"no parent", "little tumour", "much tumour"}


@pytest.mark.parametrize("levels", [3, 1])
def test_windows_in_parents_show_the_same_place(tmp_path, slide, pair, levels):
    if levels == 1:  # then the 5x patches are averaged by us
        image = np.asarray(openslide.OpenSlide(slide).read_region((0, 0), 0, (WIDTH, HEIGHT)))[..., :3]
        write_pyramid(tmp_path / "s.svs", image, levels=1)
        assert prepare(tmp_path, tmp_path / "s.svs", *PAIR).status == "written"
        pair = tmp_path / "s.h5"
    store = Store(pair)
    parents = store.parents("20x")
    assert len(np.unique(parents["item"])) > 3
    for item, parent in enumerate(parents):
        x0, y0, x1, y1 = (int(parent[side]) for side in ("x0", "y0", "x1", "y1"))
        assert (x1 - x0, y1 - y0) == (32, 32)
        assert [float(x0), float(y0)] == [parent["x0"], parent["y0"]]
        window = store.image("5x", int(parent["item"]), (x0, y0, x1, y1))
        averaged = cv2.resize(store.image("20x", item), (32, 32), interpolation=cv2.INTER_AREA)
        # Each level of a pyramid is rounded anew.
        np.testing.assert_allclose(window.astype(int), averaged.astype(int), atol=1)


def test_tissue_filter_and_overlap(tmp_path, slide):
    options = ("--magnification", "10", "--size", "100", "--stride", "50", "--min-tissue", "1")
    assert prepare(tmp_path, slide, *options).status == "written"
    store = Store(tmp_path / "s.h5")
    (group,) = store.groups
    skipped = json.loads(group.attributes["skipped"])
    assert set(skipped) == {"little tissue"}
    assert group.count + skipped["little tissue"] == (WIDTH // 100 - 1) * (HEIGHT // 100 - 1)
    kept = {tuple(corner) for corner in store.origins(group.name).tolist()}
    stained = tissue(WIDTH, HEIGHT)
    for y in range(0, HEIGHT - 199, 100):
        for x in range(0, WIDTH - 199, 100):
            share = stained[y : y + 200, x : x + 200].mean()
            # The mask's pixels are some ten level-0 pixels wide.
            if share == 1 and stained[max(y - 20, 0) : y + 220, max(x - 20, 0) : x + 220].all():
                assert (x, y) in kept
            assert share > 0.95 or (x, y) not in kept


def test_resolution_by_mpp_between_levels(tmp_path, slide, truth):
    assert prepare(tmp_path, slide, "--mpp", "1.5", "--size", "64").status == "written"
    (group,) = Store(tmp_path / "s.h5").groups
    assert (group.name, group.mpp, group.attributes["downsample"]) == ("1.5um", 1.5, 3)
    assert group.magnification == pytest.approx(20 / 3)
    assert (Store(tmp_path / "s.h5").origins("1.5um") % 192 == 0).all()


def test_instances_keep_their_ids(tmp_path, slide):
    boxes = [np.array([[x, 700], [x + 200, 700], [x + 200, 900], [x, 900]], float) for x in (900, 1200)]
    outlines = [Outline((box,), number=70000 + number) for number, box in enumerate(boxes)]
    options = ("--magnification", "20", "--size", "512", "--min-tumour", "any")
    assert prepare(tmp_path, slide, *options, outlines=outlines, labels="instances").status == "written"
    store = Store(tmp_path / "s.h5")
    assert store.info.labels == "instances"
    assert store.objects("20x")["id"].tolist() == [70000, 70000, 70001]
    assert store.objects("20x")["area"].sum() == 2 * 200 * 200


def test_a_blank_slide_makes_no_patch_but_a_picture(tmp_path):
    glass = 243 + np.random.default_rng(0).integers(-3, 4, (600, 700, 3))
    write_pyramid(tmp_path / "blank.svs", glass.astype(np.uint8), levels=1)
    for options in (("--magnification", "20", "--size", "128"), PAIR):
        record = prepare(tmp_path / options[1], tmp_path / "blank.svs", *options, outlines=())
        assert record.status == "written", record
        assert Store(tmp_path / options[1] / "blank.h5").groups == []
        assert (tmp_path / options[1] / "blank.png").is_file()


def test_unknown_resolution_says_which_option_to_give(tmp_path):
    write_pyramid(tmp_path / "s.tif", mosaic(700, 600), mpp=None, magnification=None, levels=1)
    record = prepare(tmp_path / "out", tmp_path / "s.tif", "--magnification", "5", "--size", "64")
    assert record.status == "failed"
    assert "s.tif" in record.reason
    assert "--slide-magnification" in record.reason
    record = prepare(tmp_path / "out", tmp_path / "s.tif", "--mpp", "2", "--size", "64")
    assert "--slide-mpp" in record.reason
    options = ("--mpp", "2", "--size", "64", "--slide-mpp", "1")
    assert prepare(tmp_path / "out", tmp_path / "s.tif", *options).status == "written"
    assert Store(tmp_path / "out" / "s.h5").groups[0].attributes["slide_mpp"] == 1


def test_a_slide_too_coarse_and_parents_too_small_are_named(tmp_path, slide):
    record = prepare(tmp_path, slide, "--magnification", "40", "--size", "64")
    assert (record.status, "s.svs" in record.reason) == ("failed", True)
    record = prepare(tmp_path, slide, *PAIR, "--parent-magnification", "20")
    assert (record.status, "--parent-magnification" in record.reason) == ("failed", True)


@pytest.mark.slow
def test_memory_does_not_grow_with_the_slide(tmp_path):
    small, large = (peak(made_slide(tmp_path / f"{side}.svs", side), side) for side in (4096, 8192))
    assert large < 1.1 * small
