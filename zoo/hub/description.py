"""Whether weights belong to a method: encoder, network, resolution and previous mask that they were trained with.

Shapes alone do not tell: weights fit any encoder of as many channels, and dilated convolutions those that are not.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import nn

from zoo.errors import CheckpointError
from zoo.hub.folder import build
from zoo.networks.outline import outline

TOLERANCE = 0.02
"""Of two resolutions that count as one, as a share."""
PREVIOUS = ("start", "carry", "join")
"""The hooks that decide what the previous mask is and how a network is given it."""


def check_same(module: nn.Module, config: dict[str, Any], source: object) -> None:
    """Compare a method with the one that weights are of.

    Weights of other shapes are left to those who load them: a network with more inputs may begin as one without.

    Args:
        module: that is to get the weights.
        config: `class_path` and `init_args` of the method that they were trained in.
        source: what error messages call the weights.

    Raises:
        CheckpointError: they differ; both are named.
    """
    with torch.random.fork_rng(devices=[]):
        trained = build(config, source)
    found = next(differences(trained, module), None)
    if found is not None:
        what, theirs, ours = found
        raise CheckpointError(
            f"{source}: was trained with the {what} {theirs}, but here it is {ours}; correct the experiment, or load "
            "it all the same with `model.init_args.weights_override: true`"
        )


def differences(trained: nn.Module, module: nn.Module) -> Iterator[tuple[str, str, str]]:
    """What differs between two methods, as the first and as the second has it."""
    mpp, wanted = (getattr(method, "mpp", None) for method in (trained, module))
    if mpp is not None and wanted is not None and abs(mpp - wanted) > TOLERANCE * mpp:
        yield "resolution", f"{mpp:g} um/px", f"{wanted:g} um/px"
    if _shapes(trained) != _shapes(module):
        return
    for part in ("encoder", "network"):
        theirs, ours = (outline(getattr(method, part, None)) for method in (trained, module))
        if theirs != ours:
            yield part, *_unlike(theirs, ours)
    first, second = type(trained), type(module)
    if any(getattr(first, hook, None) is not getattr(second, hook, None) for hook in PREVIOUS):
        yield "previous mask", f"of {first.__name__}", f"that of {second.__name__}"


def _unlike(theirs: dict[str, str], ours: dict[str, str]) -> tuple[str, str]:
    """The first line that differs, of both: the whole module where it is another class."""
    name = next(name for name in [*theirs, *ours] if theirs.get(name) != ours.get(name))
    first, second = (f"{lines.get(name, 'nothing')}{f' at {name}' * bool(name)}" for lines in (theirs, ours))
    return first, second


def _shapes(module: nn.Module) -> dict[str, torch.Size]:
    return {name: value.shape for name, value in module.state_dict().items()}
