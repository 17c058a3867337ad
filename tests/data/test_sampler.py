"""Samples in their epoch's order, on any number of processes."""

import pytest

from zoo.data.sampler import EpochSampler


def samplers(world, length=23, epoch=2, skip=0):
    out = [EpochSampler(range(length), world, rank, seed=5) for rank in range(world)]  # type: ignore[arg-type]
    for sampler in out:
        sampler.set_epoch(epoch)
        sampler.skip = skip
    return out


def order(world, **arguments):
    """What all processes see, in the order of time."""
    return [index for step in zip(*samplers(world, **arguments), strict=True) for index in step]


@pytest.mark.parametrize("world", [1, 2, 3, 5])
def test_the_order_is_the_same_on_any_number_of_processes(world):
    alone, together = order(1), order(world)
    assert together == alone[: 23 // world * world]
    assert sorted(alone) == list(range(46, 69))
    assert order(1, epoch=3) != [index + 23 for index in alone]


@pytest.mark.parametrize(("before", "after"), [(1, 2), (2, 1), (2, 3), (3, 2), (4, 3)])
def test_what_was_seen_is_left_out_whatever_the_number_of_processes(before, after):
    batches, size = 2, 2
    seen = batches * size * before
    first, second = order(before)[:seen], order(after, skip=seen)
    assert len({*first, *second}) == len(first) + len(second)
    assert len(second) == (23 - seen) // after * after


def test_only_the_epoch_that_was_gone_on_with_leaves_something_out():
    (sampler,) = samplers(1, skip=20)
    assert len(list(sampler)) == 3
    assert sampler.skipped == 20
    sampler.set_epoch(3)
    assert sampler.skipped == 0
    assert len(list(sampler)) == len(sampler) == 23
