"""What random numbers are drawn for: each kind has its own counter for `uniform`, so that no two share a number."""

from __future__ import annotations

from enum import IntEnum

from torch import Tensor

from zoo.errors import ConfigError

STRIDE = 64


class Draw(IntEnum):
    """What a random number decides. Another value would change every number that was ever drawn for it.

    Kinds in `ITEMISED` are drawn for each of a sample's objects or clicks and take every 64th counter from their value
    on; the others take one counter.
    """

    # Users: where they click, and how they draw ...
    INSIDE = 8
    DROP_RATE = 9
    DROP = 10
    SHIFT_X = 11
    SHIFT_Y = 12
    THRESHOLD = 13
    JITTER_LENGTH = 14
    JITTER_ANGLE = 15
    IN_ERROR = 16
    # ... and where the clicks of training lie.
    MARGIN = 17
    POSITIVE_COUNT = 18
    NEGATIVE_COUNT = 19
    POSITIVE = 20
    NEGATIVE = 21
    NEGATIVE_KIND = 22
    # Which of several users speaks, and the edges of boxes.
    WHO = 23
    BOX_EDGE = 24
    # Training: the number of turns.
    TURNS = 1_000_003
    # Data: windows around objects and anywhere, augmentation, which objects are kept, errors of annotators, scales.
    OBJECT_SHIFT_X = 2_000_003
    OBJECT_SHIFT_Y = 2_000_004
    AUGMENT = 2_000_005
    OBJECT_CHOICE = 2_000_006
    WINDOW_X = 2_000_007
    WINDOW_Y = 2_000_008
    DISAGREEMENT = 2_000_009
    SCALE_ONE = 2_000_016
    SCALE_OTHER = 2_000_017
    RESIDENT_IMAGE = 2_000_018
    RESIDENT_OBJECT = 2_000_019
    RESIDENT_SPOT = 2_000_025
    RESIDENT_ANGLE = 2_000_026
    RESIDENT_MIRROR = 2_000_027
    # Training that begins with a mask: whether, its errors of the border and its blobs, and how large both are.
    COARSE = 2_000_030
    COARSE_BORDER = 2_000_031
    COARSE_BLOBS = 2_000_032
    COARSE_AMOUNT = 2_000_033
    # Inference: how far clicks are moved in further runs.
    RUN_SHIFT_X = 3_000_003
    RUN_SHIFT_Y = 3_000_004

    def of(self, item: int | Tensor = 0) -> int | Tensor:
        """The counter of a sample's `item`-th object or click, from 0, or int64 counters for many.

        Raises:
            ConfigError: the kind is drawn once a sample and has no items.
        """
        if self in ITEMISED:
            return item * STRIDE + self.value
        if isinstance(item, Tensor) or item != 0:
            raise ConfigError(f"{self.name} is drawn once a sample; only kinds in ITEMISED are drawn for each item")
        return self.value


ITEMISED = frozenset(
    {
        Draw.DROP,
        Draw.SHIFT_X,
        Draw.SHIFT_Y,
        Draw.JITTER_LENGTH,
        Draw.JITTER_ANGLE,
        Draw.POSITIVE,
        Draw.NEGATIVE,
        Draw.NEGATIVE_KIND,
        Draw.BOX_EDGE,
        Draw.COARSE_BORDER,
        Draw.COARSE_BLOBS,
        Draw.COARSE_AMOUNT,
    }
)
