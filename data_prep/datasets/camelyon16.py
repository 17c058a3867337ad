"""CAMELYON16: sentinel lymph nodes with and without metastases of breast cancer, H&E slides at 0.25 um/px.

The region is the metastases. The publisher's testing slides are 'test'. Of the training slides 54 are 'val', those
that PatchCamelyon keeps for validation; a slide counts as a patient, since patients are not published.

Slides named normal_*, and testing slides that reference.csv calls Normal, have no annotation and no region. Of 20
training slides and test_114 not every metastasis is outlined: there, what is not outlined is unknown (255) and counts
nowhere. Two files that the publisher withdrew are left out where old downloads have them: normal_086, which is
tumor_111, and test_049, a duplicate.

The slides are generic TIFFs, which have no place for a magnification: say --mpp (1 by default), and --slide-mpp 0.25
should a file lack its resolution.

Read from the README.md of the data set (linked from https://camelyon17.grand-challenge.org/Data/: groups of
annotations, slides not fully annotated, files withdrawn), https://github.com/kaiko-ai/eva
(docs/datasets/camelyon16.md: folders; camelyon16.py: reference.csv and PatchCamelyon's slides) and wsipipe's loader
(groups of the first release).
"""

import argparse
import csv
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from data_prep.annotations import Annotation, Polygons, check_inside, read_asap_xml
from data_prep.plan import Plan, wrong_layout
from data_prep.slides import add_slide_arguments, slide_shard
from zoo.errors import DataError
from zoo.files import is_input
from zoo.slides import Slide
from zoo.store.schema import IGNORE

LAYOUT = """\
  training/normal/normal_001.tif
  training/tumor/tumor_001.tif
  training/lesion_annotations/tumor_001.xml    (of lesion_annotations.zip, unpacked)
  testing/images/test_001.tif
  testing/lesion_annotations/test_001.xml      (likewise)
  testing/reference.csv
and so on for each slide; either of training and testing may be missing"""

CITATION = (
    "Ehteshami Bejnordi et al., Diagnostic Assessment of Deep Learning Algorithms for Detection of Lymph Node "
    "Metastases in Women With Breast Cancer, JAMA 2017"
)

# Groups of outlines: the publisher's today, and those of the first release of the files.
TUMOUR, NO_TUMOUR = {"_0", "_1", "Tumor"}, {"_2", "Exclusion", "None"}

WITHDRAWN = {"normal_086", "test_049"}


def _named(prefix: str, numbers: str) -> set[str]:
    return {f"{prefix}_{number}" for number in numbers.split()}


NOT_FULLY_ANNOTATED = {
    "test_114",
    *_named("tumor", "010 015 018 020 025 029 033 034 044 046 051 054 055 056 067 079 085 092 095 110"),
}
VAL = {
    *_named("normal", "010 013 016 017 019 020 025 030 031 032 052 056 057 067 076 079 085 095 098 099 101"),
    *_named("normal", "102 105 106 109 129 132 137 142 143 148 152"),
    *_named("tumor", "001 005 011 012 013 019 031 037 043 046 057 065 069 071 073 079 080 081 082 085 097 109"),
}


@dataclass(frozen=True)
class _Case:
    slide: Path
    split: str
    xml: Path | None  # None for a slide without tumour


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of slides."""
    add_slide_arguments(parser, mpp=1.0)


def plan(source: Path, args: argparse.Namespace) -> Plan:
    """One shard per slide."""
    cases = [*_training(source), *_testing(source)]
    if not cases:
        raise wrong_layout(source, "no slides in training/normal, training/tumor or testing/images", LAYOUT)
    used = {case.xml for case in cases}
    alone = [path for path in sorted(filter(is_input, source.glob("*/lesion_annotations/*.xml"))) if path not in used]
    if alone:
        raise wrong_layout(source, f"{alone[0]} is no slide's ({len(alone)} alone); download the slides", LAYOUT)
    shards = [
        slide_shard(
            case.slide.stem,
            case.slide,
            partial(annotation, case.xml),
            (case.slide, case.xml) if case.xml else (case.slide,),
            patient=case.slide.stem,
            split=case.split,
            args=args,
        )
        for case in cases
    ]
    return Plan("CAMELYON16", "CC0 1.0", CITATION, shards, labels="region")


def annotation(xml: Path | None, slide: Slide) -> Annotation:
    """Metastases of a slide; None for a slide without any.

    Raises:
        DataError: see `read_asap_xml`; an unknown group, no tumour, or outlines outside the slide.
    """
    if xml is None:
        return Polygons([])
    outlines = read_asap_xml(xml)
    unknown = sorted({outline.name for outline in outlines} - TUMOUR - NO_TUMOUR)
    if unknown:
        raise DataError(f"{xml}: unknown group {unknown[0]!r}; known are {sorted(TUMOUR | NO_TUMOUR)}")
    if not any(outline.name in TUMOUR for outline in outlines):
        raise DataError(f"{xml}: no tumour is outlined; is the file complete?")
    check_inside(outlines, slide.size, xml)
    cut = [replace(outline, negative=outline.name in NO_TUMOUR) for outline in outlines]
    return Polygons(cut, background=IGNORE if xml.stem in NOT_FULLY_ANNOTATED else 0)


def _training(source: Path) -> Iterator[_Case]:
    for folder in ("normal", "tumor"):
        for slide in _slides(source / "training" / folder):
            xml = _xml(source, slide, "training") if folder == "tumor" else None
            yield _Case(slide, "val" if slide.stem in VAL else "train", xml)


def _testing(source: Path) -> Iterator[_Case]:
    slides = _slides(source / "testing" / "images")
    kinds = _reference(source) if slides else {}
    for slide in slides:
        kind = kinds.get(slide.stem)
        if kind not in ("normal", "tumor"):
            raise wrong_layout(source, f"reference.csv does not say whether {slide.stem} is Normal or Tumor", LAYOUT)
        yield _Case(slide, "test", _xml(source, slide, "testing") if kind == "tumor" else None)


def _slides(folder: Path) -> list[Path]:
    return [path for path in sorted(filter(is_input, folder.glob("*.tif"))) if path.stem not in WITHDRAWN]


def _xml(source: Path, slide: Path, part: str) -> Path:
    path = source / part / "lesion_annotations" / f"{slide.stem}.xml"
    if not path.is_file():
        problem = f"{slide.name} has no {path.relative_to(source)}; unpack lesion_annotations.zip into its folder"
        raise wrong_layout(source, problem, LAYOUT)
    return path


def _reference(source: Path) -> dict[str, str]:
    """'normal' or 'tumor' of each testing slide."""
    path = source / "testing" / "reference.csv"
    if not path.is_file():
        raise wrong_layout(source, "no testing/reference.csv", LAYOUT)
    with path.open(newline="") as stream:
        rows = [row for row in csv.reader(stream) if len(row) > 1]
    return {row[0].strip().removesuffix(".tif"): row[1].strip().lower() for row in rows}
