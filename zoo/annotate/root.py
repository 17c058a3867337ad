"""The files that the server may read: those below one folder, or a single one."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from unicodedata import category

from zoo.annotate.refused import RefusedError
from zoo.errors import DataError
from zoo.files import is_input
from zoo.images.reading import IMAGE_SUFFIXES
from zoo.slides.part import is_slide

SLIDE_SUFFIXES = (".svs", ".ndpi", ".mrxs", ".scn", ".svslide", ".bif", ".vms", ".vmu", ".czi", ".dcm")
MOST_ENTRIES = 10_000
ELSEWHERE = "\\:" if os.name == "nt" else ""
"""What no name has on this system: it leads to other folders, drives or streams."""
LONGEST = 1000
"""Characters of a path below the root."""

Kind = Literal["folder", "image", "slide"]


@dataclass(frozen=True)
class Listed:
    """A line of a folder's list; `path` is relative to the root, with slashes."""

    name: str
    path: str
    kind: Kind


class Root:
    """What a person opened the annotator with.

    Args:
        path: a folder, whose files and folders can be seen, or a file, which alone can.

    Raises:
        DataError: there is nothing of that name.
    """

    def __init__(self, path: Path) -> None:
        try:
            real = path.resolve(strict=True)
        except (OSError, RuntimeError) as error:
            raise DataError(f"{path}: no such file or folder ({error}); give images, slides or a folder") from None
        self.only = None if real.is_dir() else real.name
        self.folder = real if real.is_dir() else real.parent
        if self.only is not None and kind_of(real) is None:
            raise DataError(
                f"{path}: neither an image nor a slide; those end in {', '.join((*IMAGE_SUFFIXES, *SLIDE_SUFFIXES))}"
            )

    def file(self, name: str) -> Path:
        """The file of a path relative to the root.

        Raises:
            RefusedError: it is not below the root, not there, or no image.
        """
        path = self._inside(name)
        if not path.is_file() or (self.only is not None and path != self.folder / self.only):
            raise RefusedError(404, f"there is no image {name!r}; GET /api/images lists those there are")
        if not _is_picture(path):
            raise RefusedError(
                404, f"{name!r} is no image; those end in {', '.join((*IMAGE_SUFFIXES, *SLIDE_SUFFIXES))}"
            )
        return path

    def entries(self, name: str = "") -> list[Listed]:
        """The folders, and the images and slides, of a folder; hidden ones, and links that lead out, are left out.

        Raises:
            RefusedError: there is no such folder.
        """
        folder = self._inside(name) if name else self.folder
        if not folder.is_dir() or (self.only is not None and name):
            raise RefusedError(404, f"there is no folder {name!r}; GET /api/images lists the first one")
        if self.only is not None:
            return [self._entry(self.folder / self.only)]
        try:
            found = sorted(filter(is_input, folder.iterdir()), key=lambda path: path.name.casefold())
        except OSError as error:
            raise RefusedError(
                403, f"the folder {name!r} can't be read ({error.strerror}); ask for its permissions"
            ) from None
        found = [
            path
            for path in found
            if self._leads_inside(path) and (path.is_dir() or _is_picture(path)) and _is_text(path.name)
        ]
        return sorted(map(self._entry, found[:MOST_ENTRIES]), key=lambda entry: entry.kind != "folder")

    def _entry(self, path: Path) -> Listed:
        kind = kind_of(path)
        assert kind is not None  # others are left out
        return Listed(path.name, path.relative_to(self.folder).as_posix(), kind)

    def _inside(self, name: str) -> Path:
        """A path that is below the root, also once links are followed."""
        parts = name.split("/")
        odd = any(part in ("", ".", "..") or part.startswith(".") for part in parts)
        if odd or any(letter in name for letter in ELSEWHERE) or not _is_text(name) or len(name) > LONGEST:
            raise RefusedError(
                404, "a path below the root is asked for, as GET /api/images gives it: no '..', no '/' first"
            )
        path = self.folder.joinpath(*parts)
        if not self._leads_inside(path):
            raise RefusedError(404, f"there is no {name!r} here; GET /api/images lists what there is")
        return path

    def _leads_inside(self, path: Path) -> bool:
        try:
            return path.resolve(strict=True).is_relative_to(self.folder)
        except (OSError, RuntimeError, ValueError):
            return False


def kind_of(path: Path) -> Kind | None:
    """What a path of the disk is; None: nothing that is shown."""
    if path.is_dir():
        return "folder"
    if not _is_picture(path):
        return None
    return "slide" if is_slide(path) else "image"  # which opens some files


def _is_picture(path: Path) -> bool:
    """Whether a path is a file that is taken for an image or slide, by its name alone: asked for each tile."""
    return path.suffix.lower() in (*IMAGE_SUFFIXES, *SLIDE_SUFFIXES) and path.is_file()


def _is_text(name: str) -> bool:
    """Whether it can be sent and shown: names on disks may be no text, or hold line breaks."""
    return not any(category(letter) in ("Cc", "Cs") for letter in name)
