"""Carries out jobs on a Dask cluster: one started here, or an existing one."""

import asyncio
import logging
import signal
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from multiprocessing import resource_tracker
from typing import Any
from uuid import uuid4

import dask
from distributed import Client, LocalCluster, as_completed
from distributed.scheduler import KilledWorker

from data_prep.outcomes import ShardOutcome
from data_prep.shard import Job, carry_out, remove_leftovers
from zoo.cluster import connected

# Every worker uses one core, also in the libraries that start threads of their own.
_ONE_THREAD = {f"{library}_NUM_THREADS": "1" for library in ("OMP", "MKL", "OPENBLAS", "NUMEXPR")} | {
    "OPENCV_FOR_THREADS_NUM": "1"
}


def carry_out_all(jobs: Sequence[Job], workers: int, scheduler: str | None = None) -> Generator[ShardOutcome]:
    """Records of all jobs, as they are done.

    A job whose worker dies is done by another one; after the third death (an existing cluster may have another limit)
    it counts as failed. When this generator is closed early, workers started here are stopped at once and their
    temporary files removed; those of an existing cluster finish the shards they are at.

    Args:
        jobs: what to do.
        workers: processes to start, of one thread each.
        scheduler: address of an existing cluster; none is started then.

    Raises:
        ConfigError: no scheduler answers at the address.
    """
    if scheduler is None:
        with _silent(), _local(workers) as client:
            left = dict(enumerate(jobs))
            try:
                yield from _carry_out(client, jobs, left)
            finally:
                if left:
                    _kill(client.cluster)
                    for job in left.values():
                        remove_leftovers(job)
    else:
        with _silent(), connected(scheduler) as client:
            yield from _carry_out(client, jobs, dict(enumerate(jobs)))


def _carry_out(client: Client, jobs: Sequence[Job], left: dict[int, Job]) -> Iterator[ShardOutcome]:
    # Keys of one name make one group of tasks, which the scheduler hands out one by one: with a worker only the shard
    # it is at is lost.
    keys = [(f"shard-{uuid4().hex}", number) for number in range(len(jobs))]
    futures = client.map(carry_out, jobs, key=keys, pure=False)
    try:
        for future in as_completed(futures):
            job = left.pop(future.key[1])
            yield _outcome(job, future)
            future.release()
    finally:
        client.cancel(futures)


def _outcome(job: Job, future: Any) -> ShardOutcome:
    try:
        outcome: ShardOutcome = future.result()
    except KilledWorker:
        remove_leftovers(job)
        reason = "every process that tried it died; was memory short? Fewer --workers need less"
    except Exception as error:
        reason = f"{type(error).__name__}: {error}"
    else:
        return outcome
    return ShardOutcome(job.shard.stem, job.path, "failed", reason)


@contextmanager
def _local(workers: int) -> Iterator[Client]:
    settings = {"distributed.scheduler.worker-saturation": 1.0, "distributed.scheduler.allowed-failures": 2}
    with dask.config.set(settings), _no_interrupt_for_children():
        cluster = LocalCluster(
            n_workers=workers,
            threads_per_worker=1,
            memory_limit=0,  # shards stream, and pictures of any size are to be tried
            dashboard_address=":0",
            silence_logs=logging.CRITICAL,
            env=_ONE_THREAD,
        )
    with cluster, Client(cluster) as client:
        yield client


@contextmanager
def _no_interrupt_for_children() -> Iterator[None]:
    """Block Ctrl-C in the threads and processes started within; this thread gets it when the context is left.

    A terminal sends it to all processes of the command, but stopping them is the business of this one.
    """
    resource_tracker.ensure_running()  # it would unblock the signal when it starts later
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _kill(cluster: Any) -> None:
    """Stop the workers within a second, whatever they are at; closing the cluster alone would wait for their shards."""

    async def close() -> None:
        await asyncio.gather(*(nanny.close(timeout=0.5) for nanny in cluster.workers.values()))

    cluster.sync(close)


@contextmanager
def _silent() -> Iterator[None]:
    """Keep what Dask logs about workers that die or are stopped to itself: outcomes say what matters."""
    loggers = [logging.getLogger(name) for name in ("distributed", "tornado", "asyncio")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
