"""What a data set module makes of a folder."""

import pickle
from argparse import ArgumentParser
from importlib import import_module
from pathlib import Path

from data_prep.plan import Group, Plan


def plan(name: str, source: Path, *more: str) -> Plan:
    """Its plan under further options."""
    module, parser = import_module(f"data_prep.datasets.{name}"), ArgumentParser()
    if hasattr(module, "add_arguments"):
        module.add_arguments(parser)
    return module.plan(source, parser.parse_args(more))


def groups(name: str, source: Path, *more: str) -> dict[str, Group]:
    """Its groups by the stem of their shard, of data sets with one image, one group and one slide a shard."""
    shards = pickle.loads(pickle.dumps(plan(name, source, *more).shards))  # as a worker gets them
    read = {shard.stem: group for shard in shards for group in shard.read()}
    assert len(read) == len(shards)
    assert all(group.name == group.slide == stem for stem, group in read.items())
    return read
