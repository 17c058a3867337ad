"""One slide to one shard: its patches at one magnification, or pairs of two."""

import argparse
import json
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from data_prep.ahead import ahead
from data_prep.plan import Group, Patch, Shard, Skipped
from data_prep.slides.grid import Grid, Parents
from data_prep.slides.options import Setting, settings
from data_prep.slides.preview import draw
from data_prep.stream import Stream
from zoo.errors import ConfigError, DataError
from zoo.slides import Slide, open_slide
from zoo.slides.tissue import Tissue
from zoo.store.schema import IGNORE, Labels

if TYPE_CHECKING:
    from data_prep.annotations import Annotation


@dataclass(frozen=True)
class SlideJob:
    """All that is needed to prepare one slide, in any process; `slide_shard` explains the fields."""

    slide: Path
    annotation: "Callable[[Slide], Annotation]"
    patient: str
    split: str
    settings: Sequence[Setting]
    labels: Labels = "region"
    mpp: float | None = None
    magnification: float | None = None
    backend: str | None = None

    def open(self) -> Slide:
        """The slide, with its resolution where options say it."""
        return open_slide(self.slide, mpp=self.mpp, magnification=self.magnification, backend=self.backend)


class KeptPlace(NamedTuple):
    """A place of the grid that is kept: its corner in level-0 pixels, its label, and its window in its parent."""

    origin: tuple[int, int]
    label: NDArray[np.integer]
    parent: tuple[int, float, float, float, float] | None


def slide_shard(
    stem: str,
    slide: Path,
    annotation: "Callable[[Slide], Annotation]",
    files: Sequence[Path],
    *,
    patient: str,
    split: str,
    args: argparse.Namespace,
    labels: Labels = "region",
) -> Shard:
    """Shard of one slide.

    It holds one group, named by its magnification, e.g. '5x', or two for pairs: the lower magnification first, then
    the higher one with only those patches that lie wholly inside a kept patch of the lower one, and their window in it.

    A group's attributes are `tissue_fraction` (share of tissue in the slide), `tumour_fraction` (share of the region in
    the slide's tissue, ignored places left out), `slide_width`, `slide_height` (level-0 pixels), `slide_mpp` (level-0,
    where known), `downsample` (level-0 pixels per pixel of a patch) and, where there are such, `left_out` (objects of
    the annotation that can't be drawn, as JSON of reason: count).

    Args:
        stem: name of the shard, also of the slide in the store.
        slide: the slide's file.
        annotation: opens the annotation of an open slide; picklable.
        files: the raw files the shard is made from.
        patient: patient id.
        split: 'train', 'val' or 'test'.
        args: options of `add_slide_arguments`.
        labels: 'region' asks the annotation for a raster, 'instances' for instances.

    Raises:
        ConfigError: options that contradict each other.
    """
    about_slide = (args.slide_mpp, args.slide_magnification, args.slide_backend)
    job = SlideJob(slide, annotation, patient, split, settings(args), labels, *about_slide)
    says = {"patient": patient, "split": split}
    return Shard(stem, files, partial(read, stem, job), preview=partial(preview, job=job), says=says)


def read(stem: str, job: SlideJob) -> Iterator[Group]:
    """Groups of a slide; the patches of each must be taken before the next group is asked for.

    Raises:
        DataError: unreadable, of unknown resolution, or coarser than wanted.
    """
    with job.open() as slide:
        try:
            grids = [setting.grid(slide) for setting in job.settings]
        except DataError as error:
            hint = "where a slide says nothing or is wrong, --slide-mpp or --slide-magnification says it"
            raise DataError(f"{error}; {hint}") from error
        if len(grids) == 2 and grids[0].extent <= grids[1].extent:
            raise ConfigError(
                f"{slide.path}: a patch at {job.settings[1].name} covers no less than one at {job.settings[0].name}, "
                "its parent; give a lower --parent-magnification or a larger --parent-size"
            )
        annotation = job.annotation(slide)
        tissue = Tissue.of(slide)
        about = _about(slide, tissue, annotation)
        parents: Parents | None = None
        for number, (setting, grid) in enumerate(zip(job.settings, grids, strict=True)):
            places = _places(slide, tissue, annotation, job.labels, setting, grid, parents)
            patches = Stream(_patches(slide, grid, places))
            yield Group(
                setting.name,
                patches,
                slide=stem,
                patient=job.patient,
                split=job.split,
                mpp=slide.mpp and slide.mpp * grid.downsample,
                magnification=slide.magnification and slide.magnification / grid.downsample,
                parent=job.settings[0].name if number else None,
                attributes=about | {"downsample": grid.downsample},
            )
            if number + 1 < len(grids):
                if not patches.result:  # nothing to be inside of
                    return
                parents = Parents(patches.result, grid, grids[number + 1])


def preview(store: Path, job: SlideJob) -> NDArray[np.uint8]:
    """Picture (H, W, 3) of the slide with the patches of its store; see `data_prep.slides.preview`."""
    with job.open() as slide:
        return draw(store, slide, job.annotation(slide))


def _patches(
    slide: Slide, grid: Grid, places: Iterator[KeptPlace | Skipped]
) -> Generator[Patch | Skipped, None, list[tuple[int, int]]]:
    """Read what is kept; labels are drawn meanwhile in a thread of their own. Returns the patches' origins in order."""
    kept = []
    with closing(ahead(places)) as found:
        for place in found:
            if isinstance(place, Skipped):
                yield place
            else:
                image = slide.read(*place.origin, grid.size, grid.size, grid.downsample)
                kept.append(place.origin)
                yield Patch(image, place.label, place.origin, place.parent)
    return kept


def _places(
    slide: Slide,
    tissue: Tissue,
    annotation: "Annotation",
    labels: Labels,
    setting: Setting,
    grid: Grid,
    parents: Parents | None,
) -> Iterator[KeptPlace | Skipped]:
    """The grid row by row: what is kept, and why the rest is not."""
    for row in grid.rows(*slide.size):
        enough = tissue.fraction(row, grid.extent) >= setting.min_tissue
        for (x, y), holds in zip(row.tolist(), enough, strict=True):
            if not holds:
                yield Skipped("little tissue")
                continue
            window = parents.window((x, y)) if parents else None
            if parents and window is None:
                yield Skipped("no parent")
                continue
            draw_label = annotation.raster if labels == "region" else annotation.instances
            label = draw_label(x, y, grid.size, grid.size, grid.downsample)
            if why := setting.reject(label, labels):
                yield Skipped(why)
                continue
            yield KeptPlace((x, y), label, window)


def _about(slide: Slide, tissue: Tissue, annotation: "Annotation") -> dict[str, float | str]:
    height, width = tissue.mask.shape
    region = annotation.raster(0, 0, width, height, tissue.downsample)
    counted = tissue.mask & (region != IGNORE)
    about: dict[str, float | str] = {
        "tissue_fraction": tissue.total,
        "tumour_fraction": float((region[counted] == 1).mean()) if counted.any() else 0.0,
        "slide_width": slide.size[0],
        "slide_height": slide.size[1],
    }
    if slide.mpp:
        about["slide_mpp"] = slide.mpp
    if annotation.left_out:
        about["left_out"] = json.dumps(dict(annotation.left_out), sort_keys=True)
    return about
