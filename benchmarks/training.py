"""Training samples with simulated users, beside forward and backward passes of the network on a ready batch."""

import time
import warnings
from functools import partial
from pathlib import Path

import torch

from benchmarks.common import Row, best_of_each, one_thread
from zoo.data import ObjectWindows, PatchDataModule
from zoo.data.transforms import Augment
from zoo.inference.session import as_images
from zoo.interactions import Interactions
from zoo.methods import NuClick
from zoo.networks import NuClickNet

STORE = Path(__file__).parent.parent / "experiments" / "data" / "dsb2018.h5"
BATCHES, BATCH, SIDE = 3, 16, 128


def run() -> list[Row]:
    """Time NuClick at width 1/4 on the embedded training images: reading, augmenting, clicking, loss and gradients.

    In CPU time of one thread; once with turns without gradient at the windows' own size, once at half of it.
    """
    with one_thread(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="You are trying to `self.log")
        return _rows()


def _rows() -> list[Row]:
    torch.manual_seed(0)
    windows = partial(ObjectWindows, side=SIDE, shift=8, min_area=20)
    data = PatchDataModule([str(STORE)], train=windows, batch_size=BATCH, augment=Augment())
    data.setup("fit")
    method = NuClick(NuClickNet(width=0.25)).train()
    batch = next(iter(data.train_dataloader()))
    image = as_images(batch.image)
    guidance = method.guide(Interactions.empty(BATCH, (SIDE, SIDE)), image)
    ready = method.join(image, guidance, image[:, :1]).contiguous(memory_format=torch.channels_last)

    def bare() -> None:
        for _ in range(BATCHES):
            method.zero_grad()
            method.network(ready).mean().backward()

    def training(draft: int) -> None:
        method.draft = draft
        for number, some in zip(range(BATCHES), data.train_dataloader(), strict=False):
            method.zero_grad()
            method.training_step(some, number).backward()

    def reading() -> None:
        for _ in zip(range(BATCHES), data.train_dataloader(), strict=False):
            pass

    def clicking() -> None:
        nothing = Interactions.empty(BATCH, (SIDE, SIDE))
        empty = torch.zeros_like(batch.truth.target)
        for _ in range(BATCHES):
            first = method.user(empty, batch.truth, nothing, 0)
            method.user(empty, batch.truth, first, 1)  # as many as have a further turn, on average

    calls = [bare, partial(training, 1), partial(training, 2), lambda: (reading(), clicking())]
    limit_s, whole_s, draft_s, input_s = best_of_each(calls, 3, clock=time.process_time)
    count = BATCHES * BATCH
    limit = f"forward and backward: {count / limit_s:.1f} a second"
    name = f"{count} training samples of {SIDE} px, batches of {BATCH}"
    return [
        Row(f"{name}: {count / whole_s:.1f} a second", whole_s, limit_s, limit),
        Row(f"{name}, draft 2: {count / draft_s:.1f} a second", draft_s, limit_s, limit),
        Row(f"{name}: reading and clicks alone", input_s, limit_s, limit),
    ]
