"""What methods do otherwise on an accelerator, without one: the meta device stands for it, or its name alone."""

import pytest
import torch

from tests.methods.test_nuclick import batch, tiny
from zoo.inference.session import as_images
from zoo.methods import RITM, GuideNet, base
from zoo.methods.base import EVEN, even
from zoo.testing import TinyNetwork

CPU, GPU = torch.device("cpu"), torch.device("cuda")


def convolutions(module: torch.nn.Module) -> list[torch.Tensor]:
    """The weights whose layouts can be told apart."""
    return [p for p in module.parameters() if p.ndim == 4 and min(p.shape[1], p.shape[2] * p.shape[3]) > 1]


@pytest.mark.parametrize(
    "make", [tiny, lambda: GuideNet(TinyNetwork(3), torch.nn.Identity())], ids=["NuClick", "GuideNet"]
)
def test_weights_lie_as_their_device_likes_it(make):
    method = make()
    weights = convolutions(method.network)
    assert len(weights) > 3
    assert all(weight.is_contiguous(memory_format=torch.channels_last) for weight in weights)
    moved = method.to("meta")
    assert moved is method
    assert moved.device.type == "meta"
    assert all(weight.is_contiguous() for weight in convolutions(moved.network))
    assert not any(weight.is_contiguous(memory_format=torch.channels_last) for weight in convolutions(moved.network))


def test_moving_to_the_cpu_or_another_type_keeps_layout_and_values():
    method = tiny()
    before = {name: value.clone() for name, value in method.network.state_dict().items()}
    method.to("cpu").to(torch.float64)
    for name, value in method.network.state_dict().items():
        assert torch.equal(value.float() if value.is_floating_point() else value, before[name])
    assert all(weight.is_contiguous(memory_format=torch.channels_last) for weight in convolutions(method.network))


def test_so_do_its_inputs():
    for device, format in ((CPU, torch.channels_last), (torch.device("meta"), torch.contiguous_format)):
        image, guidance, previous = (torch.zeros(2, channels, 32, 32, device=device) for channels in (3, 2, 1))
        for given in (image, image.contiguous(memory_format=torch.channels_last)):
            joined = RITM(TinyNetwork(6)).join(given, guidance, previous)
            assert joined.is_contiguous(memory_format=format)


@pytest.mark.parametrize("count", [1, EVEN - 1, EVEN, EVEN + 1, 3 * EVEN])
def test_accelerators_see_few_sizes_of_batches(count):
    index = torch.arange(count) * 3
    assert torch.equal(even(index, CPU), index)
    filled = even(index, GPU)
    assert len(filled) == -(-count // EVEN) * EVEN
    assert torch.equal(filled[:count], index)
    assert (filled[count:] == index[-1]).all()


def test_fillers_change_nothing(monkeypatch):
    """The turns that are simulated are the same with the samples that an accelerator gets beside its own."""
    samples = batch(7)
    image, sizes = as_images(samples.image), []

    def filled(index, device):
        sizes.append((len(index), len(even(index, GPU))))
        return even(index, GPU)

    method = tiny(turns=[0.3, 0.3, 0.4])
    with torch.no_grad():
        said, previous = method.simulate(image, samples.truth)
        monkeypatch.setattr(base, "even", filled)
        again, others = method.simulate(image, samples.truth)
    assert sizes
    assert all(count < EVEN == size for count, size in sizes)
    assert torch.equal(again.points, said.points)
    torch.testing.assert_close(others, previous, rtol=0, atol=1e-5)
