"""A batch of objects to click on, and a network that remembers what it is given."""

import torch
from torch import Tensor, nn

from zoo.data.batch import Batch
from zoo.testing import tiny_image
from zoo.users import Truth


def batch(count: int = 6) -> Batch:
    image, labels = tiny_image()
    instances = torch.from_numpy(labels).long()[None, None].expand(count, -1, -1, -1)
    object_id = torch.arange(count) % 4 + 1
    truth = Truth(instances == object_id[:, None, None, None], torch.arange(count), instances, object_id)
    pixels = torch.from_numpy(image).permute(2, 0, 1)[None].expand(count, -1, -1, -1)
    return Batch(pixels.contiguous(), truth, torch.zeros(count, dtype=torch.long))


class Spy(nn.Module):
    """Remembers in which mode and with what it was called; its logits grow with the share of the clicks seen."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(channels)
        self.calls: list[tuple[bool, bool, Tensor]] = []

    def forward(self, x: Tensor) -> Tensor:
        self.calls.append((self.training, torch.is_grad_enabled(), x.detach()))
        return self.norm(x).sum(1, keepdim=True) / 8
