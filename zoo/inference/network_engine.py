"""A trained method at test time: zoom, then refiner, then flip, then network."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from zoo.encoders.base import InteractionEncoder
from zoo.errors import ConfigError
from zoo.inference.engine import Engine, State, pick, put
from zoo.inference.looks import Looks
from zoo.inference.precision import Precision, in_precision
from zoo.inference.refiner import Refiner
from zoo.inference.segmenter import Refinable, Segmenter
from zoo.inference.view import FlippedView, View
from zoo.inference.zoom import Zoom
from zoo.interactions import Interactions
from zoo.ops.frame import Frame

REFINER = "refiner."
PIXELS_AT_ONCE = 320 * 1024
"""Of crops, on a CPU: twice 384x384. Beyond, the samples of a batch take longer together than one after another."""


class NetworkEngine(Engine):
    """A trained method in each sample's frame, pasted back into the image.

    Beside the probability, a state holds the previous mask, the last frame and what the refiner learned, under names
    that begin with `refiner.`.

    Args:
        method: segments crops.
        zoom: chooses the crops.
        refiner: changes the prediction, so that it keeps to what was said.
        flip: whether the mirrored crop is segmented too, and the probabilities are averaged.
        precision: of the network.
        mpp: micrometres per pixel that the method works at; None: any.

    Raises:
        ConfigError: the method can't be refined, or not where the refiner intervenes.
    """

    def __init__(
        self,
        method: Segmenter,
        zoom: Zoom,
        refiner: Refiner | None = None,
        flip: bool = False,
        precision: Precision = "trainer",
        mpp: float | None = None,
    ) -> None:
        self.method, self.zoom, self.refiner, self.precision = method, zoom, refiner, precision
        self.view = FlippedView if flip else View
        self.window, self.warmup, self.mpp = zoom.window, method.warmup, mpp
        self.remembers = method.remembers or refiner is not None
        parts = method.modules() if isinstance(method, nn.Module) else ()
        self.boxes = any(isinstance(part, InteractionEncoder) and part.boxes for part in parts)
        self.looks = Looks(method.look) if method.looks and refiner is None else None
        self.channels = 0
        if refiner is not None:
            if not isinstance(method, Refinable):
                raise ConfigError(f"{type(method).__name__} offers no point at which a refiner could intervene")
            self.channels = method.channels(refiner.at)

    def start(self, image: Tensor, mask: Tensor | None = None) -> State:
        """The previous mask before the first turn is the first probability too."""
        previous = self.method.start(image, mask)
        state = {"probability": previous, "previous": previous}
        state["frame"] = torch.zeros(len(image), 5, dtype=torch.float64, device=image.device)
        return state | self._fresh(len(image), (image.shape[-2], image.shape[-1]), image.device)

    def _fresh(self, batch: int, size: tuple[int, int], device: torch.device) -> State:
        """The refiner's state before anything was said, for images of `size`."""
        if self.refiner is None:
            return {}
        learned = self.refiner.start(batch, self.channels, self.zoom.largest(size), device)
        return {REFINER + name: value for name, value in learned.items()}

    def prepare(self, image: Tensor) -> None:
        """Look at what the first turn shows of images, where that is known before and helps."""
        if self.looks is None or self.zoom.window is not None:
            return
        state = self.start(image)
        nothing = Interactions.empty(len(image), (image.shape[-2], image.shape[-1]), image.device)
        for index, frame in self.zoom.frames(nothing, state["probability"], state["frame"]):
            with torch.no_grad(), self.method.running(), in_precision(self.precision, image.device):
                self.looks(frame.crop(image[index]))

    def step(self, image: Tensor, interactions: Interactions, state: State) -> State:
        """Run the method in each sample's frame; outside it the probability stays."""
        groups = _portions(self.zoom.frames(interactions, state["probability"], state["frame"]), image.device)
        if len(groups) == 1:
            return self._step(image, interactions, state, groups[0][1])
        parts = [self._step(image[i], interactions.select(i), pick(state, i), frame) for i, frame in groups]
        every = {name: torch.cat([part[name] for part in parts]) for name in state}
        return put(state, torch.cat([index for index, _ in groups]), every)

    def _step(self, image: Tensor, interactions: Interactions, state: State, frame: Frame) -> State:
        view = self.view(
            method=self.method,
            image=frame.crop(image),
            previous=frame.crop(state["previous"]),
            interactions=interactions.through(frame),
            said=interactions,
            frame=frame,
            look=self.looks,
        )
        with torch.no_grad(), self.method.running(), in_precision(self.precision, image.device):
            probability, learned = self._run(view, state)
        carried = self.method.carry(probability, view.previous)
        return {
            "probability": frame.paste(probability, state["probability"]),
            "previous": frame.paste(carried, state["previous"]),
            "frame": frame.rows(),
        } | learned

    def _run(self, view: View, state: State) -> tuple[Tensor, State]:
        """Probability in the crop and what the refiner learned."""
        refiner = self.refiner
        if refiner is None:
            return view.predict(), {}
        learned = {name: value for name, value in state.items() if name.startswith(REFINER)}
        if refiner.crop_bound:
            fresh = self._fresh(len(view.image), view.said.size, view.image.device)
            moved = (state["frame"] != view.frame.rows()).any(1)
            learned = {
                name: torch.where(moved.view(-1, *[1] * (value.ndim - 1)), fresh[name], value)
                for name, value in learned.items()
            }
        logits, after = refiner(view, {name.removeprefix(REFINER): value for name, value in learned.items()})
        return torch.sigmoid(logits.float()), {REFINER + name: value for name, value in after.items()}

    def mask(self, state: State, interactions: Interactions) -> Tensor:
        """The method's own way from probability to mask."""
        return self.method.mask(state["probability"], interactions)


def _portions(groups: list[tuple[Tensor, Frame]], device: torch.device) -> list[tuple[Tensor, Frame]]:
    """The groups cut into as many samples as are best segmented together."""
    if device.type != "cpu":
        return groups
    out = []
    for index, frame in groups:
        rows = torch.arange(len(index)).split(max(1, PIXELS_AT_ONCE // (frame.size[0] * frame.size[1])))
        out += [(index[row], frame.select(row)) for row in rows]
    return out
