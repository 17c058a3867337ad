"""The file that keeps everything as it happens (SQLite, WAL)."""

from __future__ import annotations

import json
import sqlite3
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zoo.annotate.document import Event
from zoo.annotate.refused import RefusedError
from zoo.errors import DataError

VERSION = 1
TABLES = """
CREATE TABLE object (
    id TEXT PRIMARY KEY, image TEXT NOT NULL, made TEXT NOT NULL, seen TEXT NOT NULL, mask BLOB NOT NULL,
    number INTEGER NOT NULL, deleted INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;
CREATE INDEX of_image ON object (image);
CREATE TABLE event (
    id INTEGER PRIMARY KEY AUTOINCREMENT, object TEXT NOT NULL, number INTEGER NOT NULL, image TEXT NOT NULL,
    at REAL NOT NULL, done TEXT NOT NULL, UNIQUE (object, number)
);
CREATE INDEX changes ON event (image, id);
"""


@dataclass(frozen=True)
class Kept:
    """An object as it was after its last event.

    Attributes:
        id: its name.
        image: path relative to the root.
        made: with what it was begun.
        seen: what is answered of it, but for its history.
        mask: PNG of 0 and 255.
        number: of events.
        revision: of the image, when it changed last.
    """

    id: str
    image: str
    made: dict[str, Any]
    seen: dict[str, Any]
    mask: bytes
    number: int
    revision: int = 0


class Journal:
    """Events of objects, each on the disk before it is answered.

    Args:
        path: of the file, which is made if it is not there.

    Raises:
        DataError: it can't be made, or is something else.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        try:
            # Transactions are begun by us; threads wait for each other here.
            self._file = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=10)
            self._file.execute("PRAGMA journal_mode=WAL")
            self._file.execute("PRAGMA synchronous=FULL")
            self._make()
        except sqlite3.Error as error:
            raise DataError(f"{path}: can't keep annotations there ({error}); name another file with --save") from None

    def _make(self) -> None:
        (version,) = self._file.execute("PRAGMA user_version").fetchone()
        (tables,) = self._file.execute("SELECT count(*) FROM sqlite_master").fetchone()
        if version == 0 and tables == 0:
            self._file.executescript(f"BEGIN IMMEDIATE; {TABLES} PRAGMA user_version={VERSION}; COMMIT")
        elif version != VERSION:
            raise DataError(
                f"{self.path}: holds no annotations of this version of isegzoo (version {version}, not {VERSION}); "
                "name another file with --save"
            )

    def close(self) -> None:
        """Put everything into the one file."""
        with self._lock:
            self._file.close()

    def begin(self, objects: Sequence[tuple[Kept, Sequence[Event]]]) -> int:
        """Keep new objects with their first events, all or none. Returns the revision."""
        with self._writing() as file:
            revision = 0
            for kept, events in objects:
                file.execute(
                    "INSERT INTO object (id, image, made, seen, mask, number) VALUES (?, ?, ?, ?, ?, ?)",
                    (kept.id, kept.image, _text(kept.made), _text(kept.seen), kept.mask, len(events)),
                )
                for number, event in enumerate(events, 1):
                    revision = self._append(file, kept, number, event)
            return revision

    def append(self, kept: Kept, event: Event) -> int:
        """Keep what was done to an object, and what came of it. Returns the revision.

        Raises:
            RefusedError: another server has changed it meanwhile.
        """
        with self._writing() as file:
            revision = self._append(file, kept, kept.number, event)
            gone = event["do"] == "delete"
            file.execute(
                "UPDATE object SET seen = ?, mask = ?, number = ?, deleted = ? WHERE id = ?",
                (_text(kept.seen), kept.mask, kept.number, gone, kept.id),
            )
            return revision

    def read(self, identity: str) -> tuple[Kept, list[Event]] | None:
        """An object and all that was done to it; None: there never was one."""
        with self._lock:
            row = self._file.execute(f"{_SELECT} WHERE object.id = ?", (identity,)).fetchone()
            found = self._file.execute("SELECT done FROM event WHERE object = ? ORDER BY number", (identity,))
            events = [json.loads(text) for (text,) in found]
        return None if row is None else (_kept(row), events)

    def of_image(self, image: str | None = None) -> list[str]:
        """The objects of an image, or of all, in the order in which they were begun."""
        where, values = ("", ()) if image is None else ("AND object.image = ?", (image,))
        with self._lock:
            rows = self._file.execute(
                f"SELECT object.id FROM object JOIN event ON event.object = object.id AND event.number = 1 "
                f"WHERE deleted = 0 {where} ORDER BY event.id",
                values,
            )
            return [identity for (identity,) in rows]

    def revision(self, image: str) -> int:
        """Rises with every change of an image's objects."""
        with self._lock:
            (last,) = self._file.execute("SELECT max(id) FROM event WHERE image = ?", (image,)).fetchone()
        return last or 0

    def changes(self, image: str, since: int) -> tuple[int, int]:
        """The revision of an image, and how many events made it that from an earlier one."""
        with self._lock:
            last, count = self._file.execute(
                "SELECT (SELECT max(id) FROM event WHERE image = :image), "
                "(SELECT count(*) FROM event WHERE image = :image AND id > :since)",
                {"image": image, "since": since},
            ).fetchone()
        return last or 0, count

    def counts(self) -> dict[str, int]:
        """How many objects each image has."""
        with self._lock:
            rows = self._file.execute("SELECT image, count(*) FROM object WHERE deleted = 0 GROUP BY image")
            return dict(rows.fetchall())

    def _append(self, file: sqlite3.Connection, kept: Kept, number: int, event: Event) -> int:
        try:
            done = file.execute(
                "INSERT INTO event (object, number, image, at, done) VALUES (?, ?, ?, ?, ?)",
                (kept.id, number, kept.image, time.time(), _text(event)),
            )
        except sqlite3.IntegrityError:
            raise RefusedError(409, "the object was changed by another server meanwhile; ask for it again") from None
        assert done.lastrowid is not None  # of an insertion
        return done.lastrowid

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            try:
                self._file.execute("BEGIN IMMEDIATE")
                try:
                    yield self._file
                    self._file.execute("COMMIT")
                except BaseException:
                    if self._file.in_transaction:
                        self._file.execute("ROLLBACK")
                    raise
            except sqlite3.OperationalError as error:
                raise RefusedError(
                    409, f"{self.path.name} can't be written to ({error}); nothing was changed"
                ) from None


_SELECT = (
    "SELECT id, image, made, seen, mask, number, (SELECT max(id) FROM event WHERE event.object = object.id) FROM object"
)


def _kept(row: tuple[Any, ...]) -> Kept:
    identity, image, made, seen, mask, number, revision = row
    return Kept(identity, image, json.loads(made), json.loads(seen), mask, number, revision or 0)


def _text(value: dict[str, Any]) -> str:
    return json.dumps(value, separators=(",", ":"), allow_nan=False)
