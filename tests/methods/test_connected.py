"""RITM of objects that are one piece, against SciPy's components."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import ndimage
from torch import nn

from tests.helpers.regions import TinyNet
from zoo.errors import ConfigError
from zoo.hub.folder import build, for_inference
from zoo.inference.engine import Engine
from zoo.interactions import Interactions
from zoo.refiners import DistMapBRS
from zoo.segmenters import RITM, ZoomISEG
from zoo.testing.engines import EngineContract

SIDE = 8
MASKS = arrays(bool, (2, SIDE, SIDE))


class Says(nn.Module):
    """The same mask, whatever is asked: .9 where it is and .2 where not."""

    def __init__(self, mask: np.ndarray) -> None:
        super().__init__()
        self.logits = torch.logit(torch.where(torch.from_numpy(mask)[:, None], 0.9, 0.2))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.logits


def connected(mask: np.ndarray, positive: np.ndarray, before: np.ndarray) -> np.ndarray:
    """One image, component by component."""
    if not (mask & positive).any():
        return mask
    labels, number = ndimage.label(mask, np.ones((3, 3)))
    kept = [k for k in range(1, number + 1) if ((labels == k) & (positive | before)).any()]
    return np.isin(labels, kept)


@given(MASKS, MASKS, arrays(bool, (2, 2, SIDE, SIDE), elements=st.booleans(), fill=st.just(False)))
def test_only_what_is_connected_stays(mask, before, strokes):
    said = Interactions.of(torch.zeros(2, 0, 4), (SIDE, SIDE), torch.from_numpy(strokes))
    image, previous = torch.zeros(2, 3, SIDE, SIDE), torch.from_numpy(before)[:, None].float()
    found = RITM(Says(mask), connected=True).predict(image, said, previous)
    expected = np.stack([connected(*each) for each in zip(mask, strokes[:, 0], before, strict=True)])
    np.testing.assert_array_equal(found[:, 0] > 0.5, expected)
    # Nothing else changes.
    everything = RITM(Says(mask)).predict(image, said, previous)
    same = torch.from_numpy(expected == mask)[:, None]
    assert torch.equal(found[same], everything[same])


@pytest.mark.parametrize("threshold", [0.2, 0.5, 0.8])
def test_what_falls_is_below_any_threshold(threshold):
    mask = np.zeros((1, SIDE, SIDE), bool)
    mask[:, 1, 1] = mask[:, 5, 5] = True
    said = Interactions.of(torch.tensor([[[1.5, 1.5, 1.0, 0.0]]]), (SIDE, SIDE))
    method = RITM(Says(mask), connected=True, threshold=threshold)
    method.network.logits = torch.full_like(method.network.logits, -9.0).where(
        torch.from_numpy(~mask)[:, None], torch.tensor(9.0)
    )
    found = method.predict(torch.zeros(1, 3, SIDE, SIDE), said, torch.zeros(1, 1, SIDE, SIDE))
    assert (found > threshold).nonzero().tolist() == [[0, 0, 1, 1]]


def test_checkpoints_recall_it():
    network = {"class_path": "zoo.networks.Unet", "init_args": {"in_channels": 6}}
    config = {"class_path": "zoo.methods.RITM", "init_args": {"network": network, "connected": True}}
    assert build(config).connected
    assert build(for_inference(config | {"segmenter": "zoo.segmenters.ritm.RITM"})).connected
    assert not build({"class_path": "zoo.methods.RITM", "init_args": {"network": network}}).connected


class TestConnected(EngineContract):
    def make(self) -> Engine:
        torch.manual_seed(0)
        return RITM(TinyNet(6), connected=True).engine()


def test_pieces_of_a_refiner_are_not_asked_for():
    with pytest.raises(ConfigError, match="connected and DistMapBRS"):
        RITM(TinyNet(6), connected=True, refiner=DistMapBRS())


def test_a_method_without_a_previous_mask_remembers_what_is_connected():
    assert not ZoomISEG(TinyNet(6), mask_input="zeros").remembers
    assert ZoomISEG(TinyNet(6), mask_input="zeros", connected=True).remembers
