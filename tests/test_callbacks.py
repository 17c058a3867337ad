import os
from pathlib import Path

import pytest
from lightning import Trainer
from lightning.pytorch.loggers import CSVLogger, TensorBoardLogger, WandbLogger
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from tests.evaluation.blobs import write_store
from zoo.callbacks import SampleLogger
from zoo.data.datamodule import PatchDataModule
from zoo.evaluation import Interactive, OneShotProtocol
from zoo.methods import Watershed


def validate(tmp_path: Path, loggers: list, callback: SampleLogger, oneshot: bool = False, times: int = 1) -> None:
    method = Watershed()
    method.protocol = OneShotProtocol() if oneshot else Interactive(max_interactions=4)
    data = PatchDataModule([str(write_store(tmp_path / "blobs.h5"))], side=64, batch_size=4)
    data.eval_samples = method.protocol.samples
    trainer = Trainer(
        accelerator="cpu", logger=loggers, callbacks=[callback], inference_mode=False, default_root_dir=tmp_path,
        enable_progress_bar=False, enable_model_summary=False, enable_checkpointing=False,
    )  # fmt: skip
    for _ in range(times):
        trainer.validate(method, data, verbose=False)


def images(folder: Path) -> dict[str, int]:
    events = EventAccumulator(str(folder), size_guidance={"images": 0})
    events.Reload()
    return {tag: len(events.Images(tag)) for tag in events.Tags()["images"]}


def test_tensorboard_gets_every_stage_of_the_samples(tmp_path):
    logger = TensorBoardLogger(tmp_path / "logs")
    validate(tmp_path, [CSVLogger(tmp_path), logger], SampleLogger(samples=2))
    logger.experiment.flush()
    stages = ("1 interaction", "3 interactions", "4 interactions")
    assert images(Path(logger.log_dir)) == {f"samples/{n}/{stage}": 1 for n in (0, 3) for stage in stages}


def test_one_shot_and_every_second_validation(tmp_path):
    logger = TensorBoardLogger(tmp_path / "logs")
    validate(tmp_path, [logger], SampleLogger(samples=3, every=2), oneshot=True, times=5)
    logger.experiment.flush()
    assert images(Path(logger.log_dir)) == {"samples/0/result": 2}


def test_wandb_offline_needs_no_key(tmp_path, monkeypatch):
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    for name in "WANDB_DIR", "WANDB_CACHE_DIR", "WANDB_CONFIG_DIR", "WANDB_DATA_DIR":
        monkeypatch.setenv(name, str(tmp_path))
    logger = WandbLogger(project="isegzoo", save_dir=tmp_path, offline=True)
    try:
        validate(tmp_path, [logger], SampleLogger(samples=1))
        folder = Path(logger.experiment.dir)
    finally:
        logger.experiment.finish()
    pictures = list(folder.rglob("*.png"))
    assert len(pictures) == 3
    assert all(os.path.getsize(path) > 1000 for path in pictures)


def test_a_method_without_protocol_is_left_alone(tmp_path):
    class Fake:
        sanity_checking, is_global_zero = False, True  # asking for anything else raises AttributeError

    SampleLogger().on_validation_end(Fake(), Watershed())  # type: ignore[arg-type]
    method = Watershed()
    method.protocol = Interactive()
    with pytest.raises(AttributeError):
        SampleLogger().on_validation_end(Fake(), method)  # type: ignore[arg-type]
