"""Each step's loss depends on every weight, so that DDP needs no `find_unused_parameters`."""

from pathlib import Path

import pytest

from zoo.config.cli import run
from zoo.config.compose import Address, resolve
from zoo.methods.trained import TrainedMethod
from zoo.testing import tiny_store

MODELS = [
    path
    for path in sorted(Path("experiments/models").glob("*.yaml"))
    if "class_path" in resolve(Address(path)).get("model", {})
]


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return tiny_store(tmp_path_factory.mktemp("weights") / "tiny.h5")


@pytest.mark.slow
@pytest.mark.parametrize("path", MODELS, ids=lambda path: path.stem)
def test_no_weight_is_left_out(path, store):
    content = resolve(Address(path))
    windows = {"class_path": "zoo.data.ObjectWindows", "init_args": {"side": 64}}
    content["data"] = {"files": [str(store)], "batch_size": 2, "train": windows}
    content["model"]["init_args"].pop("weights", None)
    cli = run({name: content[name] for name in ("model", "data")}, run_verb=False)
    if not isinstance(cli.model, TrainedMethod):
        pytest.skip("nothing to train")
    cli.datamodule.setup("fit")
    batch = next(iter(cli.datamodule.train_dataloader()))
    cli.model.train()
    cli.model.training_step(batch, 0).backward()
    unused = [name for name, weight in cli.model.named_parameters() if weight.requires_grad and weight.grad is None]
    assert unused == []
