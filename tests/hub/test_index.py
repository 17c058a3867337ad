"""Indices: what is read of one, which checkpoint a name means, and where it is found."""

import hashlib
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

import zoo
from tests.helpers.checkpoints import nuclick_folder
from tests.helpers.server import Server, contents, serving
from zoo.errors import CheckpointError
from zoo.hub import fetch, index
from zoo.hub.cache import cache_folder
from zoo.hub.index import Entry, checksums, entries, parse, write_entry
from zoo.hub.indices import Indices
from zoo.hub.locate import locate
from zoo.hub.models import list_models


@pytest.fixture(scope="module")
def published(tmp_path_factory) -> Path:
    """A lab's folder: an index and the folder of a checkpoint beside it."""
    lab = tmp_path_factory.mktemp("published") / "lab"
    folder = nuclick_folder(lab / "tiny")
    size = sum(path.stat().st_size for path in folder.iterdir())
    entry = Entry(
        "Tiny NuClick", "CC0-1.0", checksums(folder), 0.25, None, ("nuclei",), ("click",), ("disks",), size=size
    )
    write_entry(lab / "index.yaml", "tiny", entry)
    write_entry(lab / "index.yaml", "nuclei", entry)
    return lab


@pytest.fixture
def lab(published, tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("ISEGZOO_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("ZOO_INDEX", raising=False)
    return Path(shutil.copytree(published, tmp_path / "lab"))


@pytest.fixture
def server(lab, monkeypatch) -> Iterator[Server]:
    monkeypatch.setattr(fetch, "PAUSES", ())
    files = {"lab/index.yaml": (lab / "index.yaml").read_bytes(), **contents(lab / "tiny", "lab/tiny/")}
    with serving(files) as out:
        yield out


def visible(folder: Path) -> list[str]:
    return sorted(re.sub(r"-[0-9a-f]{8}", "", path.name) for path in folder.iterdir() if not path.name.startswith("."))


def test_an_index_on_the_web(server, lab):
    further = f"{server.address}/lab/index.yaml"
    assert "tiny" in list_models(index=further)
    assert zoo.load("tiny", index=further).mpp == 0.25
    assert zoo.load("lab/tiny", index=further).mpp == 0.25
    assert visible(cache_folder()) == ["index.yaml", "tiny"]
    assert server.asked["lab/tiny/model.safetensors"] == 1
    assert {name for name in server.asked if "nuclei" in name} == set()


def test_a_download_is_verified_at_every_load(server, lab, monkeypatch):
    monkeypatch.setenv("ZOO_INDEX", f"{server.address}/lab")
    folder = locate("tiny")
    (folder / "config.yaml").write_text("class_path: os.system\n")
    with pytest.raises(CheckpointError, match=r"config\.yaml: sha256 is .* delete .*tiny"):
        zoo.load("tiny")
    (folder / "config.yaml").unlink()
    with pytest.raises(CheckpointError, match="sha256 is missing"):
        zoo.load("tiny")


def test_without_a_connection_what_is_cached_works(server, lab, monkeypatch):
    monkeypatch.setenv("ZOO_INDEX", f"{server.address}/lab")
    locate("tiny")
    del server.files["lab/tiny/config.yaml"]
    server.busy.add("lab/index.yaml")
    server.asked.clear()
    with pytest.warns(UserWarning, match="its copy in .* is used"):
        assert locate("tiny").is_dir()
    with pytest.warns(UserWarning, match="left out"):
        assert "nuclei" in list_models(index="http://127.0.0.1:9/lab")
    assert locate("nuclei", ["http://127.0.0.1:9/lab"]) == index.SHIPPED / "nuclei"
    with pytest.raises(CheckpointError, match="zoo download NAME --to"):
        locate("tinier", ["http://127.0.0.1:9/lab"])


def test_a_changed_checkpoint_is_another_download(server, lab, monkeypatch):
    monkeypatch.setenv("ZOO_INDEX", f"{server.address}/lab")
    first = locate("tiny")
    card = b"# Another card\n"
    content = yaml.safe_load(server.files["lab/index.yaml"])
    content["tiny"]["files"]["README.md"] = hashlib.sha256(card).hexdigest()
    server.files |= {"lab/index.yaml": yaml.safe_dump(content).encode(), "lab/tiny/README.md": card}
    second = locate("tiny")
    assert (second / "README.md").read_bytes() == card
    assert first != second


def test_an_index_in_a_folder(lab):
    for address in (lab, lab / "index.yaml", f"file://{lab}/index.yaml"):
        assert locate("tiny", [str(address)]) == lab / "tiny"
    (lab / "tiny" / "README.md").write_text("changed")
    with pytest.raises(CheckpointError, match=r"README\.md: sha256 is"):
        locate("tiny", [str(lab)])
    shutil.rmtree(lab / "tiny")
    with pytest.raises(CheckpointError, match="the index 'lab' names it, but it is not there"):
        locate("tiny", [str(lab)])


def test_names_that_collide_are_told_apart(lab, tmp_path):
    other = Path(shutil.copytree(lab, tmp_path / "other"))
    both = [str(lab), str(other)]
    assert locate("nuclei", both) == index.SHIPPED / "nuclei"  # no index takes the package's place
    assert locate("isegzoo/nuclei", both) == index.SHIPPED / "nuclei"
    names = list(list_models(index=both))
    assert {"nuclei", "lab/nuclei", "other/nuclei", "lab/tiny", "other/tiny"} <= set(names)
    assert "tiny" not in names
    with pytest.raises(CheckpointError, match="lab/tiny or other/tiny"):
        locate("tiny", both)
    assert locate("other/tiny", both) == other / "tiny"
    assert locate("mine/tiny", [f"mine={lab}"]) == lab / "tiny"


def test_two_indices_of_one_name(lab, tmp_path):
    twin = Path(shutil.copytree(lab, tmp_path / "elsewhere" / "lab"))
    with pytest.raises(CheckpointError, match=r"already; write another name=ADDRESS"):
        Indices([str(lab), str(twin)])
    assert locate("twin/tiny", [str(lab), f"twin={twin}"]) == twin / "tiny"
    with pytest.raises(CheckpointError, match="already"):
        Indices([f"isegzoo={lab}"])


@pytest.mark.parametrize(
    ("address", "name"),
    [
        ("https://lab.org/index.yaml", "lab.org"),
        ("https://lab.org/zoo/index.yaml", "zoo"),
        ("https://lab.org/zoo/", "zoo"),
        ("https://lab.org/stains.yaml", "stains"),
        ("hf://lab/zoo@v1", "lab"),
        ("hf://lab/zoo/index.yaml", "lab"),
        ("/data/stains.yaml", "stains"),
        ("file:///data/lab/index.yaml", "lab"),
    ],
)
def test_an_index_is_named_after_its_folder(address, name):
    with pytest.raises(CheckpointError, match=f"'{re.escape(name)}' already"):
        Indices([address, f"{name}=other.yaml"])


def test_indices_are_not_kept_beyond_their_object(lab):
    indices = Indices([str(lab)])
    assert indices.find("tiny") is not None
    (lab / "index.yaml").write_text("{}")
    assert indices.find("tiny") is not None
    assert Indices([str(lab)]).find("tiny") is None


GOOD = {"title": "T", "licence": "L", "files": {"config.yaml": "0" * 64}}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({"a": GOOD | {"files": {"../../.bashrc": "0" * 64}}}, "no name of a file in its folder"),
        ({"a": GOOD | {"files": {"/etc/passwd": "0" * 64}}}, "no name of a file in its folder"),
        ({"a": GOOD | {"files": {".hidden": "0" * 64}}}, "no name of a file in its folder"),
        ({"a": GOOD | {"files": {"config.yaml": "0"}}}, "is no sha256"),
        ({"a": GOOD | {"files": {}}}, "files must name each"),
        ({"../a": GOOD}, "no name of a checkpoint"),
        ({"a": GOOD | {"pickle": 1}}, "says pickle, which this version does not know"),
        ({"a": {"title": "T"}}, "needs a title, a licence and files"),
        ({"a": GOOD | {"mpp": "0.25"}}, "must be numbers"),
        ({"a": GOOD | {"task": 5}}, "task must be a list"),
        ({"a": GOOD | {"data": "glas"}}, "data must be a list"),
        ({"a": GOOD | {"metrics": [1]}}, "metrics must name each number"),
        ({"a": GOOD | {"url": 5}}, "url must be a text"),
        ({"a": GOOD | {"licence": 4.0}}, "licence must be a text"),
        (["a"], "no index"),
    ],
)
def test_what_is_no_index(content, said):
    with pytest.raises(CheckpointError, match=f"lab.yaml.*{said}"):
        parse(yaml.safe_dump(content), "lab.yaml")


def test_an_index_is_never_unpickled(tmp_path):
    path = tmp_path / "index.yaml"
    path.write_text(f"a: !!python/object/apply:pathlib.Path.touch [{tmp_path}/touched]\n")
    with pytest.raises(CheckpointError, match="no index"):
        entries(path)
    path.write_bytes(b"\x80\x04\x95")
    with pytest.raises(CheckpointError, match="not readable"):
        entries(path)
    assert not (tmp_path / "touched").exists()


def test_entries_are_written_and_read(tmp_path):
    path = tmp_path / "index.yaml"
    one = Entry("One", "CC0-1.0", {"config.yaml": "1" * 64}, 0.5, task=("nuclei",), metrics={"AJI": 0.7}, size=3)
    two = Entry("Two", "MIT", {"config.yaml": "0" * 64}, url="https://somewhere.org/two")
    write_entry(path, "one", two)
    write_entry(path, "two", two)
    write_entry(path, "one", one)
    assert entries(path) == {"one": one, "two": two}


def test_models_are_chosen(lab):
    assert list(list_models("nuc*-compact")) == ["nuclick-nuclei-compact"]
    assert {"anything", "nuclei", "nuclick-nuclei-compact"} == set(list_models(task="nuclei"))
    assert set(list_models(interaction="squiggle")) == {"anything", "nuclick-glands"}
    fields = {"deepscribble-guide-glas", "deepscribble-refine-glas", "zoomiseg-l1-glas", "zoomiseg-l2-glas"}
    clicked = {"ritm-fields-glas", "fbrs-base-fields-glas"}
    assert set(list_models(task="region")) == {"anything", *fields, *clicked}
    assert set(list_models("RITM", licence="research")) == {"ritm-glands-glas", "ritm-fields-glas"}
    assert list_models("no-such") == {}


def test_the_shipped_index_is_true():
    """Every checkpoint has its checksums and size, every folder stands in the index, and metrics stand in the card."""
    assert {path.name for path in index.SHIPPED.iterdir()} == set(entries())
    for name, entry in entries().items():
        folder = index.SHIPPED / name
        assert entry.url is None
        assert checksums(folder) == entry.files
        total = sum((folder / file).stat().st_size for file in entry.files)
        assert (total, total < 13e6) == (entry.size, True)
        card = yaml.safe_load((index.HERE / "cards" / f"{name}.yaml").read_text())
        said = (entry.task, entry.interaction, entry.data)
        assert (card["task"], card["interaction"], card["data"]) == tuple(map(", ".join, said))
        for measured, value in (entry.metrics or {}).items():
            what = measured.split(",")[0]
            rows = [line.split(" | ") for line in (folder / "README.md").read_text().splitlines() if line[:1] == "|"]
            column = next(i for i, heading in enumerate(rows[0]) if heading.strip("| ↑↓") == what)
            shown = {row[column].strip("| ") for row in rows[2:]}
            assert shown & {f"{value:.2f}", f"{value:.3f}"}, measured


def test_cache_folder(monkeypatch, tmp_path):
    monkeypatch.delenv("ISEGZOO_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "isegzoo"


def test_an_entry_of_each_of_many_processes(tmp_path):
    code = (
        "import sys; from pathlib import Path; from zoo.hub.index import Entry, write_entry\n"
        "for k in range(10): write_entry(Path(sys.argv[1]), f'{sys.argv[2]}{k}', Entry('T', 'MIT', {'a': '0' * 64}))"
    )
    path = tmp_path / "lab" / "index.yaml"
    both = [subprocess.Popen([sys.executable, "-c", code, str(path), name]) for name in "ab"]
    assert [each.wait(60) for each in both] == [0, 0]
    assert sorted(entries(path)) == sorted(f"{name}{k}" for name in "ab" for k in range(10))
