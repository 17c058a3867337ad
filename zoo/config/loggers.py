"""Where loggers write: all of them into one folder a run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from lightning.pytorch.loggers import CSVLogger, Logger, TensorBoardLogger, WandbLogger


def into_one_folder(loggers: Sequence[Logger], folder: Path) -> None:
    """Give all loggers the same version, and those of Weights & Biases its folder, where they name none themselves.

    Each would count the folders that are there, the first one's among them.

    Args:
        loggers: that have not written anything yet.
        folder: the experiment's.
    """
    files = [logger for logger in loggers if isinstance(logger, TensorBoardLogger | CSVLogger)]
    counted = [logger for logger in files or [CSVLogger(folder)] if logger._version is None]
    version = max((int(logger.version) for logger in counted), default=0)
    for logger in counted:
        logger._version = version
    home = (files or counted)[0].log_dir
    for other in loggers:
        if isinstance(other, WandbLogger) and Path(str(other.save_dir)) == Path():
            other._save_dir = other._wandb_init["dir"] = home
            Path(home).mkdir(parents=True, exist_ok=True)
