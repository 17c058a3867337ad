import hashlib
from pathlib import Path

import pytest

from zoo.errors import ConfigError, DataError
from zoo.files import keep_inputs, replacing, sha256, shipped, write_bytes, write_text


def test_files_and_their_folders(tmp_path):
    path = tmp_path / "new" / "folder" / "a.txt"
    write_text(path, "grün")
    assert path.read_bytes() == "grün".encode()
    write_bytes(path, b"other")
    assert path.read_bytes() == b"other"
    assert [each.name for each in path.parent.iterdir()] == ["a.txt"]


def test_an_error_leaves_the_old_file(tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(b"old")

    def write() -> None:
        with replacing(path) as temporary:
            assert (temporary.parent, temporary.suffix) == (tmp_path, ".png")
            temporary.write_bytes(b"half")
            raise ValueError("half way")

    with pytest.raises(ValueError, match="half way"):
        write()
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_place_that_is_no_folder(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match=r"file/a\.txt: can't be written.*another folder"):
        write_text(tmp_path / "file" / "a.txt", "")
    with pytest.raises(DataError, match=r"aaa\.txt: can't be written \(File name too long\)"):
        write_text(tmp_path / f"{'a' * 300}.txt", "")
    (tmp_path / "folder.txt").mkdir()
    with pytest.raises(DataError, match=r"folder\.txt: can't be written \(Is a directory\)"):
        write_text(tmp_path / "folder.txt", "")


def test_checksum(tmp_path):
    (tmp_path / "a").write_bytes(b"abc" * 100_000)
    assert sha256(tmp_path / "a") == hashlib.sha256(b"abc" * 100_000).hexdigest()


def test_experiments_that_come_with_the_package(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    data, missing = Path("experiments/data/dsb2018.h5"), Path("experiments/data/other.h5")
    assert shipped(data).samefile(Path(__file__).parents[1] / data)
    assert shipped(missing) == missing
    assert shipped(Path("data/dsb2018.h5")) == Path("data/dsb2018.h5")
    write_text(data, "mine")
    assert shipped(data) == data


def test_what_is_read_is_not_written_over(tmp_path):
    (tmp_path / "a.png").write_bytes(b"")
    (tmp_path / "link.png").symlink_to(tmp_path / "a.png")
    keep_inputs([tmp_path / "b.png"], [tmp_path / "a.png"])
    with pytest.raises(ConfigError, match=r"link\.png: is read, and would be written over; choose another name"):
        keep_inputs([tmp_path / "b.png", tmp_path / "link.png"], [tmp_path / "a.png"])
