import os
from functools import partial
from pathlib import Path

import pytest
import torch
from lightning import Trainer
from lightning.pytorch.callbacks import Callback, EMAWeightAveraging
from lightning.pytorch.loggers import CSVLogger, TensorBoardLogger, WandbLogger
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from tests.helpers.blobs import write_store
from zoo.callbacks import SampleLogger
from zoo.data import ObjectWindows, PatchDataModule
from zoo.evaluation import Interactive, OneShotProtocol
from zoo.methods import RITM, Watershed

WINDOWS = partial(ObjectWindows, side=64)


class Small(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.body = torch.nn.Conv2d(6, 1, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.body(x)


def validate(tmp_path: Path, loggers: list, callback: SampleLogger, oneshot: bool = False, times: int = 1) -> None:
    method = Watershed()
    method.protocol = OneShotProtocol() if oneshot else Interactive(max_interactions=4, samples=WINDOWS)
    data = PatchDataModule([str(write_store(tmp_path / "blobs.h5"))], batch_size=4)
    data.evaluated = method.protocol.samples
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
    assert len(pictures) == 3 + 1 + 2  # stages; the image, and its two masks
    assert all(os.path.getsize(path) > 1000 for path in pictures if "mask" not in path.name)


def test_a_method_without_protocol_is_left_alone(tmp_path):
    class Fake:
        sanity_checking, is_global_zero = False, True  # asking for anything else raises AttributeError
        loggers = (TensorBoardLogger("."),)

    SampleLogger().on_validation_batch_start(Fake(), Watershed(), None, 0)  # type: ignore[arg-type]
    method = Watershed()
    method.protocol = Interactive()
    with pytest.raises(AttributeError):
        SampleLogger().on_validation_batch_start(Fake(), method, None, 0)  # type: ignore[arg-type]


def fit(tmp_path: Path, *callbacks: Callback, **options) -> RITM:
    """A network after four steps on blobs."""
    torch.manual_seed(0)
    method = RITM(Small(), optimizer=partial(torch.optim.SGD, lr=1.0))
    method.protocol = Interactive(max_interactions=1)
    data = PatchDataModule([str(write_store(tmp_path / "blobs.h5"))], train=WINDOWS, batch_size=2)
    given = {"logger": TensorBoardLogger(tmp_path / "logs"), "max_steps": 4} | options
    trainer = Trainer(
        accelerator="cpu", callbacks=list(callbacks), default_root_dir=tmp_path, num_sanity_val_steps=0,
        enable_progress_bar=False, enable_model_summary=False, enable_checkpointing=False, inference_mode=False,
        **given,
    )  # fmt: skip
    trainer.fit(method, data)
    return method


class Shown(SampleLogger):
    """Remembers the weights that it is to show, and those that were trained."""

    def on_train_batch_end(self, trainer, method, *rest):
        self.trained = method.network.body.weight.clone()
        super().on_train_batch_end(trainer, method, *rest)

    def _pictures(self, trainer, method):
        self.weights = method.network.body.weight.clone()
        return {}


@pytest.mark.parametrize("options", [{}, {"limit_val_batches": 0}], ids=["validated", "never validated"])
def test_samples_are_shown_by_averaged_weights(tmp_path, options):
    averaging, shown = EMAWeightAveraging(decay=0.5), Shown(samples=1)
    method = fit(tmp_path, averaging, shown, max_steps=2, **options)
    assert averaging._average_model is not None
    (average,) = (value for name, value in averaging._average_model.named_parameters() if "body.weight" in name)
    assert torch.equal(shown.weights, average)
    assert not torch.equal(shown.weights, shown.trained)
    assert torch.equal(method.network.body.weight, average)  # as Lightning leaves it


def test_a_training_without_validation_logs_every_so_many_steps_and_learns_the_same(tmp_path):
    logger = TensorBoardLogger(tmp_path / "shown")
    method = fit(tmp_path, SampleLogger(samples=1, steps=3), logger=logger, limit_val_batches=0)
    logger.experiment.flush()
    assert images(Path(logger.log_dir)) == {"samples/0/1 interaction": 2}  # after steps 3 and 4
    alone = fit(tmp_path, logger=False, limit_val_batches=0)
    assert torch.equal(method.network.body.weight, alone.network.body.weight)


def test_where_no_logger_takes_pictures_it_says_so(tmp_path):
    shown = Shown(samples=1)
    with pytest.warns(UserWarning, match="SampleLogger logs nothing"):
        fit(tmp_path, shown, max_steps=1, logger=CSVLogger(tmp_path))
    assert not hasattr(shown, "weights")
