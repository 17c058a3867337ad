"""Training samples with simulated users, beside forward and backward passes of the network on a ready batch."""

import warnings
from functools import partial
from pathlib import Path

import torch

from benchmarks.common import Row, best_of
from zoo.data import ObjectWindows, PatchDataModule
from zoo.data.transforms import Augment
from zoo.inference.session import as_images
from zoo.interactions import Interactions
from zoo.methods import NuClick
from zoo.networks import NuClickNet

STORE = Path(__file__).parent.parent / "experiments" / "data" / "dsb2018.h5"
BATCHES, BATCH, SIDE = 3, 16, 128


def run() -> list[Row]:
    """Time NuClick at width 1/4 on the embedded training images: reading, augmenting, clicking, loss and gradients."""
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

    def training() -> None:
        for number, some in zip(range(BATCHES), data.train_dataloader(), strict=False):
            method.zero_grad()
            method.training_step(some, number).backward()

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="You are trying to `self.log")
        ours_s, limit_s = best_of(training, repeats=3), best_of(bare, repeats=3)
    count = BATCHES * BATCH
    name = f"{count} training samples of {SIDE} px, batches of {BATCH}: {count / ours_s:.1f} a second"
    return [Row(name, ours_s, limit_s, f"forward and backward: {count / limit_s:.1f} a second")]
