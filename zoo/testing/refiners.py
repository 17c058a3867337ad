"""What every refiner must do."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from zoo.encoders import TanhDistance
from zoo.inference.engine import Engine, State, pick
from zoo.inference.refiner import Refiner
from zoo.inference.view import View
from zoo.inference.zoom import Zoom
from zoo.inference.zoom_in import ZoomIn
from zoo.interactions import Interactions
from zoo.losses import BinaryCrossEntropy
from zoo.networks.staged import StagedNetwork
from zoo.ops.frame import Frame
from zoo.testing.comparing import assert_equal, assert_same, assert_same_form
from zoo.testing.engines import SIZE, EngineContract, images, play, said
from zoo.testing.networks import TinyNetwork
from zoo.users import NextClick

if TYPE_CHECKING:
    from zoo.methods.base import InteractiveMethod

CPU = torch.device("cpu")


class RefinerContract(EngineContract):
    """Inherit it in a class `TestSomething` and give `refiner`; a small untrained method is then refined by it.

    What it demands beyond what `EngineContract` does of the refined method, and why:

    - It is no module and adds nothing to a state_dict: a checkpoint trained without it is tested with it.
    - Its state is each sample's own: tensors with leading dimension B, alike for all samples at the start and always,
      whose form never changes, whatever the crop. They are indexed and put together like the rest of a state.
    - A state whose form depends on the crop's size is `crop_bound`, and means nothing in another crop; nothing else of
      a sample is remembered, so that undo takes everything back.
    - Logits are float32 and, like states, finite, even where clicks contradict each other or lie outside the image, in
      a blank image, and in bfloat16: one NaN would stay in a session for good.
    - What it does helps: clicked pixels are on the right side more often than without it.
    - The network is left as it was, with no gradients in it.
    - With flip averaging, a mirrored image has the mirrored result: views share parameters (`View.share`), spatial ones
      mirrored with their view.
    """

    # A search widens what convolutions round differently in another batch.
    tolerance = 2e-2

    def refiner(self) -> Refiner:
        """The refiner under test."""
        raise NotImplementedError(f"{type(self).__name__} has to give `refiner`, which builds the refiner under test")

    def network(self) -> StagedNetwork:
        """What is refined; give another one of 5 channels if the refiner intervenes at a point that this one lacks."""
        return TinyNetwork()

    def method(self, refiner: Refiner | None = None, zoom: Zoom | None = None, flip: bool = False) -> InteractiveMethod:
        """The network in a method with distance maps, refined."""
        # Lightning takes seconds, for which the other contracts need not wait.
        from zoo.methods.base import InteractiveMethod

        made = InteractiveMethod(
            network=self.network(),
            encoder=TanhDistance(20),
            loss=BinaryCrossEntropy(),
            user=NextClick(),
            zoom=zoom,
            refiner=refiner,
            flip=flip,
        )
        return made.eval()

    def make(self) -> Engine:
        """The refined method's engine."""
        return self.method(self.refiner()).engine()

    def test_has_no_weights(self) -> None:
        """A state_dict with it has the entries of one without it."""
        refiner = self.refiner()
        assert not isinstance(refiner, nn.Module), "a refiner is no nn.Module"
        more = self.method(refiner).state_dict().keys() - self.method().state_dict().keys()
        assert not more, f"a state_dict gets no entries, as {sorted(more)}"

    def test_start(self) -> None:
        """Alike for every sample, always, and independent of the crop's size unless it is bound to it."""
        refiner = self.refiner()
        channels = self.method().channels(refiner.at)
        random = torch.get_rng_state()
        three, one = (refiner.start(count, channels, (32, 64), CPU) for count in (3, 1))
        assert torch.equal(torch.get_rng_state(), random), "a start draws no random numbers of others"
        for name, value in three.items():
            assert len(value) == 3, f"{name} has leading dimension B, not {len(value)}"
            assert_equal(value, one[name].expand_as(value), f"{name} is alike for every sample in every batch")
        if not refiner.crop_bound:
            demand = "crop_bound = False, so a state has the form that it has in another crop"
            assert_same_form(refiner.start(1, channels, (96, 32), CPU), one, demand)

    def test_logits_and_states(self) -> None:
        """Of every turn, in whole images and closer."""
        for flip in (False, True):
            recorder = TrunkLog(self.refiner())
            play(self.method(recorder, ZoomIn(32, least=16), flip).engine())
            assert recorder.calls, "the engine calls the refiner"
            for logits, size, before, after in recorder.calls:
                assert logits.shape == size, f"logits are (B, 1, h, w) = {size}, not {tuple(logits.shape)}"
                assert not logits.requires_grad, "logits need no gradient any more"
                assert_same_form(after, before, "a state keeps its form")
                assert not any(value.requires_grad for value in after.values()), "states need no gradient"
            recorder.check_finite()

    def test_a_zoomed_flipped_sample_does_not_depend_on_its_batch(self) -> None:
        """Crops of several sizes, two views of each."""
        engine = self.method(self.refiner(), ZoomIn(32, least=16), flip=True).engine()
        together = play(engine)
        for i in range(3):
            for turn, ((_, every), (_, alone)) in enumerate(zip(together, play(engine, [i]), strict=True)):
                demand = f"sample {i} has its state of the batch alone too, after {turn} turns"
                assert_same(alone, pick(every, torch.tensor([i])), demand, self.tolerance)

    def test_helps(self) -> None:
        """Clicks are obeyed by more masks than without it, and in no image by fewer."""
        wrong = []
        for engine in (self.method().engine(), self.make()):
            everything, state = play(engine)[-1]
            mask = engine.mask(state, everything)[:, 0]
            positive, negative = everything.pixels(1), everything.pixels(0)
            wrong.append(((positive & ~mask) | (negative & mask)).sum((1, 2)))
        plain, refined = wrong
        assert (refined <= plain).all(), f"no more clicked pixels are wrong than without it: {refined}, {plain}"
        assert refined.sum() < plain.sum(), f"fewer clicked pixels are wrong than without it: {refined}, {plain}"

    def test_finite_whatever_is_said(self) -> None:
        """Contradictions, corners, clicks beyond the image, strokes everywhere; a black, a white and a noisy image."""
        height, width = SIZE
        both = [(9.5, 9.5, 1, 0), (9.5, 9.5, 0, 0), (9.5, 9.5, 1, 1)]
        corners = [(0.5, 0.5, 1, 0), (width - 0.5, height - 0.5, 0, 0), (0.5, height - 0.5, 0, 1)]
        beyond = [(-7.5, 4.5, 1, 0), (4.5, height + 90.5, 0, 0), (5e3, 5e3, 1, 1)]
        points = torch.tensor([both, corners, beyond], dtype=torch.float32)
        strokes = torch.zeros(3, 2, *SIZE, dtype=torch.bool)
        strokes[2] = True
        noise = images()[:1]
        image = torch.cat([torch.zeros_like(noise), torch.ones_like(noise), noise])
        for given in (Interactions.of(points, SIZE), Interactions.of(points, SIZE, strokes)):
            for order in ([0, 1, 2], [2, 0, 1]):
                recorder = TrunkLog(self.refiner())
                engine = self.method(recorder, flip=True).engine()
                state = engine.start(image[order])
                for _ in range(2):
                    state = engine.step(image[order], given, state)
                recorder.check_finite()

    def test_bfloat16(self) -> None:
        """The network's features lose digits; logits and states do not."""
        recorder = TrunkLog(self.refiner())
        with torch.autocast("cpu", torch.bfloat16):
            play(self.method(recorder).engine())
        for _, _, before, after in recorder.calls:
            assert_same_form(after, before, "a state keeps its form")
        recorder.check_finite()

    def test_leaves_the_network_alone(self) -> None:
        """Weights, gradients, and what is to be trained."""
        method = self.method(self.refiner())
        before = {name: value.clone() for name, value in method.state_dict().items()}
        trained = [value.requires_grad for value in method.parameters()]
        play(method.engine())
        assert_same(method.state_dict(), before, "weights are as they were")
        assert all(value.grad is None for value in method.parameters()), "weights have no gradients"
        assert [value.requires_grad for value in method.parameters()] == trained, "the same weights are to be trained"

    def test_another_crop(self) -> None:
        """A state that is bound to its crop is forgotten in another one, and nothing is remembered beside it."""
        window, image = Window(), images()
        engine = self.method(self.refiner(), window).engine()
        first = engine.start(image)
        everything = said(0).add(said(1)).add(said(2))
        state = engine.step(image, everything, first)
        again = engine.step(image, everything, first)
        assert_same(again, state, "the same step leads to the same state")
        if not self.refiner().crop_bound:
            return
        window.left = 12
        moved, fresh = (engine.step(image, everything, begin) for begin in (state, first))
        inside = moved["probability"][..., 12:], fresh["probability"][..., 12:]
        assert_equal(*inside, "crop_bound = True: another crop starts anew")

    def test_flip(self) -> None:
        """With flip averaging nothing tells an image from its mirror image."""
        engine, everything = self.method(self.refiner(), flip=True).engine(), said(0).add(said(1)).add(said(2))
        image = images()[..., :32, :32]
        seen = Interactions.of(everything.points, (32, 32))
        straight, mirrored = (
            engine.step(pixels, clicks, engine.start(pixels))["probability"]
            for pixels, clicks in ((image, seen), (image.flip(-1), seen.flip()))
        )
        assert_equal(mirrored.flip(-1), straight, "a mirrored image has the mirrored result", self.tolerance)


class TrunkLog(Refiner):
    """Another refiner, and what it was given and gave.

    Attributes:
        calls: the logits of each, the shape they should have, and the states before and after.
    """

    def __init__(self, inner: Refiner) -> None:
        self.inner, self.at, self.crop_bound = inner, inner.at, inner.crop_bound
        self.calls: list[tuple[Tensor, tuple[int, ...], State, State]] = []

    def start(self, batch: int, channels: int, size: tuple[int, int], device: torch.device) -> State:
        """The other's."""
        return self.inner.start(batch, channels, size, device)

    def __call__(self, view: View, state: State) -> tuple[Tensor, State]:
        """The other's, remembered."""
        logits, after = self.inner(view, state)
        self.calls.append((logits, (len(view.image), 1, *view.frame.size), state, after))
        return logits, after

    def check_finite(self) -> None:
        """Fail unless every logit and state was finite, and logits were float32."""
        for logits, _, _, after in self.calls:
            assert logits.dtype == torch.float32, f"logits are float32, not {logits.dtype}"
            assert logits.isfinite().all(), "every logit is finite"
            for name, value in after.items():
                assert value.isfinite().all(), f"every value of a state is finite, those of {name} too"


class Window(Zoom):
    """The same 32 x 32 pixels of every image.

    Attributes:
        left: where they begin.
    """

    window = 32
    left = 0

    def __call__(self, interactions: Interactions, probability: Tensor) -> Frame:
        """One frame."""
        zero = torch.zeros(len(interactions), dtype=torch.float64, device=interactions.device)
        return Frame(zero + self.left, zero, zero + 1, (32, 32))

    def largest(self, size: tuple[int, int]) -> tuple[int, int]:
        """The window's."""
        return (32, 32)
