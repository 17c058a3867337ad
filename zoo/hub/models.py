"""Which checkpoints there are, and what is known of one."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatch
from pathlib import Path

from zoo.errors import CheckpointError
from zoo.hub import hf
from zoo.hub.cache import WELCOME
from zoo.hub.fetch import fetch_text
from zoo.hub.index import CARD, OWN, Entry
from zoo.hub.indices import Found, Indices, local_path
from zoo.hub.locate import cached, is_web


def list_models(
    pattern: str = "",
    task: str | None = None,
    interaction: str | None = None,
    licence: str | None = None,
    index: str | Sequence[str] | None = None,
) -> dict[str, Entry]:
    """Checkpoints that `zoo.load` takes: their names, and what their index says of each.

    Args:
        pattern: part of the name or title, or a pattern such as `nuc*-compact` of the whole name; case does not count.
        task: what it is to segment, such as `nuclei`, `glands` or `region`.
        interaction: what it is to be told, such as `click`, `scribble` or `squiggle`.
        licence: part of the licence's name.
        index: addresses of further indices; None: those of the environment variable `ZOO_INDEX`. What can't be read is
            left out, with a warning.

    Raises:
        CheckpointError: two indices have the same name.
    """
    indices = Indices([index] if isinstance(index, str) else index)
    found = select(indices, pattern, task, interaction, licence)
    return {name: each.entry for name, each in found.items()}


def select(
    indices: Indices,
    pattern: str = "",
    task: str | None = None,
    interaction: str | None = None,
    licence: str | None = None,
) -> dict[str, Found]:
    """As `list_models`, each with its index."""
    return {
        name: found
        for name, found in indices.listed().items()
        if _named(name, found.entry, pattern)
        and (task is None or task.casefold() in found.entry.task)
        and (interaction is None or interaction.casefold() in found.entry.interaction)
        and (licence is None or licence.casefold() in found.entry.licence.casefold())
    }


def lies(found: Found) -> Path | None:
    """The folder on this machine that has a checkpoint; None: it has to be downloaded, or it is of Hugging Face."""
    folder = cached(found) if is_web(found.address) else local_path(found.address)
    return folder if folder.is_dir() else None


def where(found: Found) -> str:
    """Where a checkpoint is, in a word."""
    if lies(found) is None:
        return "on the web" if is_web(found.address) else "missing"
    return "shipped" if found.index.name == OWN and not is_web(found.address) else "here"


def card(found: Found) -> str:
    """The model card; of a checkpoint that was not downloaded only the card is fetched.

    Raises:
        CheckpointError: it can't be had.
    """
    folder = lies(found)
    if folder is not None:
        return read_card_of(folder)
    if CARD not in found.entry.files:
        return ""
    if found.address.startswith(hf.SCHEME):
        path = hf.fetch(hf.place(found.address), CARD)
        return printable(path.read_text(errors="replace")) if path else ""
    if is_web(found.address):
        return printable(fetch_text(f"{found.address}/{CARD}"))
    raise CheckpointError(f"{found.address}: the index {found.index.name!r} names it, but it is not there")


def read_card_of(folder: Path) -> str:
    """The model card of a folder; empty where it has none."""
    path = folder / WELCOME[0]
    return printable(path.read_text(errors="replace")) if path.is_file() else ""


def printable(text: str) -> str:
    """Without what would steer a terminal, which a stranger's text shall not."""
    return "".join(letter for letter in text if letter.isprintable() or letter in "\n\t")


def _named(name: str, entry: Entry, pattern: str) -> bool:
    wanted, name = pattern.casefold(), name.casefold()
    if any(letter in wanted for letter in "*?["):
        return fnmatch(name, wanted)
    return wanted in name or wanted in entry.title.casefold()
