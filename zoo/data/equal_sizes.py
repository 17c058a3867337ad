"""Batches for evaluation on images of several sizes."""

from __future__ import annotations

from torch.utils.data import Dataset

from zoo.data.batch import Sample
from zoo.data.objects import ObjectsInImages


class EqualSizes(Dataset[list[Sample]]):
    """A data set's samples in batches of one image size; within a size in their order.

    An item is a batch: a loader takes them with `batch_size=None`, and a distributed sampler deals whole batches to the
    processes, the same number to each.

    Args:
        dataset: the samples.
        batch_size: samples of a batch at most; the last one of every size may be smaller.
    """

    def __init__(self, dataset: ObjectsInImages, batch_size: int) -> None:
        self.dataset = dataset
        of_size: dict[tuple[int, int], list[int]] = {}
        for number in range(len(dataset)):
            of_size.setdefault(dataset.size(number), []).append(number)
        self.batches = [
            numbers[start : start + batch_size]
            for numbers in of_size.values()
            for start in range(0, len(numbers), batch_size)
        ]

    def __len__(self) -> int:
        return len(self.batches)

    def __getitem__(self, index: int) -> list[Sample]:
        return [self.dataset[number] for number in self.batches[index]]
