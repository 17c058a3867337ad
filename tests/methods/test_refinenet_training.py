"""RefineNet's training: its frozen guide, its turns, its patients, its checkpoints."""

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from lightning import Trainer
from torch import Tensor

import zoo
from tests.helpers.regions import TinyNet, guide_folder, region_image, write_regions
from zoo.cli import main
from zoo.data import GridWindows, PatchDataModule, RandomWindows
from zoo.data.batch import Batch
from zoo.errors import SplitError
from zoo.evaluation import Interactive
from zoo.hub.load import load_method
from zoo.inference.session import as_images
from zoo.interactions import Interactions
from zoo.methods import RefineNet
from zoo.users import CorrectionScribbles
from zoo.users.base import SimulatedUser, Truth

SHARE = {"min_positive": 0.1, "max_positive": 0.9}
PATIENTS = {"r0": "train", "r1": "train", "r2": "val", "r3": "test"}


def write_experiment(folder: Path, guide: Path) -> Path:
    """RefineNet of two convolutions on windows of 32 px, four steps; checkpoints in `folder`."""
    content = {
        "title": "Tiny refiner",
        "trainer": {
            "accelerator": "cpu",
            "max_steps": 4,
            "limit_val_batches": 0,
            "logger": False,
            "enable_progress_bar": False,
            "enable_model_summary": False,
            "default_root_dir": str(folder),
            "callbacks": [
                {
                    "class_path": "lightning.pytorch.callbacks.ModelCheckpoint",
                    "init_args": {"dirpath": str(folder), "save_last": True, "every_n_train_steps": 2},
                },
                {
                    "class_path": "lightning.pytorch.callbacks.EMAWeightAveraging",
                    "init_args": {"decay": 0.5, "use_buffers": True},
                },
            ],
        },
        "protocol": {
            "class_path": "zoo.evaluation.Interactive",
            "init_args": {
                "samples": {"class_path": "zoo.data.GridWindows", "init_args": {"side": 32, **SHARE}},
                "start": "prediction",
                "max_interactions": 2,
                "user": {"class_path": "zoo.users.CorrectionScribbles", "init_args": {"rule": "largest"}},
            },
        },
        "model": {
            "class_path": "zoo.methods.RefineNet",
            "init_args": {
                "network": {"class_path": "tests.helpers.regions.TinyNet", "init_args": {"in_channels": 6}},
                "guide": str(guide),
                "optimizer": {"class_path": "torch.optim.AdamW", "init_args": {"lr": 0.01}},
                "scheduler": {
                    "class_path": "torch.optim.lr_scheduler.OneCycleLR",
                    "init_args": {"max_lr": 0.01, "total_steps": 5},
                },
            },
        },
        "data": {
            "files": [str(write_regions(folder / "store.h5", PATIENTS))],
            "train": {"class_path": "zoo.data.RandomWindows", "init_args": {"side": 32, "per_image": 6, **SHARE}},
            "batch_size": 4,
            "augment": {"class_path": "zoo.data.transforms.Augment"},
        },
    }
    path = folder / "refine.yaml"
    path.write_text(yaml.safe_dump(content))
    return path


@pytest.fixture(scope="module")
def guide(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return guide_folder(tmp_path_factory.mktemp("guide") / "tiny-guide", patients=("g0", "g1"))


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, guide: Path) -> Path:
    """A folder with `store.h5`, `refine.yaml` and `last.ckpt` after four steps."""
    folder = tmp_path_factory.mktemp("refine")
    assert main(["fit", "-c", str(write_experiment(folder, guide))]) == 0
    return folder


def windows(store: Path) -> PatchDataModule:
    return PatchDataModule([str(store)], train=partial(RandomWindows, side=32, per_image=2), batch_size=4)


def batch(folder: Path) -> Batch:
    data = windows(folder / "store.h5")
    data.setup("fit")
    return next(iter(data.train_dataloader()))


def trainer(folder: Path) -> Trainer:
    quiet = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False}
    return Trainer(default_root_dir=folder, accelerator="cpu", max_steps=1, enable_checkpointing=False, **quiet)


def model(guide: Path, **arguments: Any) -> RefineNet:
    torch.manual_seed(0)
    made = RefineNet(TinyNet(6), str(guide), **arguments)
    made.log = lambda *_, **__: None
    return made


def test_the_guide_is_frozen_and_no_part_of_the_weights(guide, trained):
    refine = model(guide, turns=[0, 0, 1.0])
    frozen = refine._guide[0]
    before = {name: value.clone() for name, value in frozen.state_dict().items()}
    assert any("running_mean" in name for name in before)
    assert set(refine.state_dict()) == {f"network.{name}" for name in TinyNet(6).state_dict()}
    assert all(part is not frozen for part in refine.modules())
    refine.train()
    assert not any(part.training for part in frozen.modules())
    optimizer = refine.configure_optimizers()
    ours = {id(parameter) for parameter in refine.parameters()}
    assert {id(p) for group in optimizer.param_groups for p in group["params"]} == ours
    assert not ours & {id(parameter) for parameter in frozen.parameters()}
    weights = refine.network.out.weight.clone()
    for step in range(3):
        optimizer.zero_grad()
        refine.training_step(batch(trained), step).backward()
        optimizer.step()
    assert not torch.equal(refine.network.out.weight, weights)
    assert refine.network.body[1].num_batches_tracked == 3  # of the turns with gradient alone
    for name, value in frozen.state_dict().items():
        assert torch.equal(value, before[name]), name
    assert all(p.grad is None and not p.requires_grad for p in frozen.parameters())
    assert not any(part.training for part in frozen.modules())
    again = load_method(str(guide)).state_dict()
    assert all(torch.equal(value, again[name]) for name, value in frozen.state_dict().items())


class Listening(SimulatedUser):
    """Corrects, and remembers the masks that it was shown."""

    def __init__(self) -> None:
        self.corrects, self.seen = CorrectionScribbles(), []

    def __call__(self, prediction: Tensor, truth: Truth, so_far: Interactions, turn: int) -> Interactions:
        new = self.corrects(prediction, truth, so_far, turn)
        self.seen.append((turn, prediction, so_far.strokes, new.strokes))
        return new


def test_turns_correct_the_guide_first_and_keep_its_probability(guide, trained):
    user = Listening()
    refine = model(guide, turns=[0, 0, 1.0], user=user).train()
    given: list[Tensor] = []
    refine.network.register_forward_hook(lambda module, x, out: given.append((x[0].detach(), out.detach())))
    data = batch(trained)
    image = as_images(data.image)
    refine.training_step(data, 0)
    guided = load_method(str(guide)).probability(image)
    assert 0.1 < (guided > 0.5).float().mean() < 0.9
    assert [turn for turn, *_ in user.seen] == [0, 1, 2]
    assert torch.equal(user.seen[0][1], guided > 0.5)
    assert len(given) == 3
    strokes = torch.zeros(4, 2, 32, 32, dtype=torch.bool)
    for k, ((_, mask, so_far, new), (x, _)) in enumerate(zip(user.seen, given, strict=True)):
        if k:
            assert torch.equal(mask, given[k - 1][1].sigmoid() > 0.5)
            assert torch.equal(so_far, strokes)
        strokes = strokes | new
        torch.testing.assert_close(x[:, :3], image)
        torch.testing.assert_close(x[:, 3:4], guided)
        said = Interactions.of(torch.zeros(4, 0, 4), (32, 32), strokes)
        torch.testing.assert_close(x[:, 4:], refine.encoder(said, image))
    assert strokes.any(3).any(2).any(1).all()


@pytest.mark.parametrize(("see_guide", "channels"), [(True, 6), (False, 5)])
def test_the_network_may_do_without_the_guide(guide, trained, see_guide, channels):
    torch.manual_seed(0)
    refine = RefineNet(TinyNet(channels), str(guide), see_guide=see_guide, turns=[1.0])
    seen = []
    refine.network.register_forward_hook(lambda module, x, out: seen.append(x[0].shape[1]))
    refine.log = lambda *_, **__: None
    user_sees = Listening()
    refine.user = user_sees
    data = batch(trained)
    refine.training_step(data, 0)
    assert seen == [channels]
    # the user corrects the guide's mask all the same
    assert torch.equal(user_sees.seen[0][1], refine.guided(as_images(data.image)) > 0.5)


def test_a_samples_turns_depend_on_nothing_but_itself(guide, trained):
    refine = model(guide).eval()
    data = batch(trained)
    truth = replace(data.truth, step=torch.full_like(data.truth.sample_id, 5))
    image = as_images(data.image)
    together, previous = refine.simulate(image, truth)
    for i in range(len(data)):
        alone, kept = refine.simulate(image[i : i + 1], truth.select(torch.tensor([i])))
        assert torch.equal(alone.strokes[0], together.strokes[i])
        torch.testing.assert_close(kept[0], previous[i])


@pytest.mark.parametrize("split", ["train", "val"])
def test_training_on_the_guides_patients_is_refused(guide, tmp_path, split):
    store = write_regions(tmp_path / "store.h5", PATIENTS | {"g1": split})
    with pytest.raises(SplitError, match=r"1 of 4 patients, Regions: g1 among them, .* the guide was trained on"):
        trainer(tmp_path).fit(model(guide), windows(store))


@pytest.mark.parametrize(
    ("patient", "who"), [("g0", "the guide was trained on"), ("r1", "the weights were trained on"), ("new", None)]
)
def test_testing_on_anybodys_patients_is_refused(trained, tmp_path, patient, who):
    store = write_regions(tmp_path / "store.h5", {patient: "test", "fresh": "test"})
    method = load_method(str(trained / "last.ckpt"))
    user = CorrectionScribbles("largest")
    method.protocol = Interactive(user, max_interactions=2, samples=GridWindows, start="prediction")
    if who is None:
        trainer(tmp_path).test(method, windows(store), verbose=False)
        assert 0 <= method.scores["iou@1"] <= 1
        return
    with pytest.raises(SplitError, match=rf"1 of 2 patients, Regions: {patient} among them, .*{who}"):
        trainer(tmp_path).test(method, windows(store), verbose=False)


def test_checkpoints_load_back(trained, guide, tmp_path):
    out = tmp_path / "refiner"
    assert main(["publish", str(trained / "last.ckpt"), "--to", str(out), "--bits", "32"]) == 0
    config = yaml.safe_load((out / "config.yaml").read_text())
    assert config["patients"] == ["Regions: r0", "Regions: r1"]
    assert config["init_args"]["guide"] == str(guide)
    assert not {"optimizer", "scheduler"} & set(config["init_args"])
    folder, ckpt = load_method(str(out)), load_method(str(trained / "last.ckpt"))
    averaged = torch.load(trained / "last.ckpt", weights_only=True)["state_dict"]
    for name, value in folder.state_dict().items():
        assert torch.equal(value, ckpt.state_dict()[name]), name
        assert torch.equal(value, averaged[name]), name
    assert folder.patients == ckpt.patients == {"Regions: r0", "Regions: r1"}
    assert folder._guide[0].patients == {"Regions: g0", "Regions: g1"}

    session = zoo.load(str(out), precision="float32")
    image, _ = region_image(3)
    session.set_image(image)
    guided = load_method(str(guide)).probability(as_images(image))
    torch.testing.assert_close(session.probability, guided)
    before = session.mask.clone()
    session.add(zoo.Scribble(((20.5, 20.5), (40.5, 30.5))))
    assert not torch.allclose(session.probability, guided, atol=1e-3)
    session.undo()
    assert torch.equal(session.mask, before)


def test_a_resumed_training_equals_an_uninterrupted_one(trained, guide, tmp_path):
    experiment = write_experiment(tmp_path, guide)
    assert main(["fit", "-c", str(experiment), "--trainer.max_steps=2"]) == 0
    last = tmp_path / "last.ckpt"
    assert torch.load(last, weights_only=True)["global_step"] == 2
    assert main(["fit", "-c", str(experiment), f"--ckpt_path={last}"]) == 0
    resumed, whole = (torch.load(folder / "last.ckpt", weights_only=True) for folder in (tmp_path, trained))
    assert resumed["global_step"] == whole["global_step"] == 4
    assert resumed["patients"] == whole["patients"]
    for key in ("state_dict", "current_model_state"):
        assert resumed[key].keys() == whole[key].keys()
        for name, value in whole[key].items():
            torch.testing.assert_close(resumed[key][name], value, rtol=0, atol=0, msg=f"{key} {name}")
    steps = [each["optimizer_states"][0]["state"] for each in (resumed, whole)]
    for number, state in steps[1].items():
        for name, value in state.items():
            assert torch.equal(steps[0][number][name], value)


def test_untrained_weights_change_with_training(trained):
    """What the tests above compare is no constant."""
    torch.manual_seed(0)
    after = load_method(str(trained / "last.ckpt")).state_dict()
    assert any(np.ptp(value.numpy()) > 0 for name, value in after.items() if name.endswith("running_mean"))
