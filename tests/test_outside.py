"""Classes of a user's own file: named by class_path, trained, and told apart from mistakes."""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.helpers.tiny import tiny_experiment
from zoo.cli import main

ENCODER = """
import torch
from zoo.encoders import InteractionEncoder
from zoo.encoders.distance import DistanceEncoder

class Rings(DistanceEncoder):
    def __init__(self, radius: float = 8.0) -> None:
        super().__init__()
        self.radius = radius

    def value(self, distance):
        return torch.exp(-(distance - self.radius).square() / 4)

class Three(Rings):
    out_channels = 3

    def forward(self, interactions, image):
        maps = super().forward(interactions, image)
        return torch.cat([maps, maps[:, :1]], 1)

class Liar(Three):
    out_channels = 2

class Undeclared(InteractionEncoder):
    def forward(self, interactions, image):
        return image
"""
PLAIN = "selection = replace(selection, names=None); super().__init__(selection)"
SAMPLES = """
from dataclasses import replace
from zoo.data import ObjectWindows, Selection, StoreDataset, WholeImages

class Corners(StoreDataset):
    \"\"\"The left upper part of every image.\"\"\"

    def __init__(self, selection: Selection, side: int = 48) -> None:
        super().__init__(selection)
        self.whole_images, self.side = WholeImages(selection), side

    def __len__(self):
        return len(self.whole_images)

    def describe(self, number):
        return self.whole_images.describe(number)

    def image_of(self, number):
        return self.whole_images.image_of(number)

    def sample(self, number, epoch):
        whole = self.whole_images.sample(number, epoch)
        parts = {name: getattr(whole, name)[: self.side, : self.side] for name in ("image", "target", "instances")}
        return replace(whole, **parts)

class Dark(ObjectWindows):
    kind = "dark objects"

    def sample(self, number, epoch):
        sample = super().sample(number, epoch)
        return replace(sample, image=sample.image // 2)
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A user's folder, entered, as the console script finds it: not on the path of modules."""
    (tmp_path / "my_encoder.py").write_text(ENCODER)
    (tmp_path / "my_samples.py").write_text(SAMPLES)
    tiny_experiment(tmp_path, max_steps=1)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [place for place in sys.path if place not in ("", str(tmp_path))])
    for name in ("my_encoder", "my_samples"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    yield tmp_path
    for name in ("my_encoder", "my_samples"):
        sys.modules.pop(name, None)


def fit(*more: str) -> int:
    return main(["fit", "-c", "experiment.yaml", *more])


def test_console_script_trains_with_an_outside_encoder(folder):
    command = [str(Path(sys.executable).parent / "zoo"), "fit", "-c", "experiment.yaml"]
    arguments = ["--model.init_args.encoder=my_encoder.Rings", "--model.init_args.encoder.init_args.radius=5"]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run([*command, *arguments], capture_output=True, text=True, timeout=200, env=environment)
    assert done.returncode == 0, done.stderr
    assert (folder / "last.ckpt").is_file()


def test_outside_encoder_and_its_network(folder, capsys):
    three = "--model.init_args.encoder=my_encoder.Three"
    assert fit(three) == 2
    message = capsys.readouterr().err
    assert "NuClickNet takes 5 channels but is given 6" in message
    assert "model.init_args.network.init_args.in_channels: 6" in message
    assert not (folder / "last.ckpt").exists()
    assert fit(three, "--model.init_args.network.init_args.in_channels=6") == 0
    compare_trained(folder)


def compare_trained(folder):
    """Evaluate the .ckpt that the training left, by an experiment that names it."""
    content = yaml.safe_load((folder / "experiment.yaml").read_text())
    arguments = content["model"]["init_args"]
    arguments |= {"encoder": {"class_path": "my_encoder.Three"}, "weights": "last.ckpt"}
    arguments["network"]["init_args"]["in_channels"] = 6
    (folder / "trained.yaml").write_text(yaml.safe_dump(content))
    assert main(["compare", "trained.yaml", "--out", "out"]) == 0
    (result,) = json.loads((folder / "out" / "results.json").read_text())["results"]
    assert result["checkpoint"]["weights"]["name"] == "last.ckpt"
    assert result["checkpoint"]["weights"]["sha256"] == hashlib.sha256((folder / "last.ckpt").read_bytes()).hexdigest()


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("my_encoder.Liar", ["Liar", "out_channels = 2", "(1, 3, 32, 32)", "(1, 2, 32, 32)"]),
        ("my_encoder.Undeclared", ["Undeclared", "no `out_channels`"]),
        ("my_encoder.Ring", ["model.encoder, my_encoder.Ring", "has no attribute 'Ring'"]),
        ("my_encodr.Rings", ["model.encoder, my_encodr.Rings", "No module named 'my_encodr'", "current folder"]),
        ("collections.OrderedDict", ["model.encoder", "subclass of InteractionEncoder"]),
    ],
)
def test_mistakes_are_told_in_a_line(folder, capsys, name, words):
    assert fit(f"--model.init_args.encoder={name}") == 2
    (message,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("zoo fit:")]
    for word in words:
        assert word in message


def test_outside_samples_are_trained_and_evaluated_on(folder):
    train = ["--data.train=my_samples.Dark", "--data.train.init_args.side=32"]
    assert fit(*train) == 0
    names = {"corners": ("my_samples.Corners", {"side": 40}), "dark": ("my_samples.Dark", {"side": 32})}
    for name, (path, arguments) in names.items():
        content = yaml.safe_load((folder / "experiment.yaml").read_text())
        samples = {"class_path": path, "init_args": arguments}
        protocol = {"max_interactions": 1, "samples": samples}
        content["protocol"] = {"class_path": "zoo.evaluation.Interactive", "init_args": protocol}
        content["model"]["init_args"]["weights"] = "last.ckpt"
        (folder / f"{name}.yaml").write_text(yaml.safe_dump(content))
    assert main(["compare", "corners.yaml", "dark.yaml", "--out", "out"]) == 0
    corners, dark = json.loads((folder / "out" / "results.json").read_text())["results"]
    assert (corners["settings"]["samples"], corners["data"]["objects"]) == ("Corners", 1)
    assert (dark["settings"]["samples"], dark["data"]["objects"]) == ("dark objects", 4)
    assert (corners["speed"]["size"], dark["speed"]["size"]) == ("40x40", "32x32")


@pytest.mark.parametrize(
    ("argument", "words"),
    [
        ("data.train=my_samples.Corner", ["data.train: ", "has no attribute 'Corner'"]),
        ("data.train=my_sample.Corners", ["data.train: ", "No module named 'my_sample'", "current folder"]),
        ("data.train=my_encoder.Rings", ["data.train: ", "'my_encoder.Rings'", "subclass of", "StoreDataset"]),
        ("data.val.init_args.sied=3", ["data.val: ", "'sied' is not accepted"]),
        ("data.val.init_args.side=x", ["data.val.side: ", "int", "x"]),
    ],
)
def test_mistakes_about_samples_are_told_in_a_line(folder, capsys, argument, words):
    assert fit("--data.val=my_samples.Corners", f"--{argument}") == 2
    (message,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("zoo fit:")]
    assert "Callable" not in message
    assert "Namespace" not in message
    for word in words:
        assert word in message


def test_a_list_is_not_silently_left_out(folder, capsys):
    (folder / "list.txt").write_text("tiny/test/0/1\n")
    arguments = ["--protocol=zoo.evaluation.Interactive", "--protocol.samples=my_samples.Dark"]
    arguments += ["--protocol.samples.init_args.side=32", "--data.test_list=list.txt"]
    assert main(["test", "-c", "experiment.yaml", *arguments]) == 0
    (folder / "my_samples.py").write_text(SAMPLES.replace("super().__init__(selection)", PLAIN))
    sys.modules.pop("my_samples")
    arguments[1] = "--protocol.samples=my_samples.Corners"
    assert main(["test", "-c", "experiment.yaml", *arguments]) == 2
    assert "list.txt: Corners samples others too" in capsys.readouterr().err


def test_wrong_argument_of_an_outside_class(folder, capsys):
    arguments = ["--model.init_args.encoder=my_encoder.Rings", "--model.init_args.encoder.init_args.raduis=3"]
    assert fit(*arguments) == 2
    message = capsys.readouterr().err
    assert "my_encoder.Rings" in message
    assert "raduis" in message


def test_an_error_of_a_class_being_made_has_no_traceback(folder, capsys):
    assert fit("--model.init_args.weights=nowhere.ckpt") == 2
    message = capsys.readouterr().err
    assert "nowhere.ckpt: not a readable checkpoint" in message
    assert "Subtypes" not in message
