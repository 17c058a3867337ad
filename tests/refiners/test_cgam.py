import numpy as np
import pytest
import torch

from tests.helpers.views import SIDE, clicks, network, view
from tests.refiners.test_brs import SAID, Counted, Probe, refine
from zoo.interactions import Interactions
from zoo.refiners import CGAM, BatchedAdam


def disks(row, side=SIDE, radius=5):
    """(2, H, W): positive and negative."""
    out = np.zeros((2, side, side))
    rows, columns = np.mgrid[:side, :side]
    for x, y, label in row:
        out[1 - label][(rows - int(y)) ** 2 + (columns - int(x)) ** 2 <= radius**2] = 1
    return out


def test_nothing_changes_at_the_start():
    seen = view(clicks(SAID))
    probe = Probe()
    logits, state = refine(CGAM(optimizer=probe), seen)
    torch.testing.assert_close(torch.sigmoid(logits), seen.predict(), rtol=0, atol=1e-5)
    assert state["parameters"].shape == (3, 2 * 5 + 10 * 5 + 5 * 10 + 5 + 10 + 10)
    assert torch.equal(CGAM().first(10, (1, 1)), CGAM().first(10, (2, 2)))


@pytest.mark.parametrize("flip", [False, True])
def test_loss_against_numpy(flip):
    seen = view(clicks(SAID), flip, torch.float64)
    probe = Probe()
    refine(CGAM("decoder", probe), seen)
    torch.manual_seed(1)
    x = probe.began + torch.randn(probe.began.shape, dtype=torch.float64) / 5
    loss = probe.at(x).loss.numpy()
    net = network(torch.float64)
    weight, constant = net.last.weight.detach().numpy()[0, :, 0, 0], float(net.last.bias.detach())
    with torch.no_grad():
        features = seen.trunk("decoder").value.numpy()

    def probability(i, row, attended):
        views = []
        for v in range(2 if flip else 1):
            f = features[v * 3 + i]
            if attended:
                parts = np.split(x[i].numpy(), np.cumsum([6, 18, 18, 3, 6]))
                guide, feature, mix = parts[0].reshape(3, 2), parts[1].reshape(3, 6), parts[2].reshape(6, 3)
                pooled = disks(row).reshape(2, 8, 4, 8, 4).max((2, 4))
                pooled = pooled[..., ::-1] if v else pooled
                hidden = np.tensordot(guide, pooled, 1) + np.tensordot(feature, f, 1) + parts[3][:, None, None]
                mixed = np.tensordot(mix, np.maximum(hidden, 0), 1)
                mean, spread = mixed.mean((1, 2), keepdims=True), mixed.var((1, 2), keepdims=True)
                normal = (mixed - mean) / np.sqrt(spread + 1e-5)
                f = f * (parts[4][:, None, None] * normal + parts[5][:, None, None])
            p = 1 / (1 + np.exp(-np.kron(np.tensordot(weight, f, 1) + constant, np.ones((4, 4)))))
            views.append(p[:, ::-1] if v else p)
        p = sum(views) / len(views)
        return np.log(p / (1 - p))

    for i, row in enumerate(SAID):
        z, before = probability(i, row, True), probability(i, row, False)
        sums = np.zeros((2, 2))
        for sign in (0, 1):
            marked = np.zeros((SIDE, SIDE), bool)
            for u, w, label in row:
                if label == 1 - sign:
                    marked[max(int(w) - 1, 0) : int(w) + 2, max(int(u) - 1, 0) : int(u) + 2] = True
            hinge = np.maximum(1 - z if sign == 0 else 1 + z, 0)
            sums[sign] = (hinge[marked] ** 2).sum(), marked.sum() + 1e-5
        kept = 1 - disks(row[-1:]).max(0)
        expected = (sums[:, 0] / sums[:, 1]).sum() + (((z - before) * kept) ** 2).mean()
        np.testing.assert_allclose(loss[i], expected, rtol=1e-5)


def test_gradient_against_differences():
    seen = view(clicks(SAID), True, torch.float64)
    probe = Probe()
    refine(CGAM(optimizer=probe), seen)
    torch.manual_seed(2)
    x = probe.began + torch.randn(probe.began.shape, dtype=torch.float64) / 10
    now = probe.at(x)
    for _ in range(4):
        direction = torch.randn_like(x)
        slope = (probe.at(x + 1e-6 * direction).loss - probe.at(x - 1e-6 * direction).loss) / 2e-6
        torch.testing.assert_close((now.gradient * direction).sum(1), slope, rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize(("logit", "kept"), [(0.21, True), (0.19, False)])
def test_stops_below_the_margin(logit, kept):
    marks = torch.zeros(1, 2, 4, 4)
    marks[0, 0, 1, 1] = marks[0, 1, 2, 2] = 1
    z = torch.zeros(1, 1, 4, 4)
    z[..., 1, 1], z[..., 2, 2] = 3.0, -logit
    aim = {"marks": marks, "kept": torch.ones_like(z), "before": z}
    loss, done = CGAM().loss(z, torch.zeros(1, 5), aim)
    assert bool(done) is kept
    assert float(loss) == pytest.approx((1 - logit) ** 2, rel=1e-4)


def test_steps_bring_clicks_to_their_side_and_end():
    seen = view(clicks(SAID))
    counted = Counted(BatchedAdam())
    logits, state = refine(CGAM(optimizer=counted), seen)
    assert len(counted.sizes) <= 21
    for losses in counted.losses.values():
        assert losses[-1] < losses[0]
    again = Counted(BatchedAdam())
    refine(CGAM(optimizer=again), seen, state)
    # What was learned is where the next search begins; the newest disk's neighbourhood has not to move again.
    for sample, losses in again.losses.items():
        assert losses[0] <= counted.losses[sample][-1] + 1e-4
    assert logits.isfinite().all()


def test_a_sample_does_not_depend_on_its_batch():
    seen = view(clicks(SAID))
    logits, _ = refine(CGAM(), seen)
    for i in range(3):
        one, _ = refine(CGAM(), seen.select(torch.tensor([i])))
        torch.testing.assert_close(one, logits[i : i + 1], rtol=0, atol=5e-3)


def test_a_scribble_alone_is_enough():
    strokes = torch.zeros(1, 2, SIDE, SIDE, dtype=torch.bool)
    strokes[0, 0, 10, 4:20] = True
    seen = view(Interactions.of(torch.zeros(1, 0, 4), (SIDE, SIDE), strokes))
    counted = Counted(BatchedAdam())
    logits, _ = refine(CGAM(optimizer=counted), seen)
    assert counted.losses[0][-1] < counted.losses[0][0]
    assert logits[strokes[:, :1]].mean() > torch.logit(seen.predict())[strokes[:, :1]].mean()
