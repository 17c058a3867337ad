"""RefineNet in its sessions: the engine contract, small and large images."""

from functools import cache
from itertools import pairwise

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from zoo import Click, Scribble, Session
from zoo.inference.engine import Engine
from zoo.methods import GuideNet, RefineNet
from zoo.networks import Unet
from zoo.testing import EngineContract

LARGE = (1000, 1300)


def convolutions(channels: int, seed: int) -> nn.Module:
    """Untrained, with logits that neither vanish nor saturate."""
    torch.manual_seed(seed)
    net = nn.Sequential(nn.Conv2d(channels, 4, 5, padding=2), nn.ReLU(), nn.Conv2d(4, 1, 5, padding=2))
    with torch.no_grad():
        for part in (net[0], net[2]):
            part.weight *= 2
    return net


class CountingGuide(GuideNet):
    """Remembers the sizes of the images that it was given."""

    def __init__(self) -> None:
        super().__init__(convolutions(3, seed=1), nn.BCEWithLogitsLoss())
        self.seen: list[tuple[int, int]] = []

    def probability(self, image: Tensor) -> Tensor:
        self.seen += [tuple(image.shape[-2:])] * len(image)
        return super().probability(image)


@pytest.fixture
def guide(monkeypatch) -> CountingGuide:
    made = CountingGuide().eval().requires_grad_(False)
    monkeypatch.setattr("zoo.methods.refinenet.frozen_guide", lambda name: made)
    return made


def refine(network: nn.Module | None = None, **arguments) -> RefineNet:
    return RefineNet(network or convolutions(6, seed=2), guide="a name", **arguments)


@cache
def unet() -> nn.Module:
    torch.manual_seed(0)
    return Unet(6, "test_efficientnet", decoder_channels=(16, 8, 8, 4, 4))


@pytest.mark.usefixtures("guide")
class TestRefineNetWhole(EngineContract):
    def make(self) -> Engine:
        return refine(unet()).engine()


@pytest.mark.usefixtures("guide")
class TestRefineNetTiled(EngineContract):
    def make(self) -> Engine:
        return refine(tile=32, overlap=8).engine()


def nearest() -> nn.Module:
    """What is nearer to a positive than to a negative scribble is inside: so the mask changes where scribbles are."""
    net = nn.Conv2d(6, 1, 1)
    with torch.no_grad():
        net.weight[0, :, 0, 0] = torch.tensor([0.0, 0.0, 0.0, 0.0, 60.0, -60.0])
    return net


@pytest.mark.usefixtures("guide")
class TestRefineNetMerged(EngineContract):
    def make(self) -> Engine:
        return refine(nearest(), tile=32, overlap=8, merge=40.0).engine()


@pytest.mark.parametrize("merge", [None, 40.0])
def test_tiles_of_the_beginning_are_told(guide, merge):
    engine, told = refine(tile=32, overlap=8, merge=merge).engine(), []
    engine.progress = lambda done, total: told.append((done, total))
    engine.start(torch.zeros(1, 3, 64, 64))
    assert told[-1][0] == told[-1][1] > 1


def image(size: tuple[int, int]) -> np.ndarray:
    rows, columns = np.mgrid[: size[0], : size[1]]
    waves = [np.sin(rows / 31 + k) * np.cos(columns / 23 - k) for k in range(3)]
    return (127.5 + 100 * np.stack(waves, -1)).astype(np.uint8)


def test_a_large_image_from_end_to_end(guide):
    session = Session(refine().engine())
    session.set_image(image(LARGE))
    guided = session.probability.clone()
    assert set(guide.seen) == {(384, 384)}
    computed = len(guide.seen)
    assert guided.shape == (1, 1, *LARGE)
    whole = guide.probability(torch.from_numpy(image(LARGE)).permute(2, 0, 1)[None].float() / 255)
    # Away from the edges of tiles, where the guide sees no further, tiles and the whole image say the same.
    assert ((guided - whole).abs() < 1e-5).float().mean() > 0.9
    del guide.seen[computed:]

    turns = [
        # along the bottom, to the last pixel of the last row and column
        [Scribble(((1200.0, 999.9), (1299.9, 999.9), (1299.9, 990.0)))],
        [Scribble(((0.0, 0.0), (0.0, 200.0)), positive=False, width=5), Click(0.0, 300.0)],
        [Scribble(((300.5, 500.5), (900.5, 520.5)), width=3)],
    ]
    seen = [guided]
    for turn in turns:
        session.add(*turn)
        seen.append(session.probability.clone())
    assert len(guide.seen) == computed
    first, second, third = (later != earlier for earlier, later in pairwise(seen))
    assert first[..., 999, 1200:].float().mean() > 0.9
    assert not first[..., : 1000 - 384, :].any()
    assert not first[..., : 1300 - 384].any()
    assert second[..., :200, 0].float().mean() > 0.9
    assert not second[..., 384 + 288 :, :].any()
    assert not second[..., 384:].any()
    assert third[..., 500:520, 400:800].float().mean() > 0.9
    assert not third[..., :200, :].any()
    assert all((each >= 0).all() and (each <= 1).all() for each in seen)
    for earlier in reversed(seen[:-1]):
        session.undo()
        assert torch.equal(session.probability, earlier)
    session.add(*turns[0])
    assert torch.equal(session.probability, seen[1])
    session.reset()
    assert torch.equal(session.probability, guided)


@pytest.mark.parametrize("size", [LARGE, (300, 384)])
def test_an_external_mask_replaces_the_guide(guide, size):
    session = Session(refine().engine())
    mask = np.zeros(size, bool)
    mask[100:200, 100:250] = True
    session.set_image(image(size), mask)
    assert np.array_equal(session.mask[0, 0].numpy(), mask)
    session.add(Scribble(((10.5, 10.5), (60.5, 40.5))))
    with_mask = session.probability.clone()
    assert not guide.seen
    assert torch.equal(with_mask[..., 384:, :], torch.from_numpy(mask)[None, None, 384:].float())
    # the network is given the mask where it would be given the guide
    session.set_image(image(size))
    session.add(Scribble(((10.5, 10.5), (60.5, 40.5))))
    assert guide.seen
    assert not torch.allclose(session.probability[..., :288, :288], with_mask[..., :288, :288], atol=1e-3)


def test_an_image_of_one_tile_is_computed_as_a_whole(guide):
    model = refine()
    session = Session(model.engine())
    session.set_image(image((384, 300)))
    session.add(Click(100.5, 380.5), Scribble(((3.5, 3.5), (200.5, 90.5)), positive=False))
    pixels = torch.from_numpy(image((384, 300))).permute(2, 0, 1)[None].float() / 255
    padded = torch.nn.functional.pad(pixels, (0, 20, 0, 0), mode="replicate")
    said = session.interactions
    before = torch.nn.functional.pad(guide.probability(pixels), (0, 20, 0, 0), mode="replicate")
    strokes = torch.nn.functional.pad(said.strokes, (0, 20, 0, 0))
    with torch.no_grad():
        guidance = model.encoder(type(said).of(said.points, (384, 320), strokes), padded)
        expected = model.eval()(padded, guidance, before).sigmoid()[..., :300]
    torch.testing.assert_close(session.probability, expected)
