"""A training of a given time, by a clock that a step moves by a second."""

import math
from types import SimpleNamespace

import pytest
import torch
from lightning import LightningModule, Trainer
from torch.utils.data import DataLoader

from zoo.callbacks import LastCheckpoint, TimeBudget
from zoo.errors import ConfigError


class Clocked(LightningModule):
    """Writes the rates of its two groups of parameters down; a step takes a second."""

    def __init__(self, clock: SimpleNamespace, scheduler: bool = False) -> None:
        super().__init__()
        self.first, self.second = torch.nn.Linear(2, 1), torch.nn.Linear(2, 1)
        self.clock, self.scheduler = clock, scheduler
        self.rates: list[tuple[float, float]] = []

    def configure_optimizers(self):
        groups = [{"params": self.first.parameters(), "lr": 1e-3}, {"params": self.second.parameters(), "lr": 5e-3}]
        optimizer = torch.optim.SGD(groups)
        if self.scheduler:
            return [optimizer], [torch.optim.lr_scheduler.StepLR(optimizer, 1)]
        return optimizer

    def training_step(self, batch, batch_idx):
        self.rates.append(tuple(group["lr"] for group in self.optimizers().param_groups))
        self.clock.now += 1
        return (self.first(batch) + self.second(batch)).sum()


@pytest.fixture
def clock(monkeypatch):
    moved = SimpleNamespace(now=1000.0)
    monkeypatch.setattr("zoo.callbacks.budget.time", SimpleNamespace(monotonic=lambda: moved.now))
    return moved


def train(folder, clock, seconds=20.0, warmup=0.25, ckpt_path=None, scheduler=False, **arguments):
    module, budget = Clocked(clock, scheduler), TimeBudget(seconds / 60, warmup)
    trainer = Trainer(
        accelerator="cpu", logger=False, enable_progress_bar=False, enable_model_summary=False,
        callbacks=[budget, LastCheckpoint(dirpath=str(folder))], **({"max_epochs": -1} | arguments),
    )  # fmt: skip
    trainer.fit(module, DataLoader(torch.ones(3, 2)), ckpt_path=ckpt_path)
    return module, budget, trainer


def factors(steps: int, warmup: int) -> list[float]:
    rising = [k / warmup for k in range(warmup)]
    return rising + [(1 + math.cos(math.pi * k / (steps - warmup))) / 2 for k in range(steps - warmup)]


def expected(steps: int = 20, warmup: int = 5) -> list[tuple[float, float]]:
    return [(pytest.approx(1e-3 * f), pytest.approx(5e-3 * f)) for f in factors(steps, warmup)]


def test_rates_rise_and_fall_until_the_time_is_over(tmp_path, clock):
    module, budget, trainer = train(tmp_path, clock)
    assert module.rates == expected()
    assert trainer.global_step == 20
    assert trainer.current_epoch > 5  # an epoch has three batches, which does not matter
    assert budget.used == 1.0
    assert torch.load(tmp_path / "last.ckpt", weights_only=True)["global_step"] == 20


def test_without_warmup_it_begins_with_the_full_rate(tmp_path, clock):
    assert train(tmp_path, clock, warmup=0.0)[0].rates == expected(warmup=0)


def test_time_that_passes_between_steps_counts(tmp_path, clock):
    module, budget = Clocked(clock), TimeBudget(20 / 60)
    assert budget.used == 0
    budget.on_train_start(SimpleNamespace(lr_scheduler_configs=[], optimizers=[]), module)
    clock.now += 5
    assert budget.used == pytest.approx(0.25)


def test_a_killed_training_goes_on_with_the_time_it_had_used(tmp_path, clock):
    first, *_ = train(tmp_path, clock, max_steps=7)
    assert first.rates == expected()[:7]
    clock.now = 5.0  # another process, whose clock began elsewhere
    second, budget, trainer = train(tmp_path, clock, ckpt_path=str(tmp_path / "last.ckpt"))
    assert second.rates == expected()[7:]
    assert (trainer.global_step, budget.used) == (20, 1.0)


def test_a_scheduler_beside_it_is_refused(tmp_path, clock):
    with pytest.raises(ConfigError, match="leave out the model's `scheduler`"):
        train(tmp_path, clock, scheduler=True)


@pytest.mark.parametrize("wrong", [{"minutes": 0}, {"minutes": -1}, {"minutes": 1, "warmup": 1.0}])
def test_arguments(wrong):
    with pytest.raises(ConfigError, match="must be above 0"):
        TimeBudget(**wrong)
