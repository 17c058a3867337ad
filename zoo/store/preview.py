"""A contact sheet: samples of stores with their labels drawn on them."""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO
from itertools import zip_longest
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image
from skimage.transform import resize

from zoo.images.drawing import label_outlines
from zoo.store.schema import IGNORE, Window
from zoo.store.summary import SPLIT_ORDER, GroupContent

COLUMNS, CELL = 4, 480  # cells in a row; pixels of a picture's long side
SMALLEST = 18  # pixels of the sheet that a usual object's diameter is given, by showing only a part of the image
LONGEST = 38  # characters of a caption's line

Chosen = tuple[GroupContent, int]
Captioned = tuple[NDArray[np.uint8], str]


def choose(contents: Sequence[GroupContent], count: int, seed: int = 0) -> list[Chosen]:
    """Images spread over splits, then files and groups, by chance; ordered by split, file, group and item.

    The first of every group come before the second of any.

    Args:
        contents: all stacks.
        count: of images; fewer if there are no more.
        seed: other images for another one.
    """
    rng = np.random.default_rng(seed)
    by_split: dict[str, list[Chosen]] = {}
    for split in sorted({content.group.split for content in contents}):
        members = [content for content in contents if content.group.split == split]
        queue = [members[i] for i in rng.permutation(len(members))]
        items = [rng.choice(r.group.count, min(count, r.group.count), replace=False) for r in queue]
        turns = [list(zip(queue, turn, strict=True)) for turn in zip_longest(*items)]
        by_split[split] = [(content, int(item)) for turn in turns for content, item in turn if item is not None]
    mixed = [chosen for turn in zip_longest(*by_split.values()) for chosen in turn if chosen is not None]
    return sorted(mixed[:count], key=_place)


def captioned(chosen: Chosen) -> Captioned:
    """Picture of an image with its labels' outlines, and the caption: group, split, patient, resolution, objects.

    Raises:
        StoreError: the image or its labels are damaged.
    """
    content, item = chosen
    store, group = content.store, content.group
    region = store.info.labels == "region"
    objects = store.objects(group.name)
    objects = objects[objects["item"] == item]
    window = (0, 0, group.width, group.height) if region else _window(objects, group.width, group.height)
    image, label = store.image(group.name, item, window), store.label(group.name, item, window)
    scale = CELL / max(label.shape)
    rows, columns = (max(1, round(length * scale)) for length in label.shape)
    image = np.asarray(Image.fromarray(image).resize((columns, rows), Image.Resampling.LANCZOS))
    label = resize(label, (rows, columns), order=0, preserve_range=True, anti_aliasing=False).astype(label.dtype)
    return label_outlines(image, label, 2, IGNORE if region else None), _caption(content, item, window, len(objects))


def contact_sheet(pictures: Sequence[Captioned]) -> bytes:
    """PNG of pictures in rows of four, each with its caption."""
    columns = min(COLUMNS, len(pictures))
    rows = -(-len(pictures) // columns)
    tallest = max(picture.shape[0] for picture, _ in pictures) / CELL
    size = 3.0
    figure = Figure(
        figsize=(columns * size, rows * (size * tallest + 0.62)), dpi=CELL / size, layout="constrained", facecolor="w"
    )
    grid = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes in grid:
        axes.set_axis_off()
    for axes, (picture, caption) in zip(grid, pictures, strict=False):
        axes.imshow(picture, interpolation="antialiased")
        axes.set_anchor("N")
        axes.set_title(caption, fontsize=7, pad=3, linespacing=1.25)
    buffer = BytesIO()
    figure.savefig(buffer, format="png")
    return buffer.getvalue()


def _place(chosen: Chosen) -> tuple[Any, ...]:
    content, item = chosen
    split = content.group.split
    return (split not in SPLIT_ORDER, SPLIT_ORDER.index(split) if split in SPLIT_ORDER else split,
            str(content.store.path), content.group.name, item)  # fmt: skip


def _window(objects: NDArray[np.void], width: int, height: int) -> Window:
    """The whole image, or the surroundings of its middle object if objects could not be seen otherwise."""
    whole = (0, 0, width, height)
    if not len(objects):
        return whole
    side = round(float(np.sqrt(np.median(objects["area"]))) * CELL / SMALLEST)
    if side >= 0.8 * max(width, height):
        return whole
    middle = objects[len(objects) // 2]
    x0 = min(max((int(middle["x0"]) + int(middle["x1"]) - side) // 2, 0), max(width - side, 0))
    y0 = min(max((int(middle["y0"]) + int(middle["y1"]) - side) // 2, 0), max(height - side, 0))
    return x0, y0, min(x0 + side, width), min(y0 + side, height)


def _caption(content: GroupContent, item: int, window: Window, objects: int) -> str:
    group, stem = content.group, content.store.path.stem
    name = group.name if group.name == stem else f"{stem} / {group.name}"
    facts = [f"{group.magnification:g}x" if group.magnification else "", f"{group.mpp:g} µm/px" if group.mpp else ""]
    x0, y0, x1, y1 = window
    if (x1 - x0, y1 - y0) == (group.width, group.height):
        facts.append(f"{group.width}x{group.height} px")
    else:
        facts.append(f"{x1 - x0}x{y1 - y0} of {group.width}x{group.height} px")
    facts.append(
        f"{content.positive[item]:.0%} labelled" if content.store.info.labels == "region" else f"{objects} objects"
    )
    lines = (
        _short(name) + (f", image {item}" if group.count > 1 else ""),
        f"{group.split}, patient {_short(group.patient)}",
        ", ".join(fact for fact in facts if fact),
    )
    return "\n".join(lines).replace("$", r"\$")


def _short(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[: LONGEST // 2]}…{text[-LONGEST // 2 + 1 :]}"
