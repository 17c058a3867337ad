"""The tiny store and the tiny network that come with the contracts."""

import re
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch

import zoo.testing
from zoo.data import ObjectWindows, PatchDataModule
from zoo.store.reader import Store
from zoo.store.schema import IGNORE
from zoo.testing import TinyNetwork, tiny_image, tiny_store


def test_a_store_of_instances(tmp_path):
    store = Store(tiny_store(tmp_path / "new" / "tiny.h5"))
    for seed, split in enumerate(("train", "val", "test")):
        image, labels = tiny_image(seed)
        assert (store.image(split, 0) == image).all()
        assert (store.label(split, 0) == labels).all()
    assert np.unique(labels).tolist() == [0, 1, 2, 3, 4]
    assert image[labels > 0].max() < image[labels == 0].min()


def test_a_store_of_regions(tmp_path):
    label = Store(tiny_store(tmp_path / "tiny.h5", "region")).label("test", 0)
    assert label.dtype == np.uint8
    assert (label[-4:] == IGNORE).all()
    assert (label[:-4] == tiny_image()[1][:-4]).all()


def test_it_has_samples_to_train_with(tmp_path):
    windows = partial(ObjectWindows, side=32)
    data = PatchDataModule([str(tiny_store(tmp_path / "tiny.h5"))], train=windows, batch_size=2)
    data.setup("fit")
    assert next(iter(data.train_dataloader())).image.shape[0] == 2


@pytest.mark.parametrize("channels", [3, 6])
def test_the_network_is_always_the_same_and_draws_nothing_of_others(channels):
    state = torch.get_rng_state()
    first, second = TinyNetwork(channels), TinyNetwork(channels)
    assert torch.equal(torch.get_rng_state(), state)
    x = torch.rand(2, channels, 37, 50, generator=torch.Generator().manual_seed(3))
    with torch.no_grad():
        logits = first(x)
        assert torch.equal(second(x), logits)
        for point in first.channels:
            assert torch.equal(first.after(first.until(x, point), point), logits)
    assert logits.shape == (2, 1, 37, 50)
    assert 0.1 < (logits > 0).float().mean() < 0.9


@pytest.mark.parametrize("path", sorted(Path(zoo.testing.__file__).parent.glob("*.py")), ids=lambda path: path.name)
def test_it_can_be_imported_where_pytest_is_not(path):
    assert not re.search(r"^\s*(import|from) (pytest|tests)\b", path.read_text(), re.MULTILINE)
