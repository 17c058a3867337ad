import numpy as np
import pytest
import torch
from torch import Tensor

from zoo.errors import ConfigError
from zoo.refiners import BatchedAdam, BatchedLBFGS, Minimizer, ScipyLBFGSB
from zoo.refiners.minimizer import Evaluation

RNG = np.random.default_rng(0)


class Recorded:
    """A batch of functions that keeps every place at which each sample was evaluated."""

    def __init__(self, value, batch: int, enough: float = -torch.inf) -> None:
        self.value, self.enough = value, enough
        self.places: list[list[Tensor]] = [[] for _ in range(batch)]
        self.together: list[list[int]] = []

    def __call__(self, places: Tensor, samples: Tensor) -> Evaluation:
        for place, sample in zip(places, samples.tolist(), strict=True):
            self.places[sample].append(place.clone())
        self.together.append(samples.tolist())
        x = places.detach().requires_grad_()
        with torch.enable_grad():
            loss = self.value(x, samples)
            (gradient,) = torch.autograd.grad(loss.sum(), x)
        return Evaluation(loss.detach(), gradient, loss.detach() < self.enough, places.clone())


def rosenbrock(x: Tensor, samples: Tensor) -> Tensor:
    return (100 * (x[:, 1:] - x[:, :-1] ** 2) ** 2 + (1 - x[:, :-1]) ** 2).sum(1)


def quadratics(batch: int, size: int):
    """Convex quadratics of condition numbers 10 to 10^4 with minima 0 at known places."""
    matrices, minima = [], torch.from_numpy(RNG.normal(size=(batch, size)))
    for i in range(batch):
        basis, _ = np.linalg.qr(RNG.normal(size=(size, size)))
        matrices.append(basis @ np.diag(np.logspace(0, 1 + i % 4, size)) @ basis.T)
    stack = torch.from_numpy(np.stack(matrices))

    def value(x: Tensor, samples: Tensor) -> Tensor:
        d = x - minima[samples]
        return torch.einsum("bi,bij,bj->b", d, stack[samples], d) / 2

    return value, minima


def wavy(x: Tensor, samples: Tensor) -> Tensor:
    """Not convex: line searches have to go back and forth."""
    return (torch.sin(3 * x) + 0.1 * x**2 + torch.cos(x[:, :1] * x) * (1 + samples[:, None] % 3)).sum(1)


STARTS = torch.from_numpy(RNG.normal(size=(6, 5)))


@pytest.mark.parametrize("value", [rosenbrock, quadratics(6, 5)[0], wavy], ids=["rosenbrock", "quadratics", "wavy"])
@pytest.mark.parametrize("evaluations", [20, 60])
def test_batched_takes_the_steps_of_scipy(value, evaluations):
    ours, theirs = Recorded(value, 6), Recorded(value, 6)
    BatchedLBFGS(evaluations)(ours, STARTS)
    ScipyLBFGSB(evaluations, memory=evaluations)(theirs, STARTS)
    for mine, reference in zip(ours.places, theirs.places, strict=True):
        assert len(mine) <= evaluations
        assert len(reference) <= evaluations
        # Rounding grows from step to step.
        together = min(len(mine), len(reference), 15)
        assert together >= 10
        torch.testing.assert_close(
            torch.stack(mine[:together]), torch.stack(reference[:together]), rtol=1e-4, atol=1e-5
        )


@pytest.mark.parametrize("minimizer", [BatchedLBFGS(120), ScipyLBFGSB(120)], ids=str)
def test_finds_minima(minimizer):
    value, minima = quadratics(4, 6)
    place, output = minimizer(Recorded(value, 4), torch.zeros(4, 6, dtype=torch.float64))
    torch.testing.assert_close(place, minima, atol=1e-5, rtol=0)
    assert torch.equal(place, output)
    start = torch.tensor([[-1.2, 1.0], [0.0, 0.0], [2.0, -1.5]], dtype=torch.float64)
    place, _ = minimizer(Recorded(rosenbrock, 3), start)
    torch.testing.assert_close(place, torch.ones(3, 2, dtype=torch.float64), atol=1e-5, rtol=0)


@pytest.mark.parametrize("minimizer", [BatchedLBFGS(), ScipyLBFGSB()], ids=str)
def test_returns_the_lowest_place_seen(minimizer):
    function = Recorded(wavy, 6)
    place, _ = minimizer(function, STARTS)
    for i, seen in enumerate(function.places):
        values = wavy(torch.stack(seen), torch.full((len(seen),), i))
        assert torch.equal(place[i], seen[int(values.argmin())])


@pytest.mark.parametrize("minimizer", [BatchedLBFGS(), BatchedAdam()], ids=str)
def test_a_sample_does_not_depend_on_its_batch(minimizer):
    together = Recorded(wavy, 6)
    place, _ = minimizer(together, STARTS)
    for i in range(6):
        alone = Recorded(lambda x, samples, i=i: wavy(x, samples + i), 1)
        one, _ = minimizer(alone, STARTS[i : i + 1])
        torch.testing.assert_close(one[0], place[i], rtol=1e-9, atol=1e-9)
        assert len(alone.places[0]) == len(together.places[i])


@pytest.mark.parametrize("minimizer", [BatchedLBFGS(), BatchedAdam(), ScipyLBFGSB()], ids=str)
def test_finished_samples_are_not_evaluated_again(minimizer):
    function = Recorded(rosenbrock, 6, enough=8.0)
    minimizer(function, STARTS)
    lengths = set()
    for i, seen in enumerate(function.places):
        values = rosenbrock(torch.stack(seen), torch.full((len(seen),), i))
        assert not (values[:-1] < 8).any()
        lengths.add(len(seen))
    assert len(lengths) > 1
    assert function.together[0] == (list(range(6)) if not isinstance(minimizer, ScipyLBFGSB) else [0])


def broken(x: Tensor, samples: Tensor) -> Tensor:
    """Sample 1 is nowhere a number, sample 2 only near its start."""
    value = ((x - 2) ** 2).sum(1)
    value = value + torch.where(samples == 1, torch.nan, 0.0)
    return value + torch.where((samples == 2) & (x[:, 0] > 0.1), torch.inf, 0.0)


@pytest.mark.parametrize("minimizer", [BatchedLBFGS(), ScipyLBFGSB()], ids=str)
def test_what_is_not_finite_ends_only_its_own_search(minimizer):
    place, output = minimizer(Recorded(broken, 3), torch.zeros(3, 4))
    torch.testing.assert_close(place, torch.tensor([[2.0] * 4, [0.0] * 4, [0.0] * 4]))
    assert torch.equal(place, output)


def test_the_last_place_is_one_where_the_loss_is_finite():
    function = Recorded(broken, 3)
    place, output = BatchedAdam(0.06)(function, torch.zeros(3, 4))
    assert torch.equal(place, output)
    # Sample 2 goes on from .06 to .12, where it has no loss; sample 1 has none anywhere.
    torch.testing.assert_close(place[1:, 0], torch.tensor([0.0, 0.06]))
    assert [len(seen) for seen in function.places] == [21, 1, 3]


def test_starting_at_a_minimum_is_one_evaluation():
    for minimizer in (BatchedLBFGS(), ScipyLBFGSB()):
        function = Recorded(lambda x, samples: (x**2).sum(1), 2)
        place, _ = minimizer(function, torch.zeros(2, 3))
        assert not place.any()
        assert [len(seen) for seen in function.places] == [1, 1]


def test_nothing_to_search():
    for minimizer in (BatchedLBFGS(), ScipyLBFGSB(), BatchedAdam()):
        place, _ = minimizer(Recorded(rosenbrock, 0), torch.zeros(0, 3))
        assert place.shape == (0, 3)


def test_adam_is_torchs():
    x = STARTS[:3].clone().requires_grad_()
    reference = torch.optim.Adam([x], lr=0.05)
    for _ in range(7):
        reference.zero_grad()
        rosenbrock(x, torch.arange(3)).sum().backward()
        reference.step()
    place, _ = BatchedAdam(0.05, steps=7)(Recorded(rosenbrock, 3), STARTS[:3])
    torch.testing.assert_close(place, x.detach(), rtol=1e-9, atol=1e-9)


def test_needs_an_evaluation():
    kinds: list[type[Minimizer]] = [BatchedLBFGS, ScipyLBFGSB]
    for kind in kinds:
        with pytest.raises(ConfigError, match="evaluations=0"):
            kind(0)  # type: ignore[call-arg]
