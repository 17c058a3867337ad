"""What each of two processes does; spawned children import it by name."""

import os

import numpy as np
import torch
import torch.distributed as dist
from metrics_reference import rectangles

from zoo.metrics import InstanceMetrics, InteractionMetrics

SAMPLES = 7


def label_maps(sample_id):
    rng = np.random.default_rng(sample_id)
    return torch.from_numpy(rectangles(rng)), torch.from_numpy(rectangles(rng))


def sessions(sample_ids):
    ids = torch.tensor(sample_ids)
    generator = [np.random.default_rng(i) for i in sample_ids]
    ious = torch.from_numpy(np.stack([np.sort(rng.random(5)) for rng in generator]))
    for row, i in enumerate(sample_ids):
        ious[row, 1 + i % 5 :] = torch.nan
    return ids, ious, torch.where(ious.isnan(), torch.nan, 0.1 * (1 + ids[:, None])), ids // 3


def measure(instances_of, sessions_of):
    """Both metrics over the given sample ids, as numbers by name."""
    instances, interaction = InstanceMetrics(), InteractionMetrics((0.5, 0.8), max_interactions=5)
    for i in instances_of:
        instances.update(*label_maps(i), i)
    if sessions_of:
        interaction.update(*sessions(sessions_of))
    values = instances.compute() | interaction.compute()
    return {name: float(value) for name, value in values.items()}


def child(rank, port, results):
    os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port))
    torch.set_num_threads(1)
    dist.init_process_group("gloo", rank=rank, world_size=2)
    # The sampler's order: every second sample, and the first again as padding.
    mine = ([*range(SAMPLES), 0])[rank::2]
    padded = measure(mine, mine)
    # One process without any session: it must take part in the gathering.
    lopsided = measure([rank], list(range(SAMPLES)) if rank == 0 else [])
    results.put((rank, padded, lopsided))
    dist.barrier()
    dist.destroy_process_group()
