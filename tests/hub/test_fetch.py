"""What goes wrong on the way from a server, one by one; files are small bytes, no network is built."""

import hashlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.helpers.server import Server, serving
from zoo.errors import CheckpointError
from zoo.hub import fetch
from zoo.hub.cache import download, web_folder
from zoo.hub.fetch import fetch_text

ROOT = Path(__file__).parents[2]
CONFIG, WEIGHTS = b"class_path: zoo.methods.NuClick\n", bytes(range(256)) * 4000


def digests(server: Server) -> dict[str, str]:
    return {
        name.removeprefix("tiny/"): hashlib.sha256(body).hexdigest()
        for name, body in server.files.items()
        if name.startswith("tiny/")
    }


@pytest.fixture
def server(monkeypatch) -> Iterator[Server]:
    monkeypatch.setattr(fetch, "PAUSES", (0.0, 0.0))
    with serving({"tiny/config.yaml": CONFIG, "tiny/model.safetensors": WEIGHTS}) as out:
        yield out


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("ISEGZOO_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "tiny"


def get(server: Server, folder: Path, size: int | None = None) -> None:
    download(folder, f"{server.address}/tiny", digests(server), size)


def left(folder: Path) -> list[str]:
    """Names in the cache that a person sees, and files in hidden folders."""
    found = [path for path in folder.parent.rglob("*") if path.is_file() and path.suffix != ".lock"]
    return sorted(path.relative_to(folder.parent).as_posix() for path in found)


def complete(folder: Path) -> bool:
    return (folder / "config.yaml").read_bytes() == CONFIG and (folder / "model.safetensors").read_bytes() == WEIGHTS


def test_nothing_is_fetched_twice(server, folder):
    get(server, folder)
    get(server, folder)
    assert complete(folder)
    assert set(server.asked.values()) == {1}
    assert left(folder) == ["tiny/config.yaml", "tiny/model.safetensors"]


def test_a_broken_transfer_goes_on_within_the_same_call(server, folder):
    server.cut_once.add("tiny/model.safetensors")
    get(server, folder)
    assert complete(folder)
    assert server.sent["tiny/model.safetensors"] == len(WEIGHTS)


def test_a_broken_transfer_goes_on_in_the_next_call(server, folder, monkeypatch):
    monkeypatch.setattr(fetch, "PAUSES", ())
    server.cut.add("tiny/model.safetensors")
    with pytest.raises(CheckpointError, match=r"broke off after 512,000 of 1,024,000 bytes.*zoo download NAME --to"):
        get(server, folder)
    assert not folder.exists()
    server.cut.clear()
    get(server, folder)
    assert complete(folder)
    assert server.sent == {"tiny/config.yaml": len(CONFIG), "tiny/model.safetensors": len(WEIGHTS)}


def test_a_server_that_knows_no_ranges_sends_all_again(server, folder):
    server.ranges = False
    server.cut_once.add("tiny/model.safetensors")
    get(server, folder)
    assert complete(folder)
    assert server.sent["tiny/model.safetensors"] == 1.5 * len(WEIGHTS)


@pytest.mark.parametrize("size", [1000, 2 * len(WEIGHTS)], ids=["shorter", "longer"])
def test_half_of_an_older_file_is_not_joined_to_the_rest_of_a_newer_one(server, folder, size):
    work = folder.with_name(".tiny.part")
    work.mkdir(parents=True)
    (work / "model.safetensors.part").write_bytes(b"x" * size)
    get(server, folder)
    assert complete(folder)


def test_a_busy_server_is_asked_again(server, folder):
    server.busy.add("tiny/config.yaml")
    get(server, folder)
    assert server.asked["tiny/config.yaml"] == 2


def test_a_truncated_body_is_no_file(server, folder):
    server.cut.add("tiny/config.yaml")
    with pytest.raises(CheckpointError, match=r"config\.yaml: download failed \(broke off"):
        get(server, folder)
    assert not folder.exists()
    assert server.asked["tiny/config.yaml"] == 3


def test_a_wrong_checksum_leaves_no_file(server, folder):
    server.wrong.add("tiny/model.safetensors")
    with pytest.raises(CheckpointError, match=r"model\.safetensors: wrong checksum"):
        get(server, folder)
    assert left(folder) == []
    server.wrong.clear()
    get(server, folder)
    assert complete(folder)


def test_a_file_larger_than_its_index_says_is_not_received(server, folder):
    with pytest.raises(CheckpointError, match="larger than the 1,000 bytes"):
        get(server, folder, 1000)
    assert left(folder) == []


def test_a_file_that_is_not_there(server, folder):
    files = digests(server)
    del server.files["tiny/config.yaml"]
    with pytest.raises(CheckpointError, match=r"config\.yaml: download failed .*404"):
        download(folder, f"{server.address}/tiny", files)
    assert not folder.exists()
    assert server.asked["tiny/config.yaml"] == 1


def test_another_host_may_have_the_file_but_is_checked_too(server, folder):
    with serving({"far": WEIGHTS}) as other:
        server.moved["tiny/model.safetensors"] = f"http://localhost:{other.server_port}/far"
        get(server, folder)
        assert complete(folder)
        assert other.asked["far"] == 1
        other.files["far"] = b"something else"
        with pytest.raises(CheckpointError, match="wrong checksum"):
            get(server, folder.with_name("again"))


@pytest.mark.parametrize("target", ["file:///etc/hostname", "http://example.org/far", "ftp://127.0.0.1/far"])
def test_a_redirect_to_a_file_or_out_of_encryption_is_not_followed(server, folder, target):
    server.moved["tiny/config.yaml"] = target
    with pytest.raises(CheckpointError, match=r"config\.yaml|nothing is downloaded from there"):
        get(server, folder)
    assert left(folder) == []


@pytest.mark.parametrize("address", ["http://example.org/x", "ftp://example.org/x", "https:///x", "https://"])
def test_only_encrypted_addresses(folder, address):
    with pytest.raises(CheckpointError, match=r"begins with https://|names no server; write https://"):
        web_folder(address)


def test_nobody_answers(folder):
    with serving({}) as gone:
        address = gone.address
    began = time.monotonic()
    with pytest.raises(CheckpointError, match=r"download failed .*refused.*zoo download NAME --to"):
        download(folder, address, {"config.yaml": "0" * 64})
    assert time.monotonic() - began < 4


def test_a_server_that_goes_silent(server, folder, monkeypatch):
    monkeypatch.setattr(fetch, "TIMEOUT", 0.2)
    monkeypatch.setattr(fetch, "PAUSES", ())
    server.slow.add("tiny/config.yaml")
    with pytest.raises(CheckpointError, match=r"nothing for 0\.2 s"):
        get(server, folder)
    server.slow.clear()
    get(server, folder)
    assert server.sent["tiny/config.yaml"] == len(CONFIG)


def test_a_full_disk(server, folder, monkeypatch):
    def full(self, *_):
        raise OSError(28, "No space left on device")

    class Full:
        write = flush = full

    monkeypatch.setattr(fetch, "_writable", lambda *_: __import__("contextlib").nullcontext(Full()))
    with pytest.raises(CheckpointError, match=r"No space left on device.*ISEGZOO_CACHE"):
        get(server, folder)
    assert left(folder) == []


def test_a_cache_that_can_not_be_written_to(server, folder, monkeypatch):
    get(server, folder)

    def refuse(*_, **__):
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(Path, "mkdir", refuse)
    monkeypatch.setattr(os, "open", refuse)
    get(server, folder)  # it is there already
    with pytest.raises(CheckpointError, match=r"Read-only file system.*ISEGZOO_CACHE"):
        get(server, folder.with_name("other"))


TWO = """
import sys
from pathlib import Path
from zoo.hub.cache import download
download(Path(sys.argv[1]), sys.argv[2], dict(pair.split("=") for pair in sys.argv[3:]))
"""


def test_two_processes_download_once(server, folder):
    pairs = [f"{file}={digest}" for file, digest in digests(server).items()]
    command = [sys.executable, "-c", TWO, str(folder), f"{server.address}/tiny", *pairs]
    both = [subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    told = [process.communicate(timeout=120)[1] for process in both]
    assert [process.returncode for process in both] == [0, 0], told
    assert complete(folder)
    assert server.asked == {"tiny/config.yaml": 1, "tiny/model.safetensors": 1}


def test_the_second_process_says_that_it_waits(server, folder, capsys):
    import threading

    server.slow.add("tiny/config.yaml")
    first = threading.Thread(target=get, args=(server, folder))
    first.start()
    while not server.asked:
        time.sleep(0.01)
    second = threading.Thread(target=get, args=(server, folder))
    second.start()
    time.sleep(0.3)
    server.slow.clear()
    server.stop.set()
    first.join()
    second.join()
    assert complete(folder)
    assert "another process downloads it" in capsys.readouterr().err


def test_a_folder_without_index_keeps_its_first_checksums(server, folder):
    found = web_folder(f"{server.address}/tiny/")
    assert complete(found)
    assert not (found / "README.md").exists()
    assert web_folder(f"{server.address}/tiny") == found
    assert server.asked["tiny/model.safetensors"] == 1
    (found / "config.yaml").write_text("class_path: os.system\n")
    with pytest.raises(CheckpointError, match=r"config\.yaml: sha256 is"):
        web_folder(f"{server.address}/tiny")


def test_a_folder_with_checksums_is_compared_with_them(server, folder):
    sums = "".join(f"{digest}  {file}\n" for file, digest in digests(server).items()) + f"{'0' * 64}  ../../evil\n"
    server.files["tiny/SHA256SUMS"] = sums.encode()
    server.wrong.add("tiny/config.yaml")
    with pytest.raises(CheckpointError, match=r"config\.yaml: wrong checksum"):
        web_folder(f"{server.address}/tiny")
    server.wrong.clear()
    assert complete(web_folder(f"{server.address}/tiny"))
    server.files["tiny/SHA256SUMS"] = b"0  config.yaml\n"
    with pytest.raises(CheckpointError, match=r"lacks the sha256 of config\.yaml and model\.safetensors"):
        web_folder(f"{server.address.replace('127.0.0.1', 'localhost')}/tiny")


def test_a_text_that_is_none(server):
    server.files |= {"large": b"a" * (fetch.TEXT + 1), "binary": b"\x80\x04\x95"}
    for name, said in {"large": "bytes, which no index", "binary": "is no text", "gone": "404"}.items():
        with pytest.raises(CheckpointError, match=said):
            fetch_text(f"{server.address}/{name}")
