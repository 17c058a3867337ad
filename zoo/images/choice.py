"""What of a file is the picture, where it holds more than 8 bits of red, green and blue."""

from __future__ import annotations

import argparse
import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from zoo.errors import ConfigError, DataError, NotRgbError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from zoo.images.stored import Stored

Window = tuple[float, float] | Literal["auto"]
# What 'auto' shows, in percent of the values: a hot pixel does not make all others black.
AUTO = (0.1, 99.9)


@dataclass(frozen=True)
class Choice:
    """Channels, page and window of values.

    Args:
        channels: three, shown as red, green and blue, or one, shown grey; from 1. None: what the file says is colour.
        page: page or z-plane, from 1; None: the only one.
        window: values that become 0 and 255, or 'auto' for the 0.1st and 99.9th percentile; None: only 8 bits are read.
    """

    channels: tuple[int, ...] | None = None
    page: int | None = None
    window: Window | None = None


NOTHING = Choice()


def add_choice_arguments(parser: argparse.ArgumentParser) -> None:
    """`--channels`, `--page` and `--window`; None each unless given."""
    parser.add_argument("--channels", metavar="R,G,B", help="channels of the file to see as colours, or one; from 1")
    parser.add_argument("--page", type=int, metavar="N", help="page or z-plane of the file, from 1")
    parser.add_argument(
        "--window", metavar="LOW,HIGH", help="values to show as 0 and 255, of files with more than 8 bits; or auto"
    )


def choice_of(args: argparse.Namespace) -> Choice:
    """What these arguments chose.

    Raises:
        ConfigError: one of them is malformed.
    """
    channels, window = args.channels, args.window
    try:
        numbers = None if channels is None else tuple(int(each) for each in channels.split(","))
    except ValueError:
        numbers = ()
    if numbers is not None and (len(numbers) not in (1, 3) or min(numbers) < 1):
        raise ConfigError(f"--channels {channels}: give three channels, e.g. 1,2,3, or one; they count from 1")
    if args.page is not None and args.page < 1:
        raise ConfigError(f"--page {args.page}: pages count from 1")
    if window is None or window == "auto":
        return Choice(numbers, args.page, window)
    try:
        low, high = (float(each) for each in window.split(","))
    except ValueError:
        low = high = math.nan
    if not -math.inf < low < high < math.inf:
        raise ConfigError(f"--window {window}: give the values that become black and white, e.g. 0,4095, or auto")
    return Choice(numbers, args.page, (low, high))


def colours(path: Path, stored: Stored, choice: Choice) -> tuple[NDArray[np.uint8], list[str]]:
    """(H, W, 3) uint8 of what was stored, and what had to be done for it.

    Raises:
        NotRgbError: channels of which none are chosen; more than 8 bits without a window.
        DataError: there are not as many channels as are chosen, or all values are alike.
    """
    import numpy as np  # here, since parsers of arguments, which import little, come from this file too

    samples, notes = stored.samples, list(stored.notes)
    if choice.channels is not None:
        if max(choice.channels) > samples.shape[2]:
            raise DataError(f"{path}: has no channel {max(choice.channels)}; it has {samples.shape[2]}")
        samples, notes = samples[..., [each - 1 for each in choice.channels]], []
    elif stored.kind == "channels":
        names = f" ({', '.join(stored.names)})" if any(stored.names) else ""
        raise NotRgbError(
            f"{path}: has {samples.shape[2]} channels{names}, not red, green and blue",
            "choose three, or one, with --channels, e.g. 1,2,3",
        )
    if choice.window is not None:
        samples, note = _windowed(path, samples, choice.window)
        notes.append(note)
    elif samples.dtype != np.uint8:
        raise NotRgbError(
            f"{path}: {samples.dtype} of shape {samples.shape}; 8 bits a channel are needed",
            "say with --window LOW,HIGH which values are black and white (or auto), or scale it to 0..255 and save it "
            "again",
        )
    if samples.shape[2] == 1:
        samples = np.repeat(samples, 3, 2)
    return np.ascontiguousarray(samples), [f"{path}: {note}" for note in notes]


def _windowed(path: Path, samples: NDArray[np.generic], window: Window) -> tuple[NDArray[np.uint8], str]:
    import numpy as np

    values = np.nan_to_num(samples.astype(np.float32))
    if window == "auto":
        low, high = (float(each) for each in np.percentile(values, AUTO))
        if low == high:
            raise DataError(f"{path}: nearly all values are {low:g}; give --window LOW,HIGH")
    else:
        low, high = window
    shown = np.clip((values - low) / (high - low), 0, 1) * 255
    return np.rint(shown).astype(np.uint8), f"values {low:g} to {high:g} are shown as 0 to 255"
