"""RITM, the base of f-BRS and iFCN: what they are given, how they train, and that they are engines like any other."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from lightning import Trainer
from torch import nn

from tests.helpers.clicks import Spy, batch
from tests.helpers.regions import TinyNet
from tests.helpers.tiny import SAMPLES
from zoo.cli import main
from zoo.data import ObjectWindows, PatchDataModule
from zoo.encoders import Disks, TanhDistance
from zoo.errors import ConfigError
from zoo.hub.load import load_method
from zoo.inference.engine import Engine
from zoo.inference.session import Session, as_images
from zoo.inference.zoom_in import ZoomIn
from zoo.interactions import Interactions
from zoo.losses import BinaryCrossEntropy, NormalizedFocalLoss
from zoo.methods import IFCN, RITM, FBRSBase, InteractiveMethod
from zoo.methods.ritm import ritm_user
from zoo.networks import DeepLabV3Plus, FCN8s
from zoo.testing import tiny_store
from zoo.testing.engines import EngineContract, images, said
from zoo.users import NextClick, RandomInError, TrainingClicks

CHANNELS = {RITM: 6, FBRSBase: 5, IFCN: 5}
every = pytest.mark.parametrize("kind", CHANNELS)


def make(kind: type[InteractiveMethod], network: nn.Module | None = None, **arguments: Any) -> InteractiveMethod:
    torch.manual_seed(0)
    made = kind(network or TinyNet(CHANNELS[kind]), **arguments)
    made.log = lambda *_, **__: None
    return made


class EngineOf(EngineContract):
    kind: type[InteractiveMethod]

    def make(self) -> Engine:
        return make(self.kind).engine()


class TestRITM(EngineOf):
    kind = RITM


class TestFBRSBase(EngineOf):
    kind = FBRSBase


class TestIFCN(EngineOf):
    kind = IFCN


class TestRITMZoomsIn(EngineContract):
    def make(self) -> Engine:
        return make(RITM, zoom=ZoomIn(side=32, least=20), flip=True).engine()


def test_what_each_is_by_default() -> None:
    ritm, fbrs, ifcn = make(RITM), make(FBRSBase), make(IFCN)
    assert isinstance(ritm.encoder, Disks)
    assert ritm.encoder.radius == 5
    assert isinstance(fbrs.encoder, TanhDistance)
    assert fbrs.encoder.r == 260
    assert isinstance(ritm.loss, NormalizedFocalLoss)
    assert isinstance(fbrs.loss, NormalizedFocalLoss)
    assert isinstance(ifcn.loss, BinaryCrossEntropy)
    assert ritm.turns == (0.25,) * 4
    assert fbrs.turns == ifcn.turns == (1.0,)
    for method in (fbrs, ifcn):
        assert isinstance(method.user, TrainingClicks)
        assert method.user.max_points == 10


def test_what_the_networks_are_given() -> None:
    image, clicks = images(), said(0)
    previous = torch.rand(3, 1, *image.shape[-2:])
    for kind, channels in CHANNELS.items():
        method = make(kind)
        guidance = method.guide(clicks, image)
        joined = method.join(image, guidance, previous)
        assert joined.shape == (3, channels, *image.shape[-2:])
        assert torch.equal(joined[:, :3], image)
        assert torch.equal(joined[:, 3:5], guidance)
        if kind is RITM:
            assert torch.equal(joined[:, 5:], previous)
    # the third image's negative click is at 2.5, 2.5; the first image has none
    maps = make(IFCN).guide(clicks, image)
    rows, columns = np.mgrid[: image.shape[-2], : image.shape[-1]]
    np.testing.assert_allclose(maps[2, 1], np.hypot(rows - 2, columns - 2) / 255, atol=1e-6)
    assert (maps[0, 1] == 1).all()


def test_ritm_sees_its_last_probability_and_an_external_mask() -> None:
    spy = Spy(6)
    session = Session(make(RITM, spy).engine())
    mask = torch.rand(3, 1, *images().shape[-2:])
    session.set_image(images(), mask)
    expected = mask
    for turn in range(3):
        spoken = said(turn).spoken
        session.add(said(turn))
        training, gradient, given = spy.calls[-1]
        assert not training
        assert not gradient
        # the network is given whole multiples of 32 pixels
        torch.testing.assert_close(given[:, 5:, :40, :48], expected[spoken])
        expected = session.probability
    session.reset()
    assert torch.equal(session.probability, mask)


def test_ritm_starts_from_nothing() -> None:
    spy = Spy(6)
    session = Session(make(RITM, spy).engine())
    session.set_image(images())
    session.add(said(0))
    assert not spy.calls[-1][2][:, 5:].any()


@pytest.mark.parametrize("kind", [FBRSBase, IFCN])
def test_the_others_do_not(kind: type[InteractiveMethod]) -> None:
    engine = make(kind).engine()
    mask = torch.rand(3, 1, *images().shape[-2:])
    with_mask, without = (engine.step(images(), said(0), engine.start(images(), each)) for each in (mask, None))
    assert torch.equal(with_mask["probability"], without["probability"])


def test_ritms_training_user() -> None:
    truth, nothing = batch().truth, Interactions.empty(6, (64, 64))
    prediction = truth.target.roll((2, 5), (2, 3))
    user = ritm_user()
    assert torch.equal(
        user(prediction, truth, nothing, 0).points, TrainingClicks()(prediction, truth, nothing, 0).points
    )
    for turn in (1, 2, 3):
        expected = RandomInError()(prediction, truth, nothing, turn).points
        assert torch.equal(user(prediction, truth, nothing, turn).points, expected)


@every
def test_simulated_turns_leave_no_trace(kind: type[InteractiveMethod]) -> None:
    spy = Spy(CHANNELS[kind])
    method = make(kind, spy, turns=[0.0, 0.0, 1.0], user=NextClick()).train()
    before = {name: value.clone() for name, value in spy.norm.state_dict().items()}
    method.training_step(batch(), 0).backward()
    assert [call[:2] for call in spy.calls] == [(False, False), (False, False), (True, True)]
    assert spy.norm.num_batches_tracked == 1
    expected = 0.9 * before["running_mean"] + 0.1 * spy.calls[-1][2].mean((0, 2, 3))
    torch.testing.assert_close(spy.norm.running_mean, expected)
    assert all(part.training for part in method.modules())
    if kind is RITM:
        # each turn's network is given the probability of the turn before
        assert not spy.calls[0][2][:, 5].any()
        first = nn.functional.batch_norm(spy.calls[0][2], before["running_mean"], before["running_var"])
        torch.testing.assert_close(spy.calls[1][2][:, 5:], torch.sigmoid(first.sum(1, keepdim=True) / 8))


def wrong(method: InteractiveMethod) -> float:
    """Cross-entropy of the masks after the same clicks; a normalised focal loss need not fall as masks get better."""
    image, truth = as_images(batch().image), batch().truth
    clicks = TrainingClicks()(torch.zeros_like(truth.target), truth, Interactions.empty(6, (64, 64)), 0)
    engine = method.engine()
    probability = engine.step(image, clicks, engine.start(image))["probability"]
    return float(nn.functional.binary_cross_entropy(probability, truth.target.float()))


@every
def test_training_makes_better_masks(kind: type[InteractiveMethod]) -> None:
    method = make(kind).train()
    before = {name: value.clone() for name, value in method.named_parameters()}
    first = wrong(method)
    optimizer = torch.optim.Adam(method.parameters(), 0.02)
    for step in range(25):
        optimizer.zero_grad()
        method.training_step(batch(), step).backward()
        optimizer.step()
    assert all(not torch.equal(value, before[name]) for name, value in method.named_parameters())
    assert wrong(method) < 0.6 * first


@every
def test_a_fit_of_one_step(kind: type[InteractiveMethod], tmp_path: Path) -> None:
    data = PatchDataModule([str(tiny_store(tmp_path / "tiny.h5"))], train=partial(ObjectWindows, side=32), batch_size=2)
    method = kind(TinyNet(CHANNELS[kind]), zoom=ZoomIn(side=32))
    before = method.network.out.weight.clone()
    quiet = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False, "barebones": False}
    Trainer(accelerator="cpu", max_steps=1, limit_val_batches=0, default_root_dir=tmp_path, **quiet).fit(method, data)
    assert not torch.equal(method.network.out.weight, before)
    assert method.network.body[1].num_batches_tracked == 1


def test_ritm_from_a_yaml_and_back(tmp_path: Path) -> None:
    content = {
        "trainer": {
            "accelerator": "cpu",
            "max_steps": 1,
            "limit_val_batches": 0,
            "logger": False,
            "enable_progress_bar": False,
            "enable_model_summary": False,
            "default_root_dir": str(tmp_path),
            "callbacks": [
                {
                    "class_path": "lightning.pytorch.callbacks.ModelCheckpoint",
                    "init_args": {"dirpath": str(tmp_path), "save_last": True, "every_n_train_steps": 1},
                }
            ],
        },
        "model": {
            "class_path": "zoo.methods.RITM",
            "init_args": {
                "network": {"class_path": "tests.helpers.regions.TinyNet", "init_args": {"in_channels": 6}},
                "user": {
                    "class_path": "zoo.users.Turns",
                    "init_args": {
                        "users": [
                            {"class_path": "zoo.users.TrainingClicks", "init_args": {"max_points": 6, "ring": 0.2}},
                            {"class_path": "zoo.users.RandomInError", "init_args": {"depth": 0.3}},
                        ]
                    },
                },
                "turns": [0.5, 0.5],
                "optimizer": {"class_path": "torch.optim.Adam", "init_args": {"lr": 0.01}},
            },
        },
        "data": {"files": [str(tiny_store(tmp_path / "tiny.h5"))], "train": SAMPLES, "batch_size": 2},
    }
    (tmp_path / "ritm.yaml").write_text(yaml.safe_dump(content))
    assert main(["fit", "-c", str(tmp_path / "ritm.yaml")]) == 0
    loaded = load_method(str(tmp_path / "last.ckpt"))
    assert isinstance(loaded, RITM)
    first, then = loaded.user.users
    assert (first.max_points, first.ring, then.depth) == (6, 0.2, 0.3)
    assert loaded.turns == (0.5, 0.5)


NETWORKS: dict[type[InteractiveMethod], Callable[[], nn.Module]] = {
    RITM: lambda: DeepLabV3Plus(6, "test_efficientnet", fusion="stem", decoder_channels=8),
    FBRSBase: lambda: DeepLabV3Plus(5, "test_efficientnet", fusion="maps", decoder_channels=8),
    IFCN: lambda: FCN8s(5, "test_efficientnet", decoder_channels=8),
}


@pytest.mark.parametrize("half", [False, True])
@every
def test_its_own_network_learns(kind: type[InteractiveMethod], half: bool) -> None:
    """In bfloat16 too, where weights cast in the turns without gradient must not serve the one with it."""
    method = make(kind, NETWORKS[kind](), turns=[0.5, 0.5]).train()
    method.setup("fit")
    counts = [value for name, value in method.named_buffers() if name.endswith("num_batches_tracked")]
    with torch.autocast("cpu", torch.bfloat16, enabled=half):
        loss = method.training_step(batch(), 0)
    loss.backward()
    assert counts
    assert all(value == 1 for value in counts)
    gradients = {name: value.grad for name, value in method.named_parameters()}
    assert all(value is not None and value.isfinite().all() for value in gradients.values())
    # the first layer that sees what is beyond the colours
    names = [name for name, value in gradients.items() if value.ndim == 4 and value.shape[1] in (CHANNELS[kind], 3)]
    seen = gradients[next((name for name in names if "maps" in name), names[0])]
    beyond = seen if kind is RITM else seen[:, 3:]
    assert beyond.any()


@every
def test_a_network_that_does_not_fit(kind: type[InteractiveMethod]) -> None:
    with pytest.raises(ConfigError, match=f"is given {CHANNELS[kind]}"):
        make(kind, TinyNet(4)).setup("fit")


def test_drafts_are_made_of_smaller_views() -> None:
    """The network sees half the image, with clicks and previous mask where they belong, and its mask is enlarged."""
    spy = Spy(CHANNELS[RITM])
    method = make(RITM, spy, turns=[0.0, 0.0, 1.0], user=NextClick(), draft=2).train()
    samples = batch()
    image = as_images(samples.image)
    said, previous = method.simulate(image, samples.truth)
    first, second = (call[2] for call in spy.calls)
    assert first.shape[-2:] == second.shape[-2:] == (32, 32)
    torch.testing.assert_close(first[:, :3], nn.functional.avg_pool2d(image, 2))
    clicks = said.until(0)
    clicks = replace(clicks, points=clicks.points * torch.tensor([0.5, 0.5, 1, 1]), size=(32, 32))
    torch.testing.assert_close(first[:, 3:5], method.encoder(clicks, first[:, :3]))
    method.eval()
    with torch.no_grad():
        masks = [torch.sigmoid(spy(seen)) for seen in (first, second)]
    enlarged = [nn.functional.interpolate(each, scale_factor=2, mode="bilinear") for each in masks]
    torch.testing.assert_close(second[:, 5:], nn.functional.avg_pool2d(enlarged[0], 2))
    torch.testing.assert_close(previous, enlarged[1])


def test_drafts_have_to_fit() -> None:
    with pytest.raises(ConfigError, match="draft=0"):
        make(RITM, Spy(CHANNELS[RITM]), draft=0)
    method = make(RITM, Spy(CHANNELS[RITM]), turns=[0.0, 1.0], draft=3)
    with pytest.raises(ConfigError, match="draft=3 does not divide"):
        method.simulate(as_images(batch().image), batch().truth)
