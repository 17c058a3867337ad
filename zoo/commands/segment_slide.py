"""`zoo segment` of what is too large for memory: tile by tile, to a pyramidal TIFF and polygons."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

from zoo.commands.segmented import report
from zoo.errors import ConfigError, InteractionError
from zoo.files import replacing
from zoo.hub.load import load
from zoo.images.choice import Choice
from zoo.images.geojson import feature, placed
from zoo.images.outlines import corners_of, polygons_of
from zoo.images.pyramid import steps, write_pyramid
from zoo.images.raster import Raster, count
from zoo.images.resolution import chosen_mpp
from zoo.images.simplify import simplified
from zoo.inference.closer import CloserObject
from zoo.inference.large import LargeObject
from zoo.inference.many import segment_many
from zoo.inference.objects import check_object
from zoo.inference.painted import PaintedObject, paint
from zoo.inference.resolution import working_frame
from zoo.inference.said import Said
from zoo.inference.session import Session
from zoo.interactions import Interaction
from zoo.interactions.single import moved
from zoo.progress import ProgressBar
from zoo.slides.field import Field
from zoo.slides.part import opened
from zoo.slides.tissue import Tissue

SUFFIXES = (".tif", ".tiff")
TOGETHER = 500  # objects whose outlines are simplified at a time
Told = Callable[[str], Callable[[int, int], None]]
"""From the name of some work to what is told how far it is."""


def segment_slide(
    args: argparse.Namespace,
    session: Session,
    objects: list[list[Interaction]],
    names: list[str],
    choice: Choice,
) -> None:
    """Segment a region of any size, or the whole slide, and write everything; memory is that of a tile.

    Args:
        args: the command's; `region` and each `zoom` as numbers, in pixels of the slide (level 0).
        session: of its checkpoint.
        objects: interactions in pixels of the slide (level 0); of one object where the engine works on whole images.
        names: the class of each, or nothing.
        choice: what to take of a file that holds more than red, green and blue.

    Raises:
        ConfigError: outputs or engines that are only for what fits into memory.
        InteractionError: interactions outside the region, or of several objects.
    """
    _check(args, session, objects)
    outputs = [path for path in (args.out, args.geojson) if path is not None]
    began = time.perf_counter()
    with ExitStack() as stack:
        slide = stack.enter_context(opened(args.image, choice, args.mpp))
        for note in (*getattr(slide.reader, "notes", ()), *chosen_mpp(args.image, slide.reader.stated, args.mpp)[1]):
            _note(note)
        low = Field.of(slide, args.region, session.mpp)
        _tell_resolution(low, session)
        given = [[moved(each, low.origin, low.downsample) for each in one] for one in objects]
        try:
            for number, one in enumerate(given, 1):
                check_object(one, low.size, number)
        except InteractionError as error:
            raise InteractionError(f"{args.interactions}: {error}") from None
        # Beside the result, where there is room for it; a system's folder for temporary files may lie in memory.
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix=".isegzoo-", dir=_existing(args.out))))
        told = stack.enter_context(_bars())
        labels, found, field = _segmented(args, session, low, given, objects, folder, told, stack)
        seconds = time.perf_counter() - began
        # Both appear under their names only when both are complete.
        paths = [stack.enter_context(replacing(path)) for path in outputs]
        advance = _counted(told("writing"), steps(field.size))
        write_pyramid(paths[0], labels, field.mpp, folder, advance)
        if args.geojson is not None:
            collection = _collection(args, labels, found, field, names, told("outlines"))
            with paths[1].open("w") as stream:
                json.dump(collection, stream)
    report(args, [each.pixels for each in found], seconds, outputs, field.mpp)


def _segmented(
    args: argparse.Namespace,
    session: Session,
    low: Field,
    given: list[list[Interaction]],
    objects: list[list[Interaction]],
    folder: Path,
    told: Told,
    stack: ExitStack,
) -> tuple[Raster, list[PaintedObject], Field]:
    """The label image, what it holds of each object, and where its pixels lie."""
    if session.engine.window is not None:
        kind = "uint8" if len(given) < 2**8 else "uint16" if len(given) < 2**16 else "int32"
        labels = stack.enter_context(Raster(folder / "labels.h5", low.size, kind))
        return labels, segment_many(session, low, given, labels, told("tiles")), low
    slide, field, closer = low.slide, low, None
    large = stack.enter_context(closing(LargeObject(session, low, folder / "low")))
    if args.closer is not None:
        other = load(args.closer, session.device, args.precision, args.backend, args.trust_code, args.index)
        field = Field.of(slide, args.region, other.mpp)
        _tell_resolution(field, other)
        closer = stack.enter_context(closing(CloserObject(large, other, field, folder / "closer")))
        for box in args.zoom:
            closer.place(box)  # an error now rather than after minutes
    tissue = Tissue.of(slide).within if large.engine.warmup == 0 else lambda *place: True
    said = Said(given[0], low.size, large.engine.boxes)
    large.segment(said, lambda place: tissue(*_window(low, place)), told("tiles"))
    for number, box in enumerate(args.zoom, 1):
        assert closer is not None  # boxes are refused without one
        closer.zoom(box, objects[0], told(f"zoom {number} of {len(args.zoom)}"))
    labels = stack.enter_context(Raster(folder / "labels.h5", field.size, "uint8"))
    return labels, [paint(closer or large, labels, told("mask"))], field


def _collection(
    args: argparse.Namespace,
    labels: Raster,
    found: list[PaintedObject],
    field: Field,
    names: list[str],
    tell: Callable[[int, int], None],
) -> dict[str, Any]:
    """The GeoJSON of all objects in pixels of the slide; see `zoo.images.geojson`."""
    numbers = [number for number, each in enumerate(found, 1) if each.pixels]
    advance = _counted(tell, sum(count(_size(found[number - 1].place)) for number in numbers))
    features = []
    for first in range(0, len(numbers), TOGETHER):
        some = numbers[first : first + TOGETHER]
        shapes: Any = [polygons_of(corners_of(labels, n, found[n - 1].place, advance)) for n in some]
        for number, each in zip(some, shapes if args.exact else simplified(shapes), strict=True):
            about = found[number - 1]
            class_name = names[number - 1] or args.class_name
            one = feature(number, each, about.pixels, args.object_type, field.mpp, about.mean, class_name)
            geometry = one["geometry"]
            geometry["coordinates"] = placed(geometry["coordinates"], field.origin, field.downsample)
            features.append(one)
    return {"type": "FeatureCollection", "features": features}


def _size(place: tuple[slice, slice]) -> tuple[int, int]:
    return place[0].stop - place[0].start, place[1].stop - place[1].start


def _check(args: argparse.Namespace, session: Session, objects: list[list[Interaction]]) -> None:
    large = f"{args.image}: is segmented tile by tile, for its size or for --closer"
    if args.out.suffix.lower() not in SUFFIXES:
        raise ConfigError(f"--out {args.out}: {large}, and written as a pyramidal TIFF; give a name that ends in .tif")
    if args.overlay is not None:
        raise ConfigError(f"--overlay {args.overlay}: {large}; take a smaller --region, or leave --overlay out")
    if session.engine.window is not None and args.closer is not None:
        raise ConfigError(
            f"--checkpoint {args.checkpoint}: works in windows of {session.engine.window} px around each object, in "
            "which a closer one has nothing to add; leave out --closer and --zoom"
        )
    if session.engine.window is None and len(objects) != 1:
        raise InteractionError(
            f"{args.interactions}: holds {len(objects)} objects, but {large}, which is for one; give --one-object if "
            "all interactions belong to it, else take a smaller region: --region x,y,width,height in pixels of the "
            "slide (level 0)"
        )


def _tell_resolution(field: Field, session: Session) -> None:
    if field.downsample != 1:
        _note(f"the slide is read at {field.mpp:g} um/px")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        resampled = working_frame(1, (1, 1), field.mpp, session.mpp) is not None
    for warning in caught:
        _note(str(warning.message).replace("give mpp", "give --mpp"))
    if resampled:
        _note(f"tiles are resampled from {field.mpp:g} to the checkpoint's {session.mpp:g} um/px")


def _note(text: str) -> None:
    print(f"zoo segment: {text}", file=sys.stderr)


def _window(field: Field, place: tuple[slice, slice]) -> tuple[float, float, float, float]:
    """x, y, width and height of a tile in pixels of the slide (level 0)."""
    part = field.part(place)
    return *part.origin, part.size[1] * part.downsample, part.size[0] * part.downsample


def _existing(path: Path) -> Path:
    """The folder of a file that is to be made, or what there is of it."""
    return next(each for each in path.absolute().parents if each.is_dir())


@contextmanager
def _bars() -> Iterator[Told]:
    with ProgressBar() as bars:

        def told(name: str) -> Callable[[int, int], None]:
            task = bars.add_task(name, total=None)
            return lambda done, total: bars.update(task, completed=done, total=total)

        yield told


def _counted(tell: Callable[[int, int], None], total: int) -> Callable[[], None]:
    """What tells one step more each time."""
    done = iter(range(1, total + 1))
    return lambda: tell(next(done, total), total)
