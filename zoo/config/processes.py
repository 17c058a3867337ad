"""What is said when one of several processes of a training is gone."""

from __future__ import annotations

import logging
import re

from torch.distributed import DistError

LAUNCHER = "lightning.fabric.strategies.launchers.subprocess_script"
ENDED = re.compile(r"\[rank: (\d+)\].* terminated with code (-?\d+)")
AFTERWARDS = (
    "all processes stop; what that process said stands above, and if it said nothing, something killed it: too little "
    "memory, or a time limit. A training goes on where it was with --ckpt_path last"
)


def is_lost(error: RuntimeError) -> bool:
    """Whether an error says that another process does not answer any more."""
    return isinstance(error, DistError) or "gloo" in str(error)


def explain(record: logging.LogRecord) -> bool:
    """A filter for Lightning's launcher: its line on a process that ended also says what to do."""
    ended = ENDED.search(record.getMessage())
    if ended is not None:
        rank, code = ended.groups()
        record.msg, record.args = f"zoo: process {rank} ended with code {code}; {AFTERWARDS}", ()
    return True
