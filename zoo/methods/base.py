"""The template of every trained interactive method."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import replace

import torch
from lightning.pytorch.cli import LRSchedulerCallable, OptimizerCallable
from torch import Tensor, nn

from zoo.data.batch import Batch
from zoo.encoders.base import InteractionEncoder
from zoo.errors import ConfigError
from zoo.inference.refiner import Refiner
from zoo.inference.session import as_images
from zoo.inference.zoom import Zoom
from zoo.interactions import Interactions
from zoo.methods.channels import SIDE, check_channels
from zoo.methods.trained import TrainedMethod
from zoo.ops.draws import Draw
from zoo.ops.frame import Frame
from zoo.ops.random import uniform
from zoo.segmenters.interactive import InteractiveSegmenter
from zoo.users.base import SimulatedUser, Truth

EVEN = 32


class InteractiveMethod(InteractiveSegmenter, TrainedMethod):
    """A network that segments from an image, guidance and the previous mask, trained with simulated users.

    One training step: turns of *user, guidance, forward* without gradient and in evaluation mode, then one more turn
    with gradient and the loss. A subclass says through `start`, `carry`, `join` and `mask` what the previous mask is,
    how it enters and how a probability becomes a mask; those of a `segmenter` load without Lightning.

    Args:
        network: maps what `join` returns to logits (B, 1, H, W).
        encoder: makes guidance of interactions; None: the method's own.
        loss: called as `loss(logits, target, others, ignore)`; None: the method's own.
        user: gives the interactions of training; evaluation has its own. None: the method's own.
        zoom: which part of an image the network sees at test time; None: the method's own.
        turns: probabilities of 1, 2, 3 ... turns in a training sample, each but the last without gradient; None: the
            method's own.
        draft: how many times smaller the network sees images in turns without gradient, whose masks are enlarged
            again; 2 takes a quarter of their time, 1 changes nothing.
        threshold: probability above which a pixel belongs to the mask.
        optimizer: called with the trainable parameters.
        scheduler: called with the optimizer; stepped after every batch.
        weights: a checkpoint's name, folder or .ckpt to start from, or `imagenet` for a backbone's.
        weights_override: whether they may have been trained with another encoder, network of the same shapes,
            resolution or previous mask, which is an error otherwise.
        mpp: micrometres per pixel of the training images, if known; None: that of the weights.
        refiner: changes the prediction at test time, so that it keeps to what was said.
        flip: whether the mirrored image is segmented too at test time, and the probabilities are averaged.

    Attributes:
        default_turns: of the method.
    """

    default_turns: Sequence[float] = (1.0,)

    def __init__(
        self,
        network: nn.Module,
        *,
        encoder: InteractionEncoder | None = None,
        loss: nn.Module | None = None,
        user: SimulatedUser | None = None,
        zoom: Zoom | None = None,
        turns: Sequence[float] | None = None,
        draft: int = 1,
        threshold: float = 0.5,
        optimizer: OptimizerCallable = torch.optim.Adam,
        scheduler: LRSchedulerCallable | None = None,
        weights: str | None = None,
        weights_override: bool = False,
        mpp: float | None = None,
        refiner: Refiner | None = None,
        flip: bool = False,
    ) -> None:
        super().__init__(
            network,
            encoder=encoder,
            zoom=zoom,
            threshold=threshold,
            mpp=mpp,
            refiner=refiner,
            flip=flip,
            optimizer=optimizer,
            scheduler=scheduler,
            weights_override=weights_override,
        )
        self.save_hyperparameters()
        self.turns = tuple(self.default_turns if turns is None else turns)
        if not self.turns or min(self.turns) < 0 or abs(sum(self.turns) - 1) > 1e-3:
            raise ConfigError(
                f"turns={list(self.turns)} must be probabilities that add up to 1, e.g. [0.5, 0.25, 0.25]"
            )
        if draft < 1:
            raise ConfigError(f"draft={draft} must be 1 or more times smaller, e.g. 2")
        self.draft = draft
        self.loss = self.default_loss() if loss is None else loss
        self.user = self.default_user() if user is None else user
        self.begin(weights)

    def default_loss(self) -> nn.Module:
        """The loss of a method that is given none."""
        raise ConfigError(f"{type(self).__name__} has no loss of its own; name one under `loss`")

    def default_user(self) -> SimulatedUser:
        """The simulated user that a method is trained with if it is given none."""
        raise ConfigError(f"{type(self).__name__} has no simulated user of its own; name one under `user`")

    def setup(self, stage: str) -> None:
        """Refuse an encoder and a network that do not fit, before anything runs."""
        with torch.no_grad(), self.running():
            check_channels(
                self.encoder,
                self.network,
                lambda image, guidance: self.join(image, guidance, self.start(image, None)),
                torch.zeros(1, 3, *[self.zoom.window or SIDE] * 2, device=self.device),
            )
        if self.refiner is not None:
            self.channels(self.refiner.at)

    def first(self, image: Tensor, truth: Truth) -> Tensor:
        """The previous mask (B, 1, H, W) float32 before a training sample's first turn: by default a session's."""
        return self.start(image, None)

    def objective(self, logits: Tensor, truth: Truth, interactions: Interactions) -> Tensor:
        """What training minimises: by default the loss of the mask."""
        loss: Tensor = self.loss(logits, truth.target, truth.others, truth.ignore)
        return loss

    def simulate(self, image: Tensor, truth: Truth) -> tuple[Interactions, Tensor]:
        """What the training user says over each sample's turns, and the previous mask of its last turn."""
        draw = uniform(truth.sample_id, truth.step if truth.step is not None else 0, 0, Draw.TURNS)
        limits = torch.tensor(self.turns, dtype=torch.float64, device=image.device).cumsum(0)[:-1]
        count = 1 + (draw[:, None] >= limits).sum(1)
        so_far = Interactions.empty(len(truth), truth.size, image.device)
        previous = self.first(image, truth)
        mask = self.mask(previous, so_far)
        most = int(count.max())
        # Into evaluation mode once for all turns: to change the mode of every part takes a while.
        with torch.no_grad(), self.running() if most > 1 else nullcontext():
            for turn in range(most):
                who = (count > turn).nonzero()[:, 0]
                new = self.user(mask[who], truth.select(who), so_far.select(who), turn)
                new = new if self.encoder.boxes else new.with_box_centres()
                so_far = so_far.add(new.spread(who, len(truth)))
                more = (count > turn + 1).nonzero()[:, 0]
                if len(more):
                    said = so_far.select(more)
                    seen = even(more, image.device)
                    probability = self._simulated(image[seen], so_far.select(seen), previous[seen])[: len(more)]
                    mask = mask.index_copy(0, more, self.mask(probability, said))
                    previous = previous.index_copy(0, more, self.carry(probability, previous[more]))
        return so_far, previous

    def _simulated(self, image: Tensor, said: Interactions, previous: Tensor) -> Tensor:
        """The probability of a turn without gradient, from a view `draft` times smaller.

        Raises:
            ConfigError: the images' sides are no multiples of `draft`.
        """
        if self.draft == 1:
            return self.predict(image, said, previous)
        height, width = said.size
        if height % self.draft or width % self.draft:
            raise ConfigError(f"draft={self.draft} does not divide windows of {width}x{height} px; choose another")
        origin = torch.zeros(len(image), dtype=torch.float64, device=image.device)
        size = (height // self.draft, width // self.draft)
        frame = Frame(origin, origin, torch.full_like(origin, 1 / self.draft), size)
        probability = self.predict(frame.crop(image), said.through(frame), frame.crop(previous))
        return frame.inverse(said.size).crop(probability)

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """The loss of the last turn."""
        image = as_images(batch.image)
        step = torch.full_like(batch.truth.sample_id, self.global_step)
        truth = replace(batch.truth, step=step)
        interactions, previous = self.simulate(image, truth)
        logits = self(image, self.guide(interactions, image), previous)
        loss = self.objective(logits, truth, interactions)
        self.log("train/loss", loss, prog_bar=True, sync_dist=True)
        return loss


def even(index: Tensor, device: torch.device) -> Tensor:
    """On an accelerator, positions (K,) filled up with the last one to a multiple of `EVEN`: cuDNN plans a convolution
    anew for each number of samples, which can take seconds."""
    missing = 0 if device.type == "cpu" else -len(index) % EVEN
    return torch.cat([index, index[-1:].expand(missing)])
