"""What is known of the weights behind a result, for readers of its table."""

from __future__ import annotations

import re

from zoo.comparison.result import Result
from zoo.errors import CheckpointError
from zoo.hub.card import section
from zoo.hub.index import entries
from zoo.hub.locate import locate

LINK = re.compile(r"\[([^\]]*)\]\([^)]*\)")


def note(result: Result) -> str:
    """What the checkpoints of the index behind a result were trained on, and whether its data is new to them.

    Empty where a method has no such checkpoint.
    """
    names = [each["name"] for each in (result.checkpoint or {}).values() if each["name"] in entries()]
    return " ".join(_trained(result, name) for name in dict.fromkeys(names))


def _trained(result: Result, name: str) -> str:
    try:
        card = (locate(name) / "README.md").read_text()
    except (CheckpointError, OSError):
        return ""
    trained = section(card, "Trained on")
    text = f"{result.title} ({name}) was trained on {trained.partition(chr(10) * 2)[0]}"
    # Names such as 'DSB2018 stained (embedded subset)': the first word is the data set, the rest says which part.
    if result.data.dataset.split()[0].casefold() not in trained.casefold():
        text += (
            f" {result.data.dataset} is not among it: its stains, organs and scanners may be new to these weights. "
            + section(card, "Limits")
        )
    return " ".join(LINK.sub(r"\1", text).split())
