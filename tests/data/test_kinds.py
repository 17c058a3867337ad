"""Kinds of samples: what results call them, and which samples come together."""

from functools import partial

import pytest
from jsonargparse import ArgumentParser

from tests.helpers.stores import IDS, instance_store
from zoo.data import (
    GridWindows,
    ObjectsInImages,
    ObjectWindows,
    PatchDataModule,
    RandomWindows,
    Selection,
    StoreDataset,
    WholeImages,
)
from zoo.data.datamodule import open_stores
from zoo.data.datasets import Samples, kind_name
from zoo.errors import ConfigError, DataError
from zoo.evaluation import Automatic, Interactive, OneShotProtocol

# Results that are shipped say these words: another one would tear their tables apart.
WORDS = {
    ObjectWindows: "objects",
    ObjectsInImages: "objects_in_images",
    WholeImages: "images",
    GridWindows: "windows",
    RandomWindows: "random_windows",
}


class Mine(ObjectWindows):
    """Other samples than its parent's, which results must not mix up with them."""


class Forgetful(WholeImages):
    """Does not care for a list."""

    def __init__(self, selection: Selection) -> None:
        super().__init__(Selection(selection.stores, selection.split))


def mine(selection: Selection) -> StoreDataset:
    return Mine(selection, side=8)


@pytest.mark.parametrize(("kind", "word"), [*WORDS.items(), (Mine, "Mine"), (mine, "mine")])
def test_results_call_a_kind_by_its_own_word(kind, word):
    assert kind_name(kind) == kind_name(partial(kind)) == kind_name(partial(partial(kind), side=3)) == word
    assert Interactive(samples=partial(kind)).settings["samples"] == word
    assert Automatic(kind).settings == {"samples": word}


@pytest.mark.parametrize("kind", WORDS)
def test_the_command_lines_partial_has_the_same_name(kind):
    parser = ArgumentParser(exit_on_error=False)
    parser.add_argument("--samples", type=Samples | None)
    spec = {"class_path": f"zoo.data.{kind.__name__}"}
    made = parser.instantiate(parser.parse_object({"samples": spec})).samples
    assert kind_name(made) == WORDS[kind]


def test_what_protocols_evaluate_by_default():
    protocols = (Interactive(), Automatic(), OneShotProtocol())
    assert [kind_name(protocol.samples) for protocol in protocols] == ["objects", "windows", "images"]


def test_batches_in_evaluation(tmp_path):
    selection = Selection([instance_store(tmp_path / "a.h5", ("x", "test", 3))], "test")
    windows, images = ObjectWindows(selection, 16), WholeImages(selection)
    count = 3 * len(IDS)
    assert windows.batches(7) == [list(range(k, min(k + 7, count))) for k in range(0, count, 7)]
    assert images.batches(7) == [[0], [1], [2]]


def test_lists_of_whole_images(tmp_path):
    store = instance_store(tmp_path / "a.h5", ("x", "test", 3))
    listed = tmp_path / "list.txt"
    listed.write_text("a/x/2\na/x/0\n")
    data = PatchDataModule([str(store.path)], train=WholeImages, test_list=str(listed))
    data.setup("test")
    assert [data.datasets["test"].describe(k)["item"] for k in range(2)] == [2, 0]
    assert [batch.truth.sample_id.tolist() for batch in data.test_dataloader()] == [[0], [1]]
    data.evaluated = Forgetful
    with pytest.raises(ConfigError, match=r"list\.txt: Forgetful samples others too"):
        data.setup("test")


def test_a_name_that_two_stores_have_is_refused(tmp_path):
    stores = [instance_store(tmp_path / folder / "a.h5", ("x", "test", 1)) for folder in ("one", "two")]
    (tmp_path / "list.txt").write_text("a/x/0\n")
    data = PatchDataModule([str(each.path) for each in stores], train=WholeImages, test_list=str(tmp_path / "list.txt"))
    with pytest.raises(DataError, match=r"one/a\.h5 and .*two/a\.h5: a list names 'a/x/0', which is in each"):
        data.setup("test")


def test_a_store_by_two_paths_is_one(tmp_path, monkeypatch):
    store = instance_store(tmp_path / "a.h5", ("x", "test", 1))
    monkeypatch.chdir(tmp_path)
    assert len(open_stores(["a.h5", str(store.path), "./a.h5"])) == 1
