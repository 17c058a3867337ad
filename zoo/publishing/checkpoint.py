"""A checkpoint's folder and its entry in an index."""

from __future__ import annotations

import platform
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path

import torch

from zoo.comparison.columns import columns
from zoo.comparison.markdown import cell, table
from zoo.comparison.result import read
from zoo.config.runs import CONFIG as EXPERIMENT
from zoo.errors import CheckpointError
from zoo.files import sha256, write_text
from zoo.hub.card import Card, section, title_of
from zoo.hub.folder import save_folder
from zoo.hub.index import CARD, CONFIG, HERE, LICENCE, PLAIN, SHIPPED, SUMS, WEIGHTS, Entry, entries
from zoo.publishing.changes import changes
from zoo.publishing.place import write_sums
from zoo.publishing.source import Source

TRAINING = "training.yaml"
"""The experiment that trained the weights, as `zoo fit` wrote it."""
FILES = (CONFIG, WEIGHTS, CARD, LICENCE, TRAINING, SUMS)
UNSTATED = "not stated"
"""A licence that nobody has named."""


@dataclass(frozen=True)
class Publication:
    """What a person says of a checkpoint, beside its weights.

    Attributes:
        name: in the index and in the card.
        command: that publishes it, for the card.
        card: its texts; None: those of the source, where it is a checkpoint.
        results: files of results, for a table in the card.
        metrics: what it reached, for the index.
        licence: file with the text of the licence.
        change: what is new, for the card.
        bits: a weight is stored in: 8, 16 or 32; None: as a checkpoint has it already, 16 of a training.
        url: that the files will be downloaded from.
    """

    name: str
    command: str = ""
    card: Card | None = None
    results: tuple[Path, ...] = ()
    metrics: Mapping[str, float] = field(default_factory=dict)
    licence: Path | None = None
    change: str | None = None
    bits: int | None = None
    url: str | None = None


@dataclass(frozen=True)
class Replaced:
    """What is replaced, if anything is.

    Attributes:
        card: text of its card.
        licence: of its LICENSE.
        entry: in the index.
    """

    card: str = ""
    licence: str = ""
    entry: Entry | None = None


def write_checkpoint(folder: Path, source: Source, said: Publication, before: Replaced) -> Entry:
    """Write a checkpoint's folder and return its entry for an index.

    What an earlier entry says stays where nothing new is said of it: metrics, task, interaction, data and address.

    Raises:
        CheckpointError: weights can't be stored as asked, or the file of the licence is not there.
    """
    if said.licence is not None:
        licence_text(said.licence)  # first, so that what is not there is told before anything is written
    as_it_is = said.bits is None and source.folder is not None
    save_folder(folder, source.config, source.file.read_bytes() if as_it_is else source.state, "", said.bits or 16)
    training = source.file.parent.parent / EXPERIMENT
    if source.folder is None and training.is_file():
        shutil.copyfile(training, folder / TRAINING)
    elif source.folder is not None and (source.folder / TRAINING).is_file():
        shutil.copyfile(source.folder / TRAINING, folder / TRAINING)
    text, licence = _card(folder, source, said, before)
    write_text(folder / CARD, text)
    kept = _licence(source, said, before, licence)
    if kept:
        write_text(folder / LICENCE, kept)
    files = write_sums(folder)
    old, card = before.entry, said.card
    trained = () if source.gives is None else (source.gives,)
    return Entry(
        title=title_of(text),
        licence=licence,
        files=files,
        mpp=source.mpp,
        url=said.url or (old.url if old else None),
        task=(card.tasks if card else ()) or (old.task if old else ()),
        interaction=(card.interactions if card else ()) or (old.interaction if old else ()) or trained,
        data=(card.data_sets if card else ()) or (old.data if old else ()),
        metrics=dict(said.metrics) or (old.metrics if old else None),
        size=sum((folder / file).stat().st_size for file in files),
    )


def _card(folder: Path, source: Source, said: Publication, before: Replaced) -> tuple[str, str]:
    """The card's text, and the licence that it names."""
    weights = sha256(folder / WEIGHTS)
    known = "" if source.folder is None else _read(source.folder / CARD)
    new = changes(before.card or known, weights, said.change)
    if said.card is None and known:
        text = f"{known.partition('## Changes')[0].rstrip()}\n\n## Changes\n\n{new}\n"
        return text, section(known, "Licence") or UNSTATED
    card = said.card or Card(title=said.name, licence=UNSTATED)
    made = [said.command]
    if (folder / TRAINING).is_file():
        made.insert(0, f"zoo fit -c {TRAINING}")
    commands = "\n".join(filter(None, made))
    versions = f"isegzoo {version('isegzoo')}, torch {torch.__version__}, Python {platform.python_version()}"
    made_with = f"```sh\n{commands}\n```\n\nPublished with {versions}." if commands else ""
    class_path = source.config["class_path"]
    results = results_table(said.results)
    return card.markdown(said.name, class_path, source.mpp, source.gives, results, made_with, new), card.licence


def _licence(source: Source, said: Publication, before: Replaced, licence: str) -> str:
    """The text of the licence: the given one, or the one that was there for the same licence."""
    if said.licence is not None:
        return licence_text(said.licence)
    if before.licence and section(before.card, "Licence") == licence:
        return before.licence
    return "" if source.folder is None else _read(source.folder / LICENCE)


def licence_text(path: Path) -> str:
    """The text of a licence.

    Raises:
        CheckpointError: it can't be read.
    """
    try:
        return path.read_text()
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{path}: not readable ({error}); give the text of the licence") from None


def read_before(folder: Path, index: Path, name: str) -> Replaced:
    """What publishing to a folder, and to an index, would replace.

    Raises:
        CheckpointError: there is an index that can't be read.
    """
    entry = entries(index).get(name) if index.is_file() else None
    return Replaced(_read(folder / CARD), _read(folder / LICENCE), entry)


def check_place(folder: Path, index: Path, name: str, url: str | None) -> None:
    """Refuse an entry whose files nobody would find.

    Raises:
        CheckpointError: the name can't be one, or the folder is not where the index looks for it.
    """
    if not PLAIN.fullmatch(name):
        raise CheckpointError(f"{name!r} is no name of a checkpoint; letters, digits, '-', '_' and '.' are")
    own = index.resolve() == (HERE / "index.yaml").resolve()
    looked = (SHIPPED if own else index.parent) / name
    if url is None and looked.resolve() != folder.resolve():
        raise CheckpointError(
            f"{index}: looks for {name} in {looked}, not in {folder}; publish it there, give it its folder's "
            "name, or say with --url where it will lie"
        )


def results_table(paths: tuple[Path, ...]) -> str:
    """The card's table of results; empty without any."""
    results = [read(path) for path in paths]
    shown = columns(results)
    rows = [
        [
            *(cell(text) for text in (result.title, result.data.dataset, result.data.split, str(result.data.images))),
            *(column.text(column.value(result)) for column in shown),
        ]
        for result in results
    ]
    headings = ["experiment", "data", "split", "images", *(column.heading for column in shown)]
    return table(headings, rows, (0, 1, 2)) if results else ""


def _read(path: Path) -> str:
    return path.read_text(errors="replace") if path.is_file() else ""
