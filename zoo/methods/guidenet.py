"""GuideNet: the automatic first segmentation that scribbles then correct."""

from __future__ import annotations

import torch
from lightning.pytorch.cli import LRSchedulerCallable, OptimizerCallable
from torch import Tensor, nn

from zoo.data.batch import Batch
from zoo.inference.engine import Engine, State
from zoo.inference.evaluating import evaluating
from zoo.inference.precision import Precision
from zoo.inference.session import as_images
from zoo.inference.zoom import WholeImage
from zoo.interactions import Interactions
from zoo.methods.trained import TrainedMethod
from zoo.ops.device import layout


class GuideNet(TrainedMethod):
    """A network that segments regions from the image alone (DeepScribble, section 3.1).

    Args:
        network: RGB (B, 3, H, W) in 0..1 to logits (B, 1, H, W); H and W divisible by 32.
        loss: called as `loss(logits, target, others, ignore)`.
        threshold: probability above which a pixel belongs to the region.
        optimizer: called with the parameters.
        scheduler: called with the optimizer; stepped after every batch.
        weights: a checkpoint's name, folder or .ckpt to start from, or `imagenet` for a backbone's.
        weights_override: whether they may have been trained with another encoder, network of the same shapes,
            resolution or previous mask, which is an error otherwise.
        mpp: micrometres per pixel of the training images, if known; None: that of the weights.
    """

    def __init__(
        self,
        network: nn.Module,
        loss: nn.Module,
        threshold: float = 0.5,
        optimizer: OptimizerCallable = torch.optim.Adam,
        scheduler: LRSchedulerCallable | None = None,
        weights: str | None = None,
        mpp: float | None = None,
        weights_override: bool = False,
    ) -> None:
        super().__init__(network, threshold, optimizer, scheduler, mpp, weights_override)
        self.save_hyperparameters()
        self.loss = loss
        self.begin(weights)

    def forward(self, image: Tensor) -> Tensor:
        """Logits (B, 1, H, W) of images (B, 3, H, W) float in 0..1."""
        logits: Tensor = self.network(image.contiguous(memory_format=layout(image.device)))
        return logits

    def probability(self, image: Tensor) -> Tensor:
        """(B, 1, H, W) float32 for images of any size, without gradient and in evaluation mode."""
        size = (image.shape[-2], image.shape[-1])
        frame = WholeImage()(Interactions.empty(len(image), size, image.device), image[:, :1])
        with torch.no_grad(), evaluating(self):
            return torch.sigmoid(self(frame.crop(image)).float())[..., : size[0], : size[1]]

    def engine(self, precision: Precision = "trainer") -> Engine:
        """The network before anybody has said anything."""
        return GuideEngine(self)

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """The loss of one batch."""
        truth = batch.truth
        loss: Tensor = self.loss(self(as_images(batch.image)), truth.target, truth.others, truth.ignore)
        self.log("train/loss", loss, prog_bar=True)
        return loss


class GuideEngine(Engine):
    """Predicts once; interactions change nothing."""

    warmup = 0

    def __init__(self, method: GuideNet) -> None:
        self.method, self.mpp = method, method.mpp

    def start(self, image: Tensor, mask: Tensor | None = None) -> State:
        """The network's probability, unless a mask is given."""
        return {"probability": self.method.probability(image) if mask is None else mask}

    def step(self, image: Tensor, interactions: Interactions, state: State) -> State:
        """The same state."""
        return state

    def mask(self, state: State, interactions: Interactions) -> Tensor:
        """Above the method's threshold."""
        return state["probability"] > self.method.threshold
