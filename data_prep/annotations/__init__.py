"""What a slide is annotated with: outlines and masks, read from a publisher's files and drawn for any window."""

from data_prep.annotations.aperio import read_aperio_xml
from data_prep.annotations.asap import read_asap_xml
from data_prep.annotations.base import Annotation
from data_prep.annotations.geojson import read_geojson
from data_prep.annotations.mask import MaskSlide
from data_prep.annotations.outlines import Outline, check_inside
from data_prep.annotations.polygons import Polygons

__all__ = [
    "Annotation",
    "MaskSlide",
    "Outline",
    "Polygons",
    "check_inside",
    "read_aperio_xml",
    "read_asap_xml",
    "read_geojson",
]
