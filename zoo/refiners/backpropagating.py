"""What BRS, f-BRS and CGAM share: each sample's parameters are searched by passing through the rest of the network."""

from __future__ import annotations

import math
from abc import abstractmethod
from dataclasses import replace

import torch
from torch import Tensor

from zoo.errors import ConfigError
from zoo.inference.engine import State
from zoo.inference.refiner import Refiner
from zoo.inference.view import View
from zoo.networks.staged import Features
from zoo.refiners.minimizer import Evaluation, Minimizer

Aim = dict[str, Tensor]
"""What a search has to know of the samples, with leading dimension B."""

STATE = "parameters"
FIRST = 2


class Backpropagating(Refiner):
    """Changes the features at a point by parameters of each sample's own, so that a loss of the logits gets small.

    The network runs up to the point once a turn; a search then runs only what follows, with gradients for the
    parameters alone. It begins with a sample's second click, or with its first stroke; before, the prediction is the
    plain one.

    Args:
        clicks: how many of a sample's clicks the network is given, the first ones; None: all. All count in the loss.
        optimizer: searches the parameters.

    Attributes:
        still: a search ends when the masks of two successive evaluations have a greater IoU than this; None: never.
    """

    still: float | None = None

    def __init__(self, clicks: int | None, optimizer: Minimizer) -> None:
        if clicks is not None and clicks < 1:
            raise ConfigError(f"clicks={clicks} must be at least 1, or left out for all")
        self.clicks, self.optimizer = clicks, optimizer

    @abstractmethod
    def first(self, channels: int, size: tuple[int, int]) -> Tensor:
        """One sample's parameters before anything was said; with `crop_bound` their last dimensions are `size`."""

    @abstractmethod
    def aim(self, view: View, features: Features, parameters: Tensor) -> Aim:
        """What `change` and `loss` have to know of the view's samples, before a search from these parameters."""

    @abstractmethod
    def change(self, features: Features, parameters: Tensor, aim: Aim, view: View) -> Tensor:
        """The features' new value, from parameters (B, ...) as `first` gives them."""

    @abstractmethod
    def loss(self, logits: Tensor, parameters: Tensor, aim: Aim) -> tuple[Tensor, Tensor]:
        """(B,) loss of logits (B, 1, h, w) and parameters, and (B,) bool, whether what was said is kept to."""

    def logits(self, features: Features, parameters: Tensor, aim: Aim, view: View) -> Tensor:
        """(B, 1, h, w) from changed features."""
        return view.head(replace(features, value=self.change(features, parameters, aim, view)), self.at)

    def start(self, batch: int, channels: int, size: tuple[int, int], device: torch.device) -> State:
        """As `Refiner` has it: `parameters` of every sample."""
        first = self.first(channels, size).to(device)
        return {STATE: first.expand(batch, *first.shape).clone()}

    def __call__(self, view: View, state: State) -> tuple[Tensor, State]:
        """As `Refiner` has it."""
        if torch.is_inference_mode_enabled():
            raise ConfigError("refiners need gradients, which torch.inference_mode() forbids; use torch.no_grad()")
        features = view.trunk(self.at, self.clicks)
        ready = (view.said.points[..., 2] >= 0).sum(1) >= FIRST
        if view.said.strokes is not None:
            ready |= view.said.strokes.flatten(1).any(1)
        who = ready.nonzero()[:, 0]
        if len(who) == 0:
            return view.head(features, self.at), state
        parameters = state[STATE]
        if self.crop_bound:
            parameters = parameters[..., : view.frame.size[0], : view.frame.size[1]]
        parameters = parameters[who]
        search = _Search(self, view.select(who), features.select(who), parameters)
        places, logits = self.optimizer(search, parameters.flatten(1))
        found = places.unflatten(1, parameters.shape[1:])
        learned = state[STATE].clone()
        if self.crop_bound:
            learned[who, ..., : view.frame.size[0], : view.frame.size[1]] = found
        else:
            learned[who] = found
        if len(who) < len(ready):
            others = (~ready).nonzero()[:, 0]
            plain = view.head(features.select(others), self.at)
            every = plain.new_zeros(len(ready), *plain.shape[1:])
            logits = every.index_copy(0, others, plain).index_copy(0, who, logits)
        return logits, {STATE: learned}


class _Search:
    """A refiner's loss as a function of the parameters, for any of a view's samples."""

    def __init__(self, refiner: Backpropagating, view: View, features: Features, start: Tensor) -> None:
        self.refiner, self.view, self.features, self.shape = refiner, view, features, start.shape[1:]
        self.aim = refiner.aim(view, features, start)
        size = len(view.image)
        self.samples: Tensor | None = None
        self.part, self.part_aim = features, self.aim
        self.masks = torch.zeros(size, 1, *features.size, dtype=torch.bool, device=view.image.device)
        self.compared = torch.zeros(size, dtype=torch.bool, device=view.image.device)

    def __call__(self, places: Tensor, samples: Tensor) -> Evaluation:
        if self.samples is not samples:
            self.samples = samples
            every = len(samples) == len(self.masks)
            self.part = self.features if every else self.features.select(samples)
            self.part_aim = self.aim if every else {name: value[samples] for name, value in self.aim.items()}
        place = places.detach().requires_grad_()
        with torch.enable_grad():
            parameters = place.unflatten(1, self.shape)
            logits = self.refiner.logits(self.part, parameters, self.part_aim, self.view)
            loss, kept = self.refiner.loss(logits, parameters, self.part_aim)
            logits = logits.detach()
            finished = kept | self._stands(logits, samples)
            gradient = torch.zeros_like(places)
            if not bool(finished.all()):
                (gradient,) = torch.autograd.grad(loss.sum(), place)
        return Evaluation(loss.detach(), gradient, finished, logits)

    def _stands(self, logits: Tensor, samples: Tensor) -> Tensor:
        """(K,) bool: whether the mask is the last one but for a little; two empty ones are still to grow."""
        if self.refiner.still is None:
            return torch.zeros(len(samples), dtype=torch.bool, device=logits.device)
        t = self.view.threshold
        now, last = logits > math.log(t / (1 - t)), self.masks[samples]
        both, union = (now & last).sum((1, 2, 3)), (now | last).sum((1, 2, 3))
        stands = self.compared[samples] & (both > self.refiner.still * union)
        self.masks[samples] = now
        self.compared[samples] = True
        return stands
