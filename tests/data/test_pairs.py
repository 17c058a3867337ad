"""Pairs of two magnifications: every pixel of one lies where it does in the other."""

import argparse
import json
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from data_prep.annotations import Polygons, read_geojson
from data_prep.mosaic import shrink_region
from data_prep.shard import Job, carry_out
from data_prep.slides import add_slide_arguments, slide_shard
from tests.helpers.regions import TinyNet
from tests.helpers.slides import mosaic, write_pyramid
from zoo.data import PairedImages, PatchDataModule, Selection
from zoo.data.batch import Sample, collate
from zoo.data.pairs import shrink_label
from zoo.errors import ConfigError, DataError
from zoo.images.blocks import shrink
from zoo.methods import RITM
from zoo.store.reader import Store
from zoo.store.schema import IGNORE
from zoo.store.writer import StoreWriter
from zoo.testing import tiny_store

ABOUT = {"dataset": "Made up", "licence": "CC0 1.0", "citation": "nobody", "source_checksum": "0" * 64}


def places(height: int, width: int) -> np.ndarray:
    """(height, width, 3) uint8: row and column of every pixel, in steps."""
    rows, columns = np.mgrid[:height, :width]
    return np.stack([rows % 251, columns % 251, (rows + columns) % 241], -1).astype(np.uint8)


def write(path: Path, image: np.ndarray, mpp: float | None, label: np.ndarray | None = None, slide="s") -> Store:
    label = np.zeros(image.shape[:2], np.uint8) if label is None else label
    with StoreWriter(path, **ABOUT, labels="region") as writer:
        writer.add_group("g", image[None], label[None], slide=slide, patient=f"p-{slide}", split="test", mpp=mpp)
    return Store(path)


def only(*stores: Store, **options) -> Sample:
    dataset = PairedImages(Selection(stores, "test"), **options)
    assert len(dataset) == 1
    return dataset[0]


sides = st.integers(9, 60)


@settings(max_examples=25, deadline=None)
@given(sides, sides, st.integers(2, 5), st.integers(0, 2**31))
def test_low_pixels_are_blocks_of_high_ones(height, width, factor, seed):
    """Whatever the sizes: block means and majorities, by a loop over the blocks; as `zoo prep` makes them."""
    rng = np.random.default_rng(seed)
    image = rng.integers(0, 256, (height, width, 3)).astype(np.uint8)
    label = rng.choice([0, 1, 2, IGNORE], (height, width)).astype(np.uint8)
    low, region = shrink(image, factor), shrink_label(label, factor, regions=True)
    assert low.shape == (height // factor, width // factor, 3)
    for r in range(height // factor):
        for c in range(width // factor):
            block = np.s_[r * factor : (r + 1) * factor, c * factor : (c + 1) * factor]
            assert np.abs(low[r, c] - image[block].reshape(-1, 3).mean(0)).max() <= 0.5 + 1e-6
            inside, known = ((label[block] == v).sum() for v in (1, IGNORE))
            inside, known = inside + (label[block] == 2).sum(), factor**2 - known
            expected = IGNORE if 2 * known < factor**2 else int(2 * inside >= known)
            assert region[r, c] == expected
    whole = np.where(label == IGNORE, 0, label)
    np.testing.assert_array_equal(shrink_label(whole, factor, regions=True), shrink_region(whole > 0, factor))


@settings(max_examples=25, deadline=None)
@given(height=sides, width=sides, factor=st.integers(2, 5), data=st.data())
def test_frames_lead_from_each_pixel_to_its_block_and_back(tmp_path_factory, height, width, factor, data):
    path = tmp_path_factory.mktemp("pair") / "a.h5"
    batch = collate([only(write(path, places(height, width), 0.5), factor=factor)])
    rows, columns = batch.low.truth.size
    r, c = data.draw(st.integers(0, rows - 1)), data.draw(st.integers(0, columns - 1))
    corner = torch.tensor([[[c, r], [c + 0.5, r + 0.5]]], dtype=torch.float64)
    there = batch.frame.points(corner)
    assert there.tolist() == [[[c * factor, r * factor], [(c + 0.5) * factor, (r + 0.5) * factor]]]
    # A mask that goes up pixel by pixel comes back by area as it was.
    mask = torch.rand(1, 1, rows, columns, generator=torch.Generator().manual_seed(r * 1000 + c)) > 0.5
    up = batch.frame.crop(mask, "nearest")
    assert up.shape[-2:] == (height, width)
    block = up[0, 0, r * factor : (r + 1) * factor, c * factor : (c + 1) * factor]
    assert bool((block == mask[0, 0, r, c]).all())
    back = batch.frame.inverse((rows, columns)).crop(up.float(), "bilinear")
    torch.testing.assert_close(back, mask.float())


def test_two_stores_give_the_pair_that_one_makes(tmp_path):
    """The fields' own numbers: 1044 rows fill 261 blocks, 1550 columns leave 2 over."""
    image = places(1044, 1550)
    label = (image[..., 0] > image[..., 1]).astype(np.uint8)
    high = write(tmp_path / "20x.h5", image, 0.62, label)
    low = write(tmp_path / "5x.h5", shrink(image, 4), 2.48, shrink_label(label, 4, True))
    two, one = only(low, high), only(high, factor=4)
    for first, second in ((two, one), (two.low, one.low)):
        np.testing.assert_array_equal(first.image, second.image)
        np.testing.assert_array_equal(first.target, second.target)
        assert first.mpp == pytest.approx(second.mpp)
    assert two.image.shape == (1044, 1550, 3)
    assert two.low.image.shape == (261, 387, 3)
    assert two.place == one.place == (0.0, 0.0, 4.0)
    assert (two.mpp, two.low.mpp) == (0.62, 2.48)


def test_what_does_not_pair_is_named(tmp_path):
    high = write(tmp_path / "high.h5", places(40, 60), 0.5)
    low = write(tmp_path / "low.h5", places(10, 15), 2.0)
    alone = write(tmp_path / "alone.h5", places(40, 60), 0.5, slide="t")
    unknown = write(tmp_path / "unknown.h5", places(10, 15), None)
    other = write(tmp_path / "other.h5", places(10, 16), 2.0)
    assert only(low, high).place == (0.0, 0.0, 4.0)
    with pytest.raises(DataError, match=r"alone.h5, group 'g' has no partner .*factor"):
        PairedImages(Selection([high, low, alone], "test"))
    with pytest.raises(DataError, match=r"high.h5, group 'g' has 2 partners"):
        PairedImages(Selection([high, low, other], "test"))
    with pytest.raises(DataError, match=r"unknown.h5.*magnifications are unknown"):
        PairedImages(Selection([high, unknown], "test"))
    with pytest.raises(DataError, match=r"other.h5.*16x10 px.*60x40 px, do not show the same"):
        PairedImages(Selection([high, other], "test"))
    with pytest.raises(ConfigError, match="factor=1"):
        PairedImages(Selection([high], "test"), factor=1)
    with pytest.raises(DataError, match="listed pairs"):
        PairedImages(Selection([high], "test", names=["high/g/7"]), factor=4)


def test_names_and_limits_count_pairs(tmp_path):
    store = Store(tiny_store(tmp_path / "tiny.h5"))
    dataset = PairedImages(Selection([store], "test"), factor=4)
    assert dataset.name(0) == "tiny/test/0"
    sample = dataset[0]
    assert sample.low.image.shape == (16, 16, 3)
    assert sample.target.sum() == 4 * 149  # all four disks
    assert len(PairedImages(Selection([store], "test", limit=1, names=["tiny/test/0"]), factor=4)) == 1


@pytest.fixture(scope="module")
def slide_store(tmp_path_factory) -> Path:
    """A slide at 20x of which `zoo prep` made patches of 128 px at 5x and those of 128 px at 20x in them."""
    folder = tmp_path_factory.mktemp("slide")
    write_pyramid(folder / "s.svs", mosaic(2600, 2100))
    ring = [[500, 480], [2100, 460], [2050, 1700], [470, 1600], [500, 480]]
    tumour = {"type": "Polygon", "coordinates": [ring]}
    feature = {"type": "Feature", "geometry": tumour, "properties": {"classification": {"name": "Tumor"}}}
    (folder / "s.geojson").write_text(json.dumps({"type": "FeatureCollection", "features": [feature]}))
    parser = argparse.ArgumentParser()
    add_slide_arguments(parser)
    args = parser.parse_args(["--preset", "zoomiseg", "--size", "128", "--parent-size", "128"])
    shard = slide_shard(
        "s",
        folder / "s.svs",
        partial(_tumour, folder / "s.geojson"),
        [folder / "s.svs", folder / "s.geojson"],
        patient="p",
        split="test",
        args=args,
    )
    fields = {"dataset": "d", "licence": "l", "citation": "c", "labels": "region", "parameters": "{}"}
    record = carry_out(Job(shard, folder / "out", fields))
    assert record.status == "written", record
    return folder / "out" / "s.h5"


def _tumour(path, slide):
    return Polygons(read_geojson(path, {"Tumor"}).outlines)


def test_patches_of_a_slide_lie_where_their_parents_show_them(slide_store):
    dataset = PairedImages(Selection([Store(slide_store)], "test"))
    assert len(dataset) >= 4
    compared = 0
    for number in range(len(dataset)):
        sample = dataset[number]
        assert sample.image.shape == (512, 512, 3)
        assert sample.low.image.shape == (128, 128, 3)
        known = ~sample.ignore
        assert known.any()
        # Where there are patches, their block means are the low image's pixels, but for the scanner's own averaging.
        blocks = known.reshape(128, 4, 128, 4).all((1, 3))
        difference = np.abs(shrink(sample.image, 4).astype(int) - sample.low.image)[blocks]
        assert difference.max() <= 2
        compared += int(blocks.sum())
        agree = shrink_label(np.where(known, sample.target, IGNORE).astype(np.uint8), 4, True)[blocks] > 0
        assert (agree == sample.low.target[blocks]).mean() > 0.995
    assert compared > 4 * 32 * 32
    assert dataset.mpp(0) == pytest.approx(0.5)
    assert dataset[0].low.mpp == pytest.approx(2.0)


def test_either_magnification_of_a_slide_trains_a_step(slide_store):
    data = PatchDataModule([str(slide_store)], train=PairedImages)
    data.setup("test")
    pair = next(iter(data.test_dataloader()))
    torch.manual_seed(0)
    for batch in (pair, pair.low):
        method = RITM(TinyNet(6))
        method.log = lambda *_, **__: None
        loss = method.training_step(batch, 0)
        loss.backward()
        assert torch.isfinite(loss)
        assert method.network.out.weight.grad.abs().sum() > 0
