"""Whether an encoder and a network fit each other."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import torch

from zoo.errors import ConfigError
from zoo.interactions import Interactions

if TYPE_CHECKING:
    from zoo.methods.base import InteractiveMethod

SIDE = 64
WRONG_CHANNELS = re.compile(r"to have (\d+) channels, but got (\d+) channels")


def check_channels(method: InteractiveMethod) -> None:
    """Run encoder and network, which are in evaluation mode, once on an empty image.

    Raises:
        ConfigError: the encoder does not give its `out_channels`, or the network takes another number than the image,
            the guidance and what else the method joins to them have together.
    """
    side = method.zoom.window or SIDE
    image = torch.zeros(1, 3, side, side, device=method.device)
    encoder, network = type(method.encoder).__name__, type(method.network).__name__
    said = getattr(method.encoder, "out_channels", None)
    if said is None:
        raise ConfigError(f"{encoder} has no `out_channels`; set it to the number of channels that `forward` returns")
    size = (side, side)
    guidance = method.guide(Interactions.empty(1, size, image.device), image)
    if guidance.shape != (1, said, *size):
        raise ConfigError(
            f"{encoder} returned guidance of shape {tuple(guidance.shape)} for one image of {side}x{side} px; "
            f"with out_channels = {said} it has to be {(1, said, *size)}"
        )
    joined = method.join(image, guidance, method.start(image, None))
    try:
        method.network(joined)
    except Exception as error:
        found = WRONG_CHANNELS.search(str(error))
        # Whatever else goes wrong on an empty image need not go wrong in training, and is told there.
        if found is None or int(found[2]) != joined.shape[1]:
            return
        raise ConfigError(
            f"{network} takes {found[1]} channels but is given {found[2]}: the image and the {said} of {encoder}"
            f"{'' if int(found[2]) == 3 + said else ' and the previous mask'}; set the network's number of input "
            f"channels, `model.init_args.network.init_args.in_channels: {found[2]}`, or in Python "
            f"{network}(in_channels={found[2]})"
        ) from None
