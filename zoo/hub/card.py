"""The model card of a checkpoint."""

from __future__ import annotations

import re
from dataclasses import dataclass, fields
from pathlib import Path

import yaml

from zoo.errors import CheckpointError
from zoo.interactions import Kind

UNSTATED = "Not stated."
SAID: dict[str | None, str] = {
    "click": "session.add(zoo.Click(x=120.5, y=80.5))\n",
    "scribble": "session.add(zoo.Scribble([(120.5, 80.5), (160.5, 95.5)], positive=False))\n",
}


@dataclass(frozen=True)
class Card:
    """What a person has to know before using a checkpoint; each text is Markdown.

    Attributes:
        title: one line.
        licence: of the weights, an SPDX name if there is one; that of the training data, where it is stricter.
        trained_on: the data, their licence and split, and how long.
        intended_use: for what.
        limits: what it can't do, and where it fails.
        citation: what a publication has to cite.
        task: what it segments, for the index: `nuclei`, `glands`, `region`; several are separated by commas.
        interaction: what can be said, for the index: `click`, `scribble`, `squiggle`, `box`, separated by commas; where
            it is empty, what its users said in training.
        data: names of the data sets, for the index, separated by commas.
    """

    title: str
    licence: str
    trained_on: str = UNSTATED
    intended_use: str = UNSTATED
    limits: str = UNSTATED
    citation: str = ""
    task: str = ""
    interaction: str = ""
    data: str = ""

    @property
    def tasks(self) -> tuple[str, ...]:
        """What it segments, one by one."""
        return _listed(self.task)

    @property
    def interactions(self) -> tuple[str, ...]:
        """What can be said, one by one."""
        return _listed(self.interaction)

    @property
    def data_sets(self) -> tuple[str, ...]:
        """The data sets, one by one."""
        return _listed(self.data)

    def markdown(
        self,
        name: str,
        class_path: str,
        mpp: float | None,
        gives: Kind | None,
        results: str = "",
        made: str = "",
        changes: str = "",
    ) -> str:
        """The card of checkpoint `name`.

        Args:
            name: in the index.
            class_path: of the method.
            mpp: micrometres per pixel that it works at; None: unknown.
            gives: what its users say; None: nothing of one kind.
            results: a Markdown table of what it reached, if there is one.
            made: the commands that made it.
            changes: since it was first published, as a Markdown list.
        """
        resolution = "unknown" if mpp is None else f"{mpp:g} um/px"
        given, hint = ("", "") if mpp is None else (f", mpp={mpp:g}", "; give the mpp of your image")
        # Users of several kinds give nothing that could be named: then what the card says first.
        said = next((SAID[kind] for kind in (gives, *self.interactions) if kind in SAID), "")
        parts = [
            f"# {self.title}",
            f"`{name}` | method `{class_path}` | resolution {resolution} | licence {self.licence}",
            "## Use",
            "```python\nimport zoo\n\n"
            f'session = zoo.load("{name}")\n'
            f"session.set_image(image{given})  # (height, width, 3) uint8{hint}\n"
            f"{said}"
            "session.mask  # (1, 1, height, width) bool\n```",
            f"## Trained on\n\n{self.trained_on}",
            f"## Intended use\n\n{self.intended_use}",
            f"## Limits\n\n{self.limits}",
        ]
        if results:
            parts.append(f"## Results\n\n{results}")
        parts.append(f"## Licence\n\n{self.licence}")
        if self.citation:
            parts.append(f"## Citation\n\n{self.citation}")
        if made:
            parts.append(f"## Made with\n\n{made}")
        if changes:
            parts.append(f"## Changes\n\n{changes}")
        return "\n\n".join(part.strip() for part in parts) + "\n"


def section(card: str, heading: str) -> str:
    """The text below a heading of a model card; empty where it has none."""
    parts = re.split(r"^## (.*)$", card, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True)).get(heading, "").strip()


def title_of(card: str) -> str:
    """The title of a model card; empty where it has none."""
    found = re.search(r"^# (.+)$", card, flags=re.MULTILINE)
    return found[1].strip() if found else ""


def _listed(text: str) -> tuple[str, ...]:
    return tuple(filter(None, map(str.strip, text.split(","))))


def read_card(path: Path) -> Card:
    """A card from a YAML file that holds its fields.

    Raises:
        CheckpointError: unreadable, a missing or an unknown field.
    """
    known = [field.name for field in fields(Card)]
    try:
        content = yaml.safe_load(path.read_text())
        for name, value in content.items():
            if isinstance(value, list | dict):
                raise ValueError(f"{name} is no text: write `{name}: one, another`")
        return Card(**{key: str(value) for key, value in content.items()})
    except (OSError, ValueError, AttributeError, TypeError, yaml.YAMLError) as error:
        raise CheckpointError(
            f"{path}: no model card ({error}); a YAML file of these fields is needed: {', '.join(known)}"
        ) from None
