"""Annotations as ASAP writes them."""

from collections.abc import Collection
from pathlib import Path

from data_prep.annotations.outlines import Outline, ring
from data_prep.annotations.xmlfile import read_root
from zoo.errors import DataError

# A Spline lists the points it was drawn through, so close to each other that ASAP's own masks join them by lines.
AREAS = ("Polygon", "Spline", "Rectangle")


def read_asap_xml(path: Path, groups: Collection[str] | None = None) -> list[Outline]:
    """Outlines of an ASAP file: coordinates are level-0 pixels, and every annotation is closed by definition.

    Format: https://github.com/computationalpathologygroup/ASAP, annotation/XmlRepository.cpp, Annotation.cpp (the
    kinds of annotations) and AnnotationToMask.cpp (how ASAP fills them).

    Args:
        path: the file.
        groups: take only annotations of these groups (`PartOfGroup`), and look at no other; default: all.

    Returns:
        Outlines named after their group.

    Raises:
        DataError: no XML, or of another program; an annotation of fewer than three points, or one that is no area
            (Dot, PointSet, Measurement); coordinates that aren't numbers.
    """
    outlines = []
    for number, annotation in enumerate(read_root(path, "ASAP_Annotations", "ASAP").iter("Annotation"), start=1):
        group = annotation.get("PartOfGroup", "")
        if groups is not None and group not in groups:
            continue
        where = f"{path}: annotation {number} ({annotation.get('Name', 'no name')}, group {group})"
        kind = annotation.get("Type", "")
        if kind not in AREAS:
            raise DataError(f"{where}: is no polygon but a {kind or 'thing without a Type'}; remove it, or outline it")
        try:
            coordinates = sorted(annotation.iter("Coordinate"), key=lambda point: int(point.get("Order", 0)))
        except ValueError as error:
            raise DataError(f"{where}: the Order of a point is no number ({error}); correct it") from error
        points = [(point.get("X"), point.get("Y")) for point in coordinates]
        outlines.append(Outline((ring(points, where),), group, number))
    return outlines
