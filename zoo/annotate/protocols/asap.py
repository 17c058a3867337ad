"""ASAP's XML of objects. Its polygons have no holes: an object with some is cut into parts that have none."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from xml.etree import ElementTree

import numpy as np

from zoo.annotate.grid import PixelGrid
from zoo.annotate.shapes import Mask, filled
from zoo.images.geojson import Ring, Vertex, placed, polygons
from zoo.images.simplify import simplified


def asap(masks: Iterable[tuple[Mask, PixelGrid]], label: str, colour: str, model: str, least: float = 0) -> bytes:
    """An XML file of objects of one class, in pixels of the image.

    Args:
        masks: of each, and where its pixels lie.
        label: the class.
        colour: as #rrggbb.
        model: that made them.
        least: area in pixels of the image below which a part of an object is left out.
    """
    root = ElementTree.Element("ASAP_Annotations")
    every = ElementTree.SubElement(root, "Annotations", Name="", Description="", Model=model)
    for mask, grid in masks:
        for ring in rings_of(mask, grid, least):
            one = ElementTree.SubElement(
                every, "Annotation", Name=label, Type="Polygon", PartOfGroup=label, Color=colour
            )
            coordinates = ElementTree.SubElement(one, "Coordinates")
            for order, (x, y) in enumerate(ring):
                ElementTree.SubElement(coordinates, "Coordinate", Order=str(order), X=_text(x), Y=_text(y))
    groups = ElementTree.SubElement(root, "AnnotationGroups")
    group = ElementTree.SubElement(groups, "Group", Name=label, PartOfGroup="None", Color=colour)
    ElementTree.SubElement(group, "Attributes")
    written: bytes = ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)
    return written


def _text(pixels: float) -> str:
    """To a hundredth, however large the image is."""
    return f"{pixels:.2f}".rstrip("0").rstrip(".")


def rings_of(mask: Mask, grid: PixelGrid, least: float = 0) -> list[list[list[float]]]:
    """Simple polygons that together cover a mask, each once, as rings whose last point is not the first again."""
    solid = [
        [[ring]]
        for outer, *holes in polygons(mask)
        if abs(_area(outer)) - sum(abs(_area(hole)) for hole in holes) >= least / grid.downsample**2
        for ring in _solid(outer, holes)
    ]
    if not solid:
        return []
    return [placed(ring[:-1], grid.origin, grid.downsample) for shapes in simplified(solid) for (ring,) in shapes]


def _solid(outer: Ring, holes: list[Ring]) -> Iterator[Ring]:
    """A polygon cut from top to bottom through its first hole, and its parts likewise, until none has one."""
    if not holes:
        yield outer
        return
    corners = np.array(outer)
    (left, top), (right, bottom) = corners.min(0).tolist(), corners.max(0).tolist()
    rings = [np.array(ring[:-1], np.float64) - (left, top) for ring in (outer, *holes)]
    inside = filled(rings, (bottom - top, right - left))
    columns = [x for x, _ in holes[0]]
    cut = (min(columns) + max(columns)) // 2
    for part, x in ((inside[:, : cut - left], left), (inside[:, cut - left :], cut)):
        origin: Vertex = (x, top)
        for first, *others in polygons(part, origin):
            yield from _solid(first, others)


def _area(ring: Ring) -> float:
    x, y = np.array(ring, np.float64).T
    return float((x[:-1] * y[1:] - x[1:] * y[:-1]).sum() / 2)
