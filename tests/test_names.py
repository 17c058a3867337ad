"""One word for one thing."""

import ast
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_no_two_classes_share_a_name():
    """But a method and what segments in it, which it inherits."""
    places = defaultdict(list)
    for package in ("zoo", "data_prep"):
        for path in sorted((ROOT / package).rglob("*.py")):
            if "segmenters" in path.parts:
                continue
            for node in ast.parse(path.read_text()).body:
                if isinstance(node, ast.ClassDef):
                    places[node.name].append(path.relative_to(ROOT).as_posix())
    assert len(places) > 100
    assert {name: paths for name, paths in places.items() if len(paths) > 1} == {}
