"""Data preparation on real Dask clusters of two worker processes."""

import logging
from pathlib import Path

import pytest
from distributed import LocalCluster

from data_prep import cli
from tests.helpers import made
from zoo.errors import ConfigError, DataError
from zoo.store.reader import Store


@pytest.fixture(scope="module")
def address():
    """Address of a cluster that somebody else started."""
    with LocalCluster(
        n_workers=2, threads_per_worker=1, dashboard_address=":0", silence_logs=logging.CRITICAL
    ) as cluster:
        yield cluster.scheduler_address


@pytest.fixture
def raw(tmp_path, monkeypatch) -> Path:
    monkeypatch.setattr(cli, "names", lambda: ["made"])
    monkeypatch.setattr(cli, "dataset", lambda name: made)
    folder = tmp_path / "raw"
    folder.mkdir()
    return folder


def write(raw: Path, files: dict[str, str]) -> list[str]:
    """Arguments to prepare files {stem: text} into `out`."""
    for stem, text in files.items():
        (raw / f"{stem}.txt").write_text(text)
    return ["made", "--source", str(raw), "--out", str(raw.parent / "out")]


def counts(out: Path) -> dict[str, int]:
    return {path.stem: Store(path).groups[0].count for path in out.glob("*.h5")}


def test_killed_workers_lose_nothing_but_the_shard_that_kills_all(raw, tmp_path, capfd):
    files = {"a": "good", "b": "dies", "c": "good", "d": "dies always", "e": "good", "f": "bad", "g": "good preview"}
    with pytest.raises(DataError) as caught:
        cli.main([*write(raw, files), "--workers", "2"])
    reasons = str(caught.value).splitlines()
    assert reasons[0] == "2 of 7 failed:"
    assert reasons[1].startswith("  d: every process that tried it died")
    assert reasons[2] == f"  f: {raw / 'f.txt'}: damaged; download it again"
    assert (raw / "b.died").exists()
    out = tmp_path / "out"
    assert counts(out) == dict.fromkeys("aceg", 3) | {"b": 2}
    assert (out / "g.png").exists()
    assert list(out.glob(".*")) == []
    said = capfd.readouterr().err
    assert "5 written, 2 failed" in said
    assert "distributed" not in said
    assert "Traceback" not in said


def test_an_existing_cluster(raw, tmp_path, address, capfd, monkeypatch):
    monkeypatch.chdir(raw.parent)  # relative paths mean another folder to its workers
    write(raw, {"a": "good", "b": "bad"})
    arguments = ["made", "--source", "raw", "--out", "out"]
    with pytest.raises(DataError, match="1 of 2 failed:\n  b: "):
        cli.main([*arguments, "--scheduler", address])
    assert counts(tmp_path / "out") == {"a": 3}

    write(raw, {"b": "good"})
    monkeypatch.setenv("DASK_SCHEDULER_ADDRESS", address)
    assert cli.main(arguments) == 0
    assert "1 written, 1 up to date" in capfd.readouterr().err
    assert counts(tmp_path / "out") == {"a": 3, "b": 3}


def test_no_cluster_at_the_address(raw, monkeypatch):
    monkeypatch.setattr("zoo.cluster.TIMEOUT", 0.2)
    for address in ("tcp://127.0.0.1:9", "nonsense://"):
        with pytest.raises(ConfigError, match=f"--scheduler {address}: no Dask scheduler answers"):
            cli.main([*write(raw, {"a": "good"}), "--scheduler", address])
