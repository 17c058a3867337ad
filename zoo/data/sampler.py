"""The order of training samples, over several processes and interruptions."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch.utils.data import DistributedSampler

from zoo.data.datasets import StoreDataset


class EpochSampler(DistributedSampler[int]):
    """Shuffles every epoch, deals it to the processes, and says which epoch it is: index = sample + epoch * length.

    After k batches of b samples on each of w processes, the first k * b * w samples of an epoch's order were seen,
    whatever k, b and w are: a training goes on after them on any number of processes, and sees each sample once. What
    does not divide by the number of processes is left out.

    Args:
        dataset: the samples.
        num_replicas: processes.
        rank: of this one.
        seed: of the shuffling.

    Attributes:
        skip: samples of the first epoch's order that are left out: those that a killed training had already seen.
    """

    def __init__(self, dataset: StoreDataset, num_replicas: int, rank: int, seed: int = 0) -> None:
        super().__init__(dataset, num_replicas, rank, seed=seed, drop_last=True)
        self.length = len(dataset)
        self.skip = 0
        self._skipped = (-1, 0)

    def __iter__(self) -> Iterator[int]:
        skip, self.skip = self.skip, 0
        self._skipped = (self.epoch, skip)
        order = torch.randperm(self.length, generator=torch.Generator().manual_seed(self.seed + self.epoch)).tolist()
        share = self.share(skip)
        rest = order[skip : skip + share * self.num_replicas]
        return (index + self.epoch * self.length for index in rest[self.rank :: self.num_replicas])

    def share(self, skip: int) -> int:
        """Samples of each process, after so many were left out."""
        return max(0, self.length - skip) // self.num_replicas

    @property
    def skipped(self) -> int:
        """Samples that were left out of the epoch that it is in."""
        epoch, count = self._skipped
        return count if epoch == self.epoch else 0
