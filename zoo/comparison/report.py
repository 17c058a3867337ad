"""The comparison as one HTML file that needs nothing else."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from html import escape

import numpy as np
from numpy.typing import NDArray

from zoo.comparison.columns import Column, best, columns, compared, difference_text, settings_text
from zoo.comparison.paired import how_paired
from zoo.comparison.result import Result
from zoo.comparison.sections import Section, Shown
from zoo.images.drawing import NEGATIVE, POSITIVE, PREDICTION, TARGET, jpeg

STYLE = """
:root { color-scheme: light; }
* { box-sizing: border-box; }
body { font: 16px/1.5 system-ui, sans-serif; color: #1c1c1e; background: #fff; margin: 0 auto; max-width: 1100px;
  padding: 1rem; }
h1 { font-size: 1.5rem; margin: .5rem 0; } h2 { font-size: 1.2rem; margin: 2.2rem 0 .4rem; }
h3 { font-size: 1rem; margin: 1.6rem 0 .3rem; } h4 { font-size: .9rem; margin: .6rem 0 .2rem; }
p, dl, li { margin: .3rem 0; } .quiet { color: #5a5a60; font-size: .85rem; }
.scroll { overflow-x: auto; -webkit-overflow-scrolling: touch; }
table { border-collapse: collapse; font-size: .9rem; font-variant-numeric: tabular-nums; white-space: nowrap; }
th, td { padding: .35rem .5rem; border-bottom: 1px solid #e2e2e6; text-align: right; }
th:first-child, td:first-child { text-align: left; position: sticky; left: 0; background: #fff; }
thead th { font-size: .75rem; color: #5a5a60; border-bottom: 2px solid #c8c8ce; }
td.best { font-weight: 700; background: #eaf4ec; }
.figures { display: flex; flex-wrap: wrap; gap: 1rem; } .figures figure { flex: 1 1 320px; max-width: 540px; }
figure { margin: .4rem 0; } figcaption { font-size: .8rem; color: #5a5a60; } img { max-width: 100%; height: auto; }
.strip { display: flex; gap: .5rem; overflow-x: auto; padding-bottom: .3rem; }
.strip figure { flex: 0 0 auto; width: var(--w); margin: 0; } .strip img { display: block; width: 100%; }
@media (min-width: 800px) { .strip { flex-wrap: wrap; } }
dl { font-size: .85rem; } dt { font-weight: 600; float: left; clear: left; margin-right: .5rem; }
.key { display: inline-block; width: .8em; height: .8em; border: 1px solid #777; vertical-align: -.05em; }
code { font-size: .85em; overflow-wrap: anywhere; }
"""


def html(sections: Sequence[Section]) -> str:
    """The whole page."""
    limits = [r.data.limit for section in sections for r in section.results if r.data.limit is not None]
    warning = f"<p><strong>Only the first {max(limits)} images: no result of a split.</strong></p>" if limits else ""
    body = "".join(_section(section) for section in sections)
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>Comparison of methods</title><style>{STYLE}</style></head>\n<body><h1>Comparison of methods</h1>"
        f"{warning}{body}{_provenance(sections)}</body></html>\n"
    )


def _section(section: Section) -> str:
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
        if not name.startswith("overlays")
    )
    marked = "" if section.users else "The best number of a column is marked; "
    return (
        f'<section id="{escape(section.slug)}"><h2>Protocol: {escape(section.heading)}</h2>'
        f'<p class="quiet">{escape("; ".join(numbers))}</p>{_table(section, shown)}'
        f'<p class="quiet">{marked}↑ larger is better, ↓ smaller is better.</p>'
        f"{_differences(section)}"
        f'<div class="figures">{figures}</div>{_samples(section)}{_definitions(shown)}</section>\n'
    )


def _table(section: Section, shown: Sequence[Column]) -> str:
    results = section.results
    winners = [set() if section.users else best(column, results) for column in shown]
    head = "".join(f'<th title="{escape(c.meaning)}">{escape(c.heading)}</th>' for c in shown)
    rows = ""
    for i, (title, result) in enumerate(zip(section.titles, results, strict=True)):
        cells = "".join(
            f"<td{' class=best' if i in top else ''}>{column.text(column.value(result))}</td>"
            for column, top in zip(shown, winners, strict=True)
        )
        rows += f"<tr><td>{escape(title)}</td>{cells}</tr>"
    return (
        f'<div class="scroll"><table><thead><tr><th>method</th>{head}</tr></thead><tbody>{rows}</tbody></table></div>'
    )


def _differences(section: Section) -> str:
    found = section.differences
    if found is None:
        return ""
    results = {result.experiment: result for result in section.results}
    shown = compared(found, section.results)
    cells = {(row.method, row.score): row for row in found.rows}
    head = "".join(f'<th title="{escape(c.meaning)}">{escape(c.heading)}</th>' for c in shown)
    body = ""
    for method in dict.fromkeys(row.method for row in found.rows):
        body += f"<tr><td>{escape(results[method].title)}</td>"
        for column in shown:
            row = cells[method, column.key]
            body += f"<td{' class=best' if row.certain else ''}>{difference_text(row, column)}</td>"
        body += "</tr>"
    return (
        f"<h3>Differences to {escape(results[found.first].title)}</h3>"
        f'<div class="scroll"><table><thead><tr><th>method</th>{head}</tr></thead><tbody>{body}</tbody></table></div>'
        f'<p class="quiet">{escape(how_paired(found))} Marked: the interval leaves out 0.</p>'
    )


def _samples(section: Section) -> str:
    if not section.shown:
        return ""
    score = section.experiments[0].protocol.ranked_by
    legend = (
        f"<p class=quiet>Chosen by the first method's {escape(score)}: its 90th percentile, its median and its worst. "
        f"{_key(TARGET)} target {_key(PREDICTION)} prediction {_key(POSITIVE)} positive interaction (+, line) "
        f"{_key(NEGATIVE)} negative interaction (−, line)</p>"
    )
    return f"<h3>Samples</h3>{legend}{''.join(_sample(shown) for shown in section.shown)}"


def _sample(shown: Shown) -> str:
    width = "12rem" if len(shown.rows[0][1]) > 1 else "min(20rem, 75vw)"
    strips = f'<div class="strip">{_figures(shown.truth)}</div>'
    if all(len(row) == 1 for _, row in shown.rows):
        every = [(f"{title}: {text}", picture) for title, row in shown.rows for text, picture in row]
        strips = f'<div class="strip">{_figures([*shown.truth, *every])}</div>'
    else:
        strips += "".join(
            f'<h4>{escape(title)}</h4><div class="strip">{_figures(row)}</div>' for title, row in shown.rows
        )
    return f'<div style="--w: {width}"><h3>{escape(shown.caption)}</h3>{strips}</div>'


def _figures(panels: Sequence[tuple[str, NDArray[np.uint8]]]) -> str:
    return "".join(_figure(text, jpeg(picture)) for text, picture in panels)


def _figure(caption: str, content: bytes) -> str:
    kind = "jpeg" if content.startswith(b"\xff\xd8") else "png"
    text, source = escape(caption), f"data:image/{kind};base64,{b64encode(content).decode()}"
    return f'<figure><img alt="{text}" src="{source}"><figcaption>{text}</figcaption></figure>'


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
    if result.checkpoint is None:
        return ""
    return f", checkpoint {escape(result.checkpoint['name'])} (sha256 {result.checkpoint['sha256'][:12]})"


def _timed(result: Result) -> str:
    size = None if result.speed is None else result.speed.size
    return "" if size is None else f", timed on {escape(size)} px"


def _key(colour: tuple[int, int, int]) -> str:
    return f'<span class="key" style="background: rgb{colour}"></span>'


def _plural(name: str, count: int | None) -> str:
    return name if count == 1 else " or ".join(f"{part}s" for part in name.split(" or "))
