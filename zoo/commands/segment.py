"""`zoo segment`: an image and a file of interactions to a label image."""

from __future__ import annotations

import argparse
import json
import math
import sys
import tempfile
import time
import warnings
from contextlib import ExitStack
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from zoo.commands.indices import add_index_argument
from zoo.commands.segmented import report
from zoo.errors import ConfigError, InteractionError
from zoo.files import keep_inputs, replacing
from zoo.images.choice import add_choice_arguments, choice_of

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray

    from zoo.interactions import Interaction
    from zoo.slides.field import Region

BAND = 512  # rows at a time
SUFFIXES = (".png", ".tif", ".tiff", ".npy")
BACKEND = "what runs the network; auto, the default: OpenVINO on a CPU where it is installed and can, else torch"
EPILOG = """\
FILE holds one list of interactions an object, in pixels of the image: x to the right, y downwards from the
top-left corner; the centre of the top-left pixel is (0.5, 0.5). `turn` orders corrections (0 unless given):

  {"schema": "isegzoo.interactions/1",
   "objects": [
     {"interactions": [
        {"type": "click", "x": 120.5, "y": 80.5, "positive": true},
        {"type": "click", "x": 140.5, "y": 80.5, "positive": false, "turn": 1}]},
     {"interactions": [
        {"type": "scribble", "points": [[200, 90], [215, 96]], "positive": true}]}]}

The first object becomes id 1 of the label image, the second id 2, ...

FILE may also be points drawn in QuPath and exported as GeoJSON: each point is an object (--one-object: all are one),
points of class Negative or Ignore* are negative clicks for all, and the polygons get the class of their point.

What IMAGE's file says of its resolution is used. With --region the interactions and the GeoJSON are in pixels of the
whole image (level 0 of a slide); the label image and the overlay show the region, of a slide finer than the checkpoint
at the checkpoint's mpp.

What is more than 64 megapixels, a whole slide or a region at the checkpoint's mpp, is segmented in tiles; by methods
that are not bound to windows around clicks, one object of it. MASK is a pyramidal .tif then. --closer goes on from the
mask of --checkpoint, enlarged, in each box of --zoom, and is told what lies in it; MASK has its mpp.

examples:
  zoo segment picture.png --checkpoint nuclick-nuclei-compact --interactions clicks.json --out mask.png --mpp 0.25
  zoo segment slide.svs --region 12000,8000,2048,2048 --checkpoint nuclick-nuclei-compact --interactions clicks.json \\
    --out mask.png --geojson nuclei.geojson
  zoo segment slide.svs --checkpoint deepscribble-refine-glas --interactions scribbles.json --one-object \\
    --closer ritm-glands-glas --zoom 12000,8000,2048,2048 --out mask.tif --geojson tumour.geojson
"""


def main(argv: list[str]) -> int:
    """Run the verb; 0 when everything was written."""
    args = _parser().parse_args(argv)
    outputs = [path for path in (args.out, args.geojson, args.overlay) if path is not None]
    _check_outputs(args.out, args.overlay, outputs)
    keep_inputs(outputs, [args.image, args.interactions])
    region, choice = None if args.region is None else _region("--region", args.region), choice_of(args)
    args.region, args.zoom = region, [_region("--zoom", text) for text in args.zoom]
    if (args.closer is None) != (not args.zoom):
        raise ConfigError("--closer and --zoom belong together: a checkpoint, and the boxes in which it is used")
    if args.mpp is not None and not 0 < args.mpp < math.inf:
        raise ConfigError(f"--mpp {args.mpp:g}: is no resolution; give micrometres per pixel, e.g. 0.25 at 40x")
    # Only now: importing torch takes seconds, which --help and wrong options must not.

    from zoo.hub.load import load
    from zoo.images.geojson import feature_collection, placed
    from zoo.inference.objects import likeliest_objects
    from zoo.interactions import read_objects
    from zoo.interactions.single import moved
    from zoo.progress import ProgressBar
    from zoo.slides.part import is_large, read_part

    given, names = read_objects(args.interactions, args.one_object)
    with warnings.catch_warnings(record=True) as loading:
        session = load(args.checkpoint, _device(args.device), args.precision, args.backend, args.trust_code, args.index)
    if args.closer is not None or is_large(args.image, region, choice, mpp=args.mpp, wanted_mpp=session.mpp):
        from zoo.commands.segment_slide import segment_slide

        for note in _told(loading):
            print(f"zoo segment: {note}", file=sys.stderr)
        segment_slide(args, session, given, names, choice)
        return 0
    with warnings.catch_warnings(record=True) as caught:
        part = read_part(args.image, region, choice, mpp=args.mpp, wanted_mpp=session.mpp)
        session.set_image(_shared(part.pixels), mpp=part.mpp)
    objects = [[moved(each, part.origin, part.downsample) for each in one] for one in given]
    notes = list(part.notes)
    if part.downsample != 1:
        notes.append(f"the region is read at {part.mpp:g} um/px, which the label image has too")
    notes += _told([*loading, *caught])
    if session.frame is not None:
        notes.append(f"the image is resampled from {part.mpp:g} to the checkpoint's {session.mpp:g} um/px")
    for note in notes:
        print(f"zoo segment: {note}", file=sys.stderr)

    began = time.perf_counter()
    with ProgressBar() as progress:
        task = progress.add_task("objects", total=len(objects))
        tiles = progress.add_task("tiles", total=None, visible=False)
        session.engine.progress = lambda n, total: progress.update(tiles, completed=n, total=total, visible=n < total)
        try:
            both = likeliest_objects(session, objects, progress=lambda n: progress.update(task, completed=n))
        except InteractionError as error:
            raise InteractionError(f"{args.interactions}: {error}") from None
        labels, probability = (each.numpy() for each in both)
    seconds = time.perf_counter() - began
    areas, means = _measured(labels, probability, len(objects))
    del session, both, probability  # as large as the image, and no longer needed

    # Everything is encoded before anything is written, so that an error leaves no part of a result behind.
    content = [_encoded(args.out, labels)]
    if args.geojson is not None:
        collection = feature_collection(
            labels,
            args.object_type,
            exact=args.exact,
            mpp=part.mpp,
            probabilities=means,
            classes={number: name for number, each in enumerate(names, 1) if (name := each or args.class_name)},
        )
        for each in collection["features"]:
            shape = each["geometry"]
            shape["coordinates"] = placed(shape["coordinates"], part.origin, part.downsample)
        content.append(json.dumps(collection).encode())
    if args.overlay is not None:
        content.append(_picture(part.pixels, labels, objects))
    with ExitStack() as stack:  # all appear under their names, or none
        for path, each in zip(outputs, content, strict=True):
            stack.enter_context(replacing(path)).write_bytes(each)

    report(args, areas, seconds, outputs, part.mpp)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="zoo segment",
        description="Segment the objects of an image from clicks and scribbles.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("image", type=Path, metavar="IMAGE", help="PNG, JPEG, WebP or TIFF, or a slide")
    parser.add_argument(
        "--checkpoint",
        required=True,
        metavar="NAME",
        help="a name that `zoo models` lists, a folder, hf://... or https://...",
    )
    parser.add_argument("--interactions", type=Path, required=True, metavar="FILE", help="see below")
    parser.add_argument("--one-object", action="store_true", help="all interactions belong to one object")
    parser.add_argument("--out", type=Path, required=True, metavar="MASK", help="label image: .png, .tif or .npy")
    parser.add_argument("--geojson", type=Path, metavar="FILE", help="also write polygons, as QuPath reads them")
    parser.add_argument(
        "--object-type", choices=["annotation", "detection"], default="annotation", help="of these polygons, in QuPath"
    )
    parser.add_argument("--exact", action="store_true", help="polygons along pixel edges, not simplified")
    parser.add_argument("--class-name", metavar="NAME", help="class of these polygons, where the points have none")
    parser.add_argument("--overlay", type=Path, metavar="PNG", help="also write the image with outlines and clicks")
    parser.add_argument("--mpp", type=float, help="micrometres per pixel of the image; default: what its file says")
    parser.add_argument("--region", metavar="X,Y,W,H", help="segment this part, in pixels of the image (level 0)")
    parser.add_argument("--closer", metavar="NAME", help="checkpoint for the boxes of --zoom, at its mpp; see below")
    parser.add_argument(
        "--zoom", metavar="X,Y,W,H", action="append", default=[], help="a box for --closer (level 0); may be repeated"
    )
    add_choice_arguments(parser)
    parser.add_argument("--device", default="cpu", help="cpu, cuda, cuda:1, mps ...; default: cpu")
    parser.add_argument("--backend", choices=["torch", "openvino", "auto"], default="auto", help=BACKEND)
    parser.add_argument(
        "--precision",
        choices=["auto", "float32", "bfloat16"],
        default="auto",
        help="of the network; auto: bfloat16 on CPUs with matrix units (AMX), float32 elsewhere",
    )
    parser.add_argument(
        "--trust-code",
        action="store_true",
        help="run code outside zoo that the checkpoint names; ask who wrote it first",
    )
    add_index_argument(parser)
    parser.add_argument("--json", action="store_true", help="print a summary as JSON")
    return parser


def _told(caught: list[warnings.WarningMessage]) -> list[str]:
    """Warnings for people, with the option that they mean."""
    told = [str(warning.message) for warning in caught if warning.category is UserWarning]
    return [text.replace("give mpp", "give --mpp") for text in told]


def _region(option: str, text: str) -> Region:
    try:
        x, y, width, height = (int(each) for each in text.split(","))
    except ValueError:
        raise ConfigError(
            f"{option} {text}: give x,y,width,height as whole pixels, e.g. 12000,8000,2048,2048"
        ) from None
    return x, y, width, height


def _shared(pixels: NDArray[np.uint8]) -> torch.Tensor:
    """(1, 3, H, W) uint8 in the memory of (H, W, 3) ones, where this can be written to."""
    import numpy as np
    import torch

    return torch.from_numpy(np.require(pixels, requirements="W")).permute(2, 0, 1)[None]


def _measured(
    labels: NDArray[np.integer], probability: NDArray[np.float32], count: int
) -> tuple[list[int], dict[int, float]]:
    """Pixels of each of `count` objects, and by its id the mean probability over them."""
    import numpy as np

    areas, sums = np.zeros(count + 1, np.int64), np.zeros(count + 1)
    for first in range(0, len(labels), BAND):
        ids, values = (each[first : first + BAND].ravel() for each in (labels, probability))
        areas += np.bincount(ids, minlength=count + 1)
        sums += np.bincount(ids, values, minlength=count + 1)
    found = (np.flatnonzero(areas[1:]) + 1).tolist()
    return areas[1:].tolist(), {number: round(float(sums[number] / areas[number]), 4) for number in found}


def _check_outputs(out: Path, overlay_path: Path | None, outputs: list[Path]) -> None:
    if out.suffix.lower() not in SUFFIXES:
        raise ConfigError(f"--out {out}: a label image ends in {', '.join(SUFFIXES)}")
    if overlay_path is not None and overlay_path.suffix.lower() != ".png":
        raise ConfigError(f"--overlay {overlay_path}: an overlay ends in .png")
    if len({path.resolve() for path in outputs}) < len(outputs):
        raise ConfigError("two outputs have the same name; give each its own")


def _device(name: str) -> torch.device:
    import torch

    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as error:
        raise ConfigError(f"--device {name}: {str(error).splitlines()[0]}; cpu always works") from None
    return device


def _encoded(path: Path, labels: NDArray[np.integer]) -> bytes:
    """The label image as the bytes of a file of the path's kind."""
    from zoo.images.labels import write_labels

    with tempfile.TemporaryDirectory() as folder:
        temporary = Path(folder) / f"labels{path.suffix.lower()}"
        write_labels(temporary, labels)
        return temporary.read_bytes()


def _picture(image: NDArray[np.uint8], labels: NDArray[np.integer], objects: list[list[Interaction]]) -> bytes:
    from zoo.images.drawing import fitting_scale, overlay, png
    from zoo.interactions import Interactions, Scribble

    drawn = any(isinstance(each, Scribble) for given in objects for each in given)
    samples = [list(chain(*objects))] if drawn else objects
    height, width = labels.shape
    said = Interactions.from_lists(samples, (height, width))
    return png(overlay(image, prediction=labels, interactions=said, scale=fitting_scale(height, width)))
