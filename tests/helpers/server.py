"""A web server on this machine that can do all that goes wrong on the way."""

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


class Server(ThreadingHTTPServer):
    """Serves `files` by path.

    Those in `cut` break off half way each time, those in `cut_once` the first time, those in `wrong` hold something
    else, those in `busy` are refused the first time, those in `slow` stop half way and go silent, those in `moved` are
    at another address; without `ranges` every answer is the whole file.
    """

    daemon_threads = True

    def __init__(self, files: dict[str, bytes]) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.files = files
        self.cut, self.cut_once, self.wrong, self.busy, self.slow = (set[str]() for _ in range(5))
        self.moved: dict[str, str] = {}
        self.ranges = True
        self.asked: Counter[str] = Counter()
        self.sent: Counter[str] = Counter()
        self.stop = threading.Event()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        name, server = self.path.lstrip("/"), self.server
        server.asked[name] += 1
        if name in server.moved:
            self.send_response(302)
            self.send_header("Location", server.moved[name])
            self.end_headers()
            return
        if name not in server.files:
            self.send_error(404)
            return
        if name in server.busy and server.asked[name] == 1:
            self.send_error(503)
            return
        whole = server.files[name]
        begin = int(self.headers.get("Range", "bytes=0-").removeprefix("bytes=").rstrip("-")) if server.ranges else 0
        if begin and begin >= len(whole):
            self.send_error(416)
            return
        body = (bytes(len(whole)) if name in server.wrong else whole)[begin:]
        self.send_response(206 if begin else 200)
        if begin:
            self.send_header("Content-Range", f"bytes {begin}-{len(whole) - 1}/{len(whole)}")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if name in server.cut or name in server.slow or (name in server.cut_once and server.asked[name] == 1):
            body = body[: len(body) // 2]
        server.sent[name] += len(body)  # first, since whoever asked looks at it as soon as it has the bytes
        self.wfile.write(body)
        if name in server.slow:
            self.wfile.flush()
            server.stop.wait(20)

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def serving(files: dict[str, bytes]) -> Iterator[Server]:
    server = Server(files)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        server.stop.set()
        server.shutdown()
        thread.join()
        server.server_close()


def contents(folder: Path, below: str = "") -> dict[str, bytes]:
    """The files of a folder, as a server has them below an address."""
    return {f"{below}{path.name}": path.read_bytes() for path in folder.iterdir()}
