"""Interactions as JSON."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from zoo.errors import InteractionError
from zoo.interactions.qupath import is_geojson, read_points
from zoo.interactions.single import KINDS, Interaction

SCHEMA = "isegzoo.interactions/1"


def write_json(path: str | Path, objects: Sequence[Sequence[Interaction]]) -> None:
    """Write the interactions of one image, one list an object."""
    rows = [{"interactions": [written(each) for each in said]} for said in objects]
    Path(path).write_text(json.dumps({"schema": SCHEMA, "objects": rows}, indent=1) + "\n")


def read_objects(path: str | Path, one_object: bool = False) -> tuple[list[list[Interaction]], list[str]]:
    """The interactions of one image, one list an object, and the class of each ('' for none), of either kind of file.

    Args:
        path: a file of `write_json`, or points drawn in QuPath as GeoJSON (`zoo.interactions.qupath`).
        one_object: all interactions belong to one object.

    Raises:
        InteractionError: as `read_json` and `read_points`.
    """
    content = _content(path)
    if is_geojson(content):
        return read_points(content, str(path), one_object)
    objects = _objects(content, path)
    if one_object and objects:
        objects = [[each for given in objects for each in given]]
    return objects, [""] * len(objects)


def read_json(path: str | Path) -> list[list[Interaction]]:
    """The interactions of one image, one list an object, as `write_json` writes them.

    Raises:
        InteractionError: the file is missing, not JSON, of another schema, or an entry is malformed.
    """
    return _objects(_content(path), path)


def _content(path: str | Path) -> Any:
    try:
        return json.loads(Path(path).read_text("utf-8-sig"))
    except FileNotFoundError:
        raise InteractionError(f"{path}: no such file; give a JSON file of interactions") from None
    except (ValueError, OSError) as error:
        raise InteractionError(f"{path}: not readable as JSON ({error})") from None


def _objects(content: Any, path: str | Path) -> list[list[Interaction]]:
    if not isinstance(content, dict) or content.get("schema") != SCHEMA:
        found = content.get("schema") if isinstance(content, dict) else type(content).__name__
        raise InteractionError(
            f'{path}: schema is {found!r}; this version reads "schema": "{SCHEMA}" (`zoo segment --help` shows a file)'
        )
    where, objects = "", []
    try:
        for number, each in enumerate(content["objects"], 1):
            where, given = f"object {number} (objects[{number - 1}]): ", []
            for place, entry in enumerate(each["interactions"]):
                where = f"object {number} (objects[{number - 1}].interactions[{place}]): "
                given.append(parse(entry))
            objects.append(given)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise InteractionError(
            f"{path}: {where}malformed entry ({error!r}); expected "
            '{"objects": [{"interactions": [{"type": "click", "x": 12.5, "y": 8.5, "positive": true}]}]}'
        ) from None
    return objects


def written(each: Interaction) -> dict[str, Any]:
    """An interaction as it stands in JSON files."""
    return {"type": each.kind, **asdict(each)}


def parse(entry: dict[str, Any]) -> Interaction:
    """What `written` wrote, whatever is there.

    Raises:
        AttributeError, KeyError, TypeError, ValueError: it is malformed.
    """
    read: dict[str, Callable[[Any], Any]] = {
        "positive": _flag,
        "turn": _whole,
        "points": _places,
    }
    values: dict[str, Any] = {k: read[k](v) if k in read else _number(v) for k, v in entry.items() if k != "type"}
    return KINDS[entry["type"]](**values)


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{value!r} is not a number")
    return float(value)


def _places(value: Any) -> tuple[tuple[float, float], ...]:
    return tuple((_number(x), _number(y)) for x, y in value)


def _whole(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{value!r} is not a whole number")
    return value


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError(f"{value!r} is neither true nor false")
    return value
