"""The networks of shipped checkpoints by OpenVINO, beside torch, on one thread of a CPU."""

import statistics
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import torch

from benchmarks.common import Row, one_thread
from zoo.hub.load import load_method
from zoo.inference.openvino import OpenVINONetwork, is_installed
from zoo.inference.precision import in_precision
from zoo.interactions import Interactions

SIDES = {"nuclei": 128, "nuclick-nuclei-compact": 128, "ritm-glands-glas": 384, "deepscribble-refine-glas": 384}
REPEATS = 15
CPU = torch.device("cpu")


def run() -> list[Row]:
    """Time one window; without OpenVINO there is nothing to time."""
    with one_thread(), TemporaryDirectory() as folder, torch.no_grad():
        return [row for name in SIDES if is_installed() for row in _rows(name, Path(folder))]


def _rows(name: str, folder: Path) -> list[Row]:
    method, side = load_method(name), SIDES[name]
    image = torch.rand(1, 3, side, side, generator=torch.Generator().manual_seed(0))
    guidance = method.guide(Interactions.empty(1, (side, side)), image)
    joined = method.join(image, guidance, torch.zeros(1, 1, side, side))
    ours, torchs = OpenVINONetwork(method.network, folder), method.network

    def in_bfloat16(network: torch.nn.Module) -> None:
        with in_precision("bfloat16", CPU):
            network(joined)

    calls = [lambda: torchs(joined), lambda: ours(joined), lambda: in_bfloat16(ours), lambda: in_bfloat16(torchs)]
    limit, exact, half, torchs_half = medians(calls)
    rows = {"OpenVINO, float32": exact, "OpenVINO, bfloat16": half, "torch, bfloat16": torchs_half}
    return [Row(f"{name}, {side}x{side} px, {what}", took, limit, "torch, float32") for what, took in rows.items()]


def medians(calls: list[Callable[[], object]]) -> list[float]:
    """CPU seconds of each call, in turns: what else a busy machine does counts little, and for all alike."""
    took: list[list[float]] = [[] for _ in calls]
    for call in calls * 2:
        call()
    for _ in range(REPEATS):
        for call, times in zip(calls, took, strict=True):
            began = time.process_time()
            call()
            times.append(time.process_time() - began)
    return [statistics.median(times) for times in took]
