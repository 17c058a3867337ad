"""Losses of the methods, all called as `loss(logits, target, others, ignore) -> scalar`.

Shapes and ranges are the same everywhere, all (B,1,H,W): `logits` float of any precision, `target` in {0, 1},
`others` in {0, 1}, the pixels of objects other than the target, and `ignore` bool or None, pixels that count for
nothing. A loss is computed in float32, per sample, and is the mean over samples; a sample whose pixels are all
ignored gives 0. `click_loss` looks at what was said instead, and is added to one of them.
"""

from collections.abc import Callable
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zoo.interactions import Interactions

_PIXELS = (1, 2, 3)


def weights_torch(target: Tensor, others: Tensor) -> Tensor:
    """Pixel weights 1 + G + 3 G~ (B,1,H,W) of NuClick's PyTorch release; G is the object, G~ the others."""
    return 1 + target + 3 * others


def weights_keras(target: Tensor, others: Tensor) -> Tensor:
    """Pixel weights (B,1,H,W) of NuClick's Keras release: background 1, others 2, object 2 + `|G~| / |G|`."""
    return 1 + others + (1 + _area_ratio(target, others)) * target


def weights_paper(target: Tensor, others: Tensor) -> Tensor:
    """Pixel weights a^2 G + a G~ + 1 (B,1,H,W) with `a = max(|G~| / |G|, 1)`, as printed below NuClick's Eq. 1.

    On nuclei `a` is about 12, so that an object's pixels weigh about 150 times the background's.
    """
    a = _area_ratio(target, others).clamp(min=1)
    return a.square() * target + a * others + 1


def soft_dice_loss(logits: Tensor, target: Tensor, *, ignore: Tensor | None = None, eps: float = 1e-5) -> Tensor:
    """Return 1 - (2 sum(p g) + eps) / (sum(p) + sum(g) + eps), scalar in [0, 1], 0 for a perfect prediction.

    NuClick's Eq. 1 prints it without the factor 2, which would give a perfect prediction 0.5.
    """
    valid = _valid(logits, ignore)
    p = logits.float().sigmoid() * valid
    g = target.float() * valid
    overlap = 2 * (p * g).sum(_PIXELS) + eps
    return (1 - overlap / (p.sum(_PIXELS) + g.sum(_PIXELS) + eps)).mean()


def weighted_bce(
    logits: Tensor,
    target: Tensor,
    *,
    others: Tensor,
    ignore: Tensor | None = None,
    weights: Callable[[Tensor, Tensor], Tensor] = weights_torch,
) -> Tensor:
    """Binary cross-entropy times a weight map, scalar: its mean over a sample's valid pixels."""
    valid = _valid(logits, ignore)
    target = target.float() * valid
    weight = weights(target, others.float() * valid) * valid
    loss = F.binary_cross_entropy_with_logits(logits.float(), target, weight, reduction="none")
    return _mean(loss, valid)


class BinaryCrossEntropy(nn.Module):
    """Plain binary cross-entropy (DeepScribble, section 4); other objects play no part."""

    def forward(self, logits: Tensor, target: Tensor, others: Tensor, ignore: Tensor | None = None) -> Tensor:
        """Shapes as in the module docstring, to a scalar."""
        valid = _valid(logits, ignore)
        return _mean(
            F.binary_cross_entropy_with_logits(logits.float(), target.float(), reduction="none") * valid, valid
        )


class NuClickLoss(nn.Module):
    """NuClick's hybrid loss (Eq. 1): soft Dice plus weighted cross-entropy.

    Args:
        weights: the weight map, of which three versions were published: the authors' PyTorch release
            ('release', the best on nuclei), their Keras release ('keras') or the paper ('paper').
    """

    def __init__(self, weights: Literal["release", "keras", "paper"] = "release") -> None:
        super().__init__()
        self.weights = {"release": weights_torch, "keras": weights_keras, "paper": weights_paper}[weights]

    def forward(self, logits: Tensor, target: Tensor, others: Tensor, ignore: Tensor | None = None) -> Tensor:
        """Shapes as in the module docstring, to a scalar."""
        dice = soft_dice_loss(logits, target, ignore=ignore)
        return dice + weighted_bce(logits, target, others=others, ignore=ignore, weights=self.weights)


class NormalizedFocalLoss(nn.Module):
    """Normalised focal loss (Sofiiuk et al. 2019, as RITM uses it): focal loss whose weights average to 1.

    With p_t the probability of the right class, beta = (1 - p_t)^gamma and k = N / sum(beta), detached, over the
    N valid pixels of a sample: L = -1/N sum(alpha_t k beta log(p_t)). Other objects play no part.

    Args:
        alpha: weight of foreground pixels; background pixels get 1 - alpha.
        gamma: focusing exponent, 0 for plain cross-entropy.
    """

    def __init__(self, alpha: float = 0.5, gamma: float = 2.0) -> None:
        super().__init__()
        self.alpha = alpha
        self.gamma = gamma

    def forward(self, logits: Tensor, target: Tensor, others: Tensor, ignore: Tensor | None = None) -> Tensor:
        """Shapes as in the module docstring, to a scalar."""
        valid = _valid(logits, ignore)
        target = target.float()
        # From the logit of the right class both p_t and 1 - p_t stay exact where one of them rounds to 1.
        right = logits.float() * (2 * target - 1)
        beta = torch.sigmoid(-right).pow(self.gamma) * valid
        k = (valid.sum(_PIXELS, keepdim=True) / (beta.sum(_PIXELS, keepdim=True) + 1e-12)).detach()
        alpha = self.alpha * target + (1 - self.alpha) * (1 - target)
        log_p = (torch.sigmoid(right) + 1e-12).clamp(max=1).log()
        return _mean(-alpha * k * beta * log_p, valid)


def click_loss(logits: Tensor, interactions: Interactions) -> Tensor:
    """ZoomISEG's click loss: the squared hinge max(1 - l z, 0)^2 of the logits z at the clicks, labels l = 1 or -1.

    Its mean over a sample's clicks, then over samples; one without clicks counts as 0. Eq. 1 prints max(l - f, 0)^2,
    which is 0 for a negative click wherever f > -1: no gradient would ever correct it.

    Args:
        logits: (B,1,H,W), of any precision.
        interactions: of the same images; only clicks inside of them count.

    Returns:
        Scalar float32.
    """
    height, width = interactions.size
    x, y = (interactions.points[..., axis].floor().long() for axis in (0, 1))
    label = interactions.points[..., 2]
    counts = (label >= 0) & (x >= 0) & (x < width) & (y >= 0) & (y < height)
    place = torch.where(counts, y * width + x, 0)
    z = logits.float().flatten(1).gather(1, place)
    hinge = (1 - (2 * label - 1) * z).clamp(min=0).square() * counts
    return (hinge.sum(1) / counts.sum(1).clamp(min=1)).mean()


def _valid(logits: Tensor, ignore: Tensor | None) -> Tensor:
    if ignore is None:
        return torch.ones_like(logits, dtype=torch.float32)
    return (~ignore.bool()).float()


def _mean(loss: Tensor, valid: Tensor) -> Tensor:
    return (loss.sum(_PIXELS) / valid.sum(_PIXELS).clamp(min=1)).mean()


def _area_ratio(target: Tensor, others: Tensor) -> Tensor:
    """|others| / |target| per sample (B,1,1,1); an empty target counts as one pixel."""
    return others.sum(_PIXELS, keepdim=True) / target.sum(_PIXELS, keepdim=True).clamp(min=1)
