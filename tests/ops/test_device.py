import torch

from zoo.ops.device import layout


def test_channels_are_last_on_cpus_alone() -> None:
    assert layout(torch.device("cpu")) == torch.channels_last
    for name in ("cuda", "cuda:1", "mps", "meta"):
        assert layout(torch.device(name)) == torch.contiguous_format
