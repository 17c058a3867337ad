"""What every engine must do."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor

from zoo.inference.change import owned
from zoo.inference.engine import Engine, State, advance, changed, pick
from zoo.inference.session import Session
from zoo.interactions import Interactions
from zoo.testing.comparing import assert_equal, assert_same, assert_same_form

SIZE = (40, 48)
PADDING = (0.0, 0.0, -1.0)
# Three turns of three images: x, y, label. The second image is silent in turn 1, the third in turn 2.
TURNS = (
    [[(16.5, 14.5, 1)], [(20.5, 24.5, 1)], [(30.5, 18.5, 1), (2.5, 2.5, 0)]],
    [[(26.5, 14.5, 0)], [], [(34.5, 20.5, 1)]],
    [[(18.5, 17.5, 1)], [(3.5, 36.5, 0), (22.5, 22.5, 1)], []],
)
EVERY = (0, 1, 2)


def images() -> Tensor:
    """(3, 3, H, W): a dark disk on noisy light ground each."""
    generator = torch.Generator().manual_seed(0)
    image = 0.85 + 0.1 * torch.rand(3, 3, *SIZE, generator=generator)
    rows, columns = torch.meshgrid(torch.arange(SIZE[0]), torch.arange(SIZE[1]), indexing="ij")
    for i, (x, y) in enumerate([(16, 14), (20, 24), (30, 18)]):
        disk = (columns - x) ** 2 + (rows - y) ** 2 <= 49
        image[i, :, disk] *= torch.tensor([0.4, 0.3, 0.6])[:, None]
    return image


def said(turn: int, samples: Sequence[int] = EVERY) -> Interactions:
    """What the samples are given in a turn."""
    rows = [TURNS[turn][i] for i in samples]
    longest = max(map(len, rows))
    padded = torch.tensor([row + [PADDING] * (longest - len(row)) for row in rows]).reshape(len(rows), longest, 3)
    return Interactions.clicks(padded[..., 0], padded[..., 1], padded[..., 2], turn, SIZE)


def play(engine: Engine, samples: Sequence[int] = EVERY, turns: int = len(TURNS)) -> list[tuple[Interactions, State]]:
    """Everything said and the state before the first turn and after each."""
    image = images()[list(samples)]
    so_far, state = Interactions.empty(len(samples), SIZE), engine.start(image)
    history = [(so_far, state)]
    for turn in range(turns):
        new = said(turn, samples)
        so_far = so_far.add(new)
        state = advance(engine, image, so_far, new, state)
        history.append((so_far, state))
    return history


class EngineContract:
    """Inherit it in a class `TestSomething` and give `make`.

    Three images are segmented in three turns of clicks, in two of which one image is silent. What it demands, and why:

    - A state is tensors with leading dimension B whose form never changes, among them `probability`, float32 in 0..1
      and as large as the image: states are indexed and put together, sample by sample.
    - A sample's result does not depend on its batch: alone, among others, and among those that are left when others
      have ended. Otherwise a leaderboard's numbers would not be what users feel, who segment one image.
    - States, images and interactions are never changed in place: undo and reset return to earlier ones, which then
      lead to the same results as before.
    - What `change` says leads from a state to the one that `step` returns, and back: sessions take the one, evaluation
      may take the other.
    - A sample that says nothing in a turn keeps its state, and the same turns give the same result, bit by bit.
    - It begins with the mask that it is given, and without one with nothing, unless its `warmup` of 0 says that it
      predicts by itself.

    Attributes:
        tolerance: of values that should be equal: convolutions add up in another order in another batch.
    """

    tolerance = 5e-4

    def make(self) -> Engine:
        """The engine under test."""
        raise NotImplementedError(f"{type(self).__name__} has to give `make`, which builds the engine under test")

    def test_probability_and_mask(self) -> None:
        """Before the first turn and after each."""
        engine = self.make()
        for so_far, state in play(engine):
            probability = state["probability"]
            assert probability.shape == (3, 1, *SIZE), f"the probability is (B, 1, H, W), not {probability.shape}"
            assert probability.dtype == torch.float32, f"the probability is float32, not {probability.dtype}"
            assert ((probability >= 0) & (probability <= 1)).all(), "the probability lies in 0..1"
            mask = engine.mask(state, so_far)
            assert mask.shape == (3, 1, *SIZE), f"the mask is (B, 1, H, W), not {mask.shape}"
            assert mask.dtype == torch.bool, f"the mask is bool, not {mask.dtype}"

    def test_states_keep_their_form(self) -> None:
        """The same names, shapes and dtypes from the start on, with leading dimension B, and everything finite."""
        (_, first), *later = play(self.make())
        for name, value in first.items():
            assert len(value) == 3, f"{name} has leading dimension B, not {len(value)}"
        for _, state in later:
            assert_same_form(state, first, "a state has the form of the first one")
            for name, value in state.items():
                assert value.isfinite().all(), f"every value is finite, those of {name} too"

    def test_what_is_said_matters(self) -> None:
        """Otherwise an engine that never changes anything would pass the other tests."""
        states = [state["probability"] for _, state in play(self.make())]
        assert not torch.equal(states[0], states[1]), "the first turn changes the probability"
        assert not torch.equal(states[1], states[3]), "later turns change the probability"

    def test_starts_with_a_given_mask(self) -> None:
        """Or with nothing, or by itself."""
        engine = self.make()
        mask = torch.zeros(3, 1, *SIZE)
        mask[:, :, 5:20, 5:20] = 1
        assert_equal(engine.start(images(), mask)["probability"], mask, "the first probability is the mask given", 1e-5)
        predicts = bool(engine.start(images())["probability"].any())
        assert predicts == (engine.warmup == 0), f"warmup = {engine.warmup}, but it predicts by itself: {predicts}"

    def test_a_change_leads_to_the_state_of_a_step(self) -> None:
        """Written into a copy and into the state itself, and taken back."""
        engine, image = self.make(), images()
        for turn, ((_, state), (so_far, after)) in enumerate(pairwise(play(engine))):
            change = changed(engine, image, so_far, said(turn), state)
            assert_same(change.applied(state), after, f"`change` says what `step` does in turn {turn}", 0)
            own = owned(state)
            back = change.exchanged(own)
            assert_same(own, after, f"`change` says what `step` does in turn {turn}", 0)
            back.exchanged(own)
            assert_same(own, state, f"turn {turn} is taken back", 0)

    def test_a_sample_does_not_depend_on_its_batch(self) -> None:
        """Each image alone."""
        engine = self.make()
        together = play(engine)
        for i in EVERY:
            pairs = zip(together, play(engine, [i]), strict=True)
            for turn, ((said_all, every), (said_one, alone)) in enumerate(pairs):
                demand = f"sample {i} has its state of the batch alone too, after {turn} turns"
                assert_same(alone, pick(every, torch.tensor([i])), demand, self.tolerance)
                differing = (engine.mask(every, said_all)[i : i + 1] != engine.mask(alone, said_one)).float().mean()
                assert differing < max(0.01, self.tolerance / 10), (
                    f"sample {i} has its mask of the batch alone too, after {turn} turns"
                )

    def test_a_compacted_batch_goes_on_alike(self) -> None:
        """Two samples left after the first turn, in another order."""
        engine = self.make()
        together = play(engine)
        keep = torch.tensor([2, 0])
        so_far, state = together[1][0].select(keep), pick(together[1][1], keep)
        for turn in (1, 2):
            new = said(turn, keep.tolist())
            so_far = so_far.add(new)
            state = advance(engine, images()[keep], so_far, new, state)
            demand = f"samples that go on without others go on alike, turn {turn}"
            assert_same(state, pick(together[turn + 1][1], keep), demand, self.tolerance)

    def test_a_silent_sample_keeps_its_state(self) -> None:
        """Whatever the others say."""
        history = play(self.make())
        for turn, silent in ((1, 1), (2, 2)):
            before, after = (pick(history[t][1], torch.tensor([silent])) for t in (turn, turn + 1))
            assert_same(after, before, f"sample {silent}, silent in turn {turn}, keeps its state")

    def test_states_are_never_changed_in_place(self) -> None:
        """Nor are images and interactions."""
        engine, image, so_far = self.make(), images(), Interactions.empty(3, SIZE)
        state = engine.start(image)
        for turn in range(3):
            so_far = so_far.add(said(turn))
            kept = {name: value.clone() for name, value in state.items()}
            points, pixels = so_far.points.clone(), image.clone()
            following = engine.step(image, so_far, state)
            engine.mask(following, so_far)
            assert_same(state, kept, "the state given is not changed in place")
            assert_equal(so_far.points, points, "the interactions given are not changed in place")
            assert_equal(image, pixels, "the image given is not changed in place")
            state = following

    def test_undo_and_reset(self) -> None:
        """A session returns to what was, and goes on from there to what came."""
        session = Session(self.make())
        session.set_image(images())
        seen = [(session.probability.clone(), session.mask)]
        for turn in range(3):
            session.add(said(turn))
            seen.append((session.probability.clone(), session.mask))
        for probability, mask in reversed(seen[:-1]):
            session.undo()
            assert_equal(session.probability, probability, "undo returns to the probability of before")
            assert_equal(session.mask, mask, "undo returns to the mask of before")
        for turn in range(3):
            session.add(said(turn))
        assert_equal(session.probability, seen[-1][0], "after undo, the same turns lead to the same probability")
        session.reset()
        assert_equal(session.probability, seen[0][0], "reset returns to the first probability")
        assert session.turn == 0

    def test_the_same_twice(self) -> None:
        """With randomness as it stands then."""
        engine = self.make()
        for (_, one), (_, other) in zip(play(engine), play(engine), strict=True):
            assert_same(other, one, "the same turns lead to the same state")
