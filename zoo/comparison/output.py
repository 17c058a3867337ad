"""The files of a comparison."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from zoo.comparison.experiment import Experiment
from zoo.comparison.report import html
from zoo.comparison.sections import Section, result_of
from zoo.files import write_bytes, write_text


def write_comparison(
    out: Path, experiments: Sequence[Experiment], parts: Sequence[Section], more: Mapping[str, Any] | None = None
) -> None:
    """Write `results.json`, `report.html` and the pictures of all sections.

    Args:
        out: folder.
        experiments: that have run.
        parts: their sections.
        more: further keys of `results.json`.
    """
    for part in parts:
        for name, (_, content) in part.figures.items():
            write_bytes(out / name, content)
    results = [result_of(experiment).to_json() for experiment in experiments]
    everything: dict[str, Any] = {"schema": "isegzoo.results/1", "results": results}
    everything["differences"] = [asdict(part.differences) for part in parts if part.differences is not None]
    text = json.dumps(everything | dict(more or {}), indent=1, ensure_ascii=False, allow_nan=False)
    write_text(out / "results.json", text + "\n")
    write_text(out / "report.html", html(parts))
