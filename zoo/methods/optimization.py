"""How the optimizers and schedulers that an experiment names become Lightning's."""

from __future__ import annotations

from typing import Any

from lightning.pytorch.cli import LRSchedulerCallable, OptimizerCallable
from torch import nn


def optimizers(module: nn.Module, optimizer: OptimizerCallable, scheduler: LRSchedulerCallable | None) -> Any:
    """For `configure_optimizers`: over the trainable parameters, the scheduler stepped after every batch."""
    made = optimizer([p for p in module.parameters() if p.requires_grad])
    if scheduler is None:
        return made
    return {"optimizer": made, "lr_scheduler": {"scheduler": scheduler(made), "interval": "step"}}
