import csv
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import h5py
import numpy as np
import psutil
import pytest
from PIL import Image

from data_prep import cli
from data_prep.ahead import ahead
from data_prep.outcomes import GroupOutcome, split_table
from data_prep.plan import Plan, Shard
from data_prep.run import run
from tests.helpers import made
from zoo.errors import DataError, StoreError
from zoo.store.reader import Store
from zoo.store.writer import StoreWriter

ROOT = Path(__file__).parents[2]


@pytest.fixture
def command(tmp_path, monkeypatch):
    """Runs the data set 'made' of files {stem: text} into `out`."""
    monkeypatch.setattr(cli, "names", lambda: ["made"])
    monkeypatch.setattr(cli, "dataset", lambda name: made)
    raw = tmp_path / "raw"
    raw.mkdir()

    def call(files: dict[str, str], *more: str) -> int:
        for stem, text in files.items():
            (raw / f"{stem}.txt").write_text(text)
        return cli.main(["made", "--source", str(raw), "--out", str(tmp_path / "out"), *more])

    return call


def times(out: Path) -> dict[str, int]:
    return {path.stem: path.stat().st_mtime_ns for path in out.glob("*.h5")}


def hidden(out: Path) -> list[Path]:
    return list(out.glob(".*"))


def test_shards_hold_what_was_read(command, tmp_path, capsys):
    assert command({"one": "good", "two": "good"}, "--side", "20") == 0
    store = Store(tmp_path / "out" / "one.h5")
    assert [(group.name, group.count) for group in store.groups] == [("a", 3), ("b", 1)]
    for seed in range(3):
        expected = made.patch(seed, 20)
        np.testing.assert_array_equal(store.image("a", seed), expected.image)
        np.testing.assert_array_equal(store.label("a", seed), expected.label)
    assert store.origins("a").tolist() == [[0, 0], [1, 2], [2, 4]]
    assert json.loads(store.info.parameters) == {"side": 20, "table": None}
    err = capsys.readouterr().err
    assert "Made: 2 written, in" in err
    assert "train │      8 │        2 │       8 │        0.0" in err


def test_a_rerun_does_only_what_is_missing(command, tmp_path, capsys):
    out = tmp_path / "out"
    command({"one": "good", "two": "good"})
    before = times(out)
    (out / "two.h5").unlink()
    assert command({"three": "good"}) == 0
    assert "2 written, 1 up to date" in capsys.readouterr().err
    assert times(out)["one"] == before["one"]
    assert command({}, "--force") == 0
    after = times(out)
    assert after["one"] != before["one"]
    assert set(after) == {"one", "two", "three"}


def test_other_options_and_files_are_refused(command, tmp_path):
    out = tmp_path / "out"
    command({"one": "good"})
    before = times(out)
    with pytest.raises(DataError, match=r"one: .*one\.h5 exists, but was made with side 16 \(now 17\); --force"):
        command({}, "--side", "17")
    with pytest.raises(DataError, match="made from other files; --force"):
        command({"one": "good "})
    assert times(out) == before
    assert command({}, "--side", "17", "--force") == 0
    assert Store(out / "one.h5").groups[0].width == 17


def test_options_that_earlier_versions_did_not_have_are_not_given(command, tmp_path, capsys):
    command({"one": "good"})
    with h5py.File(tmp_path / "out" / "one.h5", "a") as file:
        assert json.loads(file.attrs["parameters"]) == {"side": 16, "table": None}
        file.attrs["parameters"] = '{"side": 16}'
    assert command({}) == 0
    assert "1 up to date" in capsys.readouterr().err
    with pytest.raises(DataError, match=r"was made with table None \(now '.*'\); --force"):
        command({}, "--table", str(tmp_path / "table"))


def test_patients_without_a_patch_are_not_counted():
    about = {"slide": "s", "split": "train", "objects": 0, "width": 8, "height": 8}
    about |= dict.fromkeys(("mpp", "magnification", "tissue_fraction", "tumour_fraction"))
    groups = [GroupOutcome("s", "g", patient=str(n), patches=patches, **about) for n, patches in enumerate((2, 0, 1))]
    assert [list(column.cells) for column in split_table(groups).columns][:3] == [["train"], ["3"], ["2"]]


def test_damaged_and_foreign_stores_are_refused(command, tmp_path):
    out = tmp_path / "out"
    command({"one": "good", "two": "good"})
    path = out / "one.h5"
    path.write_bytes(path.read_bytes()[:3000])
    with Store(out / "two.h5")._file as file:
        checksum = file.attrs["source_checksum"]
    about = {"dataset": "", "licence": "", "citation": "", "source_checksum": checksum}
    with StoreWriter(out / "two.h5", **about) as writer:
        writer.add_group("a", np.zeros((1, 4, 4, 3), np.uint8), np.zeros((1, 4, 4), int), **ABOUT)
    with pytest.raises(DataError, match=r"2 of 2 failed:\n  one: .*is damaged .*--force(.|\n)*options are unknown"):
        command({})
    assert command({}, "--force") == 0


ABOUT = {"slide": "s", "patient": "p", "split": "train"}


def test_bad_shards_do_not_stop_the_others(command, tmp_path, capsys):
    files = {"a": "good", "b": "bad", "c": "broken", "d": "good"}
    with pytest.raises(DataError) as caught:
        command(files, "--json")
    message = str(caught.value)
    assert message.startswith("2 of 4 failed:\n  b: ")
    assert "b.txt: damaged; download it again\n  c: ZeroDivisionError: of a programmer (made.py, line" in message
    out = tmp_path / "out"
    assert set(times(out)) == {"a", "d"}
    assert hidden(out) == []
    shards = json.loads(capsys.readouterr().out)["shards"]
    assert [shard["status"] for shard in shards] == ["written", "failed", "failed", "written"]
    assert shards[0]["groups"][0]["patches"] == 3


def test_what_was_skipped_is_counted(command, tmp_path, capsys):
    assert command({"one": "skips", "two": "empty"}) == 0
    out = tmp_path / "out"
    store = Store(out / "one.h5")
    assert json.loads(store.groups[0].attributes["skipped"]) == {"little tissue": 2, "little tumour": 1}
    assert "skipped" not in store.groups[1].attributes
    assert [group.name for group in Store(out / "two.h5").groups] == ["b"]
    expected = [
        ("one", "a", "1", '{"little tissue": 2, "little tumour": 1}'),
        ("one", "b", "1", "{}"),
        ("two", "b", "1", "{}"),
        ("two", "a", "0", '{"little tissue": 1}'),
    ]
    for _ in range(2):  # the second time from what is in the stores
        err = capsys.readouterr().err
        assert "50.0 │     25.0 │ 2 little tissue, 1 little" in err
        assert "two   │ a     │       0 │     50.0 │     25.0 │ 1 little tissue" in err
        rows = list(csv.DictReader((out / "summary.csv").open()))
        assert [(row["store"], row["group"], row["patches"], row["skipped"]) for row in rows] == expected
        assert rows[0]["tissue_fraction"] == "0.5"
        command({})


def test_previews(command, tmp_path):
    out = tmp_path / "out"
    assert command({"one": "good preview", "two": "good"}) == 0
    picture = out / "one.png"
    np.testing.assert_array_equal(np.asarray(Image.open(picture)), made.patch(0, 16).image)
    assert [path.name for path in out.glob("*.png")] == ["one.png"]
    picture.unlink()
    before = times(out)
    assert command({}) == 0
    assert picture.exists()
    assert times(out) == before
    with pytest.raises(DataError, match="three: no picture"):
        command({"three": "good bad preview"})
    assert (out / "three.h5").exists()
    assert hidden(out) == []


def test_leftovers_of_a_killed_process_go(command, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    for name in (".one.h5.123.tmp", ".99-one.png", ".two.h5.123.tmp", ".one.h5.notes"):
        (out / name).touch()
    command({"one": "good"})
    assert {path.name for path in hidden(out)} == {".two.h5.123.tmp", ".one.h5.notes"}


def test_shards_of_one_name(tmp_path):
    shard = Shard("one", [], list)
    with pytest.raises(DataError, match="two shards named 'one'"):
        run(Plan("Made", "", "", [shard, shard]), tmp_path)


def test_reading_ahead_keeps_order_and_bound():
    made_so_far = []

    def items():
        for number in range(30):
            made_so_far.append(number)
            yield number

    for number in ahead(items(), 4):
        time.sleep(0.001)
        assert len(made_so_far) <= number + 6
    assert made_so_far == list(range(30))


def test_reading_goes_on_while_an_item_is_used():
    going_on = threading.Event()

    def items():
        yield 0
        going_on.set()
        yield 1

    numbers = ahead(items())
    assert next(numbers) == 0
    assert going_on.wait(10)
    assert list(numbers) == [1]


def test_reading_ahead_ends_with_its_reader_and_its_user():
    closed = threading.Event()

    def items():
        try:
            yield from range(2)
            raise DataError("read error")
        finally:
            closed.set()

    numbers = ahead(items())
    assert [next(numbers), next(numbers)] == [0, 1]
    with pytest.raises(DataError, match="read error"):
        next(numbers)
    assert closed.is_set()

    closed.clear()
    numbers = ahead(items())
    next(numbers)
    numbers.close()
    assert closed.is_set()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("ahead")]


def start(tmp_path: Path, files: dict[str, str], *more: str, **environment: str) -> subprocess.Popen[str]:
    raw = tmp_path / "raw"
    raw.mkdir()
    for stem, text in files.items():
        (raw / f"{stem}.txt").write_text(text)
    arguments = ["made", "--source", str(raw), "--out", str(tmp_path / "out"), *more]
    return subprocess.Popen(
        [sys.executable, "-c", "from tests.helpers.made import main; main()", *arguments],
        cwd=ROOT,
        env=os.environ | environment,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )


def interrupt(process: subprocess.Popen[str], begun: list[Path]) -> str:
    """Ctrl-C as a terminal sends it, to the whole process group, when all the shards are being read; stderr."""
    deadline = time.monotonic() + 120
    while not all(path.exists() for path in begun) and time.monotonic() < deadline:
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=50)  # a slow shard takes a minute
    return err


@pytest.mark.parametrize("workers", [1, 2])
def test_ctrl_c(tmp_path, workers):
    slow = ["x", "y"][:workers]
    process = start(tmp_path, {"a": "good"} | dict.fromkeys(slow, "slow"), "--workers", str(workers))
    err = interrupt(process, [tmp_path / "raw" / f"{stem}.begun" for stem in slow])
    assert process.returncode == 130
    # 'a' is on the disk, but its record may still be on its way from a worker.
    message = rf"interrupted: (1|none) written of {1 + workers}; the same command goes on from there"
    assert re.fullmatch(message, err.splitlines()[-1])
    assert "Traceback" not in err
    assert "distributed" not in err
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["a.h5"]
    # Python's tracker of shared resources ends by itself when all others have.
    deadline = time.monotonic() + 30
    while any(in_group(other, process.pid) for other in psutil.process_iter()):
        assert time.monotonic() < deadline, "worker processes are left"
        time.sleep(0.05)


def in_group(process: psutil.Process, group: int) -> bool:
    try:
        return os.getpgid(process.pid) == group and process.status() != psutil.STATUS_ZOMBIE
    except (ProcessLookupError, psutil.NoSuchProcess):
        return False


def test_full_disk(tmp_path):
    process = start(tmp_path, {"a": "good", "b": "large", "c": "good"}, LARGEST_FILE="2000000")
    _, err = process.communicate(timeout=60)
    assert process.returncode == 1, err
    out = tmp_path / "out"
    assert f"1 of 3 failed:\n  b: {out / 'b.h5'}: the disk is full" in err
    assert {path.name for path in out.iterdir()} == {"a.h5", "c.h5", "summary.csv"}


def test_full_disk_when_closing(tmp_path):
    """HDF5 writes what it holds back only when the file is closed."""
    code = """
import resource, signal, sys
import numpy as np
from zoo.store.writer import StoreWriter
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
with StoreWriter(sys.argv[1], dataset='', licence='', citation='', source_checksum='') as writer:
    about = dict(slide='s', patient='p', split='train')
    writer.add_group('a', np.zeros((1, 8, 8, 3), np.uint8), np.zeros((1, 8, 8), int), **about)
"""
    done = subprocess.run([sys.executable, "-c", code, tmp_path / "a.h5"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith(f"zoo.errors.StoreError: {tmp_path / 'a.h5'}: the disk is full (")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_can_not_be_written(tmp_path):
    (tmp_path / "file").touch()
    about = {"dataset": "", "licence": "", "citation": "", "source_checksum": ""}
    with (
        pytest.raises(StoreError, match=r"a\.h5: can't be written \(.*; choose another folder"),
        StoreWriter(tmp_path / "file" / "a.h5", **about),
    ):
        pass


def test_preparing_needs_no_torch():
    code = "import sys, data_prep.cluster, data_prep.cli; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == 0
