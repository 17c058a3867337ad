"""The parts of a comparison: results that may stand in one table, their curves, and samples side by side.

Methods are compared under equal settings alone. What other users make of them, their robustness, is a part of its
own, without winners.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import count
from typing import Any

import numpy as np
import torch

from zoo.comparison.experiment import Experiment
from zoo.comparison.figures import Sessions, curves, panels, success
from zoo.comparison.paired import Differences, differences
from zoo.comparison.result import Result
from zoo.data.batch import Batch
from zoo.evaluation.record import Record
from zoo.evaluation.stages import Mark, Panel, drawn, marks, truth_pictures

SHOWN = {"good": 0.9, "median": 0.5, "worst": 0.0}
MOST_STUCK = 2  # sessions that got stuck, of all methods
MOST_BESIDE = 12  # methods, the first ones, whose pictures stand side by side: a sweep may have a hundred


@dataclass(frozen=True)
class Course:
    """What happened turn by turn in one session, for a method's pictures.

    Attributes:
        ious: after each turn that counts.
        turns: that count, until each picture.
        marks: the clicks that each picture shows.
        before: turns before those that count.
    """

    ious: tuple[float, ...]
    turns: list[int]
    marks: list[list[Mark]]
    before: int = 0


@dataclass(frozen=True)
class Shown:
    """One sample as all methods segment it.

    Attributes:
        caption: why it was chosen and where it comes from.
        truth: captions and pictures of the image alone and of the target.
        rows: for each method its title, and captions and pictures of its stages.
        courses: for each method its IoUs after each turn and the clicks of each stage.
    """

    caption: str
    truth: list[Panel]
    rows: list[tuple[str, list[Panel]]]
    courses: list[Course]


@dataclass(frozen=True)
class Section:
    """Experiments with one protocol, its settings, and the same samples; of several users where `users` says so.

    Attributes:
        slug: in file names.
        experiments: in the order of the command line.
        figures: captions and PNGs by file name.
        shown: samples side by side.
        differences: to the first experiment; None without a second one.
        users: whether the experiments differ in their simulated user, and may in nothing else.
    """

    slug: str
    experiments: list[Experiment]
    figures: dict[str, tuple[str, bytes]]
    shown: list[Shown]
    differences: Differences | None = None
    users: bool = False

    @property
    def results(self) -> list[Result]:
        """One an experiment."""
        return [result_of(experiment) for experiment in self.experiments]

    @property
    def titles(self) -> list[str]:
        """What tables call the experiments: with their users where these differ."""
        if not self.users:
            return [experiment.title for experiment in self.experiments]
        return [f"{experiment.title}, {user_of(experiment)}" for experiment in self.experiments]

    @property
    def heading(self) -> str:
        """The protocol's name."""
        return result_of(self.experiments[0]).protocol + (" with several users" if self.users else "")

    @property
    def settings(self) -> dict[str, Any]:
        """What all experiments have in common."""
        settings = result_of(self.experiments[0]).settings
        return {name: value for name, value in settings.items() if not (self.users and name == "user")}


def user_of(experiment: Experiment) -> str:
    """The simulated user; empty where the protocol's settings name none."""
    return str(result_of(experiment).settings.get("user", ""))


def result_of(experiment: Experiment) -> Result:
    """The result of an experiment that has run."""
    assert experiment.result is not None
    return experiment.result


def sections(experiments: Sequence[Experiment]) -> list[Section]:
    """Group experiments that have run, and draw."""
    out: list[Section] = []
    for members in _groups(experiments):
        slug = _slug(result_of(members[0]).protocol, out)
        beside = members[:MOST_BESIDE]
        shown = [_shown(beside, name, sample) for name, sample in _cases(members).items()]
        figures = _curves(members, slug) | _overlays(shown, slug, members[0].protocol.ranked_by)
        figures |= _of_protocol(beside, slug)
        out.append(Section(slug, members, figures, shown, _differences(members)))
    for members in _groups(experiments, but="user"):
        if len({user_of(experiment) for experiment in members}) > 1:
            slug = _slug(f"{result_of(members[0]).protocol}-users", out)
            section = Section(slug, members, {}, [], users=True)
            out.append(replace(section, figures=_curves(members, slug, section.titles)))
    return out


def _groups(experiments: Sequence[Experiment], but: str = "") -> list[list[Experiment]]:
    """Those with one protocol, the same samples, and settings that are equal but for one."""
    groups: dict[str, list[Experiment]] = {}
    for experiment in experiments:
        result = result_of(experiment)
        places = [experiment.dataset.describe(record.sample_id) for record in experiment.records]
        settings = {name: value for name, value in result.settings.items() if name != but}
        key = json.dumps([result.protocol, settings, asdict(result.data), places], sort_keys=True)
        groups.setdefault(key, []).append(experiment)
    return list(groups.values())


def _slug(name: str, before: Sequence[Section]) -> str:
    """A name that no section has yet."""
    taken = {section.slug for section in before}
    names = (name if not number else f"{name}-{number + 1}" for number in count())
    return next(free for free in names if free not in taken)


def _differences(experiments: Sequence[Experiment]) -> Differences | None:
    first = experiments[0]
    names, records = [e.name for e in experiments], [e.every for e in experiments]
    return differences(names, records, first.protocol.ranked_by, result_of(first).metrics)


def choose(records: Sequence[Record]) -> dict[str, int]:
    """Sample ids at fixed ranks of the score, by name; fewer where there are fewer samples."""
    order = sorted(records, key=lambda record: (record.score, record.sample_id))
    chosen: dict[int, str] = {}
    for name, rank in reversed(SHOWN.items()):
        chosen.setdefault(order[round(rank * (len(order) - 1))].sample_id, name)
    return {name: sample for sample, name in reversed(chosen.items())}


def _cases(experiments: Sequence[Experiment]) -> dict[str, int]:
    """Sample ids to show, by why: what got stuck stands before the worst."""
    chosen = choose(experiments[0].records)
    worst = chosen.pop("worst")
    silent = choose_stuck({experiment.title: experiment.records for experiment in experiments})
    return chosen | silent | ({} if worst in silent.values() else {"worst": worst})


def choose_stuck(records: Mapping[str, Sequence[Record]]) -> dict[str, int]:
    """Ids of the worst samples at which a method's session got stuck, by which; of records by method."""
    found: dict[int, list[str]] = {}
    worst: dict[int, float] = {}
    for method, each in records.items():
        for record in each:
            if record.stuck:
                found.setdefault(record.sample_id, []).append(method)
                worst[record.sample_id] = min(record.score, worst.get(record.sample_id, 1.0))
    ids = sorted(found, key=lambda sample: (worst[sample], sample))[:MOST_STUCK]
    names = [f"stuck with {' and '.join(found[sample])}" for sample in ids]
    numbered = [f"{name} ({n + 1})" if name in names[:n] else name for n, name in enumerate(names)]
    return dict(zip(numbered, ids, strict=True))


def _curves(
    experiments: Sequence[Experiment], slug: str, titles: Sequence[str] | None = None
) -> dict[str, tuple[str, bytes]]:
    """Pictures by file name; `titles` are those of several users' experiments: a colour a method, a line a user."""
    turns = max((len(record.ious) for e in experiments for record in e.records), default=0)
    if turns < 2:
        return {}
    methods = [_sessions(experiment, turns) for experiment in experiments]
    if titles is not None:
        names = list(dict.fromkeys(experiment.title for experiment in experiments))
        users = list(dict.fromkeys(user_of(experiment) for experiment in experiments))
        methods = [
            replace(m, title=title, colour=names.index(e.title), line=users.index(user_of(e)))
            for m, e, title in zip(methods, experiments, titles, strict=True)
        ]
    targets = {name[4:] for name in result_of(experiments[0]).metrics if name.startswith("nof@")}
    target = min((float(t) / 100 for t in targets), key=lambda t: abs(t - 0.8), default=0.8)
    suffix = "" if slug == "interactive" else f"-{slug}"
    return {
        f"curves{suffix}.png": (
            "Mean IoU after each interaction. Bands: one standard error of the mean, clustered by image. "
            "A session that ended keeps its last IoU.",
            curves(methods, turns),
        ),
        f"success{suffix}.png": (
            f"Share of the sessions that have reached IoU {target:.2f} within so many interactions.",
            success(methods, turns, target),
        ),
    }


def _sessions(experiment: Experiment, turns: int) -> Sessions:
    records = [record for seed in experiment.every for record in seed]  # a curve is the mean over samples and seeds
    ious = np.full((len(records), turns), np.nan)
    for row, record in zip(ious, records, strict=True):
        row[: len(record.ious)] = record.ious
    initial = np.array([np.nan if record.initial is None else record.initial for record in records])
    return Sessions(experiment.title, ious, initial, np.array([record.image_id for record in records]))


def _overlays(shown: Sequence[Shown], slug: str, score: str) -> dict[str, tuple[str, bytes]]:
    caption = f"The same samples by all methods, chosen by the first one's {score}."
    return {f"overlays-{slug}.jpg": (caption, panels([(s.caption, s.truth, s.rows) for s in shown]))}


def _of_protocol(experiments: Sequence[Experiment], slug: str) -> dict[str, tuple[str, bytes]]:
    """Pictures that the protocol itself makes of the samples that are shown, of all methods together."""
    found: dict[str, list[tuple[str, list[Panel], list[tuple[str, list[Panel]]]]]] = {}
    captions: dict[str, str] = {}
    for why, sample in _cases(experiments).items():
        batch = experiments[0].batch([sample])
        rows: dict[str, list[tuple[str, list[Panel]]]] = {}
        truth: dict[str, list[Panel]] = {}
        for experiment in experiments:
            record = next(record for record in experiment.records if record.sample_id == sample)
            for name, figure in experiment.protocol.figures(experiment.model.engine(), batch, record).items():
                rows.setdefault(name, []).append((experiment.title, figure.panels))
                truth[name], captions[name] = figure.truth, figure.caption
        for name, methods in rows.items():
            found.setdefault(name, []).append((why, truth[name], methods))
    return {f"{name}-{slug}.jpg": (captions[name], panels(samples)) for name, samples in found.items()}


def _course(batch: Batch, whole: Record, stages: Sequence[Record]) -> Course:
    clicks = whole.interactions.points[0] if len(whole.interactions) else torch.zeros(0, 4)
    spoken = clicks[clicks[:, 2] >= 0][:, 3]
    before = max(0, int(spoken.max()) + 1 - len(whole.ious)) if len(spoken) and whole.ious else 0
    return Course(whole.ious, [len(stage.ious) for stage in stages], [marks(batch, each) for each in stages], before)


def _shown(experiments: Sequence[Experiment], name: str, sample_id: int) -> Shown:
    first = experiments[0]
    batch = first.batch([sample_id])
    rows, courses = [], []
    for experiment in experiments:
        records = [record for record in experiment.records if record.sample_id == sample_id]
        stages = experiment.protocol.stages(experiment.model.engine(), batch, records)
        rows.append((experiment.title, drawn(experiment.protocol, batch, stages)))
        courses.append(_course(batch, records[0], [record for (record,) in stages.values()]))
    place = first.dataset.describe(sample_id)
    known = ("group", "object") if "object" in place else ("group", "x0", "y0")
    where = ", ".join(f"{key} {place[key]}" for key in known if key in place)
    return Shown(f"{name}: {where}", truth_pictures(batch), rows, courses)
