"""What the log of a run holds: configuration, code, checksum of the data, samples, traces, the best weights."""

import json
import struct
import subprocess
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
import yaml
from lightning.pytorch.callbacks import ModelCheckpoint
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from tests.helpers.tiny import tiny_experiment
from zoo.callbacks.origin import keep_best
from zoo.callbacks.traces import COLUMNS, trace_rows
from zoo.cli import main
from zoo.evaluation.record import Record
from zoo.interactions import Interactions
from zoo.store.reader import Store


def fit(folder: Path, monkeypatch, logger: dict | None) -> Path:
    for name in "WANDB_DIR", "WANDB_CACHE_DIR", "WANDB_CONFIG_DIR", "WANDB_DATA_DIR":
        monkeypatch.setenv(name, str(folder))
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    callbacks = [
        {"class_path": "zoo.callbacks.BestCheckpoint", "init_args": {"monitor": "val/aji"}},
        {"class_path": "zoo.callbacks.SampleLogger", "init_args": {"samples": 1}},
    ]
    path = tiny_experiment(folder, callbacks=callbacks, logger=logger)
    assert main(["fit", "-c", str(path)]) == 0
    return folder


def commit() -> str:
    return subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=True).stdout.strip()


def wandb_records(path: Path) -> list:
    """What a `.wandb` holds: a log like LevelDB's, blocks of pieces that have a checksum, a length and a kind."""
    from wandb.proto import wandb_internal_pb2

    content, place, whole, found = path.read_bytes(), 7, b"", []
    while place + 7 <= len(content):
        if 32768 - place % 32768 < 7:  # no head of a piece is divided
            place += 32768 - place % 32768
            continue
        length, kind = struct.unpack_from("<HB", content, place + 4)
        whole += content[place + 7 : place + 7 + length]
        place += 7 + length
        if kind in (1, 4):  # a whole record, or its last piece
            found.append(wandb_internal_pb2.Record())
            found[-1].ParseFromString(whole)
            whole = b""
    return found


def test_an_offline_run_of_wandb_holds_what_it_is_made_of(tmp_path, monkeypatch):
    import wandb

    logger = {"class_path": "lightning.pytorch.loggers.WandbLogger", "init_args": {"project": "x", "offline": True}}
    fit(tmp_path, monkeypatch, logger)
    run = Path(wandb.run.dir).parent
    wandb.finish()
    records = wandb_records(next(run.glob("*.wandb")))
    updates = [update for each in records for part in (each.run.config, each.config) for update in part.update]
    config = {".".join([update.key, *update.nested_key]): json.loads(update.value_json) for update in updates}
    assert config["experiment"]["model"]["class_path"] == "zoo.methods.NuClick"
    assert config["experiment"]["trainer"]["max_steps"] == 3
    assert config["code"]["commit"] == commit()
    assert config["data_checksum"] == Store(tmp_path / "tiny.h5").checksum()
    tables = [json.loads(path.read_text()) for path in run.rglob("*.table.json")]
    assert len(tables) == 3  # validations
    assert {tuple(table["columns"]) for table in tables} == {COLUMNS}
    assert [len(table["data"]) for table in tables] == [4] * 3  # a click on each of the four disks
    assert len(list(run.rglob("*.mask.png"))) == 3 * 2
    assert not any(each.artifact.type == "model" for each in records)


def test_tensorboard_holds_the_same(tmp_path, monkeypatch):
    fit(tmp_path, monkeypatch, None)
    folder = next(tmp_path.rglob("events.out.tfevents.*")).parent
    events = EventAccumulator(str(folder))
    events.Reload()
    texts = {
        tag.removesuffix("/text_summary"): events.Tensors(tag)[0].tensor_proto.string_val[0].decode()
        for tag in events.Tags()["tensors"]
    }
    experiment = yaml.safe_load("\n".join(line[4:] for line in texts["origin/experiment"].splitlines()))
    assert experiment["model"]["class_path"] == "zoo.methods.NuClick"
    assert commit() in texts["origin/code"]
    assert texts["origin/data_checksum"].strip() == Store(tmp_path / "tiny.h5").checksum()
    lines = texts["samples/traces"].splitlines()
    assert lines[0] == f"| {' | '.join(COLUMNS)} |"
    assert len(lines) == 2 + 4
    assert any(tag.startswith("samples/") for tag in events.Tags()["images"])


@pytest.mark.parametrize(("offline", "log_model", "kept"), [(False, False, 1), (True, False, 0), (False, True, 0)])
def test_the_best_checkpoint_becomes_an_artifact_online_alone(tmp_path, offline, log_model, kept):
    """At wandb's border: what its run is asked to keep."""
    best = tmp_path / "best.ckpt"
    best.write_bytes(b"weights")
    found = []
    run = SimpleNamespace(
        id="abc",
        settings=SimpleNamespace(_offline=offline),
        log_artifact=lambda artifact, aliases: found.append((artifact, aliases)),
    )
    last, callback = ModelCheckpoint(tmp_path), ModelCheckpoint(tmp_path, monitor="val/aji")
    last.best_model_path = str(tmp_path / "last.ckpt")
    callback.best_model_path, callback.best_model_score = str(best), torch.tensor(0.5)
    trainer = SimpleNamespace(checkpoint_callbacks=[last, callback])
    keep_best(trainer, SimpleNamespace(experiment=run, _log_model=log_model))
    assert len(found) == kept
    for artifact, aliases in found:
        assert (artifact.name, artifact.type, aliases) == ("model-abc", "model", ["best"])
        assert artifact.metadata == {"monitor": "val/aji", "score": 0.5}
        assert list(artifact.manifest.entries) == ["best.ckpt"]


def test_a_trace_has_a_row_for_each_click():
    clicks = torch.tensor([[[3.5, 4.5, 1, 0], [1.5, 2.5, 0, 1], [0, 0, -1, 2]]])
    said = Interactions.of(clicks, (8, 8))
    record = Record(7, 0, 0.5, (0.25, 0.75), (0.1, 0.2), said, initial=0.0)
    assert trace_rows(7, record) == [
        (7, 1, 3.5, 4.5, "+", 0.25, 0.1, 0.5),
        (7, 2, 1.5, 2.5, "-", 0.75, 0.2, 0.5),
    ]
