import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy import ndimage
from torch import Tensor, nn

from tests.helpers.clicks import batch
from tests.helpers.tiny import tiny_experiment
from zoo import Click
from zoo.cli import main
from zoo.errors import ConfigError
from zoo.inference.evaluating import evaluating
from zoo.inference.session import as_images
from zoo.inference.zoom import InteractionWindow
from zoo.interactions import Interactions
from zoo.methods import NuClick
from zoo.methods.nuclick import PostProcess, training_user
from zoo.networks import NuClickNet
from zoo.users.base import SimulatedUser, Truth


def tiny(**arguments) -> NuClick:
    torch.manual_seed(0)
    network = arguments.pop("network", None) or NuClickNet(width=1 / 16, multi_scale_blocks=0)
    return NuClick(network=network, zoom=InteractionWindow(64), **arguments)


class Spy(nn.Module):
    """Logits from the guidance alone; remembers in which mode and with what it was called."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(5)
        self.calls: list[tuple[bool, bool, Tensor]] = []

    def forward(self, x: Tensor) -> Tensor:
        self.calls.append((self.training, torch.is_grad_enabled(), x.detach()))
        return self.norm(x).sum(1, keepdim=True)


def trace(model: NuClick, step: int = 0) -> list[tuple[bool, bool, Tensor]]:
    model.train()
    model.log = lambda *_, **__: None
    model.training_step(batch(4), step).backward()
    return model.network.calls


def test_simulated_turns_run_in_evaluation_mode_without_gradient():
    model = tiny(network=Spy(), turns=[0.0, 0.0, 1.0])
    before = {name: value.clone() for name, value in model.network.norm.state_dict().items()}
    calls = trace(model)
    assert [(training, gradient) for training, gradient, _ in calls] == [(False, False), (False, False), (True, True)]
    # one step with gradient moves the batch statistics once, by the last turn's input
    assert model.network.norm.num_batches_tracked == 1
    expected = 0.9 * before["running_mean"] + 0.1 * calls[-1][2].mean((0, 2, 3))
    torch.testing.assert_close(model.network.norm.running_mean, expected)
    assert all(part.training for part in model.modules())


def test_evaluating_leaves_frozen_parts_frozen():
    model = tiny(network=Spy())
    model.train()
    model.encoder.eval()
    with evaluating(model):
        assert not any(part.training for part in model.modules())
    assert model.network.training
    assert model.network.norm.training
    assert not model.encoder.training


@pytest.mark.parametrize("network", [Spy(), None])
def test_evaluation_does_not_move_batch_statistics(network):
    model = tiny(network=network).train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    engine = model.engine()
    image = as_images(batch(4).image)
    said = Interactions.from_lists([[Click(16.5, 14.5)]] * 4, (64, 64))
    engine.step(image, said, engine.start(image))
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert model.network.training


class Counting(SimulatedUser):
    """One click a turn at the turn's own place."""

    def __call__(self, prediction: Tensor, truth: Truth, so_far: Interactions, turn: int) -> Interactions:
        x = torch.full((len(truth), 1), turn + 0.5)
        return Interactions.clicks(x, x, torch.ones_like(x), turn, truth.size)


def test_turns_are_drawn_with_the_given_probabilities():
    model = tiny(network=Spy(), user=Counting(), turns=[0.5, 0.2, 0.0, 0.3])
    count = 4000
    target = torch.ones(count, 1, 8, 8, dtype=torch.bool)
    truth = Truth(target, torch.arange(count), step=torch.zeros(count, dtype=torch.long))
    image = torch.zeros(count, 3, 8, 8)
    said, _ = model.simulate(image, truth)
    turns = (said.points[..., 2] >= 0).sum(1)
    shares = [(turns == k).float().mean().item() for k in (1, 2, 3, 4)]
    np.testing.assert_allclose(shares, [0.5, 0.2, 0.0, 0.3], atol=0.03)
    # the same sample at another step gets another number, the same step the same
    again = (model.simulate(image, truth)[0].points[..., 2] >= 0).sum(1)
    other = (model.simulate(image, replace(truth, step=truth.step + 1))[0].points[..., 2] >= 0).sum(1)
    assert torch.equal(again, turns)
    assert 0.2 < (other != turns).float().mean() < 0.8


def test_a_samples_turns_do_not_depend_on_its_batch():
    model = tiny(turns=[0.3, 0.3, 0.4]).eval()
    truth = replace(batch(4).truth, step=torch.full((4,), 7))
    image = as_images(batch(4).image)
    together, _ = model.simulate(image, truth)
    for i in range(4):
        alone, _ = model.simulate(image[i : i + 1], truth.select(torch.tensor([i])))
        for one in (together.points[i], alone.points[0]):
            assert (one[:, 2] >= 0).any()
        given = [{tuple(p) for p in points.tolist() if p[2] >= 0} for points in (together.points[i], alone.points[0])]
        assert given[0] == given[1]


def test_the_first_turn_is_a_click_inside_and_the_others_excluded():
    truth = replace(batch(4).truth, step=torch.zeros(4, dtype=torch.long))
    said = training_user()(torch.zeros_like(truth.target), truth, Interactions.empty(4, (64, 64)), 0)
    for i in range(4):
        points = said.points[i][said.points[i, :, 2] >= 0]
        inside = points[points[:, 2] == 1]
        assert len(inside) == 1
        assert truth.target[i, 0, int(inside[0, 1]), int(inside[0, 0])]
        assert (points[:, 2] == 0).sum() <= 3


@pytest.mark.parametrize("turns", [[], [0.5], [1.5, -0.5]])
def test_turns_that_are_no_probabilities(turns):
    with pytest.raises(ConfigError, match="add up to 1"):
        tiny(network=Spy(), turns=turns)


def naive(probability: np.ndarray, marker: np.ndarray, threshold: float, small: int, hole: int) -> np.ndarray:
    """Post-processing of one patch (H, W), component by component."""
    eight = np.ones((3, 3))
    mask = probability > threshold
    parts, count = ndimage.label(mask, eight)
    for number in range(1, count + 1):
        if (parts == number).sum() < small:
            mask[parts == number] = False
    parts, count = ndimage.label(~mask)
    for number in range(1, count + 1):
        part = parts == number
        border = part[0].any() or part[-1].any() or part[:, 0].any() or part[:, -1].any()
        if not border and part.sum() < hole:
            mask[part] = True
    if not marker.any():
        return mask
    parts, count = ndimage.label(mask, eight)
    keep = [number for number in range(1, count + 1) if (marker & (parts == number)).any()]
    return np.isin(parts, keep) & mask


def test_postprocessing_is_per_patch():
    rng = np.random.default_rng(0)
    fields = ndimage.gaussian_filter(rng.random((12, 1, 40, 40)), (0, 0, 2, 2))
    probability = (fields - fields.min()) / np.ptp(fields)
    clicks = [[Click(*rng.uniform(1, 39, 2)) for _ in range(i % 4)] for i in range(12)]
    said = Interactions.from_lists(clicks, (40, 40))
    found = PostProcess(0.5, 20, 15)(torch.from_numpy(probability).float(), said)
    assert found.dtype == torch.bool
    for i in range(12):
        marker = np.zeros((40, 40), bool)
        for click in clicks[i]:
            marker[int(click.y), int(click.x)] = True
        np.testing.assert_array_equal(found[i, 0], naive(probability[i, 0], marker, 0.5, 20, 15), err_msg=str(i))
    assert 0 < found.float().mean() < 0.9


def test_postprocessing_does_not_join_neighbouring_patches():
    probability = torch.zeros(2, 1, 20, 20)
    probability[0, 0, 2:10, 2:10] = probability[1, 0, 12:18, 12:18] = 1
    probability[1, 0, 2:10, 2:10] = 1
    said = Interactions.from_lists([[Click(5, 5)], [Click(15, 15)]], (20, 20))
    found = PostProcess(min_object=0, min_hole=0)(probability, said)
    assert found[0, 0, 2:10, 2:10].all()
    assert not found[1, 0, 2:10, 2:10].any()
    assert found[1, 0, 12:18, 12:18].all()


def rows(folder: Path) -> list[dict[str, str]]:
    out = []
    for path in sorted(folder.rglob("metrics.csv")):
        with path.open() as stream:
            out += list(csv.DictReader(stream))
    return out


def test_fit_and_test_from_a_yaml(trained, tmp_path, monkeypatch):
    losses = [float(row["train/loss"]) for row in rows(trained) if row.get("train/loss")]
    assert len(losses) == 3
    assert all(np.isfinite(losses))
    monkeypatch.chdir(tmp_path)
    experiment = tiny_experiment(tmp_path)
    assert main(["test", "-c", str(experiment), "--ckpt_path", str(trained / "last.ckpt")]) == 0
    (aji,) = [float(row["test/aji"]) for row in rows(tmp_path) if row.get("test/aji")]
    assert 0 <= aji <= 1


@pytest.mark.parametrize("precision", ["bf16-mixed", "32-true"])
def test_lightnings_precision_holds_in_evaluation(trained, tmp_path, monkeypatch, precision):
    """The Trainer's precision decides, once: guidance float32, network as it says, probabilities float32."""
    seen: dict[str, set[torch.dtype]] = {"guidance": set(), "logits": set(), "probability": set()}
    forward, predict = NuClick.forward, NuClick.predict

    def spy(self: NuClick, image: Tensor, guidance: Tensor, previous: Tensor) -> Tensor:
        logits = forward(self, image, guidance, previous)
        seen["guidance"].add(guidance.dtype)
        seen["logits"].add(logits.dtype)
        return logits

    def watched(self: NuClick, *arguments) -> Tensor:
        probability = predict(self, *arguments)
        seen["probability"].add(probability.dtype)
        return probability

    monkeypatch.setattr(NuClick, "forward", spy)
    monkeypatch.setattr(NuClick, "predict", watched)
    monkeypatch.chdir(tmp_path)
    experiment = tiny_experiment(tmp_path, precision=precision)
    assert main(["test", "-c", str(experiment), "--ckpt_path", str(trained / "last.ckpt")]) == 0
    assert seen["logits"] == {torch.bfloat16 if precision == "bf16-mixed" else torch.float32}
    assert seen["guidance"] == seen["probability"] == {torch.float32}
