"""Whether an encoder and a network fit each other."""

from __future__ import annotations

import re
from collections.abc import Callable

from torch import Tensor, nn

from zoo.encoders.base import InteractionEncoder
from zoo.errors import ConfigError
from zoo.interactions import Interactions

SIDE = 64
WRONG_CHANNELS = re.compile(r"to have (\d+) channels, but got (\d+) channels")


def check_channels(
    made_by: InteractionEncoder, used_by: nn.Module, join: Callable[[Tensor, Tensor], Tensor], image: Tensor
) -> None:
    """Run encoder and network, which are in evaluation mode, once on an empty image.

    Args:
        made_by: the encoder.
        used_by: the network.
        join: what the network is given, of image and guidance.
        image: (1, 3, H, W), empty.

    Raises:
        ConfigError: the encoder does not give its `out_channels`, or the network takes another number than the image,
            the guidance and what else the method joins to them have together.
    """
    encoder, network = type(made_by).__name__, type(used_by).__name__
    said = getattr(made_by, "out_channels", None)
    if said is None:
        raise ConfigError(f"{encoder} has no `out_channels`; set it to the number of channels that `forward` returns")
    size = (image.shape[-2], image.shape[-1])
    guidance = made_by(Interactions.empty(1, size, image.device), image)
    if guidance.shape != (1, said, *size):
        raise ConfigError(
            f"{encoder} returned guidance of shape {tuple(guidance.shape)} for one image of {size[1]}x{size[0]} px; "
            f"with out_channels = {said} it has to be {(1, said, *size)}"
        )
    joined = join(image, guidance)
    try:
        used_by(joined)
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
