"""A data set's samples in batches, for evaluation."""

from __future__ import annotations

from itertools import groupby

from torch.utils.data import Dataset

from zoo.data.batch import Sample
from zoo.data.datasets import StoreDataset


class Batches(Dataset[list[Sample]]):
    """The batches that a data set asks for, each of one resolution.

    An item is a batch: a loader takes them with `batch_size=None`, and a distributed sampler deals whole batches to the
    processes, the same number to each.

    Args:
        dataset: the samples.
        batch_size: samples of a batch at most.
    """

    def __init__(self, dataset: StoreDataset, batch_size: int) -> None:
        self.dataset = dataset
        self.batches = [
            list(part) for batch in dataset.batches(batch_size) for _, part in groupby(batch, key=dataset.mpp)
        ]

    def __len__(self) -> int:
        return len(self.batches)

    def __getitem__(self, index: int) -> list[Sample]:
        return [self.dataset[number] for number in self.batches[index]]
