from typing import get_args

import pytest

from tests.interactions.some import HEIGHT, SIZE, WIDTH
from zoo.errors import InteractionError
from zoo.interactions import KINDS, Box, Click, Interaction, Interactions, Kind, Scribble


def test_every_kind_has_its_name() -> None:
    assert {"click": Click, "scribble": Scribble, "box": Box} == KINDS
    assert set(KINDS) == set(get_args(Kind))


@pytest.mark.parametrize(
    "each",
    [
        Click(-0.1, 3),
        Click(3, HEIGHT + 0.5),
        Click(float("nan"), 3),
        Click(float("inf"), 3),
        Scribble(((1, 1), (WIDTH + 2, 3))),
        Scribble(()),
        Scribble(((1, 1),), width=0),
        Scribble(((1, 1),), width=float("nan")),
        Box(5, 5, 5, 8),
        Box(5, 5, 4, 8),
        Box(0, 0, WIDTH + 1, 8),
    ],
)
def test_interactions_outside_the_image_are_refused(each: Interaction) -> None:
    with pytest.raises(InteractionError):
        Interactions.from_lists([[each]], SIZE)
