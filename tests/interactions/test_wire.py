import json
from pathlib import Path

import pytest
from hypothesis import given, settings

from tests.interactions.some import samples
from zoo.errors import InteractionError
from zoo.interactions import SCHEMA, Interaction, read_json, read_objects, write_json


@settings(max_examples=30)
@given(samples)
def test_json_and_back(tmp_path_factory: pytest.TempPathFactory, lists: list[list[Interaction]]) -> None:
    path = tmp_path_factory.mktemp("json") / "interactions.json"
    write_json(path, lists)
    assert read_json(path) == lists
    assert json.loads(path.read_text())["schema"] == SCHEMA


CLICK = {"type": "click", "x": 3, "y": 4}


def content(*entries: object) -> str:
    return json.dumps({"schema": SCHEMA, "objects": [{"interactions": list(entries)}]})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "not readable as JSON"),
        ("{", "not readable as JSON"),
        ("[]", "schema is 'list'"),
        ("{}", "schema is None"),
        (json.dumps({"schema": "isegzoo.interactions/99", "objects": []}), "interactions/99"),
        (json.dumps({"schema": SCHEMA}), "malformed"),
        (json.dumps({"schema": SCHEMA, "objects": 3}), "malformed"),
        (json.dumps({"schema": SCHEMA, "objects": [3]}), "malformed"),
        (json.dumps({"schema": SCHEMA, "objects": [{}]}), "malformed"),
        (content({"x": 3, "y": 4}), "malformed"),
        (content({"type": "circle", "x": 3, "y": 4}), "malformed"),
        (content({"type": "click", "x": 3}), "malformed"),
        (content({"type": "click", "x": 3, "y": 4, "z": 5}), "malformed"),
        (content({"type": "click", "x": "three", "y": 4}), "malformed"),
        (content({"type": "click", "x": None, "y": 4}), "malformed"),
        (content({"type": "click", "x": 3, "y": 4, "positive": "no"}), "malformed"),
        (content({"type": "click", "x": 3, "y": 4, "turn": "first"}), "malformed"),
        (content({"type": "scribble", "points": [[1]]}), "malformed"),
        (content({"type": "scribble", "points": 5}), "malformed"),
        (content({"type": "scribble", "points": [[1, 2]], "width": "wide"}), "malformed"),
        (content({"type": "box", "x0": 1, "y0": 2, "x1": 3}), "malformed"),
        (content("click"), "malformed"),
        (
            json.dumps(
                {"schema": SCHEMA, "objects": [{"interactions": []}, {"interactions": [CLICK, {"type": "click"}]}]}
            ),
            r"object 2 \(objects\[1\].interactions\[1\]\): malformed",
        ),
    ],
)
def test_malformed_files_are_named(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "bad.json"
    path.write_text(text)
    with pytest.raises(InteractionError, match=message) as caught:
        read_json(path)
    assert "bad.json" in str(caught.value)


def test_unreadable_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(InteractionError, match="no such file"):
        read_json(tmp_path / "absent.json")
    with pytest.raises(InteractionError, match="not readable"):
        read_json(tmp_path)
    (tmp_path / "image.json").write_bytes(b"\x89PNG\xff\xfe")
    with pytest.raises(InteractionError, match="not readable"):
        read_json(tmp_path / "image.json")


def test_a_list_of_no_features_is_not_taken_for_qupaths(tmp_path):
    path = tmp_path / "clicks.json"
    path.write_text('[[{"type": "click", "x": 1.5, "y": 2.5}]]')
    with pytest.raises(InteractionError, match=r"schema is 'list'.*zoo segment --help"):
        read_objects(path)
