"""Several objects of one image, each from its own interactions, with any engine and at any resolution."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from zoo.errors import InteractionError
from zoo.inference.given import GivenObjects
from zoo.inference.oneshot import OneShot
from zoo.inference.session import Session
from zoo.inference.working import WorkingImage
from zoo.interactions import Box, Interaction
from zoo.interactions.single import check


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
    return likeliest_objects(session, objects, oneshot, progress)[0].int()


def likeliest_objects(
    session: Session,
    objects: Sequence[Sequence[Interaction]],
    oneshot: OneShot | None = None,
    progress: Callable[[int], None] | None = None,
) -> tuple[Tensor, Tensor]:
    """`segment_objects`, of a type as small as its ids, and each pixel's probability (H, W) float32 to belong."""
    session.reset()
    size = (session.pixels.shape[-2], session.pixels.shape[-1])
    for number, each in enumerate(objects, 1):
        check_object(each, size, number)
    if session.engine.window is None and objects:
        return _one_by_one(session, objects, progress)
    image = WorkingImage(session.pixels, session.frame)
    given = GivenObjects.of_lists(objects, size, session.device)
    return (oneshot or OneShot()).likeliest(session.engine, image, given, progress)


def check_object(given: Sequence[Interaction], size: tuple[int, int], number: int) -> None:
    """Refuse what can't be segmented in an image of this height and width; `number` is the object's, from 1.

    Raises:
        InteractionError: an interaction outside the image, or none that is positive.
    """
    where = f"object {number} (objects[{number - 1}])"
    try:
        for each in given:
            check(each, size)
    except InteractionError as error:
        raise InteractionError(f"{where}: {error}") from None
    if not any(isinstance(each, Box) or each.positive for each in given):
        raise InteractionError(f"{where} has no positive click, scribble or box; give at least one")


def _one_by_one(
    session: Session, objects: Sequence[Sequence[Interaction]], progress: Callable[[int], None] | None
) -> tuple[Tensor, Tensor]:
    labels = torch.zeros(session.pixels.shape[-2:], dtype=torch.int32)
    best = torch.zeros(labels.shape)
    alone = session.fresh()
    for number, each in enumerate(objects, 1):
        alone.reset()
        for turn in sorted({given.turn for given in each}):
            alone.add(*(given for given in each if given.turn == turn))
        probability = alone.probability[0, 0].cpu()
        wins = alone.mask[0, 0].cpu() & (probability > best)
        labels[wins], best[wins] = number, probability[wins]
        if progress is not None:
            progress(number)
    return labels, best
