"""The refiner that docs/test-time.md shows keeps the contract."""

from pathlib import Path
from typing import Any

import torch

from zoo.refiners import Refiner
from zoo.testing import RefinerContract

DOCS = Path(__file__).parents[2] / "docs" / "test-time.md"
NAMES: dict[str, Any] = {}
exec(DOCS.read_text().partition("# my_refiner.py")[2].partition("```")[0], NAMES)


class TestInsist(RefinerContract):
    def refiner(self) -> Refiner:
        return NAMES["Insist"]()


def test_it_misses_nothing_where_the_mask_keeps_to_the_clicks():
    logits, marks = torch.tensor([[[[1.0, -1.0]]]]), torch.zeros(1, 2, 1, 2)
    marks[0, 0, 0, 0] = marks[0, 1, 0, 1] = 1
    assert NAMES["Insist"]().missed(logits, marks).tolist() == [[[[0.0]]]]
    assert NAMES["Insist"]().missed(-logits, marks).tolist() == [[[[2.0]]]]
