"""Preparing lossy-JPEG pyramids, writing included, beside bare OpenSlide reading the same tiles.

`python -m benchmarks.prep` prints megapixels per second and, beside that, the peak memory of a slide and of one four
times as large. Previews are timed by themselves: they cost the same for a slide of any size.
"""

import argparse
import multiprocessing
import tempfile
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import openslide
from distributed import LocalCluster

from benchmarks.common import Row, best_of
from data_prep.annotations import Outline, Polygons
from data_prep.plan import Plan, Shard
from data_prep.run import run as carry_out
from data_prep.slides import add_slide_arguments, slide_shard
from tests.helpers.slides import mosaic, write_pyramid
from zoo.slides import Slide

SIDE, TILE = 8192, 512


def made_slide(path: Path, side: int) -> Path:
    image = np.tile(mosaic(4096, 4096), (side // 4096, side // 4096, 1))
    write_pyramid(path, image, jpeg=90)
    return path


def _annotation(side: int, slide: Slide) -> Polygons:
    angle = np.linspace(0, 2 * np.pi, 5000, endpoint=False)
    radius = side * (0.3 + 0.05 * np.sin(40 * angle))
    return Polygons([Outline((np.stack([radius * np.cos(angle), radius * np.sin(angle)], 1) + side / 2,))])


def _shard(path: Path, side: int, stem: str, backend: str = "openslide") -> Shard:
    parser = argparse.ArgumentParser()
    add_slide_arguments(parser, magnification=20, size=TILE, min_tissue=0)
    annotation, args = partial(_annotation, side), parser.parse_args(["--slide-backend", backend])
    return slide_shard(stem, path, annotation, [path], patient=stem, split="train", args=args)


def _prepare(out: Path, shards: list[Shard], scheduler: str | None = None) -> None:
    made = Plan("made up", "CC0 1.0", "", [replace(shard, preview=None) for shard in shards], labels="region")
    records = carry_out(made, out, force=True, workers=1, scheduler=scheduler)
    assert all(record.status == "written" for record in records), records


def _read(paths: list[Path], side: int) -> None:
    for path in paths:
        with openslide.OpenSlide(path) as slide:
            for y in range(0, side, TILE):
                for x in range(0, side, TILE):
                    slide.read_region((x, y), 0, (TILE, TILE))


def run() -> list[Row]:
    with tempfile.TemporaryDirectory() as folder:
        paths = [made_slide(Path(folder) / "0.svs", SIDE), Path(folder) / "1.svs"]
        paths[1].write_bytes(paths[0].read_bytes())
        out = Path(folder) / "out"
        limit = best_of(partial(_read, paths[:1], SIDE), 3)
        shards = {b: [_shard(path, SIDE, path.stem, b) for path in paths] for b in ("openslide", "tiffslide")}
        # Before the cluster starts, whose scheduler lives in this process.
        one = {backend: best_of(partial(_prepare, out, both[:1]), 3) for backend, both in shards.items()}
        with LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None) as cluster:
            address = cluster.scheduler_address
            two = {backend: best_of(partial(_prepare, out, both, address), 3) / 2 for backend, both in shards.items()}
        rows = [
            Row(f"prep: a slide of {SIDE} px, {backend}, {processes}", seconds[backend], limit, "openslide, same tiles")
            for backend in shards
            for processes, seconds in (("1 process", one), ("2 processes", two))
        ]
        preview = shards["openslide"][0].preview
        assert preview is not None
        drawn = best_of(partial(preview, out / "0.h5"), 3)
        with openslide.OpenSlide(paths[0]) as slide:
            rows.append(Row("prep: preview", drawn, best_of(lambda: slide.get_thumbnail((1600, 1600)), 3), "thumbnail"))
    return rows


def peak(path: Path, side: int) -> float:
    """Largest memory in MB that a process takes that prepares one slide."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_peak, (path, side))


def _peak(path: Path, side: int) -> float:
    with tempfile.TemporaryDirectory() as folder:
        _prepare(Path(folder), [_shard(path, side, "s")])
    # Not ru_maxrss: that starts at what the parent process took.
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM"))


def main() -> None:
    rows = run()
    for row in rows[:-1]:
        ours, limit = (SIDE**2 / 1e6 / seconds for seconds in (row.ours_s, row.limit_s))
        print(f"{row.name}: {ours:.1f} Mpx/s, {ours / limit:.2f} of {row.limit} ({limit:.1f} Mpx/s)")
    print(f"{rows[-1].name}: {rows[-1].ours_s:.2f} s")
    with tempfile.TemporaryDirectory() as folder:
        for side in (SIDE // 2, SIDE):
            print(f"peak memory, {side} px: {peak(made_slide(Path(folder) / f'{side}.svs', side), side):.0f} MB")


if __name__ == "__main__":
    main()
