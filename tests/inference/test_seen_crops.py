"""Features that are computed once for the same pixels."""

import pytest
import torch
from torch import Tensor, nn

import zoo
from zoo.inference.seen_crops import SeenCrops
from zoo.inference.session import Session
from zoo.inference.zoom import WholeImage
from zoo.inference.zoom_in import ZoomIn
from zoo.networks import LateUnet
from zoo.segmenters import RITM


class Whole(nn.Module):
    """A late network as if it were none."""

    def __init__(self, network: LateUnet) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.network(x)
        return logits


@pytest.fixture
def network() -> LateUnet:
    torch.manual_seed(0)
    return LateUnet(6, "test_efficientnet", (8, 8, 16, 16, 16)).eval()


@pytest.fixture
def image() -> Tensor:
    return torch.rand(1, 3, 96, 96, generator=torch.Generator().manual_seed(1))


CLICKS = [zoo.Click(40.5, 50.5), zoo.Click(10.5, 10.5, positive=False), zoo.Click(60.5, 44.5), zoo.Click(70.5, 44.5)]


def counted(network: LateUnet, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many crops each look sees, from now on."""
    looks: list[int] = []
    real = network.look
    monkeypatch.setattr(network, "look", lambda image: (looks.append(len(image)), real(image))[1])
    return looks


@pytest.mark.parametrize("flip", [False, True])
@pytest.mark.parametrize("zoom", [None, ZoomIn(64, least=32)])
def test_the_same_masks_as_without(network, image, flip, zoom):
    kept = Session(RITM(network, zoom=zoom, flip=flip).engine())
    plain = Session(RITM(Whole(network), zoom=zoom, flip=flip).engine())
    for session in (kept, plain):
        session.set_image(image)
    for click in CLICKS:
        kept.add(click)
        plain.add(click)
        torch.testing.assert_close(kept.probability, plain.probability, rtol=0, atol=1e-5)


@pytest.mark.parametrize(("flip", "views"), [(False, 1), (True, 2)])
def test_looks_once_whatever_is_said(network, image, monkeypatch, flip, views):
    session = Session(RITM(network, flip=flip).engine())
    session.set_image(image)
    looks = counted(network, monkeypatch)
    for click in CLICKS:
        session.add(click)
    session.undo()
    session.add(CLICKS[0])
    assert looks == [1] * views
    session.set_image(1 - image)
    session.add(CLICKS[0])
    assert looks == [1] * 2 * views


def test_prepared_before_the_first_click(network, image, monkeypatch):
    session = Session(RITM(network, zoom=ZoomIn(64, least=32)).engine())
    session.set_image(image)
    looks = counted(network, monkeypatch)
    session.prepare()
    assert looks == [1]
    session.add(CLICKS[0])
    assert looks == [1]


def test_of_a_large_image_the_first_click_says_what_is_looked_at(network, monkeypatch):
    session = Session(RITM(network, zoom=WholeImage(most=32)).engine())
    session.set_image(torch.rand(1, 3, 200, 140))
    looks = counted(network, monkeypatch)
    session.prepare()
    assert looks == []
    session.add(CLICKS[0])
    assert looks == [1]


def test_only_what_is_new_in_a_batch_is_looked_at(image):
    seen: list[int] = []

    def look(crops: Tensor) -> tuple[Tensor, ...]:
        seen.append(len(crops))
        return (crops.sum(1), crops.mean((2, 3)))

    kept = SeenCrops(look, most=3)
    a, b, c = image, image + 1, image + 2
    for batch in (a, torch.cat([b, a]), torch.cat([a, a, c]), b):
        first, second = kept(batch)
        torch.testing.assert_close(first, batch.sum(1))
        torch.testing.assert_close(second, batch.mean((2, 3)))
    assert seen == [1, 1, 1]
    kept(image + 3)  # the fourth: the one used least recently is forgotten
    kept(b)
    kept(a)
    assert seen == [1, 1, 1, 1, 1]


def test_another_precision_is_looked_at_anew(image):
    kept = SeenCrops(lambda crops: (crops,))
    kept(image)
    with torch.autocast("cpu", torch.bfloat16):
        kept(image)
    assert len(kept._kept) == 2
