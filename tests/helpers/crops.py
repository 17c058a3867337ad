"""A small method with clicks, previous mask and zoom, and refiners whose work can be seen."""

import torch
from torch import Tensor, nn

from zoo.encoders import Disks
from zoo.inference.engine import State
from zoo.inference.refiner import Refiner
from zoo.inference.view import View
from zoo.inference.zoom_in import ZoomIn
from zoo.methods.base import InteractiveMethod
from zoo.networks.staged import Features, StagedNetwork
from zoo.users import NextClick


class Small(StagedNetwork):
    """Dark pixels and those near positive clicks, and a little noise that depends on the neighbourhood.

    Args:
        symmetric: whether it commutes with mirroring.
    """

    def __init__(self, symmetric: bool = False) -> None:
        super().__init__()
        self.channels = {"middle": 4}
        with torch.random.fork_rng():
            torch.manual_seed(0)
            self.conv, self.out = nn.Conv2d(6, 4, 5, padding=2), nn.Conv2d(4, 1, 3, padding=1)
        if symmetric:
            for layer in (self.conv, self.out):
                layer.weight.data = (layer.weight.data + layer.weight.data.flip(-1)) / 2

    def until(self, x: Tensor, point: str) -> Features:
        return Features(self.conv(x).relu(), (x,), (x.shape[-2], x.shape[-1]))

    def after(self, features: Features, point: str) -> Tensor:
        (x,) = features.rest
        seen = 4 * (0.65 - x[:, :3].mean(1, keepdim=True)) + 5 * (x[:, 3:4] - x[:, 4:5]) + x[:, 5:]
        logits: Tensor = seen + self.out(features.value)
        return logits


class SmallMethod(InteractiveMethod):
    """Disks and the previous probability, as RITM has them."""

    def join(self, image: Tensor, guidance: Tensor, previous: Tensor) -> Tensor:
        return torch.cat([image, guidance, previous], 1)


def small(symmetric: bool = False, refiner: Refiner | None = None, flip: bool = False, **zoom: object) -> SmallMethod:
    """With a zoom to 32 x 32, its arguments changed as given."""
    return SmallMethod(
        network=Small(symmetric),
        encoder=Disks(2),
        loss=nn.Identity(),
        user=NextClick(),
        zoom=ZoomIn(**{"side": 32, "least": 8, "expand": 1.2} | zoom),
        refiner=refiner,
        flip=flip,
    ).eval()


class ChannelBias(Refiner):
    """Adds a twentieth of the number of turns to the positive guidance."""

    at = "guidance"

    def start(self, batch: int, channels: int, size: tuple[int, int], device: torch.device) -> State:
        return {"bias": torch.zeros(batch, channels, 1, 1, device=device)}

    def __call__(self, view: View, state: State) -> tuple[Tensor, State]:
        bias = state["bias"] + torch.tensor([0.05, 0.0], device=view.image.device)[:, None, None]
        return changed(view, self.at, bias), {"bias": bias}


class SpatialBias(Refiner):
    """Adds a slope to the guidance that grows with the number of turns in a crop."""

    at = "guidance"
    crop_bound = True

    def start(self, batch: int, channels: int, size: tuple[int, int], device: torch.device) -> State:
        return {
            "slope": torch.zeros(batch, channels, *size, device=device),
            "turns": torch.zeros(batch, dtype=torch.int64, device=device),
        }

    def __call__(self, view: View, state: State) -> tuple[Tensor, State]:
        height, width = view.frame.size
        slope = state["slope"].clone()
        slope[..., :height, :width] += torch.linspace(0, 0.1, width, device=slope.device)
        logits = changed(view, self.at, slope[..., :height, :width])
        return logits, {"slope": slope, "turns": state["turns"] + 1}


def changed(view: View, at: str, parameter: Tensor) -> Tensor:
    """Logits after adding a parameter of each sample at a point."""
    features = view.trunk(at)
    value = features.value + view.share(parameter)
    return view.head(Features(value, features.rest, features.size, features.views), at)
