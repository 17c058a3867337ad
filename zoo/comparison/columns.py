"""Which metrics tables print, how, and what they mean."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from zoo.comparison.paired import Difference, Differences, measured
from zoo.comparison.result import Result
from zoo.interactions import Click


@dataclass(frozen=True)
class Column:
    """One column of a table.

    Attributes:
        key: of `Result.metrics`, or a time of `Result.speed`.
        label: heading.
        better: which end of the scale is better.
        digits: after the point.
        meaning: one sentence.
    """

    key: str
    label: str
    better: str
    digits: int
    meaning: str

    @property
    def timed(self) -> bool:
        """Whether it is a time, which depends on the device."""
        return self.key == "seconds" or self.key.startswith("speed.")

    @property
    def heading(self) -> str:
        """Label and the better direction."""
        return f"{self.label} {self.arrow}"

    @property
    def arrow(self) -> str:
        """The better direction."""
        return "↑" if self.better == "high" else "↓"

    def value(self, result: Result) -> float | None:
        """The number of one result, None where there is none."""
        if self.key.startswith("speed."):
            seconds = None if result.speed is None else getattr(result.speed, self.key[6:])
            return None if seconds is None else float(seconds) * 1000
        value = result.metrics.get(self.key)
        return None if value is None or math.isnan(value) else value

    def cell(self, result: Result) -> str:
        """The number of one result as tables print it, with its intervals where there are some.

        Over samples (`KEY_from`, `KEY_to`), and over seeds (`KEY_seeds_from`, `KEY_seeds_to`).
        """
        shown = self.text(self.value(result))
        for name, said in ("", ""), ("_seeds", "seeds "):
            ends = [result.metrics.get(f"{self.key}{name}_{end}") for end in ("from", "to")]
            shown += "" if None in ends else f" [{said}{', '.join(map(self.text, ends))}]"
        return shown

    def text(self, value: float | None) -> str:
        """A number as tables print it."""
        return "–" if value is None else f"{value:.{self.digits}f}"


REGIONS = (
    Column("iou_pooled", "IoU (all pixels)", "high", 3, "IoU of the pixels of all samples together"),
    Column("iou", "IoU", "high", 3, "IoU of each sample, mean over samples"),
)
INSTANCES = (
    Column("aji", "AJI", "high", 3, "aggregated Jaccard index, mean over images"),
    Column("dq", "DQ", "high", 3, "detection quality: F1 of objects matched at IoU above 0.5, mean over images"),
    Column("sq", "SQ", "high", 3, "segmentation quality: mean IoU of matched objects, mean over images"),
    Column("pq", "PQ", "high", 3, "panoptic quality: DQ times SQ of each image, mean over images"),
    Column("dice", "Dice", "high", 3, "Dice of foreground against background, mean over images or windows"),
    Column(
        "hausdorff",
        "Hausdorff (px)",
        "low",
        2,
        "mean over objects of the Hausdorff distance to the best-overlapping prediction, in pixels, mean over images",
    ),
    Column("object_dice", "object Dice", "high", 3, "area-weighted Dice of objects from both sides, mean over images"),
    Column("f1", "F1 (GlaS)", "high", 3, "detection F1 of the GlaS contest, mean over images"),
)
TWO_SCALES = (
    Column("tnoc", "tNoC", "low", 0, "clicks at both magnifications, all images together"),
    Column("noc", "NoC", "low", 1, "clicks at both magnifications, mean over images"),
    Column("seconds", "total time (s)", "low", 1, "seconds of all clicks of all images to the new mask"),
)
SHOWN_IOUS = (0, 1, 3, 5, 10, 20)
# With so many targets at most, both averages and the time are shown, and fewer IoUs.
FEW_TARGETS, FEWER_IOUS = 2, (0, 1, 5, 20)


def columns(results: Sequence[Result]) -> list[Column]:
    """The columns of a table of results of one protocol: those for which any of them has a number."""
    # Of instance maps, the IoU of all foreground says little beside the rest.
    regions = () if any("aji" in result.metrics for result in results) else REGIONS
    two_scales = TWO_SCALES if any("tnoc" in result.metrics for result in results) else ()
    every = [*_interactive(results), *regions, *two_scales, *INSTANCES, *_speed(results)]
    return [column for column in every if any(column.value(result) is not None for result in results)]


def best(column: Column, results: Iterable[Result], rank: int = 0) -> set[int]:
    """Positions of the best results of a column, as printed; none when fewer than two have a number.

    Args:
        column: what they are judged by.
        results: of one protocol on the same samples.
        rank: 0 for the best, 1 for the second best, which only more than two results have.
    """
    shown = {i: float(column.text(v)) for i, r in enumerate(results) if (v := column.value(r)) is not None}
    ranked = sorted(set(shown.values()), reverse=column.better == "high")
    if len(shown) < 2 + rank or len(ranked) <= rank:
        return set()
    return {i for i, value in shown.items() if value == ranked[rank]}


def compared(found: Differences, results: Sequence[Result]) -> list[Column]:
    """The columns of a table of differences, in the order of the table of results."""
    known = {row.score for row in found.rows}
    return [column for column in columns(results) if column.key in known]


def verdict(row: Difference, column: Column) -> str:
    """`better` or `worse` than the first method where the interval leaves out 0, else empty."""
    if not row.certain:
        return ""
    return "better" if (row.mean > 0) == (column.better == "high") else "worse"


def difference_text(row: Difference, column: Column) -> str:
    """A difference with its interval, and what it means in a word where it is certain, as tables print it."""
    mean, low, high = (None if v is None else f"{v:+.{column.digits}f}" for v in (row.mean, row.low, row.high))
    text = f"{mean} (no interval)" if low is None else f"{mean} [{low}, {high}]"
    return f"{text} {verdict(row, column)}".rstrip()


def settings_text(settings: Mapping[str, object]) -> str:
    """Settings in one line."""
    return ", ".join(f"{name.replace('_', ' ')}: {value}" for name, value in settings.items() if value is not None)


def _interactive(results: Sequence[Result]) -> list[Column]:
    names = sorted({name for result in results for name in measured(result.metrics)}, key=_natural)
    targets = [name[4:] for name in names if name.startswith("noc@") and not name.endswith("_per_image")]
    few = len(targets) <= FEW_TARGETS
    word = "NoI" if any(result.interaction != Click.kind for result in results) else "NoC"
    goals = {target: f"IoU {float(target) / 100:g}" for target in targets}
    out = [
        Column(f"success_ratio@{target}", f"success@{target}", "high", 3, f"share of the sessions that reach {goal}")
        for target, goal in goals.items()
    ]
    for target, goal in goals.items():
        meaning = f"mean number of interactions to {goal}; a failure counts as the maximum"
        out.append(Column(f"noc@{target}", f"{word}@{target}", "low", 2, meaning))
    if few:
        for target, goal in goals.items():
            meaning = f"mean number of interactions to {goal} over the sessions that reach it, which differ by method"
            out.append(Column(f"noc_success@{target}", f"{word}@{target} of successes", "low", 2, meaning))
    if any(result.metrics.get("stuck") for result in results):
        meaning = "sessions whose user fell silent below the highest target before the last turn"
        out.append(Column("stuck", "stuck", "low", 0, meaning))
    last = max((int(name[4:]) for name in names if name.startswith("iou@")), default=0)
    # Sessions from an empty mask have an IoU of 0 before the first interaction, which says nothing.
    first = 0 if any(result.metrics.get("iou@0") for result in results) else 1
    for k in FEWER_IOUS if few else SHOWN_IOUS:
        if first <= k <= last:
            times = {0: "before the first interaction", 1: "after 1 interaction"}.get(k, f"after {k} interactions")
            out.append(Column(f"iou@{k}", f"IoU@{k}", "high", 3, f"mean IoU {times}"))
    if last > 1:
        area = "mean IoU over all numbers of interactions (area under the curve)"
        out.append(Column("auc", "mean IoU", "high", 3, area))
    if few and targets:
        meaning = "seconds of all interactions of all sessions to the new mask, in the evaluation's batches"
        out.append(Column("seconds", "total time (s)", "low", 1, meaning))
    return out


def _speed(results: Sequence[Result]) -> list[Column]:
    turns = all(result.speed is None or result.speed.unit == "interaction" for result in results)
    whole = "SPI (ms)" if turns else "end to end (ms)"
    of_model = "milliseconds of the method's own computation, at batch size 1 in a run of its own"
    of_all = "milliseconds to the new mask, at batch size 1 in a run of its own"
    of_evaluation = "milliseconds in the same run with the simulated user, scores and transfers"
    return [
        Column("speed.model", "model (ms)", "low", 1, of_model),
        Column("speed.end_to_end", whole, "low", 1, of_all + (": seconds per interaction" if turns else "")),
        Column("speed.evaluation", "evaluation (ms)", "low", 1, of_evaluation),
    ]


def _natural(name: str) -> tuple[str, float]:
    head, _, tail = name.partition("@")
    return head, float(tail) if tail.replace(".", "").isdigit() else 0.0
