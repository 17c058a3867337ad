"""What users give: single interactions, the padded batch of them on a device, and JSON in and out."""

from zoo.interactions.batch import PADDING, Interactions
from zoo.interactions.single import KINDS, Box, Click, Interaction, Kind, Scribble
from zoo.interactions.wire import SCHEMA, read_json, read_objects, write_json

__all__ = [
    "KINDS",
    "PADDING",
    "SCHEMA",
    "Box",
    "Click",
    "Interaction",
    "Interactions",
    "Kind",
    "Scribble",
    "read_json",
    "read_objects",
    "write_json",
]
