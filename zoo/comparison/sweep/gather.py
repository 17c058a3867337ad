"""The runs of a sweep that are finished as the rows of one comparison: the mean of their seeds, with intervals."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from scipy import stats

from zoo.comparison.experiment import Experiment, prepare
from zoo.comparison.paired import mean_scores
from zoo.comparison.result import Result, read
from zoo.comparison.sweep.plan import OUTLINES, RESULT, TRACES, Run
from zoo.errors import ResultError
from zoo.evaluation.record import Record, read_traces
from zoo.metrics.bootstrap import LEVEL, interval

Results = list[tuple[Run, Result]]


def gathered(runs: Sequence[Run], progress: Callable[[], None] = lambda: None) -> list[Experiment]:
    """One experiment a row, the best first: by the mean of what their protocol ranks samples by.

    Args:
        runs: finished ones.
        progress: called after each row.
    """
    rows: dict[str, list[Run]] = {}
    for each in runs:
        rows.setdefault(each.row, []).append(each)
    experiments = []
    for members in rows.values():
        experiments.append(_row(members))
        progress()
    return sorted(experiments, key=mean_score, reverse=True)


def mean_score(experiment: Experiment) -> float:
    """The mean of what the protocol ranks samples by, over samples and seeds; the larger the better."""
    return float(np.mean([record.score for seed in experiment.every for record in seed]))


def _row(members: Sequence[Run]) -> Experiment:
    """The first seed's experiment as it was evaluated, with the records of all and the mean of their results."""
    first = members[0]
    experiment = prepare(first.address, first.limit)
    experiment.called = (first.row, first.title)
    experiment.seeds = [_records(each) for each in members]
    experiment.records = experiment.seeds[0]
    results = [read(each.folder / RESULT) for each in members]
    experiment.result = averaged(results, experiment.seeds, experiment.protocol.ranked_by)
    return experiment


def averaged(results: Sequence[Result], seeds: Sequence[Sequence[Record]], score: str) -> Result:
    """The mean of the results of several seeds, with its intervals.

    `KEY_from` and `KEY_to` are the ends of the interval over samples, of metrics that have a number a sample: the
    bootstrap over images of `zoo.metrics.bootstrap`, of each sample's mean over seeds. `KEY_seeds_from` and
    `KEY_seeds_to` are those over seeds: Student's interval of the mean, which supposes that seeds' results are normal.

    Args:
        results: one a seed.
        seeds: records of each.
        score: what these are ranked by.
    """
    first = results[0]
    metrics: dict[str, float | None] = {}
    for name in first.metrics:
        values = [result.metrics.get(name) for result in results]
        known = [value for value in values if value is not None]
        metrics[name] = float(np.mean(known)) if len(known) == len(values) else None
        if len(known) > 1 and len(known) == len(values) and not name.endswith(("_from", "_to")):
            metrics[f"{name}_seeds_from"], metrics[f"{name}_seeds_to"] = over_seeds(known)
    clusters = [record.image_id for record in seeds[0]]
    for name, scores in mean_scores(seeds, score, first.metrics).items():
        metrics[f"{name}_from"], metrics[f"{name}_to"] = interval(scores, clusters)
    return replace(first, metrics=metrics)


def over_seeds(values: Sequence[float]) -> tuple[float, float]:
    """Ends of the 95 % interval of the mean of independent normal numbers (Student)."""
    half = stats.t.ppf((1 + LEVEL) / 2, len(values) - 1) * np.std(values, ddof=1) / math.sqrt(len(values))
    return float(np.mean(values) - half), float(np.mean(values) + half)


def _records(run: Run) -> list[Record]:
    """A run's, with their outlines."""
    try:
        outlines = json.loads((run.folder / OUTLINES).read_text())
    except (OSError, ValueError) as error:
        raise ResultError(f"{run.folder / OUTLINES}: can't be read ({error}); remove {run.folder}") from None
    return [replace(each, outline=outlines.get(str(each.sample_id))) for each in read_traces(run.folder / TRACES)]
