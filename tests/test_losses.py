import numpy as np
import pytest
import torch
from torch import Tensor

from zoo.interactions import Interactions
from zoo.losses import (
    BinaryCrossEntropy,
    NormalizedFocalLoss,
    NuClickLoss,
    click_loss,
    soft_dice_loss,
    weighted_bce,
    weights_keras,
    weights_paper,
    weights_torch,
)

WEIGHTS = {"release": weights_torch, "keras": weights_keras, "paper": weights_paper}
LOSSES = [*(NuClickLoss(w) for w in WEIGHTS), NormalizedFocalLoss(0.5, 2.0), NormalizedFocalLoss(0.3, 0.5)]  # type: ignore[arg-type]

LOSSES.append(BinaryCrossEntropy())


def batch(seed: int = 0) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    g = torch.Generator().manual_seed(seed)
    logits = 3 * torch.randn(3, 1, 9, 7, generator=g)
    kind = torch.randint(0, 4, (3, 1, 9, 7), generator=g)
    ignore = torch.rand(3, 1, 9, 7, generator=g) < 0.2
    return logits, (kind == 1).float(), (kind >= 2).float(), ignore


def weights_reference(name: str, g: np.ndarray, others: np.ndarray) -> np.ndarray:
    out = np.ones(len(g))
    for i in range(len(g)):
        if name == "release":
            out[i] = 2 if g[i] else 4 if others[i] else 1
        elif name == "keras":
            out[i] = 2 + others.sum() / g.sum() if g[i] else 2 if others[i] else 1
        else:
            a = max(others.sum() / g.sum(), 1)
            out[i] = a * a + 1 if g[i] else a + 1 if others[i] else 1
    return out


def samples(logits: Tensor, target: Tensor, others: Tensor, ignore: Tensor | None):  # type: ignore[no-untyped-def]
    for b in range(len(logits)):
        keep = np.ones(logits[b].numel(), bool) if ignore is None else ~ignore[b].flatten().numpy()
        yield [t[b].flatten().double().numpy()[keep] for t in (logits, target, others)]


def nuclick_reference(name: str, *args: Tensor | None) -> float:
    losses = []
    for z, g, others in samples(*args):  # type: ignore[arg-type]
        p = 1 / (1 + np.exp(-z))
        dice = 1 - (2 * (p * g).sum() + 1e-5) / (p.sum() + g.sum() + 1e-5)
        bce = -(g * np.log(p) + (1 - g) * np.log(1 - p))
        losses.append(dice + (weights_reference(name, g, others) * bce).mean())
    return float(np.mean(losses))


def focal_reference(alpha: float, gamma: float, *args: Tensor | None) -> float:
    losses = []
    for z, g, _ in samples(*args):  # type: ignore[arg-type]
        p_t = 1 - np.abs(g - 1 / (1 + np.exp(-z)))
        beta = (1 - p_t) ** gamma
        k = len(z) / (beta.sum() + 1e-12)
        losses.append((-np.where(g == 1, alpha, 1 - alpha) * k * beta * np.log(p_t)).mean())
    return float(np.mean(losses))


@pytest.mark.parametrize("with_ignore", [True, False])
@pytest.mark.parametrize("name", list(WEIGHTS))
def test_nuclick_loss_equals_reference(name: str, with_ignore: bool) -> None:
    logits, target, others, ignore = batch()
    args = (logits, target, others, ignore if with_ignore else None)
    loss = NuClickLoss(name)(*args)  # type: ignore[arg-type]
    assert loss.shape == ()
    assert loss.item() == pytest.approx(nuclick_reference(name, *args), rel=1e-5)


@pytest.mark.parametrize("with_ignore", [True, False])
@pytest.mark.parametrize(("alpha", "gamma"), [(0.5, 2.0), (0.3, 0.5)])
def test_focal_loss_equals_reference(alpha: float, gamma: float, with_ignore: bool) -> None:
    logits, target, others, ignore = batch(1)
    args = (logits, target, others, ignore if with_ignore else None)
    loss = NormalizedFocalLoss(alpha, gamma)(*args)
    assert loss.item() == pytest.approx(focal_reference(alpha, gamma, *args), rel=1e-5)


@pytest.mark.parametrize("with_ignore", [True, False])
def test_binary_cross_entropy_equals_reference(with_ignore: bool) -> None:
    logits, target, others, ignore = batch(2)
    ignore[1] = True  # a sample of which nothing counts
    args = (logits, target > 0, others, ignore if with_ignore else None)
    means = [
        np.mean(np.log1p(np.exp(-z)) * g + np.log1p(np.exp(z)) * (1 - g)) if len(z) else 0.0
        for z, g, _ in samples(*args)
    ]
    assert BinaryCrossEntropy()(*args).item() == pytest.approx(np.mean(means), rel=1e-5)
    assert BinaryCrossEntropy()(logits, target, 1 - others, args[3]).item() == BinaryCrossEntropy()(*args).item()


def test_focal_normaliser_has_no_gradient() -> None:
    logits, target, others, _ = batch(2)
    logits = logits.double().float().requires_grad_()
    NormalizedFocalLoss(0.5, 2.0)(logits, target, others).backward()
    # Central difference of sample 0's loss with its k frozen at the point.
    z, g = logits.detach()[0].flatten().double().numpy(), target[0].flatten().numpy()

    def beta_log(z: np.ndarray) -> np.ndarray:
        p_t = 1 - np.abs(g - 1 / (1 + np.exp(-z)))
        return (1 - p_t) ** 2 * np.log(p_t)

    k = len(z) / ((np.abs(g - 1 / (1 + np.exp(-z)))) ** 2).sum()
    expected = -0.5 * k * (beta_log(z + 1e-5) - beta_log(z - 1e-5)) / 2e-5 / len(z) / len(logits)
    assert logits.grad is not None
    np.testing.assert_allclose(logits.grad[0].flatten().numpy(), expected, atol=1e-6)


def test_perfect_prediction() -> None:
    _, target, others, _ = batch()
    logits = (2 * target - 1) * 50
    assert soft_dice_loss(logits, target).item() == pytest.approx(0, abs=1e-6)
    for loss in LOSSES:
        assert loss(logits, target, others).item() == pytest.approx(0, abs=1e-6)


def test_wrong_prediction_costs_a_full_dice() -> None:
    _, target, _, _ = batch()
    assert soft_dice_loss((1 - 2 * target) * 50, target).item() == pytest.approx(1, abs=1e-6)


def test_empty_target_and_empty_prediction_are_perfect() -> None:
    zero = torch.zeros(2, 1, 4, 4)
    assert soft_dice_loss(zero - 50, zero).item() == pytest.approx(0, abs=1e-6)
    assert all(loss(zero - 50, zero, zero).isfinite() for loss in LOSSES)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("value", [-50.0, 0.0, 50.0])
def test_gradients_are_finite(loss: torch.nn.Module, value: float) -> None:
    _, target, others, ignore = batch()
    logits = torch.full_like(target, value, requires_grad=True)
    loss(logits, target, others, ignore).backward()
    assert logits.grad is not None
    assert logits.grad.isfinite().all()


@pytest.mark.parametrize("loss", LOSSES)
def test_ignored_pixels_change_nothing(loss: torch.nn.Module) -> None:
    logits, target, others, ignore = batch()
    before = loss(logits, target, others, ignore)
    leaf = torch.where(ignore, 9 - logits, logits).requires_grad_()
    swapped = torch.where(ignore, 1 - target, target)
    after = loss(leaf, swapped, torch.where(ignore, 1 - others, others), ignore)
    assert after.item() == pytest.approx(before.item(), rel=1e-6)
    after.backward()
    assert leaf.grad is not None
    assert (leaf.grad[ignore] == 0).all()
    everything = torch.ones_like(ignore)
    assert loss(logits, target, others, everything).item() == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("loss", LOSSES)
def test_bfloat16_logits_under_autocast_give_float32(loss: torch.nn.Module) -> None:
    logits, target, others, ignore = batch()
    logits = logits.bfloat16()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        out = loss(logits, target, others, ignore)
    assert out.dtype == torch.float32
    assert out.item() == pytest.approx(loss(logits.float(), target, others, ignore).item(), rel=1e-6)


def test_weighted_bce_is_plain_bce_with_unit_weights() -> None:
    logits, target, others, _ = batch()
    loss = weighted_bce(logits, target, others=others, weights=lambda g, o: torch.ones_like(g))
    assert loss.item() == pytest.approx(
        torch.nn.functional.binary_cross_entropy_with_logits(logits, target).item(), rel=1e-6
    )


def clicks(*samples: list[tuple[float, float, int]]) -> Interactions:
    longest = max(map(len, samples))
    rows = torch.tensor([[*sample, *[(0.0, 0.0, -1)] * (longest - len(sample))] for sample in samples])
    return Interactions.clicks(rows[..., 0], rows[..., 1], rows[..., 2], 0, (9, 7))


def test_click_loss_is_a_squared_hinge_on_logits() -> None:
    logits, *_ = batch()
    given = clicks([(2.5, 3.5, 1), (6.0, 8.0, 0), (-0.5, 1.0, 0)], [], [(0.5, 0.5, 0)])
    z = logits[:, 0]
    of_first = [max(1 - z[0, 3, 2].item(), 0) ** 2, max(1 + z[0, 8, 6].item(), 0) ** 2]
    expected = (sum(of_first) / 2 + 0 + max(1 + z[2, 0, 0].item(), 0) ** 2) / 3
    assert click_loss(logits, given).item() == pytest.approx(expected, rel=1e-5)
    assert click_loss(logits.bfloat16(), given).dtype == torch.float32
    assert click_loss(logits, Interactions.empty(3, (9, 7))).item() == 0


def test_a_wrong_negative_click_is_corrected_which_the_printed_loss_would_not_do() -> None:
    """ZoomISEG's Eq. 1 prints max(l - f, 0)^2."""
    logits = torch.full((1, 1, 9, 7), 2.0, requires_grad=True)
    given = clicks([(2.5, 3.5, 0)])
    printed = (-1 - logits[0, 0, 3, 2]).clamp(min=0).square()
    (gradient,) = torch.autograd.grad(printed, logits)
    assert not gradient.any()
    (gradient,) = torch.autograd.grad(click_loss(logits, given), logits)
    assert gradient[0, 0, 3, 2] == 6  # 2 (1 + z)
    assert gradient.count_nonzero() == 1
