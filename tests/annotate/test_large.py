"""A slide of 100,000 pixels a side: only what is looked at is read, and it is opened once."""

import resource
from pathlib import Path

import openslide
import pytest

from tests.helpers.annotator import begin, click, client_of, done
from tests.helpers.slides import write_large
from zoo.slides.openslide_reader import OpenSlideReader

SIDE = 100_000
TILE = 256
VIEW, STEPS = (6, 4), 12
STATM = Path("/proc/self/statm")


class Reads:
    """How often files are opened, and the pixels that are read at a time."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.opened = 0
        self.pixels: list[int] = []
        init, read = openslide.OpenSlide.__init__, OpenSlideReader.read_level

        def opening(slide, *given):
            self.opened += 1
            init(slide, *given)

        def reading(reader, level, x, y, width, height):
            self.pixels.append(width * height)
            return read(reader, level, x, y, width, height)

        monkeypatch.setattr(openslide.OpenSlide, "__init__", opening)
        monkeypatch.setattr(OpenSlideReader, "read_level", reading)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("large")
    write_large(folder / "large.tif", SIDE)
    yield folder
    (folder / "large.tif").unlink()  # pytest would keep it


@pytest.fixture
def client(folder, models, tmp_path):
    with client_of(folder, models, save=tmp_path / "a.sqlite") as client:
        yield client


def pan(client, level):
    """The tiles of a view that moves to the right; how many these were."""
    asked = set()
    for step in range(STEPS):
        for column in range(VIEW[0]):
            for row in range(VIEW[1]):
                asked.add((5 + step + column, 7 + row))
    for column, row in sorted(asked):
        answer = client.get(f"/api/tile/{level}/{column}_{row}.jpg", params={"image": "large.tif"})
        assert answer.status_code == 200, answer.text
    return len(asked)


def test_panning_reads_the_tiles_in_view(client, monkeypatch):
    reads = Reads(monkeypatch)
    about = done(client.get("/api/image", params={"image": "large.tif"}))
    assert (about["kind"], about["width"], about["mpp"]) == ("slide", SIDE, 0.25)
    assert reads.pixels == []
    opened, last = reads.opened, about["levels"] - 1
    for level in (last, last - 1, last - 2, last - 4):
        before = len(reads.pixels)
        asked = pan(client, level)
        assert len(reads.pixels) - before == asked
        pan(client, level)  # back, from the cache
        assert len(reads.pixels) - before == asked
    assert max(reads.pixels) <= (2 * TILE) ** 2  # a level is at most half as coarse as the tiles
    assert reads.opened == opened


def test_an_object_reads_its_region(client, monkeypatch):
    region = [51_200, 40_960, 512, 512]
    reads = Reads(monkeypatch)
    made = begin(client, click(51_400, 41_200), image="large.tif", region=region, checkpoint="fine")
    assert made["region"] == region
    assert reads.pixels == [512 * 512]


@pytest.mark.skipif(not STATM.exists(), reason="needs Linux' account of memory")
def test_panning_takes_little_memory(client):
    def resident():
        return int(STATM.read_text().split()[1]) * resource.getpagesize()

    levels = done(client.get("/api/image", params={"image": "large.tif"}))["levels"]
    before = resident()
    tiles = sum(pan(client, level) for level in range(levels - 5, levels))
    grown = (resident() - before) / 2**20
    print(f"\n{tiles} tiles took {grown:.0f} MB")
    assert grown < 150
