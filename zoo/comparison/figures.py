"""Curves over the number of interactions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from zoo.evaluation.stages import Panel
from zoo.images.drawing import JPEG
from zoo.metrics.interaction import fill_forward

# Okabe and Ito's palette, without its yellow, which is too light on white.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000")
MARKERS = "osD^vPX"
MARKED = 25  # points of a curve at most
MANY = 5  # methods, whose legend has room beside the curves
LINES = ("-", "--", ":", "-.")
STYLE: dict[str, Any] = {"fontsize": 10}


@dataclass(frozen=True)
class Sessions:
    """One method's sessions: IoUs (S, T), NaN after a session's end, those before (S,), and each session's image.

    Curves of one `colour` and several `line`s belong together; by default every method has a colour of its own.
    """

    title: str
    ious: NDArray[np.float64]
    initial: NDArray[np.float64]
    image_id: NDArray[np.int64]
    colour: int | None = None
    line: int = 0

    def filled(self, turns: int) -> NDArray[np.float64]:
        """(S, 1 + turns) IoUs from interaction 0 on; a session that ended keeps its last one."""
        return np.concatenate([self.initial[:, None], fill_forward(self.ious, turns, self.initial)], 1)


def curves(methods: Sequence[Sessions], turns: int) -> bytes:
    """PNG: mean IoU after each interaction, with a band of one standard error clustered by image.

    Curves begin at interaction 0 when any session begins with a prediction.
    """
    first = first_interaction(methods)
    figure, axes = _axes("mean IoU", first, turns)
    low, alpha = 1.0, 0.9 / max(len(methods), MANY)
    for number, method in enumerate(methods):
        filled = method.filled(turns)[:, first:]
        mean, error = filled.mean(0), standard_error(filled, method.image_id)
        clicks = np.arange(first, turns + 1)
        colour = _line(axes, clicks, mean, number, method)
        axes.fill_between(clicks, mean - error, mean + error, color=colour, alpha=alpha, linewidth=0)
        low = min(low, float(mean.min()))
    axes.set_ylim(max(0.0, np.floor(low * 10 - 0.5) / 10), 1.0)
    return _png(figure, axes, methods)


def success(methods: Sequence[Sessions], turns: int, target: float) -> bytes:
    """PNG: share of the sessions that have reached `target` after each interaction; begins as `curves` do."""
    first = first_interaction(methods)
    figure, axes = _axes(f"sessions at IoU {target:.2f} or more", first, turns)
    for number, method in enumerate(methods):
        reached = method.filled(turns).astype(np.float32) >= np.float32(target)
        share = np.maximum.accumulate(reached, axis=1).mean(0)[first:]
        _line(axes, np.arange(first, turns + 1), share, number, method)
    axes.set_ylim(0, 1)
    return _png(figure, axes, methods)


def first_interaction(methods: Sequence[Sessions]) -> int:
    """0 when any session begins with a prediction, 1 when all begin with an empty mask."""
    return 0 if any((method.initial > 0).any() for method in methods) else 1


def standard_error(values: NDArray[np.float64], groups: NDArray[np.int64]) -> NDArray[np.float64]:
    """(T,) standard error of the mean of (S, T), sessions of one image (group) being dependent.

    Cluster-robust: the root of the summed squares of each group's summed residuals, divided by S, with the usual
    correction G / (G - 1). Zero with a single group.
    """
    _, index = np.unique(groups, return_inverse=True)
    count = int(index.max()) + 1
    sums = np.zeros((count, values.shape[1]))
    np.add.at(sums, index, values - values.mean(0))
    correction = count / (count - 1) if count > 1 else 0.0
    return np.asarray(np.sqrt(correction * (sums**2).sum(0)) / len(values))


def _axes(label: str, first: int, turns: int) -> tuple[Figure, Any]:
    figure = Figure(figsize=(5.2, 3.7), dpi=200, layout="constrained")
    axes = figure.add_subplot()
    axes.set_xlabel("interactions", **STYLE)
    axes.set_ylabel(label, **STYLE)
    axes.set_xlim(first - 0.3, turns + 0.3)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(color="#e3e3e3", linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


def _line(axes: Any, x: NDArray[Any], y: NDArray[Any], number: int, method: Sessions) -> str:
    """Draw a method's curve and return its colour."""
    number = number if method.colour is None else method.colour
    # Beyond the colours, both the kind of line and the marker tell a method from an earlier one of its colour.
    again, colour = number // len(COLOURS), COLOURS[number % len(COLOURS)]
    marker, line = MARKERS[(number + again) % len(MARKERS)], LINES[(method.line + again) % len(LINES)]
    style: dict[str, Any] = {"markevery": -(-len(x) // MARKED), "markersize": 4, "linewidth": 1.6, "linestyle": line}
    axes.plot(x, y, color=colour, marker=marker, label=method.title, clip_on=False, zorder=3, **style)
    return colour


def _png(figure: Figure, axes: Any, methods: Sequence[Sessions]) -> bytes:
    several_users = any(method.line for method in methods)
    if several_users or len(methods) > MANY:
        # Many curves, or long names: the legend below them.
        columns = 1 if several_users else 2
        figure.set_figheight(3.7 + 0.2 * -(-len(methods) // columns))
        figure.legend(frameon=False, fontsize=9, loc="outside lower center", ncols=columns)
    else:
        axes.legend(frameon=False, fontsize=9, loc="lower right")
    buffer = BytesIO()
    figure.savefig(buffer, format="png")
    return buffer.getvalue()


def panels(samples: Sequence[tuple[str, list[Panel], list[tuple[str, list[Panel]]]]]) -> bytes:
    """JPEG of samples one below the other: image and target, then a row of stages for each method.

    Args:
        samples: caption, pictures of the truth, and pictures of each method by title.
    """
    stages = max(len(row) for _, _, rows in samples for _, row in rows)
    # One stage: methods side by side in one row. Several: one row a method.
    lines: list[tuple[str, list[Panel]]] = []
    for caption, truth, rows in samples:
        if stages == 1:
            every = [(f"{title}\n{text}", picture) for title, row in rows for text, picture in row]
            lines.append((caption, [*truth, *every]))
        else:
            lines += [(f"{caption}\n{title}", [*truth, *row]) for title, row in rows]
    columns = max(len(pictures) for _, pictures in lines)
    height, width = lines[0][1][0][1].shape[:2]
    size = 1.9 if stages > 1 else 2.6
    figure = Figure(
        figsize=(columns * size, len(lines) * (size * height / width + 0.42)), dpi=200, layout="constrained"
    )
    grid = figure.subplots(len(lines), columns, squeeze=False)
    for axes, (label, pictures) in zip(grid, lines, strict=True):
        for cell in axes:
            cell.set_axis_off()
        for cell, (text, picture) in zip(axes, pictures, strict=False):
            cell.imshow(picture, interpolation="antialiased")
            cell.set_title(text, fontsize=7, pad=3)
        axes[0].text(-0.04, 0.5, label, fontsize=7, rotation=90, ha="right", va="center", transform=axes[0].transAxes)
    buffer = BytesIO()
    figure.savefig(buffer, format="jpeg", pil_kwargs=JPEG)
    return buffer.getvalue()
