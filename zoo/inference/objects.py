"""Several objects of one image, each from its own interactions, with any engine and at any resolution."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from zoo.errors import InteractionError
from zoo.inference.oneshot import OneShot
from zoo.inference.resolution import maps_through
from zoo.inference.session import Session
from zoo.interactions import Interaction, Interactions


def segment_objects(
    session: Session,
    objects: Sequence[Sequence[Interaction]],
    oneshot: OneShot | None = None,
    progress: Callable[[int], None] | None = None,
) -> Tensor:
    """Instance map (H, W) int32 on the CPU: object i has id i + 1, 0 is background; the likeliest object wins.

    Engines that work in a window around a click segment all objects in chunks of windows, each told where the others
    are (`OneShot`). Others segment one object after the other on the whole image. Both take the turns in order.

    Args:
        session: with its image set; its own turns are forgotten.
        objects: one list of interactions an object, in pixels of the image.
        oneshot: how windows are segmented.
        progress: called with the number of objects done.

    Raises:
        InteractionError: an interaction outside the image, or an object without a positive one.
    """
    return likeliest_objects(session, objects, oneshot, progress)[0]


def likeliest_objects(
    session: Session,
    objects: Sequence[Sequence[Interaction]],
    oneshot: OneShot | None = None,
    progress: Callable[[int], None] | None = None,
) -> tuple[Tensor, Tensor]:
    """`segment_objects`, and the probability (H, W) float32 with which each pixel belongs to its object."""
    session.reset()
    everything = [Interactions.from_lists([each], session.interactions.size) for each in objects]
    for number, each in enumerate(everything, 1):
        if not bool(each.pixels(1).any() | (each.boxes[..., 4] >= 0).any()):
            raise InteractionError(f"object {number} has no positive click, scribble or box; give at least one")
    if not objects:
        size = session.interactions.size
        return torch.zeros(size, dtype=torch.int32), torch.zeros(size)
    if session.engine.window is None:
        return _one_by_one(session, objects, progress)
    said, at_once = Interactions.cat(everything).to(session.device), oneshot or OneShot()
    labels, best = maps_through(
        session.frame,
        session.image,
        said,
        lambda image, given: at_once.likeliest(session.engine, image, given, progress),
    )
    return labels, best


def _one_by_one(
    session: Session, objects: Sequence[Sequence[Interaction]], progress: Callable[[int], None] | None
) -> tuple[Tensor, Tensor]:
    labels = torch.zeros(session.interactions.size, dtype=torch.int32)
    best = torch.zeros(labels.shape)
    for number, each in enumerate(objects, 1):
        session.reset()
        for turn in sorted({given.turn for given in each}):
            session.add(*(given for given in each if given.turn == turn))
        probability = session.probability[0, 0].cpu()
        wins = session.mask[0, 0].cpu() & (probability > best)
        labels[wins], best[wins] = number, probability[wins]
        if progress is not None:
            progress(number)
    return labels, best
