"""The template of every trained interactive method."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace

import torch
from lightning.pytorch.cli import LRSchedulerCallable, OptimizerCallable
from torch import Tensor, nn

from zoo.data.batch import Batch
from zoo.encoders.base import InteractionEncoder
from zoo.errors import ConfigError
from zoo.inference.engine import Engine
from zoo.inference.evaluating import evaluating
from zoo.inference.network_engine import NetworkEngine
from zoo.inference.precision import Precision
from zoo.inference.refiner import Refiner
from zoo.inference.segmenter import Refinable
from zoo.inference.session import as_images
from zoo.inference.zoom import WholeImage, Zoom
from zoo.interactions import Interactions
from zoo.methods.channels import SIDE, check_channels
from zoo.methods.trained import TrainedMethod
from zoo.networks.staged import Features, StagedNetwork
from zoo.ops.draws import Draw
from zoo.ops.random import uniform
from zoo.users.base import SimulatedUser, Truth

EVEN = 32


class InteractiveMethod(TrainedMethod, Refinable):
    """A network that segments from an image, guidance and the previous mask, trained with simulated users.

    One training step: turns of *user, guidance, forward* without gradient and in evaluation mode, then one more turn
    with gradient and the loss. A subclass says through `start`, `carry`, `join` and `mask` what the previous mask is,
    how it enters and how a probability becomes a mask.

    Args:
        network: maps what `join` returns to logits (B, 1, H, W).
        encoder: makes guidance of interactions; None: the method's own.
        loss: called as `loss(logits, target, others, ignore)`; None: the method's own.
        user: gives the interactions of training; evaluation has its own. None: the method's own.
        zoom: which part of an image the network sees at test time; None: the method's own.
        turns: probabilities of 1, 2, 3 ... turns in a training sample, each but the last without gradient; None: the
            method's own.
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
        threshold: float = 0.5,
        optimizer: OptimizerCallable = torch.optim.Adam,
        scheduler: LRSchedulerCallable | None = None,
        weights: str | None = None,
        weights_override: bool = False,
        mpp: float | None = None,
        refiner: Refiner | None = None,
        flip: bool = False,
    ) -> None:
        super().__init__(network, threshold, optimizer, scheduler, mpp, weights_override)
        self.save_hyperparameters()
        self.turns = tuple(self.default_turns if turns is None else turns)
        if not self.turns or min(self.turns) < 0 or abs(sum(self.turns) - 1) > 1e-3:
            raise ConfigError(
                f"turns={list(self.turns)} must be probabilities that add up to 1, e.g. [0.5, 0.25, 0.25]"
            )
        self.encoder = self.default_encoder() if encoder is None else encoder
        self.loss = self.default_loss() if loss is None else loss
        self.user = self.default_user() if user is None else user
        self.zoom = self.default_zoom() if zoom is None else zoom
        self.refiner = refiner
        self.flip = flip
        self.begin(weights)

    def default_encoder(self) -> InteractionEncoder:
        """The interaction encoder of a method that is given none."""
        raise ConfigError(f"{type(self).__name__} has no encoder of its own; name one under `encoder`")

    def default_loss(self) -> nn.Module:
        """The loss of a method that is given none."""
        raise ConfigError(f"{type(self).__name__} has no loss of its own; name one under `loss`")

    def default_user(self) -> SimulatedUser:
        """The simulated user that a method is trained with if it is given none."""
        raise ConfigError(f"{type(self).__name__} has no simulated user of its own; name one under `user`")

    def default_zoom(self) -> Zoom:
        """What the network of a method that is given no zoom sees: the whole image."""
        return WholeImage()

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

    def forward(self, image: Tensor, guidance: Tensor, previous: Tensor) -> Tensor:
        """Logits (B, 1, H, W) from image (B, 3, H, W) in 0..1, guidance (B, C, H, W), previous (B, 1, H, W)."""
        logits: Tensor = self.network(self.join(image, guidance, previous))
        return logits

    def start(self, image: Tensor, mask: Tensor | None) -> Tensor:
        """The first probability and previous mask (B, 1, H, W) float32: the initial mask, or nothing."""
        return torch.zeros_like(image[:, :1]) if mask is None else mask

    def carry(self, probability: Tensor, previous: Tensor) -> Tensor:
        """The previous mask of the next turn: by default the last probability."""
        return probability

    def join(self, image: Tensor, guidance: Tensor, previous: Tensor) -> Tensor:
        """What the network is given: by default image and guidance."""
        return torch.cat([image, guidance.to(image.dtype)], 1)

    def mask(self, probability: Tensor, interactions: Interactions) -> Tensor:
        """(B, 1, H, W) bool from a probability: by default a threshold."""
        return probability > self.threshold

    def predict(self, image: Tensor, interactions: Interactions, previous: Tensor) -> Tensor:
        """Probability (B, 1, H, W) float32; the crop's interactions and previous mask as in training."""
        return torch.sigmoid(self(image, self.guide(interactions, image), previous).float())

    def guide(self, interactions: Interactions, image: Tensor) -> Tensor:
        """Guidance (B, C, H, W) float32, whatever autocast surrounds: coordinates do not survive bfloat16."""
        with torch.autocast(image.device.type, enabled=False):
            guidance: Tensor = self.encoder(interactions, image)
        return guidance

    def channels(self, point: str) -> int:
        """Channels of the features at a point: `image`, `guidance`, or one of the network's.

        Raises:
            ConfigError: there is no such point.
        """
        points = {"image": 3, "guidance": self.encoder.out_channels}
        points |= self.network.channels if isinstance(self.network, StagedNetwork) else {}
        if point not in points:
            raise ConfigError(
                f"{type(self.network).__name__} has no point {point!r}, where the refiner intervenes, only "
                f"{', '.join(points)}; choose another refiner or network"
            )
        return points[point]

    def trunk(self, image: Tensor, guidance: Tensor, previous: Tensor, point: str) -> Features:
        """What the method has computed when it reaches a point; inputs as in `forward`."""
        size = (image.shape[-2], image.shape[-1])
        if point == "image":
            return Features(image, (guidance, previous), size)
        if point == "guidance":
            return Features(guidance, (image, previous), size)
        assert isinstance(self.network, StagedNetwork)
        return self.network.until(self.join(image, guidance, previous), point)

    def rest(self, features: Features, point: str) -> Tensor:
        """Logits (B, 1, H, W) from what was computed up to a point."""
        if point == "image":
            return self.forward(features.value, *features.rest)
        if point == "guidance":
            image, previous = features.rest
            return self.forward(image, features.value, previous)
        assert isinstance(self.network, StagedNetwork)
        return self.network.after(features, point)

    def running(self) -> AbstractContextManager[object]:
        """Evaluation mode."""
        return evaluating(self)

    def replace_networks(self, by: Callable[[nn.Module], nn.Module]) -> None:
        """Replace the network.

        Raises:
            ConfigError: there is a refiner, which needs gradients, or the network's features.
        """
        if self.refiner is not None:
            raise ConfigError(f"{type(self.refiner).__name__} needs gradients and features, which only torch gives")
        super().replace_networks(by)

    def engine(self, precision: Precision = "trainer") -> Engine:
        """The method as it is used at test time: zoom, then refiner, then flip, then network."""
        return NetworkEngine(self, self.zoom, self.refiner, self.flip, precision, self.mpp)

    def simulate(self, image: Tensor, truth: Truth) -> tuple[Interactions, Tensor]:
        """What the training user says over each sample's turns, and the previous mask of its last turn."""
        draw = uniform(truth.sample_id, truth.step if truth.step is not None else 0, 0, Draw.TURNS)
        limits = torch.tensor(self.turns, dtype=torch.float64, device=image.device).cumsum(0)[:-1]
        count = 1 + (draw[:, None] >= limits).sum(1)
        so_far = Interactions.empty(len(truth), truth.size, image.device)
        previous = self.start(image, None)
        mask = self.mask(previous, so_far)
        for turn in range(int(count.max())):
            who = (count > turn).nonzero()[:, 0]
            new = self.user(mask[who], truth.select(who), so_far.select(who), turn)
            so_far = so_far.add(new.spread(who, len(truth)))
            more = (count > turn + 1).nonzero()[:, 0]
            if len(more):
                said = so_far.select(more)
                seen = even(more, image.device)
                with torch.no_grad(), self.running():
                    probability = self.predict(image[seen], so_far.select(seen), previous[seen])[: len(more)]
                mask = mask.index_copy(0, more, self.mask(probability, said))
                previous = previous.index_copy(0, more, self.carry(probability, previous[more]))
        return so_far, previous

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """The loss of the last turn."""
        image = as_images(batch.image)
        step = torch.full_like(batch.truth.sample_id, self.global_step)
        truth = replace(batch.truth, step=step)
        interactions, previous = self.simulate(image, truth)
        logits = self(image, self.guide(interactions, image), previous)
        loss: Tensor = self.loss(logits, truth.target, truth.others, truth.ignore)
        self.log("train/loss", loss, prog_bar=True)
        return loss


def even(index: Tensor, device: torch.device) -> Tensor:
    """On an accelerator, positions (K,) filled up with the last one to a multiple of `EVEN`: cuDNN plans a convolution
    anew for each number of samples, which can take seconds."""
    missing = 0 if device.type == "cpu" else -len(index) % EVEN
    return torch.cat([index, index[-1:].expand(missing)])
