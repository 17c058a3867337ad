"""How much memory whole slides take, each in a process of its own."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import tifffile

from tests.helpers.checkpoints import WATERSHED
from zoo import Click
from zoo.hub.folder import save_folder
from zoo.images.labels import read_labels
from zoo.interactions import write_json
from zoo.slides import open_slide

MEASURED = """
import resource, sys
from zoo.cli import main
code = main(sys.argv[1:])
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
sys.exit(code)
"""
TILE = 512
SPOTS = [(700, 800), (1700, 900), (2048, 2048), (2900, 3300), (4100, 4500)]
"""Centres of dark disks; the third lies where four tiles meet."""
RADIUS = 25


def tiles(side: int, down: int) -> Iterator[np.ndarray]:
    """Of a level of a slide that is never whole in memory: pale tissue with dark disks."""
    y, x = (np.arange(TILE) + 0.5).reshape(-1, 1) * down, (np.arange(TILE) + 0.5) * down
    for top in range(0, side // down, TILE):
        for left in range(0, side // down, TILE):
            tile = np.full((TILE, TILE, 3), (225, 170, 215), np.uint8)
            for u, v in SPOTS:
                tile[np.hypot(y + top * down - v, x + left * down - u) < RADIUS] = (90, 40, 130)
            yield tile


def write_slide(path: Path, side: int) -> None:
    with tifffile.TiffWriter(path, bigtiff=True) as writer:
        for down in (1, 4, 16):
            writer.write(
                tiles(side, down),
                shape=(side // down, side // down, 3),
                dtype=np.uint8,
                tile=(TILE, TILE),
                photometric="rgb",
                compression="zlib",
                subfiletype=1 if down > 1 else 0,
                resolution=(1e4 / 0.5 / down,) * 2,
                resolutionunit="CENTIMETER",
                metadata=None,
                maxworkers=1,
            )


def peak(folder: Path, side: int) -> float:
    """Megabytes that segmenting a slide of this side takes at most."""
    write_slide(folder / f"{side}.tif", side)
    common = ["--interactions", folder / "clicks.json", "--one-object", "--json", "--checkpoint", folder / "watershed"]
    outputs = ["--out", folder / f"mask-{side}.tif", "--geojson", folder / f"{side}.geojson"]
    # The smaller slide is not beyond the limit: --closer has it go the same way.
    more = ["--closer", folder / "watershed", "--zoom", "600,700,300,200"]
    command = [sys.executable, "-c", MEASURED, "segment", folder / f"{side}.tif", *common, *outputs, *more]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=True)
    summary, kilobytes = done.stdout.splitlines()
    assert json.loads(summary)["objects"][0]["area"] == pytest.approx(5 * np.pi * RADIUS**2, rel=0.05)
    return int(kilobytes) / (1024 if sys.platform == "linux" else 2**20)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_memory_is_that_of_a_tile(tmp_path):
    """A slide of 16 times the area takes no more: 20,000 pixels a side, of which level 0 alone would be 1.2 GB."""
    write_json(tmp_path / "clicks.json", [[Click(float(x), float(y)) for x, y in SPOTS]])
    save_folder(tmp_path / "watershed", {**WATERSHED, "init_args": {"window": None}}, {}, "# watershed\n")
    small, large = (peak(tmp_path, side) for side in (5_120, 20_480))
    print(f"{small:.0f} MB at 5,120 px a side, {large:.0f} MB at 20,480")
    assert large < small + 40
    assert json.loads((tmp_path / "5120.geojson").read_text()) == json.loads((tmp_path / "20480.geojson").read_text())
    with open_slide(tmp_path / "mask-20480.tif") as slide:
        assert slide.size == (20_480, 20_480)
        assert slide.mpp == pytest.approx(0.5)
        assert slide.reader.downsamples == (1, 2, 4, 8, 16, 32, 64)
        part = slide.read(0, 0, 5_120, 5_120)[..., 0]
    np.testing.assert_array_equal(part, read_labels(tmp_path / "mask-5120.tif"))
