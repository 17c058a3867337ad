import pytest
import torch

from zoo.errors import ConfigError
from zoo.ops.draws import ITEMISED, STRIDE, Draw
from zoo.ops.random import uniform

# Numbers that were drawn stay the same for ever, and with them clicks, windows and results.
PINNED = {
    "INSIDE": 8,
    "DROP_RATE": 9,
    "DROP": 10,
    "SHIFT_X": 11,
    "SHIFT_Y": 12,
    "THRESHOLD": 13,
    "JITTER_LENGTH": 14,
    "JITTER_ANGLE": 15,
    "IN_ERROR": 16,
    "MARGIN": 17,
    "POSITIVE_COUNT": 18,
    "NEGATIVE_COUNT": 19,
    "POSITIVE": 20,
    "NEGATIVE": 21,
    "NEGATIVE_KIND": 22,
    "WHO": 23,
    "BOX_EDGE": 24,
    "TURNS": 1_000_003,
    "OBJECT_SHIFT_X": 2_000_003,
    "OBJECT_SHIFT_Y": 2_000_004,
    "AUGMENT": 2_000_005,
    "OBJECT_CHOICE": 2_000_006,
    "WINDOW_X": 2_000_007,
    "WINDOW_Y": 2_000_008,
    "DISAGREEMENT": 2_000_009,
    "SCALE_ONE": 2_000_016,
    "SCALE_OTHER": 2_000_017,
    "RESIDENT_IMAGE": 2_000_018,
    "RESIDENT_OBJECT": 2_000_019,
    "RESIDENT_SPOT": 2_000_025,
    "RESIDENT_ANGLE": 2_000_026,
    "RESIDENT_MIRROR": 2_000_027,
    "COARSE": 2_000_030,
    "COARSE_BORDER": 2_000_031,
    "COARSE_BLOBS": 2_000_032,
    "COARSE_AMOUNT": 2_000_033,
    "RUN_SHIFT_X": 3_000_003,
    "RUN_SHIFT_Y": 3_000_004,
}
ONCE = [kind for kind in Draw if kind not in ITEMISED]


def test_values_stay_and_are_no_ones_alias() -> None:
    assert {name: kind.value for name, kind in Draw.__members__.items()} == PINNED
    assert len(Draw) == len(PINNED)
    assert STRIDE == 64


def test_no_two_kinds_share_a_counter() -> None:
    beyond = max(Draw) // STRIDE + 2  # items whose counters reach past every kind's
    counters = [kind.of(torch.arange(beyond)) for kind in ITEMISED] + [torch.tensor([kind.of()]) for kind in ONCE]
    whole = torch.cat(counters)
    assert len(whole.unique()) == len(whole)
    # Beyond, only items follow, 64 apart: theirs differ as long as their residues do.
    assert len({kind % STRIDE for kind in ITEMISED}) == len(ITEMISED)


def test_items_follow_each_other_by_64() -> None:
    assert Draw.DROP.of() == 10
    assert Draw.DROP.of(3) == 10 + 3 * 64
    assert torch.equal(Draw.DROP.of(torch.tensor([0, 5, 2**40])), torch.tensor([10, 330, 10 + 2**46]))


@pytest.mark.parametrize("kind", ONCE)
def test_what_is_drawn_once_has_no_items(kind: Draw) -> None:
    assert kind.of() == kind
    for item in (1, torch.tensor([0])):
        with pytest.raises(ConfigError, match=kind.name):
            kind.of(item)


def test_a_kind_is_a_counter_itself() -> None:
    ids = torch.arange(5)
    assert torch.equal(uniform(ids, 1, 2, Draw.TURNS), uniform(ids, 1, 2, 1_000_003))
