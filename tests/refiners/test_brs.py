from copy import copy
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn.functional import silu

from tests.helpers.views import SIDE, clicks, network, view
from zoo.errors import ConfigError
from zoo.ops.frame import Frame
from zoo.refiners import CGAM, FBRS, FBRSA, FBRSB, FBRSC, RGBBRS, BatchedLBFGS, DistMapBRS, Minimizer, ScipyLBFGSB
from zoo.refiners.backpropagating import Backpropagating
from zoo.refiners.minimizer import Evaluation, Function

CHANNELS = {"backbone": 8, "aspp": 10, "decoder": 6, "guidance": 2, "image": 3}
SAID = [
    [(0.5, 0.5, 1), (20.5, 12.5, 0), (31.5, 18.5, 1)],
    [(15.5, 30.5, 0), (8.5, 8.5, 1)],
    [(25.5, 25.5, 1), (10.5, 3.5, 1), (3.5, 28.5, 0), (16.5, 16.5, 0)],
]


class Probe(Minimizer):
    """Keeps the function for the test."""

    def __init__(self) -> None:
        super().__init__(1)

    def search(self, function: Function, start: Tensor) -> None:
        self.function = function
        self.samples = torch.arange(len(start))
        self.began = start
        function(start, self.samples)

    def at(self, places: Tensor) -> Evaluation:
        return self.function(places, self.samples)


class Counted(Minimizer):
    """Another minimizer, and how many samples each evaluation had."""

    def __init__(self, inner: Minimizer) -> None:
        super().__init__(inner.evaluations)
        self.inner, self.last, self.sizes = inner, inner.last, []
        self.losses: dict[int, list[float]] = {}

    def search(self, function: Function, start: Tensor) -> None:
        def counted(places: Tensor, samples: Tensor) -> Evaluation:
            now = function(places, samples)
            self.sizes.append(len(samples))
            for sample, loss in zip(samples.tolist(), now.loss.tolist(), strict=True):
                self.losses.setdefault(sample, []).append(loss)
            return now

        self.inner.search(counted, start)


def refine(refiner: Backpropagating, seen, state=None):
    state = state or refiner.start(len(seen.image), CHANNELS[refiner.at], seen.frame.size, seen.image.device)
    state = {name: value.to(seen.image.dtype) for name, value in state.items()}
    with torch.no_grad():
        return refiner(seen, state)


ALL = [
    lambda **k: DistMapBRS(**k),
    lambda **k: RGBBRS(**k),
    lambda **k: FBRSA(**k),
    lambda **k: FBRSB(**k),
    lambda **k: FBRSC(**k),
]
NAMES = ["distmap", "rgb", "a", "b", "c"]


@pytest.fixture(params=ALL, ids=NAMES)
def make(request):
    return request.param


def slow_probability(image: np.ndarray, row: list, at: str, x: Tensor) -> np.ndarray:
    """(SIDE, SIDE) of the tiny network, layer by layer, its input or its features changed by `x` at a point."""
    net = network(torch.float64)

    def change(value: Tensor, point: str) -> Tensor:
        if point != at:
            return value
        return value + x if point in ("image", "guidance") else value * (1 + x[0][:, None, None]) + x[1][:, None, None]

    centres = np.arange(SIDE) + 0.5
    guidance = np.ones((2, SIDE, SIDE))
    for u, w, label in row:
        distance = np.hypot(centres - u, centres[:, None] - w)
        guidance[1 - label] = np.minimum(guidance[1 - label], np.tanh(2 * distance / 20))
    given = [change(torch.from_numpy(part), name) for part, name in ((image, "image"), (guidance, "guidance"))]
    low = silu(net.stem(torch.cat(given)[None]))
    deep = change(silu(net.deep(low)), "backbone")
    context = change(torch.cat([silu(net.context(deep)), low[..., ::2, ::2]], 1), "aspp")
    small = net.last(change(silu(net.decoder(context)), "decoder")).detach().numpy()[0, 0]
    return 1 / (1 + np.exp(-np.kron(small, np.ones((4, 4)))))


@pytest.mark.parametrize("flip", [False, True])
def test_loss_against_numpy(make, flip):
    seen = view(clicks(SAID), flip, torch.float64)
    probe = Probe()
    refiner = make(optimizer=probe, still=1.0)
    refine(refiner, seen)
    torch.manual_seed(1)
    x = torch.randn(probe.began.shape, dtype=torch.float64) / 3
    loss = probe.at(x).loss.numpy()
    for i, row in enumerate(SAID):
        image = seen.image[i].numpy()
        own = x[i].view(-1, SIDE, SIDE) if refiner.crop_bound else x[i].view(2, -1)
        p = slow_probability(image, row, refiner.at, own)
        if flip:
            mirrored = [(SIDE - u, w, label) for u, w, label in row]
            # A map is mirrored with its image; scales and biases belong to channels.
            own = own.flip(-1) if refiner.crop_bound else own
            p = (p + slow_probability(image[..., ::-1].copy(), mirrored, refiner.at, own)[:, ::-1]) / 2
        marks = np.zeros((2, SIDE, SIDE))
        for u, w, label in row:
            r, c = int(w), int(u)
            marks[1 - label, max(r - 1, 0) : r + 2, max(c - 1, 0) : c + 2] = 1
        expected = ((1 - p) ** 2 * marks[0]).sum() / (marks[0].sum() + 1e-5)
        expected += (p**2 * marks[1]).sum() / (marks[1].sum() + 1e-5)
        squares = x[i].view(2, -1).numpy() ** 2
        expected += 1e-3 * (squares.sum() if refiner.crop_bound else squares[0].sum() + 10 * squares[1].sum())
        np.testing.assert_allclose(loss[i], expected, rtol=1e-5)


@pytest.mark.parametrize("flip", [False, True])
def test_gradients_against_differences(make, flip):
    seen = view(clicks(SAID), flip, torch.float64)
    seen.method.threshold = 1e-6
    probe = Probe()
    # Nothing ends such a search.
    refine(make(optimizer=probe, still=1.0), seen)
    torch.manual_seed(2)
    x = torch.randn(probe.began.shape, dtype=torch.float64) / 10
    now = probe.at(x)
    assert not now.finished.any()
    for _ in range(4):
        direction = torch.randn_like(x)
        slope = (probe.at(x + 1e-5 * direction).loss - probe.at(x - 1e-5 * direction).loss) / 2e-5
        torch.testing.assert_close((now.gradient * direction).sum(1), slope, rtol=2e-4, atol=1e-7)


@pytest.mark.parametrize("flip", [False, True])
def test_batched_reaches_what_scipy_reaches(make, flip):
    seen = view(clicks(SAID), flip)
    seen.method.threshold = 1e-6
    found = []
    for inner in (BatchedLBFGS(), ScipyLBFGSB()):
        # Without the stopping rules, all evaluations are used.
        counted = Counted(inner)
        logits, _ = refine(make(optimizer=counted, still=1.0), seen)
        found.append((logits, counted))
    (ours, mine), (theirs, reference) = found
    for sample in range(3):
        low, least = min(mine.losses[sample]), min(reference.losses[sample])
        assert low < 0.7 * mine.losses[sample][0]
        assert low == pytest.approx(least, rel=0.05)
        assert len(mine.losses[sample]) <= 20
        # With the same steps at the start.
        assert mine.losses[sample][:4] == pytest.approx(reference.losses[sample][:4], rel=1e-3)
    assert ((ours > 0) == (theirs > 0)).float().mean() > 0.97


def test_with_stopping_rules_batched_and_scipy_agree(make):
    seen = view(clicks(SAID))
    ours, scipy = Counted(BatchedLBFGS()), Counted(ScipyLBFGSB())
    (logits, state), (reference, theirs) = (refine(make(optimizer=m), seen) for m in (ours, scipy))
    torch.testing.assert_close(logits, reference, rtol=1e-2, atol=1e-2)
    torch.testing.assert_close(state, theirs, rtol=1e-2, atol=1e-3)
    assert {s: len(losses) for s, losses in ours.losses.items()} == {s: len(x) for s, x in scipy.losses.items()}
    assert sum(ours.sizes) == sum(scipy.sizes)


def test_refining_obeys_the_clicks_better():
    seen = view(clicks(SAID))
    with torch.no_grad():
        plain = seen.head(seen.trunk("aspp"), "aspp")
    logits, _ = refine(FBRSB(still=1.0), seen)
    for i, row in enumerate(SAID):
        for x, y, label in row:
            sign = 1 if label else -1
            before, after = (sign * float(z[i, 0, int(y), int(x)]) for z in (plain, logits))
            assert after > min(before, -0.05)
        errors = [(sum((z[i, 0, int(y), int(x)] > 0) != bool(label) for x, y, label in row)) for z in (plain, logits)]
        assert errors[1] < errors[0] or errors[1] == 0


@pytest.mark.parametrize("threshold", [0.5, 0.3])
def test_ends_once_the_mask_has_every_mark(threshold):
    probe, seen = Probe(), view(clicks([[(10.5, 10.5, 1), (20.5, 20.5, 1)]]))
    seen.method.threshold = threshold
    refine(FBRSC(optimizer=probe, still=1.0), seen)
    last = network().last.weight.detach()[0, :, 0, 0]
    x = torch.zeros(1, 12)
    plain = probe.at(x).output[0, 0]
    edge = min(float(plain[9:12, 9:12].min()), float(plain[19:22, 19:22].min()))
    # The bias of the last layer's input moves all logits; the least marked one comes to just below, just above.
    for beyond in (-0.01, 0.01):
        x[0, 6:] = (np.log(threshold / (1 - threshold)) - edge + beyond) * last / last.square().sum()
        now = probe.at(x)
        mask = seen.method.mask(torch.sigmoid(now.output), seen.interactions)[0, 0]
        assert bool(mask[9:12, 9:12].all() and mask[19:22, 19:22].all()) is (beyond > 0)
        assert bool(now.finished) is (beyond > 0)


@pytest.mark.parametrize(
    ("positive", "offset", "right"), [(1, -0.039, True), (1, -0.041, False), (0, -0.041, True), (0, -0.039, False)]
)
def test_threshold_of_the_stopping_rule(positive, offset, right):
    refiner = FBRSC()
    marks = torch.zeros(1, 2, 4, 4)
    marks[0, 1 - positive, 1, 1] = 1
    logits = torch.full((1, 1, 4, 4), float(offset))
    limits = torch.tensor([[0.51, 0.49]])
    _, kept = refiner.loss(logits, torch.zeros(1, 2, 3), {"marks": marks, "limits": limits})
    assert bool(kept) is right


def test_ends_once_the_mask_stands_still():
    probe = Probe()
    refine(FBRSC(optimizer=probe), view(clicks([[(10.5, 10.5, 1), (11.5, 10.5, 0)]])))
    first = probe.at(torch.zeros(1, 12))
    # The probe has already evaluated the start once.
    assert bool(first.finished)
    last = network().last.weight.detach()[0, :, 0, 0]
    moved = torch.zeros(1, 12)
    moved[0, 6:] = 80 * last / last.square().sum()
    assert not probe.at(moved).finished
    assert bool(probe.at(moved).finished)
    # Nothing above the threshold, twice: still to grow.
    moved = -moved
    assert not probe.at(moved).finished
    assert not probe.at(moved).finished


def test_begins_with_the_second_click(make):
    said = clicks([SAID[0], SAID[1][:1], SAID[2]])
    seen = view(said)
    refiner = make(still=1.0)
    start = refiner.start(3, CHANNELS[refiner.at], (SIDE, SIDE), torch.device("cpu"))
    logits, state = refine(refiner, seen, start)
    torch.testing.assert_close(torch.sigmoid(logits[1:2]), seen.select(torch.tensor([1])).predict(), rtol=0, atol=1e-5)
    assert not state["parameters"][1].any()
    assert all(state["parameters"][i].any() for i in (0, 2))
    for i in range(3):
        one, learned = refine(refiner, seen.select(torch.tensor([i])))
        torch.testing.assert_close(one, logits[i : i + 1], rtol=1e-3, atol=1e-3)
        torch.testing.assert_close(learned["parameters"], state["parameters"][i : i + 1], rtol=1e-3, atol=1e-4)


def test_no_sample_is_ready():
    seen = view(clicks([SAID[0][:1], SAID[1][:1]]))
    probe = Probe()
    logits, state = refine(FBRSB(optimizer=probe), seen)
    assert not hasattr(probe, "function")
    torch.testing.assert_close(torch.sigmoid(logits), seen.predict(), rtol=0, atol=1e-6)
    assert not state["parameters"].any()


def test_the_network_is_given_the_first_clicks():
    seen = view(clicks([SAID[2]]))
    for refiner, given in ((FBRSB(Probe(), clicks=3), 3), (DistMapBRS(Probe()), 5), (FBRSB(Probe(), clicks=None), 4)):
        logits, _ = refine(refiner, seen)
        few = replace(seen, interactions=seen.interactions.first(given))
        torch.testing.assert_close(torch.sigmoid(logits), few.predict(), rtol=0, atol=1e-6)
    assert (FBRSB().clicks, DistMapBRS().clicks, RGBBRS().clicks, CGAM().clicks) == (8, 5, 5, None)


def test_starts_where_the_last_click_ended(make):
    seen = view(clicks(SAID))
    _, state = refine(make(still=1.0), seen)
    probe = Probe()
    refine(make(optimizer=probe), seen, state)
    assert torch.equal(probe.began, state["parameters"].flatten(1))


def test_spatial_state_fills_the_corner_of_the_largest_crop():
    refiner = DistMapBRS(still=1.0)
    start = refiner.start(3, 2, (48, 40), torch.device("cpu"))
    kept = start["parameters"].clone()
    seen = view(clicks(SAID))
    logits, state = refine(refiner, seen, start)
    assert torch.equal(start["parameters"], kept)
    assert state["parameters"].shape == kept.shape
    assert state["parameters"][..., :SIDE, :SIDE].any()
    assert not state["parameters"][..., SIDE:, :].any()
    assert not state["parameters"][..., SIDE:].any()
    reference, small = refine(refiner, seen)
    assert torch.equal(reference, logits)
    assert torch.equal(small["parameters"], state["parameters"][..., :SIDE, :SIDE])


@pytest.mark.parametrize("flip", [False, True])
@pytest.mark.parametrize("refiner", [*(make(still=1.0) for make in ALL), CGAM()], ids=[*NAMES, "cgam"])
def test_in_bfloat16_a_search_still_lowers_the_loss(refiner, flip):
    refiner = copy(refiner)
    refiner.optimizer = Counted(refiner.optimizer)
    seen = view(clicks(SAID), flip)
    with torch.autocast("cpu", torch.bfloat16):
        assert seen.trunk("aspp").value.dtype == torch.bfloat16
        logits, state = refine(refiner, seen)
    assert logits.dtype == torch.float32
    assert logits.isfinite().all()
    assert state["parameters"].dtype == torch.float32
    for losses in refiner.optimizer.losses.values():
        assert min(losses) < 0.9 * losses[0]


@pytest.mark.parametrize("refiner", [DistMapBRS(still=1.0), RGBBRS(still=1.0), FBRSA(still=1.0), CGAM()], ids=str)
def test_a_mirrored_image_is_refined_to_the_mirrored_logits(refiner):
    """With flip averaging, nothing tells an image from its mirror image."""
    mirrored_clicks = [[(SIDE - x, y, label) for x, y, label in row] for row in SAID]
    seen, other = view(clicks(SAID), True), view(clicks(mirrored_clicks), True)
    other = replace(other, image=seen.image.flip(-1))
    (logits, state), (mirrored, learned) = refine(refiner, seen), refine(refiner, other)
    torch.testing.assert_close(mirrored.flip(-1), logits, rtol=1e-2, atol=1e-2)
    expected = state["parameters"].flip(-1) if refiner.crop_bound else state["parameters"]
    torch.testing.assert_close(learned["parameters"], expected, rtol=1e-2, atol=1e-3)
    assert state["parameters"].any()


def test_clicks_outside_the_crop_count_for_nothing():
    origin = torch.tensor([40.0], dtype=torch.float64)
    frame = Frame(origin, origin, origin * 0 + 1, (SIDE, SIDE))
    seen = view(clicks([[(5.5, 5.5, 1), (9.5, 9.5, 0)]], (80, 80)), frame=frame)
    counted = Counted(BatchedLBFGS())
    _, state = refine(FBRSB(optimizer=counted), seen)
    assert counted.sizes == [1]
    assert not state["parameters"].any()


def test_inference_mode_is_refused():
    seen = view(clicks(SAID))
    with torch.inference_mode(), pytest.raises(ConfigError, match="no_grad"):
        refine(FBRSB(), seen)


def test_options_out_of_range():
    for wrong in ({"still": 0.0}, {"weight": -1.0}, {"clicks": 0}):
        with pytest.raises(ConfigError, match=f"{next(iter(wrong))}="):
            FBRS(**wrong)
