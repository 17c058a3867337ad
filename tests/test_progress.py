import io
import re

import pytest
from lightning import Trainer
from lightning.pytorch.demos.boring_classes import BoringModel
from rich.console import Console

from zoo import progress
from zoo.callbacks.screen import Bar
from zoo.progress import ProgressBar


def work(console: Console | None = None, total: int | None = 2000) -> None:
    with ProgressBar(console=console) as bar:
        task = bar.add_task("objects", total=total)
        for done in range(64, 2001, 64):
            bar.update(task, completed=done)
        bar.advance(task, 16)


@pytest.fixture
def clock(monkeypatch) -> None:
    """Every look at it is 4 seconds later."""
    times = iter(range(0, 10**6, 4))
    monkeypatch.setattr(progress.time, "monotonic", lambda: float(next(times)))


def test_lines_now_and_then_in_a_log(clock, capsys):
    work()
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines()[:2] == ["objects 192 of 2,000", "objects 384 of 2,000"]
    assert 8 <= len(err.splitlines()) <= 20


def test_no_total(clock, capsys):
    work(total=None)
    assert capsys.readouterr().err.startswith("objects 192\n")


def test_short_work_says_nothing(capsys):
    work()
    assert capsys.readouterr().err == ""


def test_a_training_tells_its_batches(clock, capsys):
    trainer = Trainer(
        max_epochs=2, callbacks=[Bar()], logger=False, enable_checkpointing=False, enable_model_summary=False
    )
    trainer.fit(BoringModel())
    said = [line for line in capsys.readouterr().err.splitlines() if " of " in line]
    assert any(re.fullmatch("epoch 0: batch [0-9]+ of 64", line) for line in said)
    assert any(line.startswith("epoch 1: batch ") for line in said)
    assert any(line.startswith("validation: batch ") for line in said)


def test_bars_on_a_terminal(clock, capsys):
    shown = io.StringIO()
    work(Console(file=shown, force_terminal=True, width=80))
    assert "objects" in shown.getvalue()
    assert capsys.readouterr().err == ""
