"""The result of an experiment as JSON: numbers, what they were measured on, and how to get them again."""

from __future__ import annotations

import json
import math
import re
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Literal

from zoo.errors import ResultError
from zoo.evaluation.speed import Speed
from zoo.files import write_text
from zoo.interactions import KINDS, Kind

SCHEMA = "isegzoo.result/1"
SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class DataSummary:
    """What was evaluated on.

    Attributes:
        dataset: names the stores give, joined by ', '.
        split: name of the split.
        split_unit: what no two splits share: patient or field.
        licence: of the data.
        citation: what a publication has to cite.
        checksum: sha256 of the data (see `Store.checksum`); of several stores, over their sorted ones.
        limit: how many images at most; None: all. Limited results are no results of the split.
        patients: their number, as `images` and `objects`.
        images: with at least one evaluated sample.
        objects: sessions, or objects of the target maps.
        samples: sha256 over what tells each sample from any other: image, object, window. None in results from before
            it was recorded.
    """

    dataset: str
    split: str
    split_unit: str
    licence: str
    citation: str
    checksum: str | None
    limit: int | None
    patients: int | None
    images: int | None
    objects: int | None
    samples: str | None = None


@dataclass(frozen=True)
class Result:
    """One experiment's result.

    Attributes:
        experiment: name of the YAML without suffix.
        title: as tables print it.
        protocol: its name.
        settings: what decides the protocol's numbers; only equal ones are compared.
        data: what was evaluated on.
        metrics: all numbers by name; None where undefined (a mean over nothing).
        source: `measured` here, or taken from a `paper`.
        reference: the paper and table, when the source is a paper.
        command: gives the result again.
        config_hash: sha256 of the resolved experiment without machine-dependent paths.
        commit: git commit of the code, None outside a clone; `dirty`: with uncommitted changes.
        seed: of everything random.
        device: what it ran on.
        versions: of python, torch, lightning and isegzoo.
        checkpoint: `name` and `sha256` of every checkpoint that the model is made of, by the argument that names it
            (`weights`, `guide`); None without any.
        speed: seconds at batch size 1, None where not measured.
        mpp: micrometres per pixel that images were resampled to, where theirs are known; None: they were not.
        interaction: what a user gives in a turn; tables say NoC of clicks and NoI of anything else.
        backend: what ran the network and in which precision (`openvino 2026.4.1, f32`); None: torch.
    """

    experiment: str
    title: str
    protocol: str
    settings: dict[str, Any]
    data: DataSummary
    metrics: dict[str, float | None]
    source: Literal["measured", "paper"] = "measured"
    reference: str | None = None
    command: str | None = None
    config_hash: str | None = None
    commit: str | None = None
    dirty: bool | None = None
    seed: int | None = None
    device: str | None = None
    versions: dict[str, str] | None = None
    checkpoint: dict[str, dict[str, str]] | None = None
    speed: Speed | None = None
    mpp: float | None = None
    interaction: Kind = "click"
    backend: str | None = None

    @property
    def count(self) -> int | None:
        """Sessions under an interactive protocol, images under a one-shot protocol."""
        return self.data.objects if "sessions" in self.metrics else self.data.images

    def to_json(self) -> dict[str, Any]:
        """Plain values; NaN becomes None."""
        plain = {"schema": SCHEMA} | asdict(self)
        plain["metrics"] = {name: _finite(value) for name, value in self.metrics.items()}
        return plain

    def write(self, path: Path) -> None:
        """Write as JSON; the file appears only when complete."""
        write_text(path, json.dumps(self.to_json(), indent=1, ensure_ascii=False, allow_nan=False) + "\n")


def read(path: Path) -> Result:
    """Read and check a result.

    Raises:
        ResultError: the file is missing, not JSON, of another schema, or a field is missing, unknown or unfit.
    """
    try:
        content = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        hint = "write it with `zoo compare --save-results`"
        raise ResultError(f"{path}: not readable as JSON ({error}); {hint}") from None
    if not isinstance(content, dict) or content.pop("schema", None) != SCHEMA:
        raise ResultError(f'{path}: no result of this version; "schema" must be "{SCHEMA}"')
    old = content.get("checkpoint")
    if isinstance(old, dict) and isinstance(old.get("name"), str):  # before several were recorded
        content["checkpoint"] = {"weights": old}
    result: Result = _build(Result, content, path)
    _check(result, path)
    return result


def _build(kind: Any, content: Any, path: Path) -> Any:
    nested = {"data": DataSummary, "speed": Speed} if kind is Result else {}
    try:
        values = {
            name: _build(nested[name], value, path) if name in nested and value is not None else value
            for name, value in content.items()
        }
        return kind(**values)
    except (TypeError, AttributeError) as error:
        names = ", ".join(f.name for f in fields(kind))
        raise ResultError(f"{path}: {error}; the fields of {kind.__name__} are {names}") from None


def _check(result: Result, path: Path) -> None:
    def need(right: bool, what: str) -> None:
        if not right:
            raise ResultError(f"{path}: {what}; measure again with `zoo compare --save-results`, or correct the file")

    need(result.source in ("measured", "paper"), f"source is {result.source!r}, not 'measured' or 'paper'")
    need(isinstance(result.data, DataSummary), "data is missing")
    need(isinstance(result.settings, dict), "settings are no mapping")
    names = (result.experiment, result.title, result.protocol, result.data.dataset, result.data.split)
    need(all(isinstance(name, str) and name for name in names), "a name is empty or no text")
    each = result.checkpoint or {}
    named = isinstance(each, dict) and all(
        isinstance(c, dict) and {"name", "sha256"} <= c.keys() for c in each.values()
    )
    need(named, "checkpoint has no name and sha256 by argument")
    need(result.interaction in KINDS, f"interaction is {result.interaction!r}")
    need(result.data.split_unit in ("patient", "field"), f"split_unit is {result.data.split_unit!r}")
    numbers = isinstance(result.metrics, dict) and bool(result.metrics)
    need(numbers and all(_is_number(v) for v in result.metrics.values()), "metrics are no numbers by name")
    if result.source == "paper":
        need(bool(result.reference), "a number from a paper needs its `reference`")
        return
    provenance = ("command", "config_hash", "seed", "device", "versions")
    absent = [name for name in provenance if getattr(result, name) is None]
    need(not absent, f"{', '.join(absent)} missing from a measured result")
    hashes = (result.config_hash, result.data.checksum)
    need(all(isinstance(h, str) and SHA256.fullmatch(h) for h in hashes), "config_hash or checksum is no sha256")
    counts = (result.data.images, result.data.objects)
    need(all(isinstance(n, int) and n > 0 for n in counts), "images and objects must be counted")


def _is_number(value: Any) -> bool:
    return value is None or (isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value))


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None
