"""Hugging Face, as a server on this machine that answers as it does."""

import hashlib
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.helpers.checkpoints import nuclick_folder
from zoo.errors import CheckpointError
from zoo.hub import hf
from zoo.hub.index import Entry, checksums, write_entry
from zoo.hub.load import load
from zoo.hub.locate import locate

COMMITS = {"main": "a" * 40, "v1": "b" * 40}


class Hub(ThreadingHTTPServer):
    """Repository `lab/zoo`: `files` of each commit by path; weights are large files with their sha256."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answers)
        self.files: dict[str, dict[str, bytes]] = {commit: {} for commit in COMMITS.values()}
        self.got: list[str] = []


class Answers(BaseHTTPRequestHandler):
    server: Hub
    protocol_version = "HTTP/1.1"

    def do_HEAD(self) -> None:
        self.answer(with_body=False)

    def do_GET(self) -> None:
        self.answer(with_body=True)

    def answer(self, with_body: bool) -> None:
        found = re.fullmatch(r"/lab/zoo/resolve/([^/]+)/([^?]+)", self.path)
        commit = COMMITS.get(found[1], found[1]) if found else ""
        if found is None or commit not in self.server.files:
            return self.refuse("RevisionNotFound" if found else "RepoNotFound")
        if found[2] not in self.server.files[commit]:
            return self.refuse("EntryNotFound", commit)
        body = self.server.files[commit][found[2]]
        large = found[2].endswith(".safetensors")
        etag = hashlib.sha256(body).hexdigest() if large else hashlib.sha1(b"blob %d\0" % len(body) + body).hexdigest()
        self.send_response(200)
        self.send_header("X-Repo-Commit", commit)
        self.send_header("X-Linked-Etag" if large else "ETag", f'"{etag}"')
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if with_body:
            self.server.got.append(found[2])
            self.wfile.write(body)

    def refuse(self, why: str, commit: str = "") -> None:
        self.send_response(404)
        self.send_header("X-Error-Code", why)
        if commit:
            self.send_header("X-Repo-Commit", commit)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def hub(tmp_path, monkeypatch) -> Iterator[Hub]:
    out = Hub()
    thread = threading.Thread(target=out.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{out.server_port}")
    monkeypatch.setenv("ISEGZOO_CACHE", str(tmp_path / "cache"))
    folder = nuclick_folder(tmp_path / "published" / "tiny")
    for commit in COMMITS.values():
        files = {path.name: path.read_bytes() for path in folder.iterdir()}
        files["README.md"] = f"# Of {commit}\n".encode()
        out.files[commit] = files | {f"deep/tiny/{name}": body for name, body in files.items()}
    yield out
    out.shutdown()
    thread.join()
    out.server_close()


def test_a_repository_is_loaded_and_cached(hub, monkeypatch):
    assert load("hf://lab/zoo").mpp == 0.25
    assert sorted(hub.got) == ["README.md", "config.yaml", "model.safetensors"]
    hub.got.clear()
    assert (locate("hf://lab/zoo") / "README.md").read_text() == f"# Of {'a' * 40}\n"
    assert hub.got == []


@pytest.mark.parametrize("revision", ["v1", "b" * 40])
def test_a_revision_is_pinned(hub, revision):
    assert (locate(f"hf://lab/zoo@{revision}") / "README.md").read_text() == f"# Of {'b' * 40}\n"
    assert (locate(f"hf://lab/zoo@{revision}/deep/tiny") / "README.md").read_text() == f"# Of {'b' * 40}\n"


def test_without_a_connection_a_pinned_revision_works(hub, monkeypatch):
    name = f"hf://lab/zoo@{'b' * 40}"
    found = locate(name)
    assert locate("hf://lab/zoo@v1") == found
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    assert locate(name) == found
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)  # which does not try again and again
    assert locate("hf://lab/zoo@v1") == found
    with pytest.raises(CheckpointError, match=r"config\.yaml is not in the cache.*zoo download NAME --to"):
        locate("hf://lab/other")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("hf://lab/gone", "can't be downloaded"),
        ("hf://lab/zoo@v9", "can't be downloaded"),
        ("hf://lab/zoo/nothing", "has no config.yaml"),
        ("hf://lab", "give hf://org/repo"),
        ("hf://lab/zoo@main/../../x", "give hf://org/repo"),
    ],
)
def test_what_is_not_there(hub, name, said):
    with pytest.raises(CheckpointError, match=said):
        locate(name)


def test_what_was_altered_in_the_cache_is_removed(hub):
    weights = locate("hf://lab/zoo@v1") / "model.safetensors"
    weights.resolve().write_bytes(b"something else")
    with pytest.raises(CheckpointError, match="does not have its checksum"):
        locate("hf://lab/zoo@v1")
    assert locate("hf://lab/zoo@v1").is_dir()


def test_an_index_of_a_repository(hub, tmp_path):
    folder = tmp_path / "published" / "tiny"
    (folder / "README.md").write_bytes(hub.files["a" * 40]["README.md"])
    write_entry(tmp_path / "index.yaml", "tiny", Entry("Tiny", "MIT", checksums(folder)))
    hub.files["a" * 40] |= {
        "index.yaml": (tmp_path / "index.yaml").read_bytes(),
        **{f"tiny/{path.name}": path.read_bytes() for path in folder.iterdir()},
    }
    assert (locate("lab/tiny", ["hf://lab/zoo"]) / "README.md").is_file()
    hub.files["a" * 40]["tiny/README.md"] = b"# Another\n"
    pinned = hf.place("hf://lab/zoo@main/tiny")
    assert (pinned.repository, pinned.revision, pinned.folder) == ("lab/zoo", "main", "tiny")
    assert Path(locate("tiny", ["hf://lab/zoo"])).name == "tiny"
