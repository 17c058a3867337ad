import socket

import numpy as np
import pytest
import torch
import torch.multiprocessing as mp
from metrics_ddp import SAMPLES, child, label_maps, measure, sessions

from zoo.errors import MetricError
from zoo.metrics import (
    InstanceMetrics,
    InteractionMetrics,
    RegionMetrics,
    instance_statistics,
    overall_scores,
    summarise,
)


def test_instance_metrics_equal_the_functions():
    metric = InstanceMetrics()
    pairs = [label_maps(i) for i in range(3)]
    metric.update(torch.stack([p for p, _ in pairs[:2]]), torch.stack([t for _, t in pairs[:2]]), torch.tensor([4, 9]))
    metric.update(*pairs[2], 1)
    metric.update(*pairs[0], 4)
    values = {name: float(value) for name, value in metric.compute().items()}
    overall = overall_scores([instance_statistics(p, t) for p, t in pairs])
    pooled = {f"{key}_pooled": value for key, value in overall["pooled"].items()}
    assert values == pytest.approx({**overall["mean"], **pooled, "images": 3})


def test_interaction_metrics_equal_the_functions():
    ids, ious, seconds, images = sessions(list(range(SAMPLES)))
    metric = InteractionMetrics((0.5, 0.8), max_interactions=6)
    metric.update(ids[:4], ious[:4], seconds[:4], images[:4])
    metric.update(ids[2:], ious[2:].float(), seconds[2:], images[2:])
    values = {name: float(value) for name, value in metric.compute().items()}
    expected = summarise(ious, (0.5, 0.8), 6, seconds, images)
    assert values == pytest.approx(expected, nan_ok=True, abs=1e-6)


def test_sessions_that_start_from_a_mask():
    metric = InteractionMetrics((0.8,), max_interactions=3)
    nan = torch.nan
    metric.update(
        torch.tensor([0, 1]),
        torch.tensor([[nan, nan], [0.7, 0.9]]),
        torch.tensor([[nan, nan], [1.0, 2.0]]),
        torch.tensor([0, 0]),
        initial=torch.tensor([0.95, 0.5]),
    )
    values = metric.compute()
    assert values["noc@80"] == 1
    assert values["iou@1"] == pytest.approx((0.95 + 0.7) / 2)
    assert values["spi"] == 1.5


def counted(mask: np.ndarray, target: np.ndarray, ignore: np.ndarray) -> tuple[int, int, int]:
    """Pixels in both, in the mask, in the target, one at a time."""
    both = inside = wanted = 0
    for m, t, i in zip(mask.flat, target.flat, ignore.flat, strict=True):
        both += bool(m and t and not i)
        inside += bool(m and not i)
        wanted += bool(t and not i)
    return both, inside, wanted


def test_region_metrics_equal_a_count_of_pixels():
    rng = np.random.default_rng(3)
    shape = (6, 1, 7, 9)
    mask, target, ignore = (rng.random(shape) < share for share in (0.5, 0.4, 0.2))
    mask[1] = target[1] = False  # nothing to find, nothing found
    mask[2], target[2] = False, True
    ignore[3] = True  # nothing counts
    target[4] = mask[4] & ~ignore[4]  # right wherever it counts
    mask[4] |= ignore[4]
    metric = RegionMetrics()
    parts = [torch.from_numpy(each) for each in (mask, target, ignore)]
    ids = torch.tensor([5, 1, 9, 4, 0, 7])
    metric.update(*(part[:4] for part in parts), ids[:4])
    metric.update(*(part[2:] for part in parts), ids[2:])  # two samples given twice
    values = {name: float(value) for name, value in metric.compute().items()}

    counts = [counted(*(each[i] for each in (mask, target, ignore))) for i in range(6)]
    ious = [both / (a + b - both) if a + b - both else 1.0 for both, a, b in counts]
    dices = [2 * both / (a + b) if a + b else 1.0 for both, a, b in counts]
    both, a, b = np.sum(counts, 0)
    expected = {"iou": np.mean(ious), "dice": np.mean(dices), "samples": 6}
    expected |= {"iou_pooled": both / (a + b - both), "dice_pooled": 2 * both / (a + b)}
    assert values == pytest.approx(expected)
    assert ious[1:5] == [1, 0, 1, 1]


def test_region_metrics_without_ignored_pixels():
    mask = torch.zeros(1, 1, 4, 4, dtype=torch.bool)
    mask[..., :2, :] = True
    metric = RegionMetrics()
    metric.update(mask, mask.transpose(2, 3), None, torch.tensor([0]))
    assert {name: float(value) for name, value in metric.compute().items()} == pytest.approx(
        {"iou": 4 / 12, "dice": 0.5, "iou_pooled": 4 / 12, "dice_pooled": 0.5, "samples": 1}
    )
    metric.reset()
    metric.update(~mask & mask, ~mask & mask, None, torch.tensor([0]))
    assert set(map(float, metric.compute().values())) == {1.0}


def test_reset_forgets():
    metric = InstanceMetrics()
    metric.update(*label_maps(0), 0)
    metric.reset()
    metric.update(*label_maps(1), 0)
    assert metric.compute()["images"] == 1
    assert metric.compute()["aji"] == instance_statistics(*label_maps(1)).scores()["aji"]


def test_misuse_is_a_named_error():
    with pytest.raises(MetricError, match="1 predictions, 1 targets and 2 sample ids"):
        InstanceMetrics().update(*label_maps(0), torch.tensor([0, 1]))
    ids, ious, seconds, images = sessions([0, 1])
    with pytest.raises(MetricError, match="no IoU after their first interaction"):
        InteractionMetrics().update(ids, torch.full_like(ious, torch.nan), seconds, images)
    with pytest.warns(UserWarning, match="before"), pytest.raises(MetricError, match="has seen no sample"):
        InstanceMetrics().compute()


@pytest.mark.ddp
def test_two_processes_equal_one():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    context = mp.get_context("spawn")
    results = context.SimpleQueue()
    running = mp.spawn(child, args=(port, results), nprocs=2, join=False)
    received = [results.get() for _ in range(2)]
    running.join()
    samples = list(range(SAMPLES))
    for _, padded, lopsided in received:
        assert padded == pytest.approx(measure(samples, samples), nan_ok=True)
        assert lopsided == pytest.approx(measure([0, 1], samples), nan_ok=True)
