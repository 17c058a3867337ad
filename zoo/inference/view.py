"""A method bound to the crops of a batch: what refiners work with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import cast

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from zoo.inference.segmenter import Refinable, Segmenter
from zoo.interactions import Interactions
from zoo.networks.staged import Features
from zoo.ops.frame import Frame


@dataclass(frozen=True)
class View:
    """A method, the crops of B samples and what was said of them.

    Attributes:
        method: what segments; one that is `Refinable` where anything but `predict` is asked for.
        image: (B, 3, h, w), the crops.
        previous: (B, 1, h, w), the previous mask in them.
        interactions: everything said so far, in crop pixels.
        said: the same in image pixels.
        frame: from image to crop.
        look: what the method sees in crops, where it looks at them once.
    """

    method: Segmenter
    image: Tensor
    previous: Tensor
    interactions: Interactions
    said: Interactions
    frame: Frame
    look: Callable[[Tensor], tuple[Tensor, ...]] | None = None

    @property
    def threshold(self) -> float:
        """Probability above which the method counts a pixel as inside."""
        return self.method.threshold

    def predict(self) -> Tensor:
        """The method's probability (B, 1, h, w) without a refiner."""
        return self._predict(self.image, self.interactions, self.previous)

    def _predict(self, image: Tensor, interactions: Interactions, previous: Tensor) -> Tensor:
        return self.method.predict(image, interactions, previous, self.look(image) if self.look else ())

    def trunk(self, at: str, clicks: int | None = None) -> Features:
        """Run the method up to a point, given only the first so many clicks; None: all."""
        said = self.interactions if clicks is None else self.interactions.first(clicks)
        return self._refinable.trunk(self.image, self._refinable.guide(said, self.image), self.previous, at)

    def head(self, features: Features, at: str) -> Tensor:
        """Run the rest: logits (B, 1, h, w), float32 at least."""
        logits = self._refinable.rest(features, at)
        return logits.to(torch.promote_types(logits.dtype, torch.float32))

    @property
    def _refinable(self) -> Refinable:
        return cast(Refinable, self.method)  # where there is a refiner the engine has checked it

    def share(self, parameter: Tensor) -> Tensor:
        """A parameter of each sample, (B, C, 1, 1) or (B, C, h, w), for all views of it."""
        return parameter

    def select(self, index: Tensor) -> View:
        """The samples in `index` (integers)."""
        return replace(
            self,
            image=self.image[index],
            previous=self.previous[index],
            interactions=self.interactions.select(index),
            said=self.said.select(index),
            frame=self.frame.select(index),
            look=self.look,
        )


class FlippedView(View):
    """Every crop twice, as it is and mirrored left to right; probabilities are averaged (flip test-time augmentation).

    Parameters of channels are shared between the two; spatial ones are mirrored with the crop.
    """

    def predict(self) -> Tensor:
        """The mean of both."""
        plain = super().predict()
        mirrored = self._predict(self.image.flip(-1), self.interactions.flip(), self.previous.flip(-1))
        return (plain + mirrored.flip(-1)) / 2

    def trunk(self, at: str, clicks: int | None = None) -> Features:
        """Both views' features, the mirrored ones behind the others."""
        said = self.interactions if clicks is None else self.interactions.first(clicks)
        image = torch.cat([self.image, self.image.flip(-1)])
        previous = torch.cat([self.previous, self.previous.flip(-1)])
        guidance = self._refinable.guide(Interactions.cat([said, said.flip()]), image)
        return replace(self._refinable.trunk(image, guidance, previous, at), views=2)

    def head(self, features: Features, at: str) -> Tensor:
        """Logits of the mean probability, from where it is not yet rounded to 0 or 1."""
        plain, mirrored = super().head(features, at).chunk(2)
        mirrored = mirrored.flip(-1)
        # log(p + q) - log((1-p) + (1-q)) with p = sigmoid(plain), q = sigmoid(mirrored); the halves cancel out.
        inside = torch.logaddexp(logsigmoid(plain), logsigmoid(mirrored))
        outside = torch.logaddexp(logsigmoid(-plain), logsigmoid(-mirrored))
        return inside - outside

    def share(self, parameter: Tensor) -> Tensor:
        """Mirrored for the second view, which leaves parameters of channels as they are."""
        return torch.cat([parameter, parameter.flip(-1)])
