import pytest

from zoo.hub.card import Card

USAGE = {"click": "zoo.Click(", "scribble": "zoo.Scribble([", None: None}


def test_users_of_several_kinds_leave_the_card_to_say_it():
    card = Card(title="A title", licence="MIT", interaction="squiggle, scribble, click")
    text = card.markdown("name", "zoo.methods.X", None, None)
    assert "zoo.Scribble([" in text
    assert "zoo.Click(" not in text


@pytest.mark.parametrize("gives", USAGE)
def test_the_card_shows_what_its_users_say(gives):
    text = Card(title="A title", licence="MIT").markdown("name", "zoo.methods.X", 0.5, gives)
    assert 'zoo.load("name")' in text
    assert "mpp=0.5" in text
    for call in filter(None, USAGE.values()):
        assert (call in text) == (call == USAGE[gives])
