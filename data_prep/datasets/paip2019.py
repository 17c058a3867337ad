"""PAIP 2019: liver cancer, H&E slides at 20x with the tumour outlined by pathologists.

--region viable is the viable tumour, the challenge's task 1; --region whole the outermost boundary of the tumour.
Masks (--annotation mask) are the ground truth: they leave out white background. XML is what they were made from, and
all there is for the challenge's validation slides. The publisher's first masks of some slides, 01_01_0107 among
them, had 'whole' and 'viable' switched: look at the previews.

One slide is one patient. There is no published split of the training slides; they are split by a hash of the slide's
name. ZoomISEG splits its patches 9 : 1 and keeps 5 slides apart for a test; DeepScribble does not say. Patches
are cut at 5x unless you say otherwise; for those of the two papers see --preset.

Read from https://paip2019.grand-challenge.org/Dataset/ (what is annotated; one slide a patient), from
https://github.com/paip-2019/challenge (xml_to_mask.py: layers and what is cut out; issues 29 and 51: switched masks,
masks against XML), and file names from code that reads them.
"""

import argparse
from collections.abc import Iterable
from functools import partial
from pathlib import Path

from data_prep.annotations import Annotation, MaskSlide, Polygons, check_inside, read_aperio_xml
from data_prep.plan import Plan, wrong_layout
from data_prep.slides import add_slide_arguments, slide_shard
from data_prep.splits import add_split_arguments, split_of
from zoo.errors import DataError
from zoo.files import is_input
from zoo.slides import Slide

LAYOUT = """\
  Training_phase_1_001/01_01_0083.svs
  Training_phase_1_001/01_01_0083_viable.tif   (--region viable)
  Training_phase_1_001/01_01_0083_whole.tif    (--region whole)
  Training_phase_1_001/01_01_0083.xml          (--annotation xml)
and so on for each slide, in whatever folders"""

CITATION = "Kim et al., PAIP 2019: Liver cancer segmentation challenge, Medical Image Analysis 67, 2021"

LAYERS = {"whole": "1", "viable": "2"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which tumour, from which files, and the options of slides."""
    parser.add_argument("--region", choices=("viable", "whole"), default="viable", help="see above (viable)")
    parser.add_argument("--annotation", choices=("mask", "xml"), default="mask", help="see above (mask)")
    add_split_arguments(parser, val=0.1, test=0.1)
    add_slide_arguments(parser, magnification=5)


def plan(source: Path, args: argparse.Namespace) -> Plan:
    """One shard per slide."""
    ending = f"_{args.region}.tif" if args.annotation == "mask" else ".xml"
    slides, annotations = _by_name(source, ".svs"), _by_name(source, ending)
    if not slides:
        raise wrong_layout(source, "no .svs files in it or its folders", LAYOUT)
    alone = sorted(slides.keys() ^ annotations.keys())
    if alone:
        have, lack = (".svs", ending) if alone[0] in slides else (ending, ".svs")
        problem = f"{alone[0]}{have} has no {alone[0]}{lack} ({len(alone)} alone); see --annotation and --region"
        raise wrong_layout(source, problem, LAYOUT)
    shards = [
        slide_shard(
            name,
            slide,
            partial(annotation, annotations[name], args.region),
            (slide, annotations[name]),
            patient=name,
            split=split_of(name, args),
            args=args,
        )
        for name, slide in sorted(slides.items())
    ]
    title = f"PAIP2019 ({args.region} tumour)"
    return Plan(title, "research only, under PAIP's data use agreement", CITATION, shards, labels="region")


def annotation(path: Path, region: str, slide: Slide) -> Annotation:
    """Mask or outlines of one slide.

    As the publisher does it, what is cut out of either layer is no viable tumour, and nothing is cut out of the whole.

    Raises:
        DataError: see `MaskSlide` and `read_aperio_xml`; no outline of the region.
    """
    if path.suffix.lower() == ".tif":
        return MaskSlide(path, slide.size)
    layer = LAYERS[region]
    outlines = read_aperio_xml(path, set(LAYERS.values()))
    found = [each for each in outlines if each.name == layer and not each.negative]
    if not found:
        raise DataError(f"{path}: nothing is outlined in layer {layer}, the {region} tumour; is the file complete?")
    cut = [each for each in outlines if each.negative] if region == "viable" else []
    check_inside([*found, *cut], slide.size, path)
    return Polygons([*found, *cut])


def _by_name(source: Path, ending: str) -> dict[str, Path]:
    """Files by their names without the ending; capitals in the ending don't matter, as some slides are '.SVS'."""
    return _unique(
        (path.name[: -len(ending)], path) for path in sorted(filter(is_input, source.rglob("*"))) if _ends(path, ending)
    )


def _ends(path: Path, ending: str) -> bool:
    return path.name.lower().endswith(ending) and path.is_file()


def _unique(named: Iterable[tuple[str, Path]]) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for name, path in named:
        if name in found:
            raise DataError(f"{path} and {found[name]} have one name; remove one of them")
        found[name] = path
    return found
