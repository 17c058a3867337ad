"""Hugging Face as it answers who uploads to it, on this machine."""

import base64
import hashlib
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Hub(ThreadingHTTPServer):
    """Repositories by name, as lists of their commits' files; `commits` has the messages.

    Files in `broken` are refused, and who has another `token`. Somebody else commits what is in `meanwhile` first.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answers)
        self.states: dict[str, list[dict[str, bytes]]] = {}
        self.commits: dict[str, list[str]] = {}
        self.broken: set[str] = set()
        self.meanwhile: dict[str, bytes] = {}
        self.token = "hf_test"

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def files(self, repository: str) -> dict[str, bytes]:
        return self.states[repository][-1]

    def head(self, repository: str) -> str:
        return f"{len(self.states[repository]):040x}"


class Answers(BaseHTTPRequestHandler):
    server: Hub
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        path = self.path.partition("?")[0]
        if self.headers.get("Authorization") != f"Bearer {self.server.token}":
            return self.answer(401, {"error": "Invalid credentials"})
        if path == "/api/repos/create":
            asked = json.loads(body)
            name = "/".join(filter(None, (asked.get("organization"), asked["name"])))
            new = name not in self.server.states
            if new:
                self.server.states[name], self.server.commits[name] = [{}], []
            return self.answer(200 if new else 409, {"url": f"{self.server.address}/{name}", "error": "exists"})
        if path == "/api/validate-yaml":
            return self.answer(200, {"errors": [], "warnings": []})
        found = re.fullmatch(r"/api/models/([^/]+/[^/]+)/(preupload|commit)/main", path)
        if found is None:
            return self.answer(404, {"error": path})
        name = found[1]
        if found[2] == "preupload":
            files = [
                {"path": each["path"], "uploadMode": "regular", "shouldIgnore": False}
                for each in json.loads(body)["files"]
            ]
            return self.answer(200, {"files": files})
        files = dict(self.server.files(name))
        lines = [json.loads(line) for line in body.splitlines()]
        (header,) = (line["value"] for line in lines if line["key"] == "header")
        if self.server.meanwhile:
            self.server.states[name].append(files | self.server.meanwhile)
        if header.get("parentCommit", self.server.head(name)) != self.server.head(name):
            return self.answer(412, {"error": "A commit has happened since"})
        self.server.commits[name].append(header["summary"])
        for line in lines:
            if line["key"] == "file":
                files[line["value"]["path"]] = base64.b64decode(line["value"]["content"])
        self.server.states[name].append(files)
        oid = self.server.head(name)
        self.answer(200, {"success": True, "commitOid": oid, "commitUrl": f"{self.server.address}/{name}/commit/{oid}"})

    def do_HEAD(self) -> None:
        self.do_GET(with_body=False)

    def do_GET(self, with_body: bool = True) -> None:
        found = re.fullmatch(r"/([^/]+/[^/]+)/resolve/([^/]+)/([^?]+)", self.path)
        if found is None or found[1] not in self.server.states:
            return self.answer(404, {}, {"X-Error-Code": "RepoNotFound"})
        name, revision, file = found.groups()
        number = len(self.server.states[name]) if revision == "main" else int(revision, 16)
        commit = {"X-Repo-Commit": f"{number:040x}"}
        if file in self.server.broken:
            return self.answer(403, {}, commit)
        body = self.server.states[name][number - 1].get(file)
        if body is None:
            return self.answer(404, {}, commit | {"X-Error-Code": "EntryNotFound"})
        self.send_response(200)
        etag = hashlib.sha1(b"blob %d\0" % len(body) + body).hexdigest()
        for key, value in (commit | {"ETag": f'"{etag}"', "Content-Length": str(len(body))}).items():
            self.send_header(key, value)
        self.end_headers()
        if with_body:
            self.wfile.write(body)

    def answer(self, code: int, content: dict[str, Any], headers: dict[str, str] | None = None) -> None:
        body = json.dumps(content).encode()
        self.send_response(code)
        for key, value in ({"Content-Type": "application/json"} | (headers or {})).items():
            self.send_header(key, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def answering() -> Iterator[Hub]:
    """A server for as long as the block lasts."""
    server = Hub()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
