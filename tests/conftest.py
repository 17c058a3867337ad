"""Settings of the whole suite, and a training that several tests look at."""

import os
import signal
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, settings

# Machines that run the tests are shared: a slow example is no failure. The same examples in each run: what passed once
# passes until the code changes. `pytest --hypothesis-profile search` looks for new ones.
ALL = {"deadline": None, "max_examples": 50, "suppress_health_check": [HealthCheck.too_slow]}
settings.register_profile("zoo", **ALL, derandomize=True)
settings.register_profile("search", **ALL, derandomize=False)
settings.load_profile("zoo")

# Tests send Ctrl-C, which a shell that starts them in the background has switched off.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def repeatable() -> None:
    """A test that draws numbers without a generator of its own draws the same ones in each run."""
    torch.manual_seed(0)
    np.random.seed(0)


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which `zoo fit` left `experiment.yaml`, `last.ckpt` (with averaged weights) and its logs."""
    from tests.helpers.tiny import tiny_experiment
    from zoo.cli import main

    folder = tmp_path_factory.mktemp("trained")
    experiment = tiny_experiment(folder)
    before = Path.cwd()
    os.chdir(folder)
    try:
        assert main(["fit", "-c", str(experiment)]) == 0
    finally:
        os.chdir(before)
    return folder
