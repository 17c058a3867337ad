import hashlib
import os
import threading
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
import yaml

import zoo
from tests.helpers.checkpoints import nuclick_folder
from zoo.errors import CheckpointError
from zoo.hub import index
from zoo.hub.index import Entry, checksums, entries, locate, write_entry


class Server(HTTPServer):
    """Serves `files`; those in `cut` break off half way, those in `wrong` hold something else."""

    def __init__(self, files: dict[str, bytes]) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.files, self.cut, self.wrong = files, set[str](), set[str]()
        self.asked: Counter[str] = Counter()


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        name = self.path.rsplit("/", 1)[-1]
        self.server.asked[name] += 1
        if name not in self.server.files:
            self.send_error(404)
            return
        body = self.server.files[name]
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if name in self.server.wrong:
            body = bytes(len(body))
        self.wfile.write(body[: len(body) // 2] if name in self.server.cut else body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server(tmp_path) -> Iterator[Server]:
    folder = nuclick_folder(tmp_path / "published")
    out = Server({path.name: path.read_bytes() for path in folder.iterdir()})
    thread = threading.Thread(target=out.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield out
    out.shutdown()
    thread.join()
    out.server_close()


@pytest.fixture
def cached(server, tmp_path, monkeypatch) -> Path:
    """The cache folder; the index holds 'tiny', which the server has."""
    files = {name: hashlib.sha256(body).hexdigest() for name, body in server.files.items()}
    entry = Entry("Tiny", "CC0-1.0", files, 0.25, f"http://127.0.0.1:{server.server_port}/tiny")
    here = Entry("Not shipped", "CC0-1.0", files)
    monkeypatch.setattr(index, "entries", lambda: {"tiny": entry, "clone-only": here})
    monkeypatch.setenv("ISEGZOO_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_downloaded_once_and_verified_at_every_load(server, cached):
    assert zoo.load("tiny").mpp == 0.25
    assert sorted(p.name for p in cached.iterdir()) == ["tiny"]
    assert locate("tiny") == cached / "tiny"
    assert set(server.asked.values()) == {1}
    (cached / "tiny" / "config.yaml").write_text("class_path: os.system\n")
    with pytest.raises(CheckpointError, match=r"config\.yaml: sha256 is .* delete .*tiny"):
        zoo.load("tiny")
    (cached / "tiny" / "config.yaml").unlink()
    with pytest.raises(CheckpointError, match="sha256 is missing"):
        zoo.load("tiny")
    assert set(server.asked.values()) == {1}


@pytest.mark.parametrize("name", ["README.md", "model.safetensors"])
def test_an_interrupted_download_leaves_nothing(server, cached, name):
    server.cut.add(name)
    with pytest.raises(CheckpointError, match="try again later"):
        zoo.load("tiny")
    assert not list(cached.iterdir())
    server.cut.clear()
    assert locate("tiny").is_dir()


def test_a_wrong_file_leaves_nothing(server, cached):
    server.wrong.add("model.safetensors")
    with pytest.raises(CheckpointError, match=r"model\.safetensors: wrong checksum"):
        zoo.load("tiny")
    assert not list(cached.iterdir())
    server.wrong.clear()
    assert locate("tiny").is_dir()


def test_a_file_that_is_not_there(server, cached):
    del server.files["config.yaml"]
    with pytest.raises(CheckpointError, match=r"config\.yaml: download failed .*404"):
        zoo.load("tiny")
    assert not list(cached.iterdir())


def test_nobody_answers(server, cached, monkeypatch):
    lost = Entry("Tiny", "CC0-1.0", {"config.yaml": "0"}, url="http://127.0.0.1:9/tiny")
    monkeypatch.setattr(index, "entries", lambda: {"tiny": lost})
    with pytest.raises(CheckpointError, match="download failed"):
        zoo.load("tiny")


def test_another_process_was_faster(server, cached, monkeypatch):
    rename = Path.rename

    def late(self: Path, target: Path) -> Path:
        nuclick_folder(cached / "tiny")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", late)
    assert locate("tiny") == cached / "tiny"
    assert sorted(p.name for p in cached.iterdir()) == ["tiny"]


def test_without_an_address_it_comes_with_the_repository(cached):
    with pytest.raises(CheckpointError, match="comes with the repository"):
        zoo.load("clone-only")


def test_unknown_names_list_the_known(cached):
    with pytest.raises(CheckpointError, match="known checkpoints: clone-only, tiny"):
        zoo.load("tinny")


def test_entries_are_written_and_read(tmp_path):
    folder, path = nuclick_folder(tmp_path / "x"), tmp_path / "index.yaml"
    one = Entry("One", "CC0-1.0", checksums(folder), 0.5)
    two = Entry("Two", "MIT", {"config.yaml": "0"}, url="http://somewhere")
    write_entry(path, "one", two)
    write_entry(path, "two", two)
    write_entry(path, "one", one)
    assert entries(path) == {"one": one, "two": two}
    (folder / "model.safetensors").write_bytes(b"")
    assert checksums(folder)["model.safetensors"] == hashlib.sha256(b"").hexdigest()
    assert checksums(folder)["config.yaml"] == one.files["config.yaml"]


def test_the_shipped_index_is_true():
    """Every checkpoint of the index that is in this clone has its checksums, and every folder stands in the index."""
    shipped = {path.name for path in index.SHIPPED.iterdir()} if index.SHIPPED.is_dir() else set()
    assert shipped <= set(entries())
    for name, entry in entries().items():
        assert entry.url is not None or name in shipped
        if name in shipped:
            assert checksums(index.SHIPPED / name) == entry.files
            total = sum(path.stat().st_size for path in (index.SHIPPED / name).iterdir())
            assert total < 9.5e6
    assert isinstance(yaml.safe_load((index.HERE / "index.yaml").read_text()) or {}, dict)


def test_cache_folder(monkeypatch, tmp_path):
    monkeypatch.delenv("ISEGZOO_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert index.cache_folder() == tmp_path / "isegzoo"
    assert os.environ.get("ISEGZOO_CACHE") is None
