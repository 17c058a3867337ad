import pytest

from zoo.evaluation import Interactive
from zoo.users import Centroid, CorrectionScribbles, Jitter, NextClick, Squiggle, Together, Turns


class Boxes(NextClick):
    """Somebody else's user."""

    gives = "box"


@pytest.mark.parametrize(
    ("user", "gives"),
    [
        (NextClick(), "click"),
        (CorrectionScribbles(), "scribble"),
        (Jitter(Squiggle(), 2), "scribble"),
        (Jitter(NextClick(), 2), "click"),
        (Together([Centroid(), Squiggle()]), "scribble"),
        (Together([Centroid()]), "click"),
        (Turns([Squiggle(), NextClick()]), "scribble"),
        (Turns([NextClick()]), "click"),
        (Together([NextClick(), Boxes()]), "box"),
    ],
)
def test_users_and_protocols_know_what_is_given(user, gives):
    assert user.gives == Interactive(user).interaction == gives
    assert "gives" not in repr(user)  # settings, and with them tables, stay as they were
