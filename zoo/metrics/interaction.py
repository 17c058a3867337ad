"""Metrics of interactive sessions: NoC, NoF, success ratio, IoU@k, the interaction curve and SPI.

All take `ious` (S, T): one row for each session, column k - 1 holds the IoU after interaction k. A session that
stopped early is NaN from there on and keeps its last value. `initial` (S,) is the IoU before the first
interaction, for sessions that start from a mask.

`groups` (S,) names the image of each session: means are then taken over each image's sessions first and over the
images second, so that an image with many objects doesn't outweigh the others.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from zoo.errors import MetricError
from zoo.metrics.pairs import FloatArray


def fill_forward(ious: ArrayLike, max_interactions: int = 20, initial: ArrayLike | None = None) -> FloatArray:
    """(S, max_interactions) IoUs in which every missing value is the session's last one before it.

    Longer rows are cut, shorter ones extended.

    Raises:
        MetricError: `ious` is not (S, T) within 0..1, or a session's first value is missing without `initial`.
    """
    values = _sessions(ious)[:, :max_interactions]
    start = np.full(len(values), np.nan) if initial is None else np.asarray(initial, np.float64)
    if start.shape != (len(values),):
        raise MetricError(f"`initial` has the shape {start.shape}, but there are {len(values)} sessions.")
    values = np.concatenate([start[:, None], values], 1)
    values = np.pad(values, ((0, 0), (0, max_interactions + 1 - values.shape[1])), constant_values=np.nan)
    known = np.where(np.isnan(values), 0, np.arange(values.shape[1]))
    filled: FloatArray = np.take_along_axis(values, np.maximum.accumulate(known, 1), 1)[:, 1:]
    missing = np.flatnonzero(np.isnan(filled).any(1))
    if len(missing):
        raise MetricError(
            f"{len(missing)} of {len(filled)} sessions have no IoU after their first interaction (rows "
            f"{missing[:5].tolist()} ...). Leave out objects without a target, or give `initial`."
        )
    return filled


def noc(ious: ArrayLike, target: float, max_interactions: int = 20, initial: ArrayLike | None = None) -> FloatArray:
    """(S,) number of interactions to reach `target`; a failure counts as `max_interactions`.

    Reaching the target exactly at the last interaction is a success: tell it from a failure with `reached`.
    A session whose initial mask already reaches the target needs 0.
    """
    success = reached(ious, target, max_interactions, initial)
    first = _reach(ious, target, max_interactions, initial).argmax(1)
    return np.where(success, first, max_interactions).astype(np.float64)


def reached(
    ious: ArrayLike, target: float, max_interactions: int = 20, initial: ArrayLike | None = None
) -> NDArray[np.bool_]:
    """(S,) whether the session reached `target` within `max_interactions`."""
    return np.asarray(_reach(ious, target, max_interactions, initial).any(axis=1), np.bool_)


def stuck(
    ious: ArrayLike, target: float, max_interactions: int = 20, initial: ArrayLike | None = None
) -> NDArray[np.bool_]:
    """(S,) whether the session ended before `max_interactions` without having reached `target`.

    Its user had nothing more to say: e.g. every wrong pixel was clicked already.
    """
    made = (~np.isnan(_sessions(ious)[:, :max_interactions])).sum(1)
    return np.asarray((made < max_interactions) & ~reached(ious, target, max_interactions, initial), np.bool_)


def nof(ious: ArrayLike, target: float, max_interactions: int = 20, initial: ArrayLike | None = None) -> int:
    """Number of sessions that failed to reach `target`."""
    return int((~reached(ious, target, max_interactions, initial)).sum())


def mean_curve(
    ious: ArrayLike,
    max_interactions: int = 20,
    initial: ArrayLike | None = None,
    groups: ArrayLike | None = None,
) -> FloatArray:
    """(max_interactions,) mean IoU after each interaction."""
    filled = fill_forward(ious, max_interactions, initial)
    return np.array([grouped_mean(column, groups) for column in filled.T])


def iou_at(ious: ArrayLike, k: int, initial: ArrayLike | None = None, groups: ArrayLike | None = None) -> float:
    """Mean IoU after `k` interactions (k >= 1)."""
    return float(mean_curve(ious, k, initial, groups)[-1])


def auc(
    ious: ArrayLike,
    max_interactions: int = 20,
    initial: ArrayLike | None = None,
    groups: ArrayLike | None = None,
) -> float:
    """Area under the interaction curve: mean IoU over interactions 1..max_interactions, in 0..1."""
    return float(mean_curve(ious, max_interactions, initial, groups).mean())


def spi(seconds: ArrayLike) -> float:
    """Mean seconds per interaction over all interactions made; NaN without any.

    Args:
        seconds: (S, T), NaN where no interaction was made.
    """
    made = np.asarray(seconds, np.float64)
    made = made[~np.isnan(made)]
    return float(made.mean()) if made.size else float("nan")


def grouped_mean(values: ArrayLike, groups: ArrayLike | None = None) -> float:
    """Mean of `values` (S,), or the mean of each group's mean; NaN without values."""
    numbers = np.asarray(values, np.float64)
    if not len(numbers):
        return float("nan")
    if groups is None:
        return float(numbers.mean())
    names = np.asarray(groups)
    if names.shape != numbers.shape:
        raise MetricError(f"`groups` has the shape {names.shape}, but there are {len(numbers)} sessions.")
    _, index, counts = np.unique(names, return_inverse=True, return_counts=True)
    return float((np.bincount(index, numbers) / counts).mean())


def highest_goal(targets: Sequence[float], stop_at: float | None = None) -> float | None:
    """The IoU below which a session is not done: the highest target, or where sessions stop before it."""
    goals = [max(targets)] if targets else []
    return min([*goals, *([] if stop_at is None else [stop_at])], default=None)


def summarise(
    ious: ArrayLike,
    targets: Sequence[float] = (0.8, 0.85, 0.9),
    max_interactions: int = 20,
    seconds: ArrayLike | None = None,
    groups: ArrayLike | None = None,
    initial: ArrayLike | None = None,
    stop_at: float | None = None,
) -> dict[str, float]:
    """All metrics of interaction by name.

    For every target, in percent: `noc@85` (failures count as the maximum), `noc_success@85` (mean over the
    successes only, NaN without any), `success_ratio@85`, `nof@85`; `iou@1` to `iou@K`; `auc`; `sessions`;
    `stuck`, the sessions that ended before their time and below the highest target (or `stop_at` if that is lower);
    with `initial` of every session, `iou@0`; with `seconds`, `spi` and the sum `seconds`; with `groups`, `images` and
    the image means `noc@85_per_image`, `noc_success@85_per_image` (over images with a success),
    `success_ratio@85_per_image`, `auc_per_image`.

    Raises:
        MetricError: there is no session, or see `fill_forward`.
    """
    filled = fill_forward(ious, max_interactions, initial)
    if not len(filled):
        raise MetricError("No session to measure. Evaluate at least one object.")
    levels: list[tuple[str, ArrayLike | None]] = [("", None)]
    if groups is not None:
        levels.append(("_per_image", groups))
    result: dict[str, float] = {}
    for target in targets:
        name = f"@{100 * target:g}"
        clicks = noc(filled, target, max_interactions, initial)
        success = reached(filled, target, max_interactions, initial)
        for suffix, level in levels:
            of_successes = None if level is None else np.asarray(level)[success]
            result[f"noc{name}{suffix}"] = grouped_mean(clicks, level)
            result[f"noc_success{name}{suffix}"] = grouped_mean(clicks[success], of_successes)
            result[f"success_ratio{name}{suffix}"] = grouped_mean(success, level)
        result[f"nof{name}"] = float((~success).sum())
    if initial is not None and not np.isnan(np.asarray(initial, np.float64)).any():
        result["iou@0"] = float(np.mean(np.asarray(initial, np.float64)))
    for k, value in enumerate(mean_curve(filled, max_interactions), start=1):
        result[f"iou@{k}"] = float(value)
    for suffix, level in levels:
        result[f"auc{suffix}"] = auc(filled, max_interactions, groups=level)
    if seconds is not None:
        result["spi"] = spi(seconds)
        result["seconds"] = float(np.nansum(np.asarray(seconds, np.float64)))
    result["sessions"] = float(len(filled))
    goal = highest_goal(targets, stop_at)
    if goal is not None:
        result["stuck"] = float(stuck(ious, goal, max_interactions, initial).sum())
    if groups is not None:
        result["images"] = float(len(np.unique(np.asarray(groups))))
    return result


def _reach(ious: ArrayLike, target: float, max_interactions: int, initial: ArrayLike | None) -> NDArray[np.bool_]:
    """(S, 1 + max_interactions) where the target is reached, from the initial mask on."""
    filled = fill_forward(ious, max_interactions, initial)
    before = np.full(len(filled), np.nan) if initial is None else np.asarray(initial, np.float64)
    values = np.concatenate([before[:, None], filled], 1)
    # In single precision: an IoU of 0.9 that was once a float32 lies below the double 0.9.
    reach: NDArray[np.bool_] = values.astype(np.float32) >= np.float32(target)
    return reach


def _sessions(ious: ArrayLike) -> FloatArray:
    values = np.asarray(ious, np.float64)
    if values.ndim != 2 or ((values < 0) | (values > 1)).any():
        raise MetricError(f"IoUs of sessions are (sessions, interactions) within 0..1, not {values.shape}.")
    return values
