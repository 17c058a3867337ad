"""Prepares what the publishers distribute and counts it again with Pillow, NumPy and an XML parser alone.

ISEGZOO_RAW names a folder with the downloads: what `zoo prep NAME --source` expects for GlaS and MoNuSeg,
`stage1_train` (counted are its 107 images of stained tissue of 256x320 px), and any `*.svs`. Nothing here reads with
`data_prep` or `zoo.data`; only `prepared` calls the command.
"""

import csv
import json
import os
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import h5py
import hdf5plugin  # noqa: F401  registers zstd with HDF5
import numpy as np
import openslide
import pytest
from PIL import Image

from data_prep.cli import main

RAW = Path(os.environ.get("ISEGZOO_RAW", ""))
GLAS = "Warwick QU Dataset (Released 2016_07_08)"
MONUSEG_TRAIN, MONUSEG_TEST = "MoNuSeg 2018 Training Data", "MoNuSegTestData"
FIELDS_TABLE = Path(__file__).parents[2] / "data_prep" / "tables" / "glas_fields.csv"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(1800),
    pytest.mark.skipif("ISEGZOO_RAW" not in os.environ, reason="ISEGZOO_RAW names no folder with the raw downloads"),
]


def need(*folders: str) -> None:
    assert RAW.is_dir(), f"ISEGZOO_RAW={RAW} is no folder"
    for name in folders:
        if not (RAW / name).is_dir():
            pytest.skip(f"no folder {name!r} in {RAW}")


def prepared(name: str, source: Path, out: Path, *more: str) -> Iterator[tuple[str, h5py.Group]]:
    """Stems of the stores and their groups."""
    assert main([name, "--source", str(source), "--out", str(out), *more]) == 0
    for path in sorted(out.glob("*.h5")):
        with h5py.File(path) as file:
            yield from ((path.stem, file[name]) for name in file)


def areas_of(group: h5py.Group) -> dict[int, int]:
    """The store's own table: areas by id."""
    objects = group["objects"][()]
    assert len(set(objects["id"].tolist())) == len(objects)
    return dict(zip(objects["id"].tolist(), objects["area"].tolist(), strict=True))


def pixels(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path).convert("RGB"))


def inside(ring: np.ndarray, xs: np.ndarray, ys: np.ndarray) -> np.ndarray:
    """Which points of a grid are in a polygon (even-odd); a point on an edge is in what lies left of it or above."""
    (x0, y0), (x1, y1) = ring.T, np.roll(ring, -1, 0).T
    row, edge = np.nonzero((y0 < ys[:, None]) != (y1 < ys[:, None]))
    crossed = x0[edge] + (ys[row] - y0[edge]) / (y1[edge] - y0[edge]) * (x1[edge] - x0[edge])
    toggles = np.zeros((len(ys), len(xs) + 1), int)
    np.add.at(toggles, (row, np.searchsorted(xs, crossed, side="right")), 1)
    return toggles.cumsum(1)[:, :-1] % 2 == 1


def test_glas(tmp_path):
    need(GLAS)
    glands, images, splits = 0, Counter(), Counter()
    for name, group in prepared("glas", RAW, tmp_path):
        truth = np.asarray(Image.open(RAW / GLAS / f"{name}_anno.bmp"))
        np.testing.assert_array_equal(group["image"][0], pixels(RAW / GLAS / f"{name}.bmp"), err_msg=name)
        np.testing.assert_array_equal(group["label"][0], truth, err_msg=name)
        ids, areas = np.unique(truth[truth > 0], return_counts=True)
        assert areas_of(group) == dict(zip(ids.tolist(), areas.tolist(), strict=True)), name
        glands += len(ids)
        images[name.split("_")[0]] += 1
        splits[group.attrs["split"]] += 1
    assert images == {"train": 85, "testA": 60, "testB": 20}
    assert splits == {"train": 68, "val": 17, "test": 80}
    assert glands == 1530


def test_glas_fields(tmp_path):
    need(GLAS)
    grades = dict(line.split(",")[:3:2] for line in (RAW / GLAS / "Grade.csv").read_text().splitlines() if line)
    tiles: dict[str, dict[tuple[int, int], str]] = {}
    for row in csv.DictReader(line for line in FIELDS_TABLE.read_text().splitlines() if not line.startswith("#")):
        tiles.setdefault(f"field_{int(row['field']):02}", {})[int(row["row"]), int(row["col"])] = row["tile"]
    complete = {name: places for name, places in tiles.items() if len(places) == 4}

    made, malignant, gland_pixels = set(), 0, 0
    for _, group in prepared("glas_fields", RAW, tmp_path):
        name = group.name.strip("/")
        made.add(name)
        image, gland = np.zeros((1044, 1550, 3)), np.zeros((1044, 1550), bool)
        for (row, col), tile in complete[name].items():
            place = np.s_[row * 522 : row * 522 + 522, col * 775 : col * 775 + 775]
            image[place] = pixels(RAW / GLAS / f"{tile}.bmp")
            gland[place] = np.asarray(Image.open(RAW / GLAS / f"{tile}_anno.bmp")) > 0
        share = sum(gland[y::2, x::2].astype(int) for y in (0, 1) for x in (0, 1))
        mean = sum(image[y::2, x::2] for y in (0, 1) for x in (0, 1)) / 4
        label = group["label"][0]
        assert (label == 1).sum() == (share >= 2).sum(), name
        np.testing.assert_array_equal(label, share >= 2, err_msg=name)
        assert abs(group["image"][0] - mean).max() <= 0.5, name
        (grade,) = {grades[tile].strip() for tile in complete[name].values()}
        assert group.attrs["grade"] == grade, name
        malignant += grade == "malignant"
        gland_pixels += int((share >= 2).sum())
    assert made == complete.keys()
    assert (len(made), malignant) == (37, 21)
    print(f"{gland_pixels} gland pixels at 10x")


def test_monuseg(tmp_path):
    need(MONUSEG_TRAIN, MONUSEG_TEST)
    images, nuclei = Counter(), Counter()
    for name, group in prepared("monuseg", RAW, tmp_path):
        test = (RAW / MONUSEG_TEST / f"{name}.xml").is_file()
        folder = RAW / MONUSEG_TEST if test else RAW / MONUSEG_TRAIN / "Annotations"
        tissue = RAW / MONUSEG_TEST if test else RAW / MONUSEG_TRAIN / "Tissue Images"
        np.testing.assert_array_equal(group["image"][0], pixels(tissue / f"{name}.tif"), err_msg=name)
        label = group["label"][0]
        expected, perimeters = paint(folder / f"{name}.xml", label.shape)
        areas, found = (np.bincount(each.ravel(), minlength=len(perimeters)) for each in (expected, label))
        assert areas_of(group) == {number: area for number, area in enumerate(found.tolist()) if number and area}, name
        # MATLAB's poly2mask, which made the published masks, moves outlines by up to a tenth of a pixel.
        assert (abs(areas - found)[1:] <= 1 + 0.1 * perimeters[1:]).all(), name
        assert (expected != label).sum() < 0.01 * (label > 0).sum(), name
        lost = np.flatnonzero((areas > 0) != (found > 0))
        assert (areas[lost] + found[lost] <= 2).all(), f"{name}: {lost}"
        images[group.attrs["split"]] += 1
        nuclei["test" if test else "train"] += len(areas_of(group))
    assert images == {"train": 24, "val": 6, "test": 14}
    assert nuclei == {"train": 16_958, "test": 6_697}


def paint(path: Path, shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Numbers of the outlines from 1, later ones on top, and the perimeter of each, that of number 0 being 0.

    Pixel (r, c) has its centre at (c + 1, r + 1), as in MATLAB.
    """
    label, perimeters = np.zeros(shape, int), [0.0]
    for number, region in enumerate(ET.parse(path).getroot().iter("Region"), start=1):
        ring = np.array([(float(vertex.get("X")), float(vertex.get("Y"))) for vertex in region.iter("Vertex")])
        perimeters.append(np.hypot(*(ring - np.roll(ring, 1, 0)).T).sum())
        x0, y0 = np.maximum(np.floor(ring.min(0)).astype(int) - 1, 0)
        x1, y1 = np.minimum(np.ceil(ring.max(0)).astype(int) + 1, shape[::-1])
        part = inside(ring, np.arange(x0, x1) + 1.0, np.arange(y0, y1) + 1.0)
        label[y0:y1, x0:x1][part] = number
    return label, np.array(perimeters)


def test_dsb2018(tmp_path):
    need("stage1_train")
    folders = {}
    for path in sorted((RAW / "stage1_train").iterdir()):
        image = pixels(path / "images" / f"{path.name}.png")
        if (image != image[..., :1]).any():
            folders[path.name[:16]] = path, image
    made, nuclei = dict.fromkeys(folders, 0), Counter()
    for _, group in prepared("dsb2018", RAW / "stage1_train", tmp_path):
        name = group.name.strip("/")
        made[name] += 1
        path, image = folders[name]
        np.testing.assert_array_equal(group["image"][0], image, err_msg=name)
        label = group["label"][0]
        masks = [np.asarray(Image.open(file)) > 0 for file in (path / "masks").glob("*.png")]
        covered = np.sum(masks, axis=0)
        assert covered.max() == 1, name
        np.testing.assert_array_equal(label > 0, covered > 0, err_msg=name)
        areas = {}
        for mask in masks:
            (number,) = np.unique(label[mask])
            areas[int(number)] = int(mask.sum())
        assert len(areas) == len(masks), name
        assert areas_of(group) == areas, name
        nuclei[label.shape] += len(masks)
    assert set(made.values()) == {1}
    assert sum(image.shape == (256, 320, 3) for _, image in folders.values()) == 107
    assert nuclei[256, 320] == 4550


def test_slides(tmp_path):
    need()
    slides = sorted(RAW.glob("*.svs"))
    if not slides:
        pytest.skip(f"no *.svs in {RAW}")
    for path in slides:
        with openslide.OpenSlide(path) as slide:
            check_slide(slide, path, tmp_path / path.stem)


def check_slide(slide: openslide.OpenSlide, path: Path, folder: Path, side: int = 256) -> None:
    """At the slide's own magnification, with a triangle that has a hole as its annotation."""
    width, height = slide.dimensions
    outer, hole = (
        np.array(corners) * (width, height) + 0.3
        for corners in (((0.1, 0.05), (0.93, 0.4), (0.3, 0.97)), ((0.3, 0.3), (0.6, 0.45), (0.35, 0.6)))
    )
    rings = [[*ring.tolist(), ring[0].tolist()] for ring in (outer, hole)]
    geometry = {"type": "Polygon", "coordinates": rings}
    folder.mkdir()
    (folder / path.name).symlink_to(path.absolute())
    feature = {"type": "Feature", "geometry": geometry, "properties": {"objectType": "annotation"}}
    text = json.dumps({"type": "FeatureCollection", "features": [feature]})
    (folder / f"{path.stem}.geojson").write_text(text)
    own = slide.properties[openslide.PROPERTY_NAME_OBJECTIVE_POWER]
    more = ("--magnification", own, "--size", str(side), "--min-tissue", "0")
    made = 0
    for _, group in prepared("qupath", folder, folder / "out", *more):
        made += 1
        check_patches(slide, group, side, outer, hole)
    assert made == 1


def check_patches(
    slide: openslide.OpenSlide, group: h5py.Group, side: int, outer: np.ndarray, hole: np.ndarray
) -> None:
    """Every whole place of the grid is there, with the slide's pixels and the labels of their centres."""
    width, height = slide.dimensions
    corners = [(x, y) for y in range(0, height - side + 1, side) for x in range(0, width - side + 1, side)]
    assert [tuple(origin) for origin in group["origin"][()].tolist()] == corners
    labelled = 0
    for item, (x, y) in enumerate(corners):
        region = np.asarray(slide.read_region((x, y), 0, (side, side)).convert("RGB"))
        np.testing.assert_array_equal(group["image"][item], region, err_msg=f"patch at {x}, {y}")
        xs, ys = np.arange(x, x + side) + 0.5, np.arange(y, y + side) + 0.5
        truth = inside(outer, xs, ys) & ~inside(hole, xs, ys)
        np.testing.assert_array_equal(group["label"][item], truth, err_msg=f"patch at {x}, {y}")
        labelled += int(truth.sum())
    assert labelled > 0
    print(f"{len(corners)} patches of {side} px, {labelled} labelled pixels")
