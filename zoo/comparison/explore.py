"""What the report's charts and worst cases are drawn from: numbers of all samples, pictures as far as there is room.

A picture is a small JPEG of the sample once, and outlines of its target and of each method as paths.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from zoo.comparison.columns import columns
from zoo.comparison.experiment import Experiment
from zoo.comparison.outline import outline
from zoo.comparison.paired import mean_scores, measured
from zoo.comparison.sections import Section, result_of
from zoo.data.batch import collate
from zoo.evaluation.record import Record
from zoo.evaluation.stages import shown_part
from zoo.images.drawing import jpeg
from zoo.metrics.interaction import fill_forward

SIDE = 320  # pixels of a picture at most
MOST_NUMBERS = 1_000_000  # of IoUs in a report; of more samples some are left out, evenly
WORST = 30  # of each method come before all others


def explored(section: Section, room: int) -> dict[str, Any]:
    """One section for the script, as JSON.

    Args:
        section: experiments that have run.
        room: characters that pictures may take.
    """
    experiments = section.experiments
    records = experiments[0].records
    metrics = result_of(experiments[0]).metrics
    turns = max((len(record.ious) for each in experiments for record in each.records), default=0)
    kept = _kept(len(records), len(experiments) * (turns + 1))
    out: dict[str, Any] = {
        "rows": section.titles,
        "whole": len(records),
        "samples": [_place(experiments[0], records[number]) for number in kept],
        "seconds": [[_seconds(e.records[number], turns > 1) for number in kept] for e in experiments],
        "said": [[e.records[number].units for number in kept] for e in experiments],
    }
    tables = [mean_scores(e.every, e.protocol.ranked_by, metrics) for e in experiments]
    known = {column.key: column for column in columns(section.results)}
    names = [name for name in known if name in tables[0]]
    # What the protocol ranks by stands first.
    names = sorted(names, key=lambda name: name not in ("auc", "aji"))
    out["metrics"] = [
        {"key": name, "label": known[name].label, "better": known[name].better, "digits": known[name].digits}
        for name in names
    ]
    out["scores"] = [[[round(float(table[name][n]), 4) for n in kept] for name in names] for table in tables]
    if turns > 1:
        out["ious"] = [_courses(each.every, turns)[kept].tolist() for each in experiments]
        out["first"] = 0 if any((record.initial or 0) > 0 for e in experiments for record in e.records) else 1
        goals = [name[4:] for name in measured(metrics) if name.startswith("noc@") and not name.endswith("_per_image")]
        out["targets"] = [f"{float(goal) / 100:g}" for goal in sorted(goals, key=float)]
    out["pictures"] = dict(_pictures(section, kept, room))
    return out


def _kept(samples: int, each: int) -> list[int]:
    """Positions of the samples that the report holds: all, or evenly as many as there is room for."""
    most = max(1, MOST_NUMBERS // max(1, each))
    return list(range(samples)) if samples <= most else np.linspace(0, samples - 1, most).round().astype(int).tolist()


def _courses(seeds: Sequence[Sequence[Record]], turns: int) -> NDArray[np.int64]:
    """(S, 1 + turns) IoUs in thousandths from before the first interaction on: means over seeds, ends carried on."""
    filled = []
    for records in seeds:
        ious, initial = np.full((len(records), turns), np.nan), np.zeros(len(records))
        for number, record in enumerate(records):
            ious[number, : len(record.ious)] = record.ious
            initial[number] = record.initial or 0
        filled.append(np.concatenate([initial[:, None], fill_forward(ious, turns, initial)], 1))
    thousandths: NDArray[np.int64] = np.round(1000 * np.mean(filled, 0)).astype(np.int64)
    return thousandths


def _seconds(record: Record, turns: bool) -> list[float]:
    """Of each interaction, or of the sample."""
    return [float(f"{value:.3g}") for value in (record.seconds if turns else [sum(record.seconds)])]


def _place(experiment: Experiment, record: Record) -> dict[str, str]:
    """What a sample is called, and its image."""
    place = experiment.dataset.describe(record.sample_id)
    image = f"{place['file']}, {place['group']}" + (f", {place['item']}" if place.get("item") else "")
    parts = [f"object {place['object']}"] if "object" in place else []
    parts += [f"x {place['x0']}, y {place['y0']}"] if "x0" in place and "object" not in place else []
    return {"image": image, "name": ", ".join([image, *parts])}


def _order(experiments: Sequence[Experiment], kept: Sequence[int]) -> Iterator[int]:
    """Places of the kept samples: each method's worst first, one method after the other, then the rest, spread."""
    worst = [sorted(range(len(kept)), key=lambda k, e=e: e.records[kept[k]].score)[:WORST] for e in experiments]  # type: ignore[misc]
    first = dict.fromkeys(place for rank in zip(*worst, strict=True) for place in rank)
    yield from first
    rest = [place for place in range(len(kept)) if place not in first]
    for begin in range(step := max(1, len(rest) // 25)):
        yield from rest[begin::step]


def _pictures(section: Section, kept: Sequence[int], room: int) -> Iterator[tuple[str, dict[str, Any]]]:
    """Pictures by place, until there is no room for more."""
    first = section.experiments[0]
    for place in _order(section.experiments, kept):
        number = kept[place]
        found = [each.records[number].outline for each in section.experiments]
        if all(path is None for path in found):
            continue
        batch = collate([first.dataset[first.records[number].sample_id]])
        image, labels, (rows, across) = shown_part(batch)
        cut = image[rows, across]
        source = f"data:image/jpeg;base64,{b64encode(jpeg(_small(cut))).decode()}"
        made = {
            "src": source,
            "box": [across.start, rows.start, cut.shape[1], cut.shape[0]],
            "target": outline(labels),
            "found": found,
            "clicks": [_clicks(each.records[number]) for each in section.experiments],
        }
        room -= sum(len(text or "") for text in (source, made["target"], *found))
        room -= 16 * sum(map(len, made["clicks"])) + 100
        if room < 0:
            return
        yield str(place), made


def _small(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """At most `SIDE` pixels wide and high."""
    height, width = picture.shape[:2]
    scale = SIDE / max(height, width)
    if scale >= 1:
        return picture
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return np.asarray(Image.fromarray(picture).resize(size, Image.Resampling.LANCZOS))


def _clicks(record: Record) -> list[list[float]]:
    """x, y and sign of the clicks of a session, or of those of all objects of an image."""
    points = record.interactions.points.reshape(-1, 4).tolist()
    return [[round(x, 1), round(y, 1), int(label == 1)] for x, y, label, _ in points if label >= 0]
