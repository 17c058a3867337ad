"""Differences between methods on the same samples, with intervals that know which samples belong together."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from zoo.errors import MetricError, ResultError
from zoo.evaluation.record import Record
from zoo.files import write_text
from zoo.metrics.bootstrap import DRAWS, LEVEL, SEED, interval
from zoo.metrics.interaction import fill_forward, noc

SCHEMA = "isegzoo.differences/1"
TARGETS_COMPARED = 2


@dataclass(frozen=True)
class Difference:
    """A method's mean score minus the first method's, on the same samples.

    Attributes:
        method: its experiment.
        score: name of the metric of which both have one number a sample.
        mean: over samples.
        low: lower end of the 95 % interval; None with fewer than two clusters.
        high: upper end.
    """

    method: str
    score: str
    mean: float
    low: float | None
    high: float | None

    @property
    def certain(self) -> bool:
        """Whether the interval leaves out 0."""
        return self.low is not None and self.high is not None and (self.low > 0 or self.high < 0)


@dataclass(frozen=True)
class Differences:
    """All methods of a comparison against its first.

    Attributes:
        first: its experiment.
        samples: how many.
        clusters: the images they come from.
        rows: by method, then by score.
    """

    first: str
    samples: int
    clusters: int
    rows: list[Difference]

    def write(self, path: Path) -> None:
        """Write as JSON; the file appears only when complete."""
        content = {"schema": SCHEMA, "level": LEVEL, "draws": DRAWS, "seed": SEED} | asdict(self)
        write_text(path, json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n")


def difference(
    scores: ArrayLike, others: ArrayLike, clusters: ArrayLike, draws: int = DRAWS, seed: int = SEED
) -> tuple[float, float | None, float | None]:
    """Mean of `scores - others` and the ends of its 95 % interval, as `zoo.metrics.bootstrap.interval` takes it.

    Args:
        scores: (S,) one number a sample.
        others: (S,) those of the other method.
        clusters: (S,) what samples share, e.g. the image they are windows of.
        draws: of the bootstrap.
        seed: of the draws.

    Returns:
        Mean, lower and upper end; the ends are None with fewer than two clusters.

    Raises:
        MetricError: there are no samples, or not the same number of everything.
    """
    values, names = np.asarray(scores, np.float64) - np.asarray(others, np.float64), np.asarray(clusters)
    if values.ndim != 1 or not len(values) or names.shape != values.shape:
        raise MetricError(
            f"Paired differences need one number a sample: got {values.shape} scores of {names.shape} samples."
        )
    return float(values.mean()), *interval(values, names, draws, seed)


def sample_scores(records: Sequence[Record], score: str, metrics: Mapping[str, Any]) -> dict[str, NDArray[np.float64]]:
    """(S,) numbers by the name of the metric that is their mean: those worth comparing.

    Args:
        records: one a sample.
        score: what their `score` is under protocols without turns, e.g. `AJI`.
        metrics: of the result; only what it holds is compared.
    """
    metrics = measured(metrics)
    turns = sum(name.startswith("iou@") and name != "iou@0" for name in metrics)
    if not turns:
        found = {score.lower(): np.array([r.score for r in records])} if score.lower() in metrics else {}
        return found | ({"noc": np.array([float(len(r.ious)) for r in records])} if "noc" in metrics else {})
    ious, initial = np.full((len(records), turns), np.nan), np.full(len(records), np.nan)
    for i, record in enumerate(records):
        ious[i, : len(record.ious)] = record.ious
        initial[i] = np.nan if record.initial is None else record.initial
    names = [name for name in metrics if name.startswith("noc@") and not name.endswith("_per_image")]
    targets = sorted(float(name[4:]) for name in names)[-TARGETS_COMPARED:]
    filled = fill_forward(ious, turns, initial)
    scores = {f"noc@{target:g}": noc(ious, target / 100, turns, initial) for target in targets}
    scores |= {f"iou@{k}": filled[:, k - 1] for k in (1, turns)}
    return scores | ({"auc": filled.mean(1)} if turns > 1 else {})


def measured(metrics: Mapping[str, Any]) -> dict[str, Any]:
    """Metrics without the ends of their intervals, `KEY_from` and `KEY_to`."""
    return {name: value for name, value in metrics.items() if not name.endswith(("_from", "_to"))}


def mean_scores(
    seeds: Sequence[Sequence[Record]], score: str, metrics: Mapping[str, Any]
) -> dict[str, NDArray[np.float64]]:
    """`sample_scores` of several seeds: of each sample the mean over them."""
    tables = [sample_scores(records, score, metrics) for records in seeds]
    return {name: np.mean([table[name] for table in tables], 0) for name in tables[0]}


def differences(
    names: Sequence[str], records: Sequence[Sequence[Sequence[Record]]], score: str, metrics: Mapping[str, Any]
) -> Differences | None:
    """Every method against the first; None when there is only one, or no number a sample.

    Args:
        names: experiments.
        records: one a sample, of each seed, of each experiment.
        score: see `sample_scores`.
        metrics: of any of the results.

    Raises:
        MetricError: the samples differ.
    """
    first, *others = records
    ids = [(record.sample_id, record.image_id) for record in first[0]]
    for name, seeds in zip(names, records, strict=True):
        if any([(record.sample_id, record.image_id) for record in each] != ids for each in seeds):
            raise MetricError(f"{name} and {names[0]} were evaluated on different samples; they can't be paired.")
    clusters = [image for _, image in ids]
    base = mean_scores(first, score, metrics)
    rows = [
        Difference(name, key, *difference(values, base[key], clusters))
        for name, each in zip(names[1:], others, strict=True)
        for key, values in mean_scores(each, score, metrics).items()
    ]
    return Differences(names[0], len(ids), len(set(clusters)), rows) if rows else None


def how_paired(found: Differences, patients: int | None = None) -> str:
    """How the differences were made, and over what their intervals were taken.

    Args:
        found: the differences.
        patients: patients or groups that the images come from, where they are known.
    """
    text = f"Mean of the paired differences over {found.samples} samples"
    if found.clusters < 2:
        return f"{text} of a single image: there is no interval, and nothing is known across images or patients."
    bootstrap = f"by a bootstrap over the {found.clusters} images they come from"
    text += f"; in brackets its {LEVEL:.0%} interval over images, {bootstrap}."
    if patients == 1:
        return f"{text} All of them are of one patient or group: nothing is known across patients."
    if patients is not None and patients < found.clusters:
        text += f" They are of {patients} patients or groups, which the interval does not account for."
    return text


def read_differences(path: Path) -> Differences:
    """Read what `Differences.write` wrote.

    Raises:
        ResultError: the file is missing, not JSON, or of another schema.
    """
    try:
        content = json.loads(path.read_text())
        if content["schema"] != SCHEMA:
            raise ValueError(f'"schema" is not "{SCHEMA}"')
        rows = [Difference(**row) for row in content["rows"]]
        return Differences(content["first"], content["samples"], content["clusters"], rows)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ResultError(
            f"{path}: no differences of this version ({error}); write them with `zoo compare --save-results`"
        ) from None
