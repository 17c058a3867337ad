"""Annotations as Aperio ImageScope writes them."""

import xml.etree.ElementTree as ET
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from data_prep.annotations.outlines import Outline, ring
from data_prep.annotations.xmlfile import read_root
from zoo.errors import DataError

# `Type` of a Region. Outlines and rectangles list their corners.
AREAS = {"0": "outline", "1": "rectangle"}
OTHERS = {"2": "ellipse", "3": "arrow", "4": "line", "5": "point"}


@dataclass(frozen=True)
class Region:
    """A Region element as it stands in the file.

    Attributes:
        number: its place in the file, from 1.
        layer: `Id` of the Annotation it is in; ImageScope calls that a layer.
        kind: its `Type`.
        negative: its `NegativeROA` is 1: it is cut out of its layer.
        points: `X` and `Y` of its vertices, as text.
    """

    number: int
    layer: str
    kind: str
    negative: bool
    points: list[tuple[str | None, str | None]]


def regions(path: Path) -> Iterator[Region]:
    """All Regions of a file, in order.

    Raises:
        DataError: no XML, or of another program.
    """
    number = 0
    for layer in read_root(path, "Annotations", "Aperio ImageScope").iter("Annotation"):
        for element in layer.iter("Region"):
            number += 1
            yield _region(element, number, layer.get("Id", ""))


def read_aperio_xml(path: Path, layers: Collection[str] | None = None) -> list[Outline]:
    """Outlines of an ImageScope file: coordinates are level-0 pixels, and every region is closed by definition.

    ImageScope's format is not documented; what the codes mean was read from
    https://github.com/paip-2019/challenge/blob/master/xml_to_mask.py (`Id`, `NegativeROA`, vertices) and from files.

    Args:
        path: the file.
        layers: take only these layers, by `Id`, and look at no other; default: all.

    Returns:
        Outlines named after their layer; regions with `NegativeROA` are negative.

    Raises:
        DataError: no XML, or of another program; a region of fewer than three points, or one that is no polygon
            (ellipse, arrow, line, point); coordinates that aren't numbers.
    """
    outlines = []
    for region in regions(path):
        if layers is not None and region.layer not in layers:
            continue
        where = f"{path}: region {region.number} (layer {region.layer})"
        if region.kind not in AREAS:
            kind = OTHERS.get(region.kind, f"of Type {region.kind}")
            raise DataError(f"{where}: is no polygon but {kind}; remove it, or outline what it marks")
        outlines.append(Outline((ring(region.points, where),), region.layer, region.number, region.negative))
    return outlines


def _region(element: ET.Element, number: int, layer: str) -> Region:
    points = [(vertex.get("X"), vertex.get("Y")) for vertex in element.iter("Vertex")]
    return Region(number, layer, element.get("Type", "0"), element.get("NegativeROA") == "1", points)
