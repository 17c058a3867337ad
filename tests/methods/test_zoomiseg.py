"""ZoomISEG: which mask it is given, what it trains from, and that it is an engine like any other."""

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning import Trainer

from tests.helpers.clicks import Spy, batch
from tests.helpers.regions import TinyNet, write_regions
from zoo import segmenters
from zoo.data import CoarseMasks, PatchDataModule, RandomWindows
from zoo.errors import ConfigError
from zoo.hub.folder import for_inference
from zoo.inference.engine import Engine
from zoo.inference.session import Session
from zoo.interactions import Interactions
from zoo.losses import NormalizedFocalLoss, click_loss
from zoo.methods import ZoomISEG
from zoo.methods.zoomiseg import zoomiseg_user
from zoo.networks import TwoBranchUCTransNet, TwoBranchUnet
from zoo.testing.engines import EngineContract, images, said
from zoo.users import RandomInError, TrainingClicks


def make(network: torch.nn.Module | None = None, **arguments: Any) -> ZoomISEG:
    torch.manual_seed(0)
    made = ZoomISEG(network or TinyNet(6), **arguments)
    made.log = lambda *_, **__: None
    return made


class TestPreviousMask(EngineContract):
    def make(self) -> Engine:
        return make().engine()


class TestExternalMask(EngineContract):
    def make(self) -> Engine:
        return make(mask_input="external").engine()


class TestNoMask(EngineContract):
    def make(self) -> Engine:
        return make(mask_input="zeros").engine()


@pytest.mark.parametrize("mask_input", ["previous", "external", "zeros"])
def test_the_mask_that_the_network_is_given(mask_input: Any) -> None:
    spy = Spy(6)
    method = make(spy, mask_input=mask_input)
    assert method.remembers == (mask_input != "zeros")
    session = Session(method.engine())
    mask = torch.rand(3, 1, *images().shape[-2:])
    session.set_image(images(), mask)
    assert torch.equal(session.probability, mask)
    expected = {"previous": mask, "external": mask, "zeros": torch.zeros_like(mask)}[mask_input]
    for turn in range(3):
        spoken = said(turn).spoken
        session.add(said(turn))
        torch.testing.assert_close(spy.calls[-1][2][:, 5:, :40, :48], expected[spoken])
        if mask_input == "previous":
            expected = session.probability


def test_some_samples_train_from_a_mask() -> None:
    spy = Spy(6)
    coarse = CoarseMasks(share=0.5, factor=2, grain=4.0)
    method = make(spy, coarse=coarse, turns=[1.0]).train()
    given = batch()
    method.training_step(given, 0)
    expected = coarse(replace(given.truth, step=torch.zeros(6, dtype=torch.long)))
    assert torch.equal(spy.calls[-1][2][:, 5:], expected)
    started = expected.flatten(1).any(1)
    assert 0 < started.sum() < 6
    plain = make(Spy(6), turns=[1.0]).train()
    plain.training_step(given, 0)
    assert not plain.network.calls[-1][2][:, 5:].any()


def test_the_user_corrects_a_mask_at_once() -> None:
    truth, nothing = batch().truth, Interactions.empty(6, (64, 64))
    prediction = truth.target.roll((2, 5), (2, 3))
    empty = torch.tensor([True, False, True, False, False, True])
    prediction[empty] = False
    clicks = zoomiseg_user()(prediction, truth, nothing, 0)
    free = TrainingClicks()(prediction, truth, nothing, 0)
    fixed = RandomInError()(prediction, truth, nothing, 0)
    for i in range(6):
        expected = (free if empty[i] else fixed).points[i]
        found = clicks.points[i]
        assert torch.equal(found[found[:, 2] >= 0], expected[expected[:, 2] >= 0])
    for turn in (1, 2):
        found = zoomiseg_user()(prediction, truth, nothing, turn).points
        assert torch.equal(found, RandomInError()(prediction, truth, nothing, turn).points)


def test_clicks_count_in_the_loss() -> None:
    method, given = make(click_weight=0.5), batch()
    truth = given.truth
    clicks = TrainingClicks()(torch.zeros_like(truth.target), truth, Interactions.empty(6, (64, 64)), 0)
    logits = torch.randn(6, 1, 64, 64, generator=torch.Generator().manual_seed(0))
    focal = NormalizedFocalLoss()(logits, truth.target, truth.others)
    expected = focal + 0.5 * click_loss(logits, clicks)
    torch.testing.assert_close(method.objective(logits, truth, clicks), expected)
    assert torch.equal(make(click_weight=0).objective(logits, truth, clicks), focal)
    assert make().click_weight == 0.05
    with pytest.raises(ConfigError, match="click_weight=-1 must be 0 or more"):
        make(click_weight=-1)


@pytest.mark.parametrize(
    "network",
    [
        partial(TwoBranchUnet, width=4, depth=5, backbone="test_efficientnet"),
        partial(TwoBranchUCTransNet, width=4, layers=1, side=64, backbone="test_efficientnet"),
        partial(TwoBranchUnet, width=2),
        partial(TwoBranchUCTransNet, width=2, layers=1, side=64),
    ],
)
def test_a_fit_of_one_step(network: Any, tmp_path: Path) -> None:
    data = PatchDataModule(
        [str(write_regions(tmp_path / "regions.h5", {"one": "train", "two": "train", "three": "val"}))],
        train=partial(RandomWindows, side=32),
        batch_size=2,
    )
    method = ZoomISEG(network(), coarse=CoarseMasks(factor=2, grain=4.0), turns=[0.0, 1.0])
    before = {name: value.clone() for name, value in method.named_parameters()}
    quiet = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False}
    Trainer(accelerator="cpu", max_steps=1, limit_val_batches=0, default_root_dir=tmp_path, **quiet).fit(method, data)
    after = dict(method.named_parameters())
    assert not torch.equal(after["network.head.weight"], before["network.head.weight"])
    assert all(value.isfinite().all() for value in after.values())


def test_what_its_segmenter_takes() -> None:
    arguments = {"network": None, "mask_input": "external", "click_weight": 0.0, "coarse": None, "mpp": 0.62}
    config = {"class_path": "zoo.methods.ZoomISEG", "segmenter": "zoo.segmenters.ZoomISEG", "init_args": arguments}
    given = for_inference(config)["init_args"]
    assert set(given) == {"network", "mask_input", "mpp"}
    network = TinyNet(6)
    plain = segmenters.ZoomISEG(**given | {"network": network})
    trained = make(network, mask_input="external")
    assert set(plain.state_dict()) == set(trained.state_dict())
