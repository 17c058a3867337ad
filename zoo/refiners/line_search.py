"""A line search for many samples at once, each at its own pace."""

from __future__ import annotations

import torch
from torch import Tensor

EXTRAPOLATE = (1.1, 4.0)
SHRINK = 0.66


class LineSearch:
    """Steps along n directions that satisfy the strong Wolfe conditions (Moré and Thuente 1994, in double precision).

    With phi(a) the function at step a, a step is taken when phi(a) <= phi(0) + decrease * a * phi'(0) and |phi'(a)| <=
    curvature * |phi'(0)|, or when the interval is too small to go on. An interval around such a step shrinks by cubic
    and quadratic interpolation.

    Args:
        decrease: of the first condition.
        curvature: of the second.
        narrow: relative width of an interval that is too small; these three as in L-BFGS-B.
        longest: step.
    """

    def __init__(
        self, decrease: float = 1e-3, curvature: float = 0.9, narrow: float = 0.1, longest: float = 1e10
    ) -> None:
        self.decrease, self.curvature, self.narrow, self.longest = decrease, curvature, narrow, longest
        # (n,) each: `step` to try next, first value and slope, ends `a` (the best so far) and `b` with values and
        # slopes, limits, the interval's last two widths.
        self._now: dict[str, Tensor] = {}

    @property
    def step(self) -> Tensor:
        """(n,) float64: the step to evaluate next."""
        return self._now["step"]

    def select(self, index: Tensor) -> None:
        """Keep only some of the searches."""
        self._now = {name: value[index] for name, value in self._now.items()}

    def begin(self, who: Tensor, step: Tensor, value: Tensor, slope: Tensor) -> None:
        """New searches where `who`, from a first step, and value and (negative) slope at step 0; all (n,)."""
        zero = torch.zeros_like(value)
        width = torch.full_like(value, self.longest)
        fresh = {
            "step": step,
            "value": value,
            "slope": slope,
            "a": zero,
            "value_a": value,
            "slope_a": slope,
            "b": zero,
            "value_b": value,
            "slope_b": slope,
            "low": zero,
            "high": step * (1 + EXTRAPOLATE[1]),
            "width": width,
            "before": 2 * width,
            "bracketed": torch.zeros_like(who),
            "second": torch.zeros_like(who),
        }
        self._now = {name: torch.where(who, new, self._now.get(name, new)) for name, new in fresh.items()}

    def advance(self, value: Tensor, slope: Tensor) -> Tensor:
        """(n,) bool: which steps are taken, given value and slope there; the others have a new step to try."""
        s = self._now
        step = s["step"]
        tangent = self.decrease * s["slope"]
        below = value <= s["value"] + step * tangent
        second = s["second"] | (below & (slope >= 0))
        taken = below & (slope.abs() <= self.curvature * -s["slope"])
        taken |= s["bracketed"] & ((step <= s["low"]) | (step >= s["high"]))
        taken |= s["bracketed"] & (s["high"] - s["low"] <= self.narrow * s["high"])
        taken |= (step == self.longest) & below & (slope <= tangent)
        taken |= (step == 0) & (~below | (slope >= tangent))
        # In the first stage the interval is chosen by phi(a) - decrease * a * phi'(0), which has a minimum in it.
        shift = torch.where(~second & (value <= s["value_a"]) & ~below, tangent, 0)
        a = (s["a"], s["value_a"] - s["a"] * shift, s["slope_a"] - shift)
        b = (s["b"], s["value_b"] - s["b"] * shift, s["slope_b"] - shift)
        here = (step, value - step * shift, slope - shift)
        following, bracketed = _interpolate(a, b, here, s["bracketed"], s["low"], s["high"])
        higher = here[1] > a[1]
        crossed = ~higher & (here[2].sign() * a[2].sign() < 0)
        raw_a, raw_here = (s["a"], s["value_a"], s["slope_a"]), (step, value, slope)
        raw_b = (s["b"], s["value_b"], s["slope_b"])
        new_b = [
            torch.where(higher, h, torch.where(crossed, x, y)) for h, x, y in zip(raw_here, raw_a, raw_b, strict=True)
        ]
        new_a = [torch.where(higher, x, h) for h, x in zip(raw_here, raw_a, strict=True)]
        width = (new_b[0] - new_a[0]).abs()
        slow = bracketed & (width >= SHRINK * s["before"])
        following = torch.where(slow, new_a[0] + (new_b[0] - new_a[0]) / 2, following)
        reach = following - new_a[0]
        low = torch.where(bracketed, torch.minimum(new_a[0], new_b[0]), following + EXTRAPOLATE[0] * reach)
        high = torch.where(bracketed, torch.maximum(new_a[0], new_b[0]), following + EXTRAPOLATE[1] * reach)
        following = following.clamp(0, self.longest)
        stuck = (following <= low) | (following >= high) | (high - low <= self.narrow * high)
        following = torch.where(bracketed & stuck, new_a[0], following)
        self._now = s | {
            "step": torch.where(taken, step, following),
            "low": low,
            "high": high,
            "before": torch.where(bracketed, s["width"], s["before"]),
            "width": torch.where(bracketed, width, s["width"]),
            "bracketed": bracketed,
            "second": second,
        }
        for end, values in (("a", new_a), ("b", new_b)):
            self._now |= dict(zip((end, f"value_{end}", f"slope_{end}"), values, strict=True))
        return taken


Point = tuple[Tensor, Tensor, Tensor]


def _interpolate(
    a: Point, b: Point, here: Point, bracketed: Tensor, low: Tensor, high: Tensor
) -> tuple[Tensor, Tensor]:
    """The next step, and whether a minimum is now bracketed: the four cases of Moré and Thuente, section 4.

    Points are step, value and slope: the best end, the other end and the newest.
    """
    (xa, fa, da), xb, (x, f, d) = a, b[0], here
    opposite = d.sign() * da.sign() < 0
    cubic, real = _cubic_minimum(here, a)
    secant = x + d / (d - da) * (xa - x)
    parabola = xa + da / ((fa - f) / (x - xa) + da) / 2 * (x - xa)

    cubic_nearer_a = (cubic - xa).abs() < (parabola - xa).abs()
    higher = torch.where(cubic_nearer_a, cubic, cubic + (parabola - cubic) / 2)

    farther = (cubic - x).abs() > (secant - x).abs()
    crossed = torch.where(farther, cubic, secant)

    # The slope lessens: the cubic counts only where it has a minimum beyond the newest step.
    beyond = torch.where(x > xa, high, low)
    ahead = real & ((cubic - x) * (x - xa) > 0)
    cubic_ahead = torch.where(ahead, cubic, beyond)
    nearer = (cubic_ahead - x).abs() < (secant - x).abs()
    inside = torch.where(nearer, cubic_ahead, secant)
    edge = x + SHRINK * (xb - x)
    inside = torch.where(x > xa, torch.minimum(edge, inside), torch.maximum(edge, inside))
    farther = (cubic_ahead - x).abs() > (secant - x).abs()
    outside = torch.where(farther, cubic_ahead, secant).clamp(low, high)
    lessened = torch.where(bracketed, inside, outside)

    steady = torch.where(bracketed, _cubic_minimum(here, b)[0], beyond)

    following = torch.where(d.abs() < da.abs(), lessened, steady)
    following = torch.where(opposite, crossed, following)
    following = torch.where(f > fa, higher, following)
    return following, bracketed | (f > fa) | opposite


def _cubic_minimum(one: Point, other: Point) -> tuple[Tensor, Tensor]:
    """Where the cubic through two points with slopes is least, and whether it has such a place."""
    (x, f, d), (y, g, e) = one, other
    theta = 3 * (g - f) / (x - y) + d + e
    largest = torch.stack([theta.abs(), d.abs(), e.abs()]).amax(0)
    inner = (theta / largest).square() - (d / largest) * (e / largest)
    gamma = largest * inner.clamp(min=0).sqrt()
    gamma = torch.where(x > y, -gamma, gamma)
    return x + (gamma - d + theta) / (2 * gamma - d + e) * (y - x), gamma != 0
