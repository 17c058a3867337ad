"""The comparison as one HTML file that needs nothing else."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Sequence
from html import escape
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zoo.comparison.columns import Column, best, columns, compared, difference_text, settings_text, verdict
from zoo.comparison.explore import explored
from zoo.comparison.known import note
from zoo.comparison.page import page
from zoo.comparison.paired import how_paired
from zoo.comparison.result import Result
from zoo.comparison.sections import Course, Section, Shown
from zoo.images.drawing import NEGATIVE, POSITIVE, PREDICTION, TARGET, jpeg

MOST = 9_500_000  # characters of a report
STRIPS = 0.45  # share of them that pictures side by side may take
CURVES = ("overlays", "curves", "success")


def html(sections: Sequence[Section]) -> str:
    """The whole page, below 10 MB: pictures are left out where there are too many."""
    limits = [r.data.limit for section in sections for r in section.results if r.data.limit is not None]
    warning = f"<p><strong>Only the first {max(limits)} images: no result of a split.</strong></p>" if limits else ""
    room = round(STRIPS * MOST / len(sections))
    body = warning + "".join(_section(section, number, room) for number, section in enumerate(sections))
    body += _provenance(sections)
    room = (MOST - len(body) - 50_000 * len(sections)) // len(sections)
    data: list[Any] = []
    for section in sections:
        numbers = explored(section, 0)
        data.append(explored(section, room - len(json.dumps(numbers))))
    return page(body, data)


def _section(section: Section, number: int, room: int) -> str:
    results = section.results
    data = results[0].data
    shown = columns(results)
    numbers = [
        f"data set: {data.dataset}",
        f"split: {data.split} (by {data.split_unit})",
        f"{data.images} images, {data.objects} objects, {data.patients} {_plural('patient or group', data.patients)}",
        settings_text(section.settings),
        f"data licence: {data.licence}",
    ]
    figures = "".join(
        _figure(caption, content)
        for name, (caption, content) in section.figures.items()
        if not name.startswith(CURVES) or (section.users and not name.startswith("overlays"))
    )
    room -= len(figures)
    marked = "" if section.users else "The best number of a column is marked, and the second best of more than two; "
    return (
        f'<section id="{escape(section.slug)}"><h2>Protocol: {escape(section.heading)}</h2>'
        f'<p class="quiet">{escape("; ".join(numbers))}</p>{_table(section, shown)}'
        f'<p class="quiet">{marked}↑ larger is better, ↓ smaller is better.</p>{_known(section)}'
        f"{_differences(section)}"
        f'<div class="explore" data-section="{number}"></div>'
        f'<div class="figures" data-series>{figures}</div>{_samples(section, room)}{_definitions(shown)}</section>\n'
    )


def _table(section: Section, shown: Sequence[Column]) -> str:
    results = section.results
    ranks = [{} if section.users else _ranks(column, results) for column in shown]
    head = "".join(_heading(column) for column in shown)
    rows = ""
    for i, (title, result) in enumerate(zip(section.titles, results, strict=True)):
        cells = "".join(
            _cell(column.cell(result), rank.get(i, ""), column.value(result))
            for column, rank in zip(shown, ranks, strict=True)
        )
        rows += f"<tr><td>{escape(title)}</td>{cells}</tr>"
    choice = '<details><summary>Columns</summary><div class="chosen"></div></details>'
    return _wide(head, rows) + choice


def _ranks(column: Column, results: Sequence[Result]) -> dict[int, str]:
    """The best and the second best by position."""
    return dict.fromkeys(best(column, results, 1), "second") | dict.fromkeys(best(column, results), "best")


def _heading(column: Column) -> str:
    text = f"{escape(column.label)}&nbsp;{column.arrow}"
    return f'<th title="{escape(column.meaning)}" data-better="{column.better}">{text}</th>'


def _cell(text: str, kind: str, value: float | None) -> str:
    """A number that the table is sorted by, its intervals below it."""
    number, *intervals = text.split(" [")
    below = "".join(f" <small>[{escape(each)}</small>" for each in intervals)
    sorted_by = "" if value is None else f' data-value="{value!r}"'
    return f"<td{f' class={kind}' if kind else ''}{sorted_by}>{escape(number)}{below}</td>"


def _wide(head: str, body: str) -> str:
    """A table of methods that shows where it goes on and can be sorted."""
    first = '<th data-better="low">method</th>'
    table = f"<table data-sortable><thead><tr>{first}{head}</tr></thead><tbody>{body}</tbody></table>"
    return f'<div class="wide"><div class="scroll" tabindex="0">{table}</div></div>'


def _known(section: Section) -> str:
    """What the weights of the methods were trained on, once each."""
    notes = {} if section.users else {text: None for result in section.results if (text := note(result))}
    return "".join(f'<p class="note">{escape(text)}</p>' for text in notes)


def _differences(section: Section) -> str:
    found = section.differences
    if found is None:
        return ""
    results = {result.experiment: result for result in section.results}
    shown = compared(found, section.results)
    cells = {(row.method, row.score): row for row in found.rows}
    head = "".join(_heading(column) for column in shown)
    body = ""
    for method in dict.fromkeys(row.method for row in found.rows):
        body += f"<tr><td>{escape(results[method].title)}</td>"
        for column in shown:
            row = cells[method, column.key]
            kind = verdict(row, column)
            sorted_by = f' data-value="{row.mean!r}"'
            body += f"<td{f' class={kind}' if kind else ''}{sorted_by}>{escape(difference_text(row, column))}</td>"
        body += "</tr>"
    return (
        f"<h3>Differences to {escape(results[found.first].title)}</h3>{_wide(head, body)}"
        f'<p class="quiet">{escape(how_paired(found, section.results[0].data.patients))} '
        "Better and worse are said where the interval leaves out 0.</p>"
    )


def _samples(section: Section, room: int) -> str:
    """Samples side by side, as many as there is room for."""
    if not section.shown:
        return ""
    parts, left = [], 0
    for shown in section.shown:
        part = _sample(shown)
        left += len(part) > room
        parts += [part] if len(part) <= room else []
        room -= len(part) if len(part) <= room else 0
    score = section.experiments[0].protocol.ranked_by
    legend = (
        f'<p class="quiet">Chosen by the {escape(score)} of the first method: its 90th percentile, median and worst; '
        "before the worst, sessions of any method that got stuck: their user fell silent below the target. Click a "
        "picture to enlarge it, with the number of each interaction's turn. "
        f"{_key(TARGET)} target {_key(PREDICTION)} prediction {_key(POSITIVE)} positive interaction (+, line) "
        f"{_key(NEGATIVE)} negative interaction (−, line)</p>"
    )
    if left:
        name = f"overlays-{section.slug}.jpg"
        parts.append(f'<p class="quiet">{left} more of {len(section.shown)} have no room here: see {escape(name)}.</p>')
    return f"<h3>Samples</h3>{legend}{''.join(parts)}"


def _sample(shown: Shown) -> str:
    title = f"<h3>{escape(shown.caption)}</h3>"
    if all(len(row) == 1 for _, row in shown.rows):
        every = [(f"{title}: {text}", picture) for title, row in shown.rows for text, picture in row]
        return f'<div class="two" data-series>{title}<div class="strip">{_figures([*shown.truth, *every])}</div></div>'
    blocks = f'<div class="three"><h4>Image and target</h4><div class="strip">{_figures(shown.truth)}</div></div>'
    for (method, row), course in zip(shown.rows, shown.courses, strict=True):
        strip = _figures(row, method, course)
        blocks += f'<div class="three"><h4>{escape(method)}</h4><div class="strip">{strip}</div></div>'
    return f'<div data-series>{title}<div class="blocks">{blocks}</div></div>'


def _figures(panels: Sequence[tuple[str, NDArray[np.uint8]]], title: str = "", course: Course | None = None) -> str:
    turns = [""] * len(panels) if course is None else [_turns(course, stage) for stage in range(len(panels))]
    named = f' data-title="{escape(title)}"' if title else ""
    return "".join(
        _figure(text, jpeg(picture), named + more) for (text, picture), more in zip(panels, turns, strict=True)
    )


def _turns(course: Course, stage: int) -> str:
    """What the script shows of a session beside the picture of a stage."""
    marks = [[round(m.x, 4), round(m.y, 4), m.turn, m.positive] for m in course.marks[stage]]
    ious = [round(value, 4) for value in course.ious]
    numbers = f' data-marks="{json.dumps(marks)}" data-ious="{json.dumps(ious)}"'
    return f'{numbers} data-turns="{course.turns[stage]}" data-before="{course.before}"'


def _figure(caption: str, content: bytes, more: str = "") -> str:
    kind = "jpeg" if content.startswith(b"\xff\xd8") else "png"
    text, source = escape(caption), f"data:image/{kind};base64,{b64encode(content).decode()}"
    image = f'<img alt="{text}" src="{source}"><figcaption>{text}</figcaption>'
    return f'<figure data-large tabindex="0" role="button"{more}>{image}</figure>'


def _definitions(shown: Sequence[Column]) -> str:
    entries = "".join(f"<dt>{escape(c.label)}</dt><dd>{escape(c.meaning)}.</dd>" for c in shown)
    return f"<details><summary>What the columns mean</summary><dl>{entries}</dl></details>"


def _provenance(sections: Sequence[Section]) -> str:
    results = [result for section in sections if not section.users for result in section.results]
    rows = "".join(
        f"<li>{escape(result.title)}, {escape(result.protocol)}: <code>{escape(result.command or '')}</code>, "
        f"seed {result.seed}, configuration {escape((result.config_hash or '')[:12])}"
        f"{_checkpoint(result)}{_timed(result)}</li>"
        for result in results
    )
    first = results[0]
    versions = ", ".join(f"{name} {number}" for name, number in (first.versions or {}).items())
    code = "not from a clone" if first.commit is None else first.commit[:12] + (" with changes" if first.dirty else "")
    data = "".join(f"<li>{escape(text)}</li>" for text in sorted({_data_line(result) for result in results}))
    devices = ", ".join(sorted({result.device or "" for result in results}))
    return (
        f'<h2>Where the numbers come from</h2><div class="quiet"><p>Device: {escape(devices)}. {escape(versions)}. '
        f"Code: {escape(code)}.</p><ul>{rows}</ul><p>Data:</p><ul>{data}</ul></div>"
    )


def _data_line(result: Result) -> str:
    return f"{result.data.citation}. Licence: {result.data.licence}. sha256 {(result.data.checksum or '')[:12]}"


def _checkpoint(result: Result) -> str:
    return "".join(
        f", {escape(argument)} {escape(each['name'])} (sha256 {each['sha256'][:12]})"
        for argument, each in (result.checkpoint or {}).items()
    )


def _timed(result: Result) -> str:
    size = None if result.speed is None else result.speed.size
    return "" if size is None else f", timed on {escape(size)} px"


def _key(colour: tuple[int, int, int]) -> str:
    return f'<span class="key" style="background: rgb{colour}"></span>'


def _plural(name: str, count: int | None) -> str:
    return name if count == 1 else " or ".join(f"{part}s" for part in name.split(" or "))
