"""What has to be known of a method by those who run it without isegzoo."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from zoo.inference.zoom import InteractionWindow
from zoo.inference.zoom_in import ZoomIn
from zoo.segmenters.interactive import InteractiveSegmenter
from zoo.segmenters.refinenet import RefineNet


def facts(method: nn.Module) -> dict[str, Any]:
    """What a program has to know that runs the graphs of a method.

    `window`: side of the square around a click that it is given; `side`: of the crop around the mask; null: the image.
    `reads`: `clicks`, `strokes`, or null, where it is told nothing.
    `previous`: what its previous mask is, `probability` (the last one), `start` (that of `start.onnx`), or `unused`.
    """
    zoom = getattr(method, "zoom", None)
    previous = "unused"
    if isinstance(method, RefineNet):
        previous = "start"
    elif isinstance(method, InteractiveSegmenter) and method.remembers and _reads_previous(method):
        previous = "probability"
    return {
        "method": f"{type(method).__module__}.{type(method).__qualname__}",
        "mpp": getattr(method, "mpp", None),
        "threshold": getattr(method, "threshold", 0.5),
        "window": zoom.window if isinstance(zoom, InteractionWindow) else None,
        "side": zoom.side if isinstance(zoom, ZoomIn) else None,
        "reads": method.encoder.graph_input if isinstance(method, InteractiveSegmenter) else None,
        "previous": previous,
    }


def _reads_previous(method: InteractiveSegmenter) -> bool:
    """Whether the previous mask enters the network at all."""
    image, guidance = torch.zeros(1, 3, 32, 32), torch.zeros(1, method.encoder.out_channels, 32, 32)
    inputs = [method.join(image, guidance, torch.full((1, 1, 32, 32), value)) for value in (0.0, 1.0)]
    return not torch.equal(*inputs)
