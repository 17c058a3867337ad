r"""Your own slides: any slide that can be opened, with objects exported from QuPath as GeoJSON.

A slide and its GeoJSON (File > Object data > Export as GeoJSON) have one name and lie in one folder. --classes says
which classes are the region, or, with --labels instances, the objects; others are not looked at, and '' stands for
objects without a class. What is in an object of --ignore-classes counts nowhere (255; regions only). Of cells the
whole is taken, or with --geometry nucleus the nucleus. Points, lines and objects without a geometry enclose nothing:
they are left out, and the summary counts them.

With folders train/, val/ and test/ in --source those are the splits; without them --val-fraction and --test-fraction
split the patients, and everything is 'train' unless you give them. Every slide is its own patient unless
--patient-regex finds the patient in its name, e.g. '^(\w+)_' for 'anna_3.svs'.

Of a slide in DICOM whose levels are a file each, one file has the GeoJSON's name; the others need only lie beside it.

Coordinates are level-0 pixels: https://qupath.readthedocs.io/en/stable/docs/advanced/exporting_annotations.html
"""

import argparse
from collections.abc import Collection, Sequence
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import get_args

import openslide

from data_prep.annotations import Annotation, Polygons, check_inside, read_geojson
from data_prep.annotations.geojson import Geometry, read_classes
from data_prep.datasets.folder import SPLITS, patient_of
from data_prep.plan import Plan, wrong_layout
from data_prep.slides import add_slide_arguments, slide_shard
from data_prep.splits import add_split_arguments, split_of
from zoo.errors import ConfigError, DataError
from zoo.files import is_input, stem_of
from zoo.slides import Slide
from zoo.store.schema import LABELS

LAYOUT = """\
  NAME.svs and NAME.geojson
or, with splits,
  train/NAME.svs and train/NAME.geojson    (also val/ and test/)"""

EXAMPLE = "--magnification 10"

# Formats with one file a slide, and the file to open of those with several.
SUFFIXES = (
    ".svs",
    ".tif",
    ".tiff",
    ".ndpi",
    ".mrxs",
    ".scn",
    ".svslide",
    ".bif",
    ".vms",
    ".vmu",
    ".czi",
    ".dcm",
    ".png",
    ".jpg",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What a folder of slides can't say itself, and the options of slides."""
    parser.add_argument("--classes", nargs="+", metavar="NAME", help="classes to take, as QuPath shows them (all)")
    parser.add_argument("--ignore-classes", nargs="+", metavar="NAME", default=[], help="classes that count nowhere")
    parser.add_argument("--labels", choices=LABELS, default="region", help="what objects become (region)")
    parser.add_argument("--patient-regex", metavar="REGEX", help="its first group is the patient of a file name")
    parser.add_argument("--dataset", help="name of the data set; default: name of the folder")
    parser.add_argument("--licence", default="unknown", help="licence of slides and annotations")
    parser.add_argument(
        "--geometry",
        choices=get_args(Geometry),
        help="which outline of a cell counts: its own (default) or its nucleus'",
    )
    add_split_arguments(parser, val=0, test=0)
    add_slide_arguments(parser)


def plan(source: Path, args: argparse.Namespace) -> Plan:
    """One shard per slide."""
    if args.ignore_classes and args.labels == "instances":
        raise ConfigError("--ignore-classes goes with --labels region only: instances have no value for 'ignore'")
    parts: list[tuple[str | None, Path]] = [(split, source / split) for split in SPLITS if (source / split).is_dir()]
    if parts and (args.val_fraction or args.test_fraction):
        raise ConfigError(f"{source} has folders for its splits; leave out --val-fraction and --test-fraction")
    if not parts:
        parts = [(None, source)]
    pairs = [(split, *pair) for split, folder in parts for pair in _pairs(source, folder)]
    if not pairs:
        raise wrong_layout(source, f"no slides ({', '.join(SUFFIXES)})", LAYOUT)
    _check_classes([geojson for _, _, geojson in pairs], {*(args.classes or ()), *args.ignore_classes})
    shards = []
    for split, slide, geojson in pairs:
        name = stem_of(slide)
        patient = patient_of(name, args.patient_regex)
        shards.append(
            slide_shard(
                f"{split}-{name}" if split else name,
                slide,
                partial(annotation, geojson, args.classes, args.ignore_classes, args.geometry),
                (slide, geojson),
                patient=patient,
                split=split or split_of(patient, args),
                args=args,
                labels=args.labels,
            )
        )
    return Plan(args.dataset or source.resolve().name, args.licence, "unpublished", shards, labels=args.labels)


def annotation(
    geojson: Path,
    classes: Collection[str] | None,
    ignored: Collection[str],
    geometry: Geometry | None,
    slide: Slide,
) -> Annotation:
    """Objects of the wanted classes (None: all but the ignored ones).

    Raises:
        DataError: see `read_geojson`; an object outside the slide.
    """
    outlines, left_out = read_geojson(geojson, None if classes is None else {*classes, *ignored}, geometry)
    check_inside(outlines, slide.size, geojson)
    counted = [each for each in outlines if each.name not in ignored]
    return Polygons(counted, [each for each in outlines if each.name in ignored], left_out=left_out)


def _pairs(source: Path, folder: Path) -> list[tuple[Path, Path]]:
    files = sorted(filter(is_input, folder.iterdir()), key=stem_of)
    slides = [path for path in files if path.suffix.lower() in SUFFIXES]
    annotations = {stem_of(path): path for path in files if path.suffix == ".geojson"}
    slides = _without_levels(slides, annotations)
    twice = [slide for slide, after in pairwise(slides) if stem_of(slide) == stem_of(after)]
    if twice:
        raise DataError(f"{twice[0]}: another slide has this name and another ending; rename one of them")
    alone = sorted({stem_of(slide) for slide in slides} ^ annotations.keys())
    if alone:
        lack = "slide" if alone[0] in annotations else "GeoJSON"
        raise wrong_layout(source, f"{folder / alone[0]} has no {lack} ({len(alone)} alone)", LAYOUT)
    return [(slide, annotations[stem_of(slide)]) for slide in slides]


def _without_levels(slides: Sequence[Path], annotations: Collection[str]) -> list[Path]:
    """The slides without the DICOM files that are levels of a slide which another, annotated file stands for."""
    series = {path: _series(path) for path in slides if path.suffix.lower() == ".dcm"}
    annotated = {uid for path, uid in series.items() if uid and stem_of(path) in annotations}
    return [path for path in slides if stem_of(path) in annotations or series.get(path) not in annotated]


def _series(path: Path) -> str | None:
    """What is the same in all files of a slide in DICOM; None where OpenSlide can't read it."""
    try:
        with openslide.OpenSlide(path) as slide:
            return slide.properties.get("dicom.SeriesInstanceUID")
    except openslide.OpenSlideError:
        return None


def _check_classes(files: Sequence[Path], wanted: set[str]) -> None:
    """Refuse a class that no file has: it is misspelt."""
    found: set[str] = set()
    for path in files:
        if wanted <= found:
            return
        found |= read_classes(path)
    if wanted - found:
        shown = ", ".join(repr(name) for name in sorted(found)) or "none"
        raise DataError(f"class {min(wanted - found)!r} is in none of {len(files)} GeoJSON file(s); there are: {shown}")
