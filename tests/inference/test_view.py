from decimal import Decimal, localcontext
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.helpers.crops import changed, small
from zoo.inference.view import FlippedView, View
from zoo.interactions import Interactions
from zoo.networks.staged import Features
from zoo.ops.frame import Frame

H, W = 32, 48
POINTS = ("image", "guidance", "middle")


def said(mirrored: bool = False) -> Interactions:
    """Two samples' clicks, on pixel centres, between them and at the edge; mirrored by hand."""
    x = torch.tensor([[10.5, 20.0, 0.0], [40.5, 3.25, 47.5]])
    # The line at 20 belongs to pixel 20, whose mirror image is pixel 27; pixel 0's is 47.
    flipped = torch.tensor([[37.5, 27.5, 47.5], [7.5, 44.75, 0.5]])
    y = torch.tensor([[5.5, 20.5, 8.5], [16.5, 2.5, 30.5]])
    label = torch.tensor([[1.0, 0.0, 1.0], [1.0, -1.0, 0.0]])
    return Interactions.clicks(flipped if mirrored else x, y, label, 0, (H, W))


def view(kind: type[View] = View, mirrored: bool = False, symmetric: bool = False, seed: int = 0) -> View:
    generator = torch.Generator().manual_seed(seed)
    image, previous = torch.rand(2, 3, H, W, generator=generator), torch.rand(2, 1, H, W, generator=generator)
    if mirrored:
        image, previous = image.flip(-1), previous.flip(-1)
    clicks, frame = said(mirrored), Frame.whole(2, (H, W))
    return kind(small(symmetric), image, previous, clicks, clicks, frame)


def spatial(channels: int) -> Tensor:
    return torch.rand(2, channels, H, W, generator=torch.Generator().manual_seed(5))


@pytest.fixture(autouse=True)
def _no_grad():
    with torch.no_grad():
        yield


def test_flipping_averages_with_the_mirrored_image_and_clicks():
    expected = (view().predict() + view(mirrored=True).predict().flip(-1)) / 2
    torch.testing.assert_close(view(FlippedView).predict(), expected, rtol=0, atol=1e-6)
    assert (expected - view().predict()).abs().max() > 0.01


@pytest.mark.parametrize("kind", [View, FlippedView])
@pytest.mark.parametrize("at", POINTS)
def test_trunk_and_head_are_the_prediction(kind, at):
    bound = view(kind)
    probability = torch.sigmoid(bound.head(bound.trunk(at), at))
    torch.testing.assert_close(probability, bound.predict(), rtol=0, atol=1e-5)


@pytest.mark.parametrize("kind", [View, FlippedView])
def test_trunk_may_be_given_the_first_clicks_only(kind):
    bound = view(kind)
    first = View.select(bound, torch.arange(2))
    object.__setattr__(first, "interactions", bound.interactions.first(1))
    one = bound.head(bound.trunk("middle", clicks=1), "middle")
    assert torch.equal(one, first.head(first.trunk("middle"), "middle"))
    assert not torch.equal(one, bound.head(bound.trunk("middle"), "middle"))


@pytest.mark.parametrize("at", POINTS)
@pytest.mark.parametrize("shape", ["channels", "spatial"])
def test_a_symmetric_network_is_the_same_with_and_without_flip(at, shape):
    plain, flipped = view(symmetric=True), view(FlippedView, symmetric=True)
    torch.testing.assert_close(flipped.predict(), plain.predict(), rtol=0, atol=1e-5)
    parameter = spatial(plain.method.channels(at))
    if shape == "channels":
        parameter = parameter.mean((2, 3), keepdim=True)
    # Not so if a spatial parameter were not mirrored with its crop.
    torch.testing.assert_close(changed(flipped, at, parameter), changed(plain, at, parameter), rtol=0, atol=1e-4)


def test_shared_parameters():
    parameter = torch.arange(2 * 3 * 2 * 4.0).reshape(2, 3, 2, 4)
    assert torch.equal(view().share(parameter), parameter)
    shared = view(FlippedView).share(parameter)
    assert torch.equal(shared[:2], parameter)
    for column in range(4):
        assert torch.equal(shared[2:, ..., column], parameter[..., 3 - column])
    channels = parameter[..., :1, :1]
    assert torch.equal(view(FlippedView).share(channels), torch.cat([channels, channels]))


@pytest.mark.parametrize("kind", [View, FlippedView])
@pytest.mark.parametrize("rows", [[1], [1, 0]])
def test_selected_samples(kind, rows):
    bound, index = view(kind), torch.tensor(rows)
    features, some = bound.trunk("middle"), bound.select(index)
    torch.testing.assert_close(some.predict(), bound.predict()[index], rtol=0, atol=1e-5)
    head = bound.head(features, "middle")[index]
    torch.testing.assert_close(some.head(features.select(index), "middle"), head, rtol=0, atol=1e-4)
    assert type(some) is kind


def bound_to(logits: Tensor) -> tuple[FlippedView, Features]:
    """A view whose method gives back the features as logits."""
    method: Any = SimpleNamespace(rest=lambda features, at: features.value)
    plain = view()
    whole = FlippedView(method, plain.image, plain.previous, said(), said(), plain.frame)
    return whole, Features(logits, (), (1, logits.shape[-1]), views=2)


def exact(one: float, other: float) -> float:
    """Logit of the mean of two sigmoids, with 80 digits."""
    with localcontext() as context:
        context.prec = 80
        mean = sum(1 / (1 + (-Decimal(z)).exp()) for z in (one, other)) / 2
        return float((mean / (1 - mean)).ln())


PAIRS = [(80, 80), (80, -80), (-80, 80), (-80, -80), (80, 0), (0, -80), (-80, 3), (1.5, -0.25), (30, 25), (-9, -30)]


def test_head_gives_the_logit_of_the_mean_probability():
    plain, mirrored = torch.tensor(PAIRS).float().unbind(1)
    # The mirrored view's logits come mirrored.
    bound, features = bound_to(torch.stack([plain, mirrored.flip(0)])[:, None, None])
    expected = torch.tensor([exact(*pair) for pair in PAIRS])
    torch.testing.assert_close(bound.head(features, "middle")[0, 0, 0], expected, rtol=1e-6, atol=1e-5)


def test_head_has_gradients_where_probabilities_are_rounded():
    with torch.enable_grad():
        logits = torch.tensor([[-80.0, 80, 40], [60, 80, -80]])[:, None, None].requires_grad_()
        bound, features = bound_to(logits)
        bound.head(features, "middle").sum().backward()
    assert logits.grad is not None
    assert logits.grad.isfinite().all()
    # Two equal logits move their mean by a half each.
    torch.testing.assert_close(logits.grad[:, 0, 0, 1], torch.tensor([0.5, 0.5]))
