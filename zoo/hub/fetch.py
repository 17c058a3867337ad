"""One file from the web: resumed where it broke off, tried again, and there only when it is what it should be."""

from __future__ import annotations

import socket
import ssl
import time
from email.message import Message
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from typing import IO
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

from rich.progress import Progress, TaskID

from zoo.errors import CheckpointError
from zoo.files import sha256

TIMEOUT = 30.0
"""Seconds that a server may send nothing."""
PAUSES = (1.0, 4.0)
"""Seconds before each further try."""
BLOCK = 1 << 18
TEXT = 1 << 20
"""Bytes that an index, a card or a list of checksums has at most."""
PASSING = (408, 425, 429, 500, 502, 503, 504)
"""Answers of a server that may be others a moment later."""
LASTING = (socket.gaierror, ConnectionRefusedError, ssl.SSLCertVerificationError)
"""Errors that another try at once does not mend."""
LOOPBACK = ("localhost", "127.0.0.1", "::1")
HINT = "try again later, or give the path of a folder that `zoo download NAME --to FOLDER` made on another machine"


class BrokenOffError(CheckpointError):
    """A server can't be reached, does not have a file or broke off; what has arrived is kept."""


class MissingError(BrokenOffError):
    """The server has no such file."""


def check_address(address: str) -> None:
    """Refuse what could be changed on its way, and what is no web address at all.

    Raises:
        CheckpointError: it is neither https nor on this machine.
    """
    parts = urlsplit(address)
    if not parts.hostname or not (parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in LOOPBACK)):
        raise CheckpointError(f"{address}: nothing is downloaded from there; give an address that begins with https://")


class _Redirects(HTTPRedirectHandler):
    """Follows to other hosts, whose files are checked as any, but not to files of this machine and not to http."""

    def redirect_request(
        self, req: Request, fp: IO[bytes], code: int, msg: str, headers: Message, newurl: str
    ) -> Request | None:
        check_address(newurl)
        return super().redirect_request(req, fp, code, msg, headers, newurl)  # type: ignore[arg-type]


def fetch_file(
    address: str, path: Path, progress: Progress, digest: str | None = None, most: int | None = None
) -> None:
    """Download a file; it appears under its name only when it is complete and has its checksum.

    What broke off is kept beside it (`.part`), and the next call goes on there. Without a checksum nothing would tell
    whether both halves are of the same file, so that it begins anew.

    Args:
        address: of the file.
        path: to write.
        progress: gets a bar for it.
        digest: its sha256.
        most: bytes that it may have.

    Raises:
        BrokenOffError: the server can't be reached, does not have it, or breaks off again and again.
        CheckpointError: wrong checksum, too large, or it can't be written.
    """
    check_address(address)
    part = path.with_name(f"{path.name}.part")
    if digest is None:
        part.unlink(missing_ok=True)
    task = progress.add_task(path.name, total=None)
    # If a part of an older file was completed with the rest of a newer one, a second time begins anew.
    for attempt in (1, 2):
        resumed = part.is_file()
        _persist(address, part, progress, task, most)
        if digest is None or sha256(part) == digest:
            part.replace(path)
            return
        part.unlink()
        if attempt == 2 or not resumed:
            raise CheckpointError(
                f"{address}: wrong checksum after download; nothing of it was kept. Ask who publishes it whether the "
                "file was changed"
            )


def fetch_text(address: str) -> str:
    """The text of a small file.

    Raises:
        BrokenOffError: the server can't be reached or does not have it.
        CheckpointError: it is no text, or too large for one.
    """
    check_address(address)
    for pause in (*PAUSES, None):
        try:
            with _open(address) as source:
                content = source.read(TEXT + 1)
            if len(content) > TEXT:
                raise CheckpointError(f"{address}: has more than {TEXT:,} bytes, which no index or card needs")
            return content.decode()
        except UnicodeDecodeError:
            raise CheckpointError(f"{address}: is no text") from None
        except (OSError, HTTPException, ValueError) as error:
            _pause(address, error, pause)
    raise AssertionError


def _persist(address: str, part: Path, progress: Progress, task: TaskID, most: int | None) -> None:
    for pause in (*PAUSES, None):
        try:
            return _receive(address, part, progress, task, most)
        except (OSError, HTTPException, ValueError) as error:
            _pause(address, error, pause)


def _pause(address: str, error: Exception, pause: float | None) -> None:
    """Wait before the next try, if there is one and it may help."""
    reason = error.reason if isinstance(error, URLError) and not isinstance(error, HTTPError) else error
    missing = isinstance(error, HTTPError) and error.code in (404, 410)
    lasting = isinstance(reason, LASTING) or (isinstance(error, HTTPError) and error.code not in PASSING)
    if pause is None or lasting or isinstance(error, ValueError):
        kind = MissingError if missing else BrokenOffError
        said = f"nothing for {TIMEOUT:g} s" if isinstance(reason, TimeoutError) else reason
        raise kind(f"{address}: download failed ({said}); {HINT}") from None
    time.sleep(pause)


def _open(address: str, begin: int = 0) -> HTTPResponse:
    headers = {"User-Agent": "isegzoo"} | ({"Range": f"bytes={begin}-"} if begin else {})
    response: HTTPResponse = build_opener(_Redirects).open(Request(address, headers=headers), timeout=TIMEOUT)
    return response


def _receive(address: str, part: Path, progress: Progress, task: TaskID, most: int | None) -> None:
    """Append to the part what is missing of it."""
    begin = part.stat().st_size if part.is_file() else 0
    try:
        source = _open(address, begin)
    except HTTPError as error:
        if error.code == 416:  # there is nothing behind what we have, so that it is not of this file
            part.unlink(missing_ok=True)
            raise OSError("could not go on where it broke off") from None
        raise
    with source:
        if source.status != 206:
            begin = 0
        elif not source.headers.get("Content-Range", "").startswith(f"bytes {begin}-"):
            part.unlink(missing_ok=True)
            raise OSError("the server sent another part than it was asked for")
        length = source.headers.get("Content-Length")
        total = None if length is None else begin + int(length)
        progress.update(task, total=total, completed=begin)
        done = begin
        with _writable(part, "ab" if begin else "wb") as target:
            while block := source.read1(BLOCK):
                done += len(block)
                if most is not None and max(done, total or 0) > most:
                    part.unlink(missing_ok=True)
                    raise CheckpointError(f"{address}: is larger than the {most:,} bytes that its index tells")
                _write(target, block, part)
                progress.advance(task, len(block))
    if total is not None and done < total:
        raise OSError(f"broke off after {done:,} of {total:,} bytes")


def _writable(path: Path, mode: str) -> IO[bytes]:
    try:
        return path.open(mode)
    except OSError as error:
        raise not_writable(path, error) from None


def _write(target: IO[bytes], block: bytes, path: Path) -> None:
    try:
        target.write(block)
        target.flush()
    except OSError as error:
        raise not_writable(path, error) from None


def not_writable(path: Path, error: OSError) -> CheckpointError:
    """What to say of a place that can't be written to, a full disk among it."""
    return CheckpointError(
        f"{path.parent}: can't be written ({error.strerror or error}); make room, or name another folder with "
        "ISEGZOO_CACHE or `zoo download NAME --to FOLDER`"
    )
