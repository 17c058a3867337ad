"""What every engine has to satisfy: inherit `EngineContract` in a class `TestSomething` and make `engine` a fixture."""

import pytest
import torch
from torch import Tensor

from zoo.inference.engine import Engine, State, advance
from zoo.inference.session import Session
from zoo.interactions import Interactions

SIZE = (40, 48)
PADDING = (0.0, 0.0, -1.0)
# Three turns of three images: x, y, label. The second image is silent in turn 1, the third in turn 2.
TURNS = (
    [[(16.5, 14.5, 1)], [(20.5, 24.5, 1)], [(30.5, 18.5, 1), (2.5, 2.5, 0)]],
    [[(26.5, 14.5, 0)], [], [(34.5, 20.5, 1)]],
    [[(18.5, 17.5, 1)], [(3.5, 36.5, 0), (22.5, 22.5, 1)], []],
)


def images() -> Tensor:
    """(3, 3, H, W): a dark disk on noisy light ground each."""
    generator = torch.Generator().manual_seed(0)
    image = 0.85 + 0.1 * torch.rand(3, 3, *SIZE, generator=generator)
    rows, columns = torch.meshgrid(torch.arange(SIZE[0]), torch.arange(SIZE[1]), indexing="ij")
    for i, (x, y) in enumerate([(16, 14), (20, 24), (30, 18)]):
        disk = (columns - x) ** 2 + (rows - y) ** 2 <= 49
        image[i, :, disk] *= torch.tensor([0.4, 0.3, 0.6])[:, None]
    return image


def said(turn: int, samples: list[int] | None = None) -> Interactions:
    """What the samples (all by default) are given in a turn."""
    rows = [TURNS[turn][i] for i in (range(3) if samples is None else samples)]
    longest = max(map(len, rows))
    padded = torch.tensor([row + [PADDING] * (longest - len(row)) for row in rows]).reshape(len(rows), longest, 3)
    return Interactions.clicks(padded[..., 0], padded[..., 1], padded[..., 2], turn, SIZE)


def play(engine: Engine, samples: list[int], turns: int = len(TURNS)) -> list[tuple[Interactions, State]]:
    """Everything said and the state before and after each turn."""
    image = images()[samples]
    so_far, state = Interactions.empty(len(samples), SIZE), engine.start(image)
    history = [(so_far, state)]
    for turn in range(turns):
        new = said(turn, samples)
        so_far = so_far.add(new)
        state = advance(engine, image, so_far, new, state)
        history.append((so_far, state))
    return history


def assert_same(one: State, other: State, exact: bool = False, tolerance: float = 5e-4) -> None:
    assert one.keys() == other.keys()
    for name in one:
        # Convolutions add up in another order in another batch.
        torch.testing.assert_close(one[name], other[name], rtol=0, atol=0 if exact else tolerance)


class EngineContract:
    tolerance = 5e-4

    @pytest.fixture
    def engine(self) -> Engine:
        raise NotImplementedError

    def test_probability_and_mask(self, engine):
        for so_far, state in play(engine, [0, 1, 2]):
            probability = state["probability"]
            assert probability.shape == (3, 1, *SIZE)
            assert probability.dtype == torch.float32
            assert probability.min() >= 0
            assert probability.max() <= 1
            assert all(len(value) == 3 for value in state.values())
            mask = engine.mask(state, so_far)
            assert mask.shape == (3, 1, *SIZE)
            assert mask.dtype == torch.bool

    def test_what_is_said_matters(self, engine):
        states = [state["probability"] for _, state in play(engine, [0, 1, 2])]
        assert not torch.equal(states[0], states[1])
        assert not torch.equal(states[1], states[3])

    def test_starts_with_a_given_mask(self, engine):
        mask = torch.zeros(3, 1, *SIZE)
        mask[:, :, 5:20, 5:20] = 1
        torch.testing.assert_close(engine.start(images(), mask)["probability"], mask)
        assert bool(engine.start(images())["probability"].any()) == (engine.warmup == 0)

    def test_a_sample_does_not_depend_on_its_batch(self, engine):
        together = play(engine, [0, 1, 2])
        for i in range(3):
            for (said_all, every), (said_one, alone) in zip(together, play(engine, [i]), strict=True):
                assert_same({n: v[i : i + 1] for n, v in every.items()}, alone, tolerance=self.tolerance)
                mask = engine.mask(every, said_all)[i : i + 1]
                assert (mask != engine.mask(alone, said_one)).float().mean() < 0.01

    def test_a_compacted_batch_goes_on_alike(self, engine):
        together = play(engine, [0, 1, 2])
        keep = torch.tensor([2, 0])
        so_far, state = together[1][0].select(keep), {name: v[keep] for name, v in together[1][1].items()}
        for turn in (1, 2):
            new = said(turn, keep.tolist())
            so_far = so_far.add(new)
            state = advance(engine, images()[keep], so_far, new, state)
            assert_same({n: v[keep] for n, v in together[turn + 1][1].items()}, state, tolerance=self.tolerance)

    @pytest.mark.parametrize(("turn", "silent"), [(1, 1), (2, 2)])
    def test_a_silent_sample_keeps_its_state(self, engine, turn, silent):
        history = play(engine, [0, 1, 2])
        before, after = history[turn][1], history[turn + 1][1]
        assert_same({n: v[silent] for n, v in before.items()}, {n: v[silent] for n, v in after.items()}, exact=True)

    def test_states_are_never_changed_in_place(self, engine):
        image, so_far = images(), Interactions.empty(3, SIZE)
        state = engine.start(image)
        for turn in range(3):
            new = said(turn)
            so_far = so_far.add(new)
            kept = {name: value.clone() for name, value in state.items()}
            points, pixels = so_far.points.clone(), image.clone()
            following = engine.step(image, so_far, state)
            engine.mask(following, so_far)
            assert_same(state, kept, exact=True)
            assert torch.equal(so_far.points, points)
            assert torch.equal(image, pixels)
            state = following

    def test_undo_and_reset(self, engine):
        session = Session(engine)
        session.set_image(images())
        seen = [(session.probability.clone(), session.mask)]
        for turn in range(3):
            session.add(said(turn))
            seen.append((session.probability.clone(), session.mask))
        for probability, mask in reversed(seen[:-1]):
            session.undo()
            assert torch.equal(session.probability, probability)
            assert torch.equal(session.mask, mask)
        for turn in range(3):
            session.add(said(turn))
        assert torch.equal(session.probability, seen[-1][0])
        session.reset()
        assert torch.equal(session.probability, seen[0][0])
        assert session.turn == 0

    def test_the_same_twice(self, engine):
        for (_, one), (_, other) in zip(play(engine, [0, 1, 2]), play(engine, [0, 1, 2]), strict=True):
            assert_same(one, other, exact=True)
