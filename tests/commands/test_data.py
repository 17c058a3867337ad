"""`zoo data`: counts against a recount of the files' bytes, every problem that --check finds, JSON, pictures."""

import io
import json
import shutil
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from tests.helpers.stores import ABOUT, HEIGHT, IDS, WIDTH, instance_store, instances, picture, region_store
from zoo.cli import main
from zoo.images.drawing import INSTANCES, label_outlines
from zoo.store.check import problems
from zoo.store.preview import choose
from zoo.store.reader import Store
from zoo.store.summary import contents
from zoo.store.writer import StoreWriter

EMBEDDED = Path(__file__).parents[2] / "experiments/data/dsb2018.h5"


def found(capsys: pytest.CaptureFixture[str], *arguments: str | Path, code: int = 0) -> dict[str, Any]:
    """What `zoo data ... --json` prints."""
    assert main(["data", *map(str, arguments), "--json"]) == code
    return json.loads(capsys.readouterr().out)


def edit(path: Path, change) -> Path:
    with h5py.File(path, "a") as file:
        change(file)
    return path


def pair(path: Path, window: tuple[float, ...] = (0, 0.0, 0.0, 4.0, 4.0), split: str = "train") -> Path:
    """A region store with one image at 5x and two patches of it at 20x."""
    about = {"slide": path.stem, "patient": path.stem, "split": split}
    label = (instances() > 0).astype(np.uint8)
    with StoreWriter(path, **ABOUT, labels="region", parameters='{"size": 16}') as writer:
        writer.add_group("5x", picture(0)[None], label[None], magnification=5, mpp=2.0, **about)
        why = json.dumps({"glass": 2, "no tumour": 1})
        stack = writer.open_group(
            "20x", magnification=20, mpp=0.5, parent="5x", skipped=why, tissue_fraction=0.5, **about
        )
        stack.append(picture(1)[:16, :16], label[:16, :16], parent=(0, 0.0, 0.0, 4.0, 4.0))
        stack.append(picture(1)[:16, 16:32], label[:16, 16:32], (64, 0), parent=window)
        writer.open_group("40x", skipped='{"glass": 5}', **about)
    return path


def test_counts_equal_a_recount_of_the_embedded_store(capsys):
    (summary,) = found(capsys, EMBEDDED)["datasets"]
    rows = {row["split"]: row for row in summary["rows"]}
    expected: dict[str, list[Any]] = {}
    with h5py.File(EMBEDDED, locking=False) as file:
        assert (summary["licence"], summary["citation"]) == (file.attrs["licence"], file.attrs["citation"])
        for group in file.values():
            entry = expected.setdefault(group.attrs["split"], [0, 0, [], set(), set(), 0])
            labels = group["label"][()]
            entry[0] += 1
            entry[1] += len(labels)
            for label in labels:
                entry[2] += np.unique(label[label != 0], return_counts=True)[1].tolist()
            entry[3].add(group.attrs["patient"])
            entry[4].add(group.attrs["slide"])
            entry[5] += labels.size
    assert list(rows) == ["train", "val", "test"]
    for split, (groups, images, areas, patients, slides, pixels) in expected.items():
        row = rows[split]
        assert (row["groups"], row["images"], row["objects"]) == (groups, images, len(areas))
        assert (row["patients"], row["slides"]) == (len(patients), len(slides))
        assert row["median_area"] == np.median(areas)
        assert row["positive_fraction"] == pytest.approx(sum(areas) / pixels)
        assert row["sizes"] == {"320x256": images}
    (total,) = summary["totals"]
    assert total["split"] is None
    assert total["objects"] == sum(len(entry[2]) for entry in expected.values())
    assert total["median_area"] == np.median(np.concatenate([entry[2] for entry in expected.values()]))
    assert (summary["files"], summary["bytes"]) == (1, EMBEDDED.stat().st_size)


def test_many_files_make_one_table(tmp_path, capsys):
    for number in range(5):
        split = "train" if number < 3 else "test"
        instance_store(tmp_path / "sub" / f"{number}.h5", ("g", split, number + 1))
    instance_store(tmp_path / "other.h5", ("g", "val", 2), dataset="Another")
    report = found(capsys, tmp_path, tmp_path / "sub" / "*.h5", tmp_path / "sub" / "0.h5")
    assert [(s["dataset"], s["files"]) for s in report["datasets"]] == [("Another", 1), ("Made up", 5)]
    counts = [(r["split"], r["groups"], r["images"], r["patients"], r["slides"]) for r in report["datasets"][1]["rows"]]
    assert counts == [("train", 3, 6, 3, 1), ("test", 2, 9, 2, 1)]
    assert report["problems"] == []
    assert main(["data", str(tmp_path)]) == 0
    shown = capsys.readouterr().out
    assert shown.count("data set") == 2
    assert sum(line.split()[:1] == ["train"] for line in shown.splitlines()) == 1


def test_regions_pairs_and_attributes(tmp_path, capsys):
    pair(tmp_path / "a.h5")
    pair(tmp_path / "b.h5", split="test")
    (summary,) = found(capsys, tmp_path)["datasets"]
    label = instances() > 0
    low, high = label[:16, :16].mean(), label[:16, 16:32].mean()
    rows = {(row["magnification"], row["split"]): row for row in summary["rows"]}
    assert list(rows) == [(5, "train"), (5, "test"), (20, "train"), (20, "test")]
    row = rows[20, "train"]
    assert row["positive_fraction"] == pytest.approx((low + high) / 2)
    assert row["positive_range"] == pytest.approx([min(low, high), max(low, high)])
    assert (row["images"], row["labelled_images"], row["median_area"]) == (2, 2, None)
    assert (row["mpp"], row["sizes"]) == ([0.5, 0.5], {"16x16": 2})
    assert [total["images"] for total in summary["totals"]] == [2, 4]
    assert summary["pairs"] == [{"magnification": 20, "parent_magnification": 5, "images": 4}]
    # Two slides, of each one group with patches and one without.
    assert summary["sums"] == {"skipped": {"glass": 14, "no tumour": 2}}
    assert summary["attributes"] == {}
    assert summary["ranges"] == {"tissue_fraction": [0.5, 0.5]}
    assert (summary["empty"], summary["parameters"]) == (2, {'{"size": 16}': 2})
    assert main(["data", str(tmp_path)]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    for text in (
        "4 images at 20x lie in images at 5x",
        "glass 14, no tumour 2",
        "size=16",
        "2 groups for which no image",
    ):
        assert text in shown


def test_what_is_shown_of_one_slide_fits_on_a_terminal(tmp_path, capsys):
    options = json.dumps({"size": 1024, "stride": None, "classes": []})
    about = {"slide": "s", "patient": "p", "split": "train", "magnification": 20, "mpp": 0.2461, "downsample": 2.0}
    with StoreWriter(tmp_path / "a.h5", **ABOUT, labels="region", parameters=options) as writer:
        label = np.ones((1, 1024, 1024), np.uint8)
        writer.add_group("20x", np.zeros((1, 1024, 1024, 3), np.uint8), label, skipped='{"little tissue": 22}', **about)
        writer.open_group("5x", **about)
    assert main(["data", str(tmp_path)]) == 0
    lines = capsys.readouterr().out.splitlines()
    for line in ("skipped     little tissue 22", "downsample  2", "parameters  size=1024"):
        assert line in lines
    assert "empty       1 group for which no image was found" in lines
    assert max(map(len, lines)) <= 80
    (row,) = [line.split() for line in lines if line.startswith("train ")]
    assert row == ["train", "1", "1", "1", "1", "1", "100%", "1024x1024", "0.2461", "20x"]


def test_ignored_pixels_are_not_positive(tmp_path, capsys):
    region_store(tmp_path / "r.h5")
    ((row,),) = [summary["rows"] for summary in found(capsys, tmp_path / "r.h5")["datasets"]]
    assert row["positive_fraction"] == pytest.approx((100 + 50) / (2 * HEIGHT * WIDTH))
    assert (row["images"], row["labelled_images"], row["objects"]) == (2, 1, 2)


def test_unknown_mpp_and_several_sizes_are_told(tmp_path, capsys):
    with StoreWriter(tmp_path / "a.h5", **ABOUT) as writer:
        for number, mpp in enumerate((None, 0.25, 0.5)):
            image, label = picture(0)[None, : 10 + number], instances()[None, : 10 + number]
            writer.add_group(str(number), image, label, slide="s", patient="p", split="train", mpp=mpp)
    (summary,) = found(capsys, tmp_path)["datasets"]
    assert (summary["rows"][0]["mpp"], summary["rows"][0]["mpp_unknown"]) == ([0.25, 0.5], 1)
    assert main(["data", str(tmp_path)]) == 0
    shown = capsys.readouterr().out
    assert all(text in shown for text in ("0.25 to 0.5", "1 unknown", "56x10", "to 56x12"))


def test_good_stores_pass(tmp_path, capsys):
    instance_store(tmp_path / "a.h5", ("g", "train", 3), ("h", "val", 1))
    pair(tmp_path / "b.h5")
    assert main(["data", str(tmp_path), "--check"]) == 0
    captured = capsys.readouterr()
    assert "2 file(s) checked: no problems" in captured.out
    assert "zoo data:" not in captured.err
    advanced: list[int] = []
    assert list(problems([Store(tmp_path / "a.h5"), Store(tmp_path / "b.h5")], advanced.append)) == []
    assert sum(advanced) == 4 + 3


def overwrite_chunk(path: Path, name: str, number: int) -> None:
    with h5py.File(path, locking=False) as file:
        chunk = file[name].id.get_chunk_info(number)
    content = bytearray(path.read_bytes())
    content[chunk.byte_offset : chunk.byte_offset + 20] = bytes(20)
    path.write_bytes(content)


def test_all_damaged_chunks_are_listed(tmp_path, capsys):
    path = instance_store(tmp_path / "a.h5", ("g", "train", 4), ("h", "val", 2)).path
    for name, number in (("g/image", 1), ("g/image", 3), ("h/label", 0)):
        overwrite_chunk(path, name, number)
    report = found(capsys, path, "--check", code=2)
    assert len(report["problems"]) == 3
    for message, end in zip(report["problems"], ("image 1", "image 3", "label 0"), strict=True):
        assert f"{end} is damaged; prepare it again" in message
    # What the file says of itself is still shown.
    assert report["datasets"][0]["rows"][0]["images"] == 4


def change_table(**columns: int):
    def change(file: h5py.File) -> None:
        table = file["g/objects"][()]
        for column, value in columns.items():
            table[column][2] = value
        file["g/objects"][()] = table

    return change


@pytest.mark.parametrize(("column", "value"), [("area", 1), ("x0", 2), ("y1", 39), ("id", 6)])
def test_an_edited_table_of_objects(tmp_path, capsys, column, value):
    path = edit(instance_store(tmp_path / "a.h5", ("g", "train", 2)).path, change_table(**{column: value}))
    (message,) = found(capsys, path, "--check", code=2)["problems"]
    ids = ", ".join(map(str, sorted({sorted(IDS)[2], value} if column == "id" else {sorted(IDS)[2]})))
    assert "a.h5, group 'g': the table of objects tells 6 in image 0, its labels hold 6" in message
    assert f"differ of {ids}: prepare" in message


def test_rows_missing_doubled_or_of_no_image(tmp_path, capsys):
    def replace(rows):
        def change(file: h5py.File) -> None:
            table = rows(file["g/objects"][()])
            del file["g/objects"]
            file["g/objects"] = table

        return change

    path = instance_store(tmp_path / "a.h5", ("g", "train", 2)).path
    (message,) = found(capsys, edit(path, replace(lambda table: table[1:])), "--check", code=2)["problems"]
    assert "tells 5 in image 0, its labels hold 6" in message
    (message,) = found(capsys, edit(path, replace(lambda t: t[[0, *range(len(t))]])), "--check", code=2)["problems"]
    assert "image 0" in message  # a doubled row takes the place of the missing one
    path = edit(instance_store(tmp_path / "a.h5", ("g", "train", 2)).path, change_table(item=7))
    report = found(capsys, path, "--check", code=2)
    assert "1 rows of its table of objects name images that it doesn't hold" in report["problems"][0]
    assert "tells 5 in image 0" in report["problems"][1]
    assert report["datasets"] == []
    path = edit(path, replace(lambda table: table["area"]))
    (message,) = found(capsys, path, "--check", code=2)["problems"]
    assert "has the columns int64" in message


@pytest.mark.parametrize(
    "window",
    [(0, 0, 0, 4, HEIGHT + 1), (0, -1, 0, 4, 4), (0, 4, 0, 4, 4), (1, 0, 0, 4, 4), (-1, 0, 0, 4, 4),
     (0, 0, 0, float("nan"), 4), (0, 0, 0, WIDTH + 0.5, 4)],
)  # fmt: skip
def test_a_window_outside_its_parent(tmp_path, capsys, window):
    (message,) = found(capsys, pair(tmp_path / "a.h5", window), "--check", code=2)["problems"]
    assert "group '20x': the parent window" in message
    assert "of image 1 is not inside the 1 image(s) of 56x40 px of '5x'" in message


def test_parents_missing(tmp_path, capsys):
    path = edit(pair(tmp_path / "a.h5"), lambda file: file.pop("5x"))
    (message,) = found(capsys, path, "--check", code=2)["problems"]
    assert "its parent '5x' is not in the file" in message
    path = edit(pair(tmp_path / "a.h5"), lambda file: file["20x"].pop("parent"))
    (message,) = found(capsys, path, "--check", code=2)["problems"]
    assert "parent of group '20x' can't be read" in message


def test_patients_in_two_splits_over_files(tmp_path, capsys):
    about = {"slide": "s", "patient": "anna"}
    for name, split, unit in (("a", "train", "patient"), ("b", "test", "patient"), ("c", "val", "field")):
        dataset = "Made up" if unit == "patient" else "Fields"
        with StoreWriter(tmp_path / f"{name}.h5", **(ABOUT | {"dataset": dataset}), split_unit=unit) as writer:
            writer.add_group("g", picture(0)[None], instances()[None], split=split, **about)
    (message,) = found(capsys, tmp_path, "--check", code=2)["problems"]
    assert "patient 'anna' is in 'train'" in message
    assert "a.h5" in message
    assert "b.h5" in message
    assert found(capsys, tmp_path / "a.h5", tmp_path / "c.h5", "--check")["problems"] == []
    assert found(capsys, tmp_path)["problems"] == []  # only --check looks


def test_what_a_file_says_of_itself(tmp_path, capsys):
    def change(file: h5py.File) -> None:
        file.attrs["licence"] = ""
        file.attrs["parameters"] = "{"
        file["g"].attrs["split"] = "trian"
        file["g"].attrs["mpp"] = -1.0

    path = edit(instance_store(tmp_path / "a.h5", ("g", "train", 1)).path, change)
    messages = found(capsys, path, "--check", code=2)["problems"]
    for message, text in zip(
        messages, ("says nothing about licence", "parameters are no JSON", "split 'trian'", "mpp is -1.0"), strict=True
    ):
        assert text in message
    path = edit(path, lambda file: file.attrs.__setitem__("labels", "boxes"))
    (message,) = found(capsys, path, "--check", code=2)["problems"]
    assert "labels='boxes'" in message


def test_labels_of_another_type(tmp_path, capsys):
    def change(file: h5py.File) -> None:
        label = file["g/label"][()]
        del file["g/label"]
        file["g/label"] = label.astype(np.int64)

    path = edit(instance_store(tmp_path / "a.h5", ("g", "train", 2)).path, change)
    (message,) = found(capsys, path, "--check", code=2)["problems"]
    assert "labels are int64; instances are kept as int32" in message


def test_broken_groups_do_not_hide_each_other(tmp_path, capsys):
    def change(file: h5py.File) -> None:
        del file["a/objects"]
        del file["b"].attrs["patient"]
        file["c/objects"][()] = np.zeros(6, file["c/objects"].dtype)

    path = instance_store(tmp_path / "a.h5", ("a", "train", 1), ("b", "train", 1), ("c", "train", 1)).path
    messages = found(capsys, edit(path, change), "--check", code=2)["problems"]
    assert ["group 'a': objects missing" in messages[0], "group 'b': patient missing" in messages[1]] == [True, True]
    assert "group 'c': the table of objects" in messages[2]
    assert len(messages) == 3


def test_bad_files_among_good_ones(tmp_path, capsys):
    good = instance_store(tmp_path / "good.h5", ("g", "train", 2)).path
    (tmp_path / "cut.h5").write_bytes(good.read_bytes()[: good.stat().st_size // 2])
    (tmp_path / "text.h5").write_text("not a store")
    edit(Path(shutil.copy(good, tmp_path / "old.h5")), lambda file: file.attrs.__setitem__("schema_version", 99))
    for options in ((), ("--check",)):
        report = found(capsys, tmp_path, tmp_path / "gone.h5", *options, code=2)
        assert [summary["files"] for summary in report["datasets"]] == [1]
        for text in ("gone.h5: no such file", "cut.h5: truncated", "text.h5: not an HDF5", "old.h5: schema version 99"):
            assert sum(text in message for message in report["problems"]) == 1
        assert len(report["problems"]) == 4
    assert main(["data", str(tmp_path / "cut.h5")]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith(f"zoo data: {tmp_path}/cut.h5: truncated")


def test_no_damage_of_the_data_ends_in_a_traceback(tmp_path, capsys):
    path = pair(tmp_path / "a.h5")
    good = np.frombuffer(path.read_bytes(), np.uint8)
    with h5py.File(path, locking=False) as file:
        places = []
        for group in file.values():
            for dataset in group.values():
                if dataset.chunks is None:
                    places.append((dataset.id.get_offset(), dataset.id.get_storage_size()))
                else:
                    chunks = [dataset.id.get_chunk_info(i) for i in range(dataset.id.get_num_chunks())]
                    places += [(chunk.byte_offset, chunk.size) for chunk in chunks]
    assert len(places) == 2 * 3 + 2 * 2 + 1
    rng = np.random.default_rng(0)
    codes = []
    for start, size in places * 3:
        content = good.copy()
        content[start + rng.integers(0, size, 3)] ^= rng.integers(1, 256, 3, np.uint8)
        path.write_bytes(content.tobytes())
        codes.append(main(["data", str(path), "--check"]))
        assert bool(codes[-1]) == ("zoo data: " in capsys.readouterr().err)
    assert set(codes) == {0, 2}  # an origin may be anything


def test_bytes_that_are_no_text(tmp_path, capsys):
    path = instance_store(tmp_path / "a.h5", ("g", "train", 1)).path
    content = path.read_bytes()
    path.write_bytes(content.replace(b"CC0 1.0", b"CC0 \xa1.0"))
    (message,) = found(capsys, path, "--check", code=2)["problems"]
    assert "a.h5: its attributes can't be read" in message
    path.write_bytes(content.replace(b"slide-g", b"slide-\xa1"))
    (message,) = found(capsys, path, "--check", code=2)["problems"]
    assert "a.h5: group 'g' can't be read" in message


def cells(png: bytes, colour: tuple[int, int, int]) -> int:
    """Pictures of a colour in a sheet."""
    sheet = np.asarray(Image.open(io.BytesIO(png)).convert("RGB")).astype(int)
    pieces, _ = ndimage.label((abs(sheet - colour) < 12).all(-1))
    return int((np.bincount(pieces.ravel())[1:] > 10_000).sum())


@pytest.fixture(scope="module")
def plain(tmp_path_factory) -> Path:
    """Ten images of one colour without labels in three splits."""
    path = tmp_path_factory.mktemp("plain") / "a.h5"
    with StoreWriter(path, **ABOUT) as writer:
        for name, split, count in (("a", "train", 6), ("b", "train", 1), ("c", "val", 2), ("d", "test", 1)):
            image = np.full((count, 30, 40, 3), (200, 60, 120), np.uint8)
            label = np.zeros((count, 30, 40), np.int32)
            writer.add_group(name, image, label, slide=name, patient=f"$patient_{name}$", split=split)
    return path


@pytest.mark.parametrize(("asked", "drawn"), [(1, 1), (3, 3), (7, 7), (50, 10)])
def test_the_preview_has_a_cell_for_each_sample(plain, tmp_path, capsys, asked, drawn):
    out = tmp_path / "new" / "sheet.png"
    assert main(["data", str(plain), "--preview", str(out), "--samples", str(asked)]) == 0
    assert cells(out.read_bytes(), (200, 60, 120)) == drawn
    assert f"{drawn} image(s)" in capsys.readouterr().err


def test_samples_are_spread_seeded_and_in_order(plain):
    members = contents(Store(plain))

    def names(count: int, seed: int = 0) -> list[tuple[str, int]]:
        return [(record.group.name, item) for record, item in choose(members, count, seed)]

    assert {record.group.split for record, _ in choose(members, 3)} == {"train", "val", "test"}
    assert {name for name, _ in names(5)} == {"a", "b", "c", "d"}
    assert names(6) == names(6)
    assert len({tuple(names(6, seed)) for seed in range(20)}) > 5
    everything = names(99)
    assert len(everything) == len(set(everything)) == 10
    assert [name for name, _ in everything] == ["a"] * 6 + ["b"] + ["c"] * 2 + ["d"]


def test_the_preview_leaves_out_what_is_damaged(plain, tmp_path, capsys):
    path = Path(shutil.copy(plain, tmp_path / "a.h5"))
    overwrite_chunk(path, "d/image", 0)
    assert main(["data", str(path), "--preview", str(tmp_path / "sheet.png")]) == 2
    assert cells((tmp_path / "sheet.png").read_bytes(), (200, 60, 120)) == 9
    assert "group 'd': image 0 is damaged" in capsys.readouterr().err


def test_a_preview_that_cannot_be_written_or_holds_nothing(plain, tmp_path, capsys):
    (tmp_path / "file").touch()
    assert main(["data", str(plain), "--preview", str(tmp_path / "file" / "x.png")]) == 2
    assert "can't be written" in capsys.readouterr().err
    with StoreWriter(tmp_path / "none.h5", **ABOUT):
        pass
    assert main(["data", str(tmp_path / "none.h5"), "--preview", str(tmp_path / "x.png")]) == 2
    assert "there is no image to draw" in capsys.readouterr().err
    assert not (tmp_path / "x.png").exists()
    with pytest.raises(SystemExit, match="2"):
        main(["data", str(plain), "--samples", "0"])


def test_outlines_lie_inside_their_objects_in_several_colours():
    image = np.full((40, 56, 3), 128, np.uint8)
    labels = instances()
    drawn = label_outlines(image, labels)
    changed = (drawn != image).any(-1)
    assert not changed[labels == 0].any()
    for number in IDS:
        mask = labels == number
        # A pixel beside another label (in the four directions) is on the outline; the picture's border is not.
        padded = np.pad(labels, 1, mode="edge")
        beside = [padded[:-2, 1:-1], padded[2:, 1:-1], padded[1:-1, :-2], padded[1:-1, 2:]]
        edge = mask & np.any([other != labels for other in beside], axis=0)
        np.testing.assert_array_equal(changed & mask, edge)
        assert len(np.unique(drawn[edge], axis=0)) == 1
    colours = np.unique(drawn[changed], axis=0)
    assert {tuple(colour) for colour in colours.tolist()} <= set(INSTANCES)
    assert len(colours) == min(len(IDS), len(INSTANCES))
    wide = (label_outlines(image, labels, width=2) != image).any(-1)
    assert (wide | ~changed).all()
    assert wide.sum() > changed.sum()


def test_ignored_pixels_are_hatched_without_an_outline():
    image = np.full((32, 32, 3), 128, np.uint8)
    labels = np.full((32, 32), 255, np.uint8)
    labels[:, :16] = 1
    drawn = label_outlines(image, labels, ignore=255)
    hatched = (drawn[:, 16:] != 128).any(-1)
    assert 0.2 < hatched.mean() < 0.3
    assert len(np.unique(drawn[:, 16:].reshape(-1, 3), axis=0)) == 2
    assert (drawn[:, 15] != 128).any(-1).all()


def test_help_teaches(capsys):
    with pytest.raises(SystemExit, match="0"):
        main(["data", "--help"])
    text = capsys.readouterr().out
    for word in ("examples:", "zoo data experiments/data/dsb2018.h5", "--check", "--preview", "exit code"):
        assert word in text
    main(["--help"])
    assert "  data " in capsys.readouterr().out


def test_a_preview_does_not_replace_a_store(tmp_path, capsys):
    path = instance_store(tmp_path / "a.h5", ("a", "train", 1)).path
    before = path.read_bytes()
    assert main(["data", str(path), "--preview", str(path)]) == 2
    assert "a.h5: is read, and would be written over" in capsys.readouterr().err
    assert path.read_bytes() == before
