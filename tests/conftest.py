import os
from pathlib import Path

import pytest

from tests.tiny import tiny_experiment
from zoo.cli import main


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which `zoo fit` left `experiment.yaml`, `last.ckpt` (with averaged weights) and its logs."""
    folder = tmp_path_factory.mktemp("trained")
    experiment = tiny_experiment(folder)
    before = Path.cwd()
    os.chdir(folder)
    try:
        assert main(["fit", "-c", str(experiment)]) == 0
    finally:
        os.chdir(before)
    return folder
