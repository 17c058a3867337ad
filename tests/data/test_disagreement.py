"""Targets that are turned over in blobs."""

from functools import partial

import numpy as np
import pytest

from tests.helpers.regions import write_regions
from zoo.data.datamodule import PatchDataModule
from zoo.data.disagreement import Disagreement
from zoo.data.windows import GridWindows, RandomWindows
from zoo.errors import ConfigError
from zoo.store.schema import IGNORE


def halves() -> np.ndarray:
    """Left half region, right half not, the lowest rows ignored."""
    label = np.zeros((96, 128), np.uint8)
    label[:, :64] = 1
    label[90:] = IGNORE
    return label


def test_blobs_are_turned_over_on_one_side_only():
    label, disagreement = halves(), Disagreement(p=1.0, least=0.1, most=0.3, size=8)
    sides = set()
    for seed in range(40):
        turned = disagreement(label, seed)
        changed = turned != label
        assert (turned[label == IGNORE] == IGNORE).all()
        assert (turned[changed] == 1 - label[changed]).all()
        assert len(np.unique(label[changed])) <= 1
        assert changed.mean() < 0.3
        sides |= set(np.unique(label[changed]).tolist())
    assert sides == {0, 1}
    assert np.array_equal(label, halves())


def test_the_seed_decides():
    disagreement = Disagreement(p=0.5, size=8)
    turned = [disagreement(halves(), seed) for seed in range(200)]
    assert all(np.array_equal(each, disagreement(halves(), seed)) for seed, each in enumerate(turned))
    share = np.mean([not np.array_equal(each, halves()) for each in turned])
    assert 0.4 < share < 0.6
    assert np.array_equal(Disagreement(p=0.0)(halves(), 1), halves())


def test_only_training_windows_disagree(tmp_path):
    store = write_regions(tmp_path / "r.h5", {"a": "train", "b": "val", "c": "test"})
    made = {}
    for name, disagreement in (("plain", None), ("turned", Disagreement(p=1.0, size=4))):
        train = partial(RandomWindows, side=32, per_image=8, disagreement=disagreement)
        data = PatchDataModule([str(store)], train=train, batch_size=2)
        data.evaluated = partial(GridWindows, side=32)
        data.setup("fit")
        data.setup("test")
        made[name] = {split: [each.sample(n, 0).target for n in range(4)] for split, each in data.datasets.items()}
    for split, same in (("train", False), ("val", True), ("test", True)):
        pairs = zip(made["plain"][split], made["turned"][split], strict=True)
        assert all(np.array_equal(*pair) for pair in pairs) == same


@pytest.mark.parametrize("wrong", [{"p": 1.5}, {"least": 0}, {"least": 0.5, "most": 0.4}, {"most": 1}, {"size": 0}])
def test_impossible_arguments(wrong):
    with pytest.raises(ConfigError):
        Disagreement(**wrong)
