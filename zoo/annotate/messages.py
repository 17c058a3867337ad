"""What requests hold, checked as they come in."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from zoo.interactions import Interaction
from zoo.interactions.single import Box as BoxGiven
from zoo.interactions.single import Click as ClickGiven
from zoo.interactions.single import Scribble as ScribbleGiven

FARTHEST = 1e9
"""Pixels from the image's corner."""
MOST_TOGETHER = 500
"""Interactions of one request."""
MOST_CORNERS = 20_000
"""Of a scribble or a polygon."""
MOST_CLICKS = 2_000


def _text(value: str) -> str:
    if not value.isprintable():
        raise ValueError("is no printable text")
    return value


Number = Annotated[float, Field(ge=-FARTHEST, le=FARTHEST, allow_inf_nan=False)]
Size = Annotated[float, Field(gt=0, le=FARTHEST, allow_inf_nan=False)]
Mpp = Annotated[float, Field(gt=1e-3, lt=1e3, allow_inf_nan=False)]
Name = Annotated[str, Field(max_length=300)]
Class = Annotated[str, Field(max_length=100), AfterValidator(_text)]
Identity = Annotated[str, Field(pattern="^[0-9a-f]{32}$")]
Point = tuple[Number, Number]
Box = tuple[Number, Number, Size, Size]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=False, populate_by_name=True)


class ClickBody(_Body):
    """A point; see `zoo.Click`."""

    type: Literal["click"]
    x: Number
    y: Number
    positive: bool = True
    turn: int = 0

    def made(self) -> Interaction:
        """As the zoo has it."""
        return ClickGiven(self.x, self.y, self.positive)


class ScribbleBody(_Body):
    """A line; see `zoo.Scribble`. Its width is in pixels of the image (level 0)."""

    type: Literal["scribble"]
    points: Annotated[list[Point], Field(min_length=1, max_length=MOST_CORNERS)]
    positive: bool = True
    width: Size = 1.0
    turn: int = 0

    def made(self) -> Interaction:
        """As the zoo has it."""
        return ScribbleGiven(tuple(self.points), self.positive, self.width)


class BoxBody(_Body):
    """A box around the object; see `zoo.Box`."""

    type: Literal["box"]
    x0: Number
    y0: Number
    x1: Number
    y1: Number
    turn: int = 0

    def made(self) -> Interaction:
        """As the zoo has it."""
        return BoxGiven(self.x0, self.y0, self.x1, self.y1)


Given = Annotated[ClickBody | ScribbleBody | BoxBody, Field(discriminator="type")]
Several = Annotated[list[Given], Field(min_length=1, max_length=MOST_TOGETHER)]


class NewObject(_Body):
    """An object to begin."""

    image: Name
    region: Box | None = None
    mpp: Mpp | None = None
    checkpoint: Name | None = None
    class_: Annotated[Class | None, Field(alias="class")] = None
    parent: Identity | None = None
    geometry: dict[str, Any] | None = None
    interactions: Annotated[list[Given], Field(max_length=MOST_TOGETHER)] = []


class Changes(_Body):
    """What is to be changed of an object; what is left out stays."""

    class_: Annotated[Class | None, Field(alias="class")] = None
    checkpoint: Name | None = None
    threshold: Annotated[float | None, Field(ge=0, le=1, allow_inf_nan=False)] = None


class Turn(_Body):
    """Interactions of one turn."""

    interactions: Several


class Lasso(_Body):
    """A part of the mask drawn by hand."""

    polygon: Annotated[list[Point], Field(min_length=3, max_length=MOST_CORNERS)]
    add: bool


class Many(_Body):
    """One object a click, all in one run."""

    image: Name
    clicks: Annotated[list[Point], Field(min_length=1, max_length=MOST_CLICKS)]
    box: Box | None = None
    checkpoint: Name | None = None
    class_: Annotated[Class | None, Field(alias="class")] = None
    mpp: Mpp | None = None


class Import(_Body):
    """Objects that somebody outlined before."""

    image: Name
    geojson: dict[str, Any] | list[Any]
    checkpoint: Name | None = None
    class_: Annotated[Class | None, Field(alias="class")] = None
    mpp: Mpp | None = None
