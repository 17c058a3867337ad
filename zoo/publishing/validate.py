"""Whether a checkpoint is fit to be published: what a stranger's first minute with it needs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from zoo.errors import ZooError
from zoo.files import sha256
from zoo.hub.cache import NEEDED, read_sums
from zoo.hub.card import UNSTATED, section, title_of
from zoo.hub.folder import read_config
from zoo.hub.index import CARD, CONFIG, DIGEST, LICENCE, SUMS, Entry
from zoo.hub.load import load
from zoo.interactions import Click, Scribble
from zoo.publishing.checkpoint import FILES
from zoo.publishing.checkpoint import UNSTATED as NO_LICENCE
from zoo.testing import tiny_image

SAID = (Click(20.5, 40.5), Click(60.5, 60.5, positive=False), Scribble(((17.5, 40.5), (23.5, 40.5))))
"""Of the tiny image: on a disk, beside all, and across the disk."""
SECTIONS = ("Trained on", "Intended use", "Limits")


@dataclass(frozen=True)
class Check:
    """One thing that was looked at.

    Attributes:
        what: in a word.
        wrong: what is wrong, and what to do; empty where it is right.
    """

    what: str
    wrong: str = ""

    @property
    def right(self) -> bool:
        """Whether it is as it should be."""
        return not self.wrong


def validate(folder: Path, entry: Entry | None = None, trust_code: bool = False) -> list[Check]:
    """Look at a checkpoint's folder: files, checksums, licence, resolution, card, whether it loads and segments.

    Args:
        folder: of the checkpoint.
        entry: what its index says of it; None: no index does.
        trust_code: whether it may name classes outside `zoo`.
    """
    checks: dict[str, Callable[[], Iterator[str]]] = {
        "files": lambda: _files(folder),
        "checksums": lambda: _checksums(folder, entry),
        "licence": lambda: _licence(folder, entry),
        "mpp": lambda: _mpp(folder, entry),
        "card": lambda: _card(folder, entry),
        "segments": lambda: _segments(folder, trust_code),
    }
    found = []
    for what, look in checks.items():
        try:
            found.append(Check(what, "; ".join(look())))
        except ZooError as error:
            found.append(Check(what, str(error)))
    return found


def _files(folder: Path) -> Iterator[str]:
    for file in (*NEEDED, CARD, LICENCE):
        if not (folder / file).is_file():
            yield f"{file} is missing; `zoo publish` makes it{' (--licence-file)' * (file == LICENCE)}"
    others = sorted(path.name for path in folder.iterdir() if path.name not in FILES)
    if others:
        yield f"{', '.join(others)} is none of a checkpoint's files; remove it"


def _checksums(folder: Path, entry: Entry | None) -> Iterator[str]:
    sums = folder / SUMS
    expected: dict[str, str] = dict(entry.files) if entry else {}
    if not expected and not sums.is_file():
        yield f"neither an index nor {SUMS} tells them; `zoo publish` writes both"
    if sums.is_file():
        told = read_sums(sums.read_text(errors="replace"), sums)
        for line in sums.read_text(errors="replace").splitlines():
            digest, _, file = line.partition("  ")
            if DIGEST.fullmatch(digest) and "/" not in file:
                told[file] = digest
        for file in sorted(told.keys() & expected.keys()):
            if told[file] != expected[file]:
                yield f"{SUMS} and the index tell different ones of {file}; publish again"
        expected = told | expected
    for file, digest in expected.items():
        if not (folder / file).is_file():
            yield f"{file} has one, but is missing"
        elif sha256(folder / file) != digest:
            yield f"{file} was changed after it was published; publish again, or download it again"


def _licence(folder: Path, entry: Entry | None) -> Iterator[str]:
    said = section(_read(folder / CARD), "Licence")
    if not said or said == NO_LICENCE:
        yield "the card names none; `licence:` in the card's YAML"
    elif entry is not None and entry.licence != said:
        yield f"the card says {said!r}, the index {entry.licence!r}; publish again"
    if (folder / LICENCE).is_file() and not _read(folder / LICENCE).strip():
        yield f"{LICENCE} is empty; give its text with --licence-file"


def _mpp(folder: Path, entry: Entry | None) -> Iterator[str]:
    given = read_config(folder).get("init_args", {})
    mpp = given.get("mpp")
    zoom = (given.get("zoom") or {}).get("init_args") or {}
    if mpp is None and zoom.get("looks", 1) > 1:
        return  # it looks at the box of what it finds, as large as that may be
    if not isinstance(mpp, int | float) or not mpp > 0:
        yield f"{CONFIG} tells no resolution ({mpp}), so that images can't be resampled to it; train with `mpp`"
    elif entry is not None and entry.mpp != mpp:
        yield f"{mpp:g} um/px in {CONFIG}, {entry.mpp} in the index; publish again"


def _card(folder: Path, entry: Entry | None) -> Iterator[str]:
    text = _read(folder / CARD)
    if not title_of(text):
        yield "has no title; publish with --card"
    empty = [heading for heading in SECTIONS if section(text, heading) in ("", UNSTATED)]
    if empty:
        yield f"says nothing of {', '.join(empty)}; fill in the card's YAML"
    if entry is not None and not (entry.task and entry.data):
        yield "the index tells no task or no data; `task:` and `data:` in the card's YAML"


def _segments(folder: Path, trust_code: bool) -> Iterator[str]:
    """Whether it loads and segments the tiny image."""
    session = load(folder, trust_code=trust_code)
    image, _ = tiny_image()
    session.set_image(image, mpp=session.mpp)
    probabilities = [session.probability]
    for said in SAID:
        session.add(said)
        probabilities.append(session.probability)
    for probability in probabilities:
        values = np.asarray(probability)
        if values.shape != (1, 1, *image.shape[:2]):
            yield f"gives a probability of shape {values.shape} for an image of {image.shape[:2]}"
        elif not np.isfinite(values).all() or values.min() < 0 or values.max() > 1:
            yield "gives probabilities that are not in 0..1; did the training diverge?"
        else:
            continue
        return
    if session.mask.shape != probabilities[0].shape:
        yield f"gives a mask of shape {tuple(session.mask.shape)}"


def _read(path: Path) -> str:
    return path.read_text(errors="replace") if path.is_file() else ""
