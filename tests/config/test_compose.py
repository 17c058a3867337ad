"""What `base` and `rows` make of experiment files."""

import json

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from zoo.config.cli import ZooCLI, run
from zoo.config.compose import Address, composes, experiments, merge, resolve
from zoo.errors import ConfigError

LEAVES = st.none() | st.integers(0, 3) | st.lists(st.integers(0, 3), max_size=2)


def mappings(classes: st.SearchStrategy[str]) -> st.SearchStrategy[dict]:
    """Nested mappings; `class_path` is one of some classes."""

    def nested(inner: st.SearchStrategy) -> st.SearchStrategy[dict]:
        plain = st.dictionaries(st.sampled_from("abcd"), inner, max_size=3)
        class_ = st.fixed_dictionaries({"class_path": classes}, optional={"init_args": plain})
        return plain | class_

    return nested(st.recursive(LEAVES, nested, max_leaves=8))


ANY, ONE_CLASS = mappings(st.sampled_from("XY")), mappings(st.just("X"))


def paths(mapping: dict, before: tuple = ()) -> dict:
    """Leaves, and empty mappings, by their keys."""
    out = {}
    for name, value in mapping.items():
        out |= paths(value, (*before, name)) if isinstance(value, dict) and value else {(*before, name): value}
    return out


@given(ANY)
def test_nothing_changes_nothing(mapping):
    assert merge(mapping, {}) == mapping == merge({}, mapping) == merge(mapping, mapping)


@given(ANY, ANY)
def test_all_that_lies_above_is_kept(under, over):
    merged = merge(under, over)
    for keys, value in paths(over).items():
        found = merged
        for key in keys:
            found = found[key]
        assert found == value or value == {}


@given(ONE_CLASS, ONE_CLASS)
def test_without_another_class_nothing_else_is_lost(under, over):
    """A leaf stays unless something lies at it, above it or, where it is empty, below it."""
    merged, above = paths(merge(under, over)), paths(over)
    for keys, value in paths(under).items():
        hidden = any(keys[: len(other)] == other or other[: len(keys)] == keys for other in above)
        assert hidden or merged[keys] == value


@given(ANY, ANY)
def test_laying_something_on_twice_is_the_same_as_once(under, over):
    once = merge(under, over)
    assert merge(once, over) == once


@given(ANY, ANY)
def test_what_was_merged_is_not_changed(under, over):
    before = json.dumps([under, over])
    merged = merge(under, over)
    for value in merged.values():
        if isinstance(value, list):
            value.append("more")
        elif isinstance(value, dict):
            value["more"] = 1
    assert json.dumps([under, over]) == before


def test_arguments_of_a_class_are_not_those_of_another():
    under = {"user": {"class_path": "Jitter", "init_args": {"sigma": 5}}, "targets": [1, 2]}
    assert merge(under, {"user": {"class_path": "Next"}, "targets": [3]}) == {
        "user": {"class_path": "Next"},
        "targets": [3],
    }
    more = merge(under, {"user": {"class_path": "Jitter", "init_args": {"depth": 1}}})
    assert more["user"]["init_args"] == {"sigma": 5, "depth": 1}
    assert merge(under, {"user": {"init_args": {"sigma": 6}}})["user"] == {
        "class_path": "Jitter",
        "init_args": {"sigma": 6},
    }
    assert merge({"refiner": "FBRSB"}, {"refiner": {"init_args": {"steps": 1}}})["refiner"] == {
        "class_path": "FBRSB",
        "init_args": {"steps": 1},
    }


def write(folder, **files):
    for name, content in files.items():
        path = folder / f"{name.replace('_', '/')}.yaml"
        path.parent.mkdir(exist_ok=True)
        path.write_text(content if isinstance(content, str) else yaml.safe_dump(content, sort_keys=False))
    return folder


def test_the_nearer_to_the_row_the_stronger(tmp_path):
    write(
        tmp_path,
        low={"a": "low", "b": "low", "c": "low", "d": "low"},
        models_near={"base": "../models/deep.yaml", "c": "near", "d": "near"},
        models_deep={"c": "deep", "e": "deep"},
        table={
            "base": "low.yaml",
            "b": "table",
            "c": "table",
            "d": "table",
            "rows": {"first": {"base": "models/near.yaml", "d": "row"}, "second": None},
        },
    )
    first, second = (resolve(address) for address in experiments(Address(tmp_path / "table.yaml")))
    assert first == {"a": "low", "b": "table", "c": "near", "d": "row", "e": "deep"}
    assert second == {"a": "low", "b": "table", "c": "table", "d": "table"}


def test_bases_come_in_order_and_may_be_rows(tmp_path):
    write(tmp_path, a={"x": 1, "y": 1}, b={"y": 2}, t={"z": 3, "rows": {"r": {"x": 4}}})
    write(tmp_path, c={"base": ["a.yaml", "b.yaml", "t.yaml::r"], "w": 0})
    assert resolve(Address(tmp_path / "c.yaml")) == {"x": 4, "y": 2, "z": 3, "w": 0}


def test_plain_files_are_left_alone(tmp_path):
    write(tmp_path, plain={"x": 1}, based={"base": "plain.yaml"}, table={"rows": {"r": {}}})
    assert [composes(Address(tmp_path / f"{name}.yaml")) for name in ("plain", "based", "table")] == [False, True, True]
    assert experiments(Address(tmp_path / "plain.yaml")) == [Address(tmp_path / "plain.yaml")]


@pytest.mark.parametrize(
    ("content", "row", "message"),
    [
        ({"base": "gone.yaml"}, None, "mine.yaml: its base .*gone.yaml is no file"),
        ({"base": 3}, None, "mine.yaml: base is 3; name a file"),
        ({"base": "mine.yaml"}, None, r"mine.yaml: is its own base \(.*mine.yaml -> .*mine.yaml\)"),
        ({"base": "other.yaml"}, None, r"is its own base \(.*mine.yaml -> .*other.yaml -> .*mine.yaml\)"),
        ({"rows": {"r": {"base": "mine.yaml::r"}}}, "r", "mine.yaml::r: is its own base"),
        ({"rows": {"r": {}, "s": {}}}, None, r"is a table; name one of its rows \(r, s\), such as .*mine.yaml::r"),
        ({"rows": {"r": {}, "s": {}}}, "t", "no row 't'; its rows are r, s"),
        ({"model": "X"}, "r", "no row 'r'; it has no rows"),
        ({"rows": {}}, None, "rows must be a mapping"),
        ({"rows": ["r"]}, "r", "rows must be a mapping"),
        ({"rows": {"r": 3}}, "r", "rows must be a mapping"),
        ({"rows": {"a/b": {}}}, "a/b", "can't have a row 'a/b'"),
        ({"rows": {1: {}}}, "1", "can't have a row 1"),
        ({"rows": {"differences": {}}}, "differences", "can't have a row 'differences'"),
        ("model: [", None, "mine.yaml: Problems parsing config"),
        ("- model", None, "must be a mapping"),
        ("", None, "must be a mapping"),
    ],
)
def test_what_does_not_compose_is_named(tmp_path, content, row, message):
    write(tmp_path, mine=content, other={"base": "mine.yaml"})
    with pytest.raises(ConfigError, match=message):
        resolve(Address(tmp_path / "mine.yaml", row))


def test_one_fragment_twice_is_no_circle(tmp_path):
    write(tmp_path, a={"x": 1}, b={"base": "a.yaml"}, c={"base": ["a.yaml", "b.yaml"]})
    assert resolve(Address(tmp_path / "c.yaml")) == {"x": 1}


def test_where_results_are(tmp_path):
    folder = tmp_path / "mine"
    assert Address(folder / "x.yaml").result == folder / "results" / "x.json"
    assert Address(folder / "x.yaml", "r").result == folder / "results" / "x" / "r.json"
    row = Address.parse(str(folder / "tables" / "x.yaml::r"))
    assert row.result == folder / "results" / "x" / "r.json"
    assert row.differences == folder / "results" / "x" / "differences" / "r.json"
    assert Address(folder / "x.yaml").differences == folder / "results" / "differences" / "x.json"


LINES = """
base: model.yaml
data: {files: [a.h5]}
protocol: {class_path: zoo.evaluation.Interactive, init_args: {max_interactions: 3}}
rows:
  r: {title: "1e5", model: {init_args: {sigma: 2e-1, stain: gray}}}
"""


def test_rows_and_files_compose_on_the_command_line(tmp_path, monkeypatch):
    """In order, each over those before it; every value is read as what it is in the file."""
    monkeypatch.setattr(ZooCLI, "instantiate_classes", lambda self: None)
    write(tmp_path, model={"model": {"class_path": "zoo.methods.Watershed", "init_args": {"stain": "hematoxylin"}}})
    write(tmp_path, t=LINES, more={"protocol": {"init_args": {"max_interactions": 4}}, "data": {"batch_size": 64}})
    arguments = ["-c", f"{tmp_path}/t.yaml::r", f"--config={tmp_path}/more.yaml", "--data.batch_size=16"]
    cli = run(arguments, run_verb=False)
    assert cli.config.title == "1e5"
    assert dict(cli.config.model.init_args).items() >= {"sigma": 0.2, "stain": "gray"}.items()
    assert (cli.config.protocol.init_args.max_interactions, cli.config.data.batch_size) == (4, 16)
    assert cli.experiment == "more"
    assert run(arguments[:2], run_verb=False).experiment == "t/r"


@pytest.mark.parametrize(
    ("change", "message"),
    [("model: {init_args: {sgima: 1}}", "t.yaml::r: .*sgima"), ("nonsense: 1", "t.yaml::r: .*nonsense")],
)
def test_a_wrong_key_is_told_with_its_row(tmp_path, change, message):
    write(tmp_path, model={"model": {"class_path": "zoo.methods.Watershed"}}, t=f"{LINES}")
    content = yaml.safe_load(LINES)
    content["rows"]["r"] = yaml.safe_load(change)
    write(tmp_path, t=content)
    with pytest.raises(ConfigError, match=message):
        run(["-c", f"{tmp_path}/t.yaml::r"], run_verb=False)


def test_shipped_experiments_are_found_from_any_folder(tmp_path, monkeypatch):
    table = Address.parse("experiments/tables/dsb2018.yaml")
    beside = resolve(Address.parse(f"{table}::watershed"))
    monkeypatch.chdir(tmp_path)
    rows = experiments(table)
    assert [row.row for row in rows] == ["nuclei", "nuclick", "anything", "watershed", "region-growing"]
    assert resolve(rows[3]) == beside
    cli = run(["-c", str(rows[3])], run_verb=False)
    cli.datamodule.setup("test")
    assert len(cli.datamodule.datasets["test"]) == 300
    # Results are the user's, who may have no right to write where the package lies.
    assert rows[3].result.is_relative_to(tmp_path)


def test_a_plain_file_of_the_package_is_found_too(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    cli = run(["-c", "experiments/models/watershed-dsb2018.yaml", "--data.files=[a.h5]"], run_verb=False)
    assert cli.config.model.class_path == "zoo.methods.Watershed"


def test_what_lies_in_the_folder_comes_first(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    mine = tmp_path / "experiments" / "tables" / "dsb2018.yaml"
    mine.parent.mkdir(parents=True)
    mine.write_text("base: ../models/watershed-dsb2018.yaml\ntitle: Mine\n")
    content = resolve(Address.parse("experiments/tables/dsb2018.yaml"))
    assert content["title"] == "Mine"
    assert content["model"]["class_path"] == "zoo.methods.Watershed"
