"""The card of graphs: how a program uses them that has no isegzoo."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zoo.hub.card import section, title_of
from zoo.hub.index import CARD, LICENCE
from zoo.hub.indices import Indices
from zoo.hub.locate import located
from zoo.publishing.checkpoint import UNSTATED, Publication, licence_text

SECTIONS = ("Trained on", "Intended use", "Limits", "Licence", "Citation")
WHOLE = """\
```python
import numpy as np
import onnxruntime

model = onnxruntime.InferenceSession("model.onnx")
probability = model.run(["probability"], {inputs})[0]
mask = probability > {threshold:g}
```
"""
SPLIT = """\
`image.onnx` and `click.onnx` do the same in two steps: the first looks at the image once, the second answers each turn.

```python
look, answer = (onnxruntime.InferenceSession(f"{{name}}.onnx") for name in ("image", "click"))
names = [output.name for output in look.get_outputs()]
features = dict(zip(names, look.run(names, {{"image": image}})))
probability = answer.run(["probability"], {{{said}, "previous": previous, **features}})[0]
```
"""
INPUTS = {
    "image": "`image`: (B, 3, H, W) uint8, RGB. Any size.",
    "clicks": "`clicks`: (B, N, 3) float32, N of 1 and more: x, y in pixels from the image's top-left corner (the "
    "middle of its first pixel is 0.5, 0.5), and 1 for a positive click, 0 for a negative one, -1 for none (padding). "
    "All clicks so far, not only the last.",
    "strokes": "`strokes`: (B, 2, H, W) float32: 1 on the pixels of all positive (first channel) and negative "
    "scribbles so far, as lines of one pixel, else 0.",
}
PREVIOUS = {
    "probability": "`previous`: (B, 1, H, W) float32: the last probability; zeros before the first turn.",
    "start": "`previous`: (B, 1, H, W) float32: the `probability` of `start.onnx`, which takes the image alone; it "
    "stays the same in all turns.",
    "unused": "`previous`: (B, 1, H, W) float32: changes nothing in this model; give zeros.",
}


@dataclass(frozen=True)
class Texts:
    """What is said of a checkpoint.

    Attributes:
        title: one line.
        licence: its name.
        sections: of the card, by heading.
        terms: text of the licence.
    """

    title: str
    licence: str
    sections: dict[str, str]
    terms: str


def graph_card(texts: Texts, said: Publication, facts: Mapping[str, Any], parts: Collection[str]) -> str:
    """The card of a checkpoint's graphs.

    Args:
        texts: of the checkpoint.
        said: what a person says of it.
        facts: of the method.
        parts: names of the graphs.
    """
    reads = facts["reads"]
    given = ["image", *([reads, "previous"] if reads else [])]
    inputs = "{" + ", ".join(f'"{each}": {each}' for each in given) + "}"
    lines = [INPUTS["image"], *([INPUTS[reads], PREVIOUS[facts["previous"]]] if reads else [])]
    lines.append("`probability`, which comes out: (B, 1, H, W) float32 in 0..1, per pixel of the image.")
    parts_of_it = [
        f"# {texts.title}",
        f"`{said.name}` as ONNX | method `{facts['method']}` | licence {texts.licence}",
        "## Use\n\nNormalisation and guidance are inside the graph.\n\n"
        + WHOLE.format(inputs=inputs, threshold=facts["threshold"]),
        "\n".join(f"- {line}" for line in lines),
        _shown(facts),
    ]
    if "click" in parts:
        parts_of_it.append(SPLIT.format(said=f'"{reads}": {reads}'))
    parts_of_it += [f"## {heading}\n\n{text}" for heading, text in texts.sections.items() if text]
    if said.command:
        parts_of_it.append(f"## Made with\n\n```sh\n{said.command}\n```")
    return "\n\n".join(part.strip() for part in parts_of_it) + "\n"


def texts_of(name: str, said: Publication) -> Texts:
    """What is said of a source: by the given card, or by the one in its folder.

    Raises:
        CheckpointError: it can't be had, or there is no such file of a licence.
    """
    folder = Path(name) if Path(name).is_dir() else None
    if folder is None and Path(name).suffix != ".ckpt":
        folder = located(name, Indices()).folder
    terms = _read(folder, LICENCE) if said.licence is None else licence_text(said.licence)
    card = said.card
    if card is not None:
        found = (card.trained_on, card.intended_use, card.limits, card.licence, card.citation)
        return Texts(card.title, card.licence, dict(zip(SECTIONS, found, strict=True)), terms)
    text = _read(folder, CARD)
    sections = {heading: section(text, heading) for heading in SECTIONS}
    return Texts(title_of(text) or said.name, sections["Licence"] or UNSTATED, sections, terms)


def _read(folder: Path | None, file: str) -> str:
    path = None if folder is None else folder / file
    return path.read_text(errors="replace") if path is not None and path.is_file() else ""


def _shown(facts: Mapping[str, Any]) -> str:
    """What part of an image it wants to see, and at which resolution."""
    says = []
    if facts["mpp"] is not None:
        says.append(f"It works at {facts['mpp']:g} um/px: resample images to that.")
    if facts["window"] is not None:
        says.append(f"Give it windows of {facts['window']} px around the object that is clicked.")
    if facts["side"] is not None:
        side = facts["side"]
        says.append(
            f"After the first click it wants the box around its mask, a factor of 1.4 wider and higher, resampled to "
            f"{side} x {side} px; clicks and previous mask in the same pixels."
        )
    return " ".join(says)
