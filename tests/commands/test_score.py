import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from zoo.commands.score import blocks, main, match_folders
from zoo.errors import DataError, MetricError
from zoo.images.labels import read_labels, write_labels
from zoo.metrics import INSTANCE_METRICS, instance_statistics, overall_scores, score_instances


def labels(seed=0, ids=(0, 0, 1, 2, 7), shape=(12, 17)):
    return np.random.default_rng(seed).choice(ids, (shape[0] // 3 + 1, shape[1] // 3 + 1)).repeat(3, 0).repeat(3, 1)[
        : shape[0], : shape[1]
    ].astype(np.int32)  # fmt: skip


def save_as(path, array, kind):
    match kind:
        case "png8":
            Image.fromarray(array.astype(np.uint8)).save(path.with_suffix(".png"))
        case "png16":
            Image.fromarray(array.astype(np.uint16)).save(path.with_suffix(".png"))
        case "palette":
            image = Image.frombytes("P", array.shape[::-1], array.astype(np.uint8).tobytes())
            image.putpalette(np.random.default_rng(0).integers(0, 256, 768).tolist())
            image.save(path.with_suffix(".png"))
        case "grey as rgb":
            Image.fromarray(array.astype(np.uint8)[..., None].repeat(3, 2)).save(path.with_suffix(".png"))
        case "lzw":
            Image.fromarray(array.astype(np.uint16)).save(path.with_suffix(".tif"), compression="tiff_lzw")
        case "float.npy":
            np.save(path.with_suffix(".npy"), array.astype(np.float32))
        case _ if kind.endswith(".npy"):
            np.save(path.with_suffix(".npy"), array.astype(kind.removesuffix(".npy")))
        case _:
            tifffile.imwrite(path.with_suffix(".tif"), array.astype(kind))
    return next(path.parent.glob(f"{path.name}.*"))


FORMATS = {
    "png8": 255, "png16": 65535, "palette": 255, "grey as rgb": 255, "lzw": 65535, "float.npy": 70000,
    "uint8": 255, "uint16": 65535, "uint32": 2**31 - 1, "int32": 2**31 - 1, "uint16.npy": 65535, "int64.npy": 2**31 - 1,
}  # fmt: skip


@pytest.mark.parametrize("kind", FORMATS)
def test_every_format_keeps_its_ids(tmp_path, kind):
    array = labels(ids=(0, 1, FORMATS[kind]))
    read = read_labels(save_as(tmp_path / "a", array, kind))
    assert read.dtype == np.int32
    assert np.array_equal(read, array)


@pytest.mark.parametrize(
    ("suffix", "highest"), [(".png", 9), (".png", 65535), (".tif", 2**31 - 1), (".npy", 2**31 - 1)]
)
def test_written_labels_come_back(tmp_path, suffix, highest):
    path = tmp_path / f"a{suffix}"
    write_labels(path, labels(ids=(0, 3, highest)))
    assert np.array_equal(read_labels(path), labels(ids=(0, 3, highest)))


def test_labels_that_can_not_be_written(tmp_path):
    with pytest.raises(DataError, match="70000 does not fit a 16-bit PNG"):
        write_labels(tmp_path / "a.png", labels(ids=(0, 70000)))
    with pytest.raises(DataError, match=r"written as \.png"):
        write_labels(tmp_path / "a.jpg", labels())


def test_unreadable_labels_are_named_errors(tmp_path):
    colour = tmp_path / "colour.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (9, 9, 3), np.uint8)).save(colour)
    (tmp_path / "broken.png").write_bytes(colour.read_bytes()[:60])
    (tmp_path / "broken.tif").write_bytes(b"II*\0 not a tiff")
    (tmp_path / "text.tif").write_text("not a tiff either")
    write_labels(tmp_path / "whole.tif", labels())
    (tmp_path / "cut.tif").write_bytes((tmp_path / "whole.tif").read_bytes()[:-20])
    (tmp_path / "empty.npy").write_bytes(b"")
    np.save(tmp_path / "half.npy", np.full((3, 3), 0.5))
    np.save(tmp_path / "nan.npy", np.full((3, 3), np.nan))
    np.save(tmp_path / "negative.npy", np.full((3, 3), -1))
    np.save(tmp_path / "huge.npy", np.full((3, 3), 2**31))
    np.save(tmp_path / "stack.npy", np.zeros((5, 9, 9), int))
    expected = {
        "colour.png": "colour image", "broken.png": "can't be read", "broken.tif": "can't be read",
        "text.tif": "can't be read", "cut.tif": "can't be read",
        "empty.npy": "can't be read", "half.npy": "fractions", "nan.npy": "fractions", "negative.npy": "-1",
        "huge.npy": "2147483648", "stack.npy": "shape", "missing.png": "no such file", "a.jpg": r"\.png",
    }  # fmt: skip
    for name, message in expected.items():
        with pytest.raises(DataError, match=rf"{name}.*{message}"):
            read_labels(tmp_path / name)


def test_two_files_as_json(tmp_path, capsys):
    p, t = save_as(tmp_path / "p", labels(1), "palette"), save_as(tmp_path / "t", labels(2), "uint32")
    assert main([str(p), str(t), "--json"]) == 0
    out = capsys.readouterr().out
    assert json.loads(out) == score_instances(labels(1), labels(2))
    assert tuple(json.loads(out)) == INSTANCE_METRICS


def folders(tmp_path, count=3):
    for side, offset in (("p", 0), ("t", 50)):
        (tmp_path / side).mkdir()
        for i in range(count):
            save_as(tmp_path / side / f"image{i}", labels(i + offset), "png8" if side == "p" else "int32")
    (tmp_path / "p" / "notes.txt").write_text("not an image")
    return str(tmp_path / "p"), str(tmp_path / "t")


def test_two_folders_as_json(tmp_path, capsys):
    assert main([*folders(tmp_path), "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    statistics = [instance_statistics(labels(i), labels(i + 50)) for i in range(3)]
    assert report["images"] == {f"image{i}": s.scores() for i, s in enumerate(statistics)}
    assert {key: report[key] for key in ("mean", "pooled")} == overall_scores(statistics)
    assert report["mean"]["aji"] != report["pooled"]["aji"]


def test_table(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "140")
    assert main([*folders(tmp_path)]) == 0
    out = capsys.readouterr().out
    for word in ("image0", "image2", "mean", "pooled", "aji", "hausdorff"):
        assert word in out
    expected = score_instances(labels(0), labels(50))
    line = next(line for line in out.splitlines() if "image0" in line)
    assert f"{expected['aji']:.3f}" in line
    assert f"{expected['hausdorff']:.2f}" in line


def test_misuse_is_a_named_error(tmp_path):
    predictions, targets = folders(tmp_path)
    one = save_as(tmp_path / "one", labels(), "png8")
    small = save_as(tmp_path / "small", labels(shape=(5, 5)), "png8")
    with pytest.raises(MetricError, match=r"small\.png.*5x5.*12x17"):
        main([str(small), str(one)])
    with pytest.raises(DataError, match="two files or two folders"):
        main([predictions, str(one)])
    with pytest.raises(DataError, match=r"missing\.png: there is no such file or folder"):
        main([str(tmp_path / "missing.png"), str(one)])
    (tmp_path / "p" / "image1.png").unlink()
    save_as(tmp_path / "p" / "extra", labels(), "png8")
    with pytest.raises(DataError, match=r"p has no image named image1; .*t has no image named extra"):
        main([predictions, targets])
    save_as(tmp_path / "p" / "image0", labels(), "int32.npy")
    with pytest.raises(DataError, match=r"image0\.npy and image0\.png share a name"):
        main([predictions, targets])
    (tmp_path / "none").mkdir()
    with pytest.raises(DataError, match="holds no label images"):
        main([str(tmp_path / "none"), targets])


def test_help_teaches(capsys):
    with pytest.raises(SystemExit):
        main(["--help"])
    out = capsys.readouterr().out
    for key in INSTANCE_METRICS:
        assert key in out
    assert "zoo score predictions/ targets/ --json" in out


def test_names_in_folders(tmp_path):
    """Letters are written in two ways, and macOS leaves files of its own."""
    for folder, name in (("a", "Bjo\u0308rn.png"), ("b", "Bj\u00f6rn.png")):
        (tmp_path / folder).mkdir()
        write_labels(tmp_path / folder / name, labels())
        (tmp_path / folder / f"._{name}").write_bytes(b"nothing of the kind")
    assert list(match_folders(tmp_path / "a", tmp_path / "b")) == ["Bj\u00f6rn"]


def test_the_orientation_of_label_images(tmp_path, capsys):
    exif = Image.Exif()
    exif[274] = 6
    Image.fromarray(labels().astype(np.uint8)).save(tmp_path / "a.png", exif=exif)
    write_labels(tmp_path / "b.tif", np.rot90(labels(), -1))
    assert main([str(tmp_path / "a.png"), str(tmp_path / "b.tif"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["aji"] == 1.0


@pytest.mark.parametrize("width", [40, 80, 200])
def test_no_number_is_cut(tmp_path, capsys, monkeypatch, width):
    monkeypatch.setenv("COLUMNS", str(width))
    assert main([*folders(tmp_path)]) == 0
    out = capsys.readouterr().out
    assert "…" not in out
    assert max(map(len, out.splitlines())) <= width
    assert sum(line.count("mean") for line in out.splitlines()) == len(
        blocks(INSTANCE_METRICS, width - len("pooled") - 4)
    )


def test_all_metrics_stand_in_some_table():
    keys = [key for block in blocks(INSTANCE_METRICS, 50) for key in block]
    assert keys == list(INSTANCE_METRICS)
    assert len(blocks(INSTANCE_METRICS, 1)) == len(INSTANCE_METRICS)


def test_a_reader_that_goes_and_a_full_disk(tmp_path):
    code = "import sys; from zoo.commands.guard import guarded; "
    code += "sys.exit(guarded('zoo x', lambda: [print('y' * 9999) for _ in range(999)] and 0))"
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    process.stdout.close()
    assert (process.stderr.read(), process.wait()) == (b"", 141)
    process.stderr.close()
    if Path("/dev/full").exists():
        with open("/dev/full", "w") as full:
            done = subprocess.run([sys.executable, "-c", code], stdout=full, stderr=subprocess.PIPE, text=True)
        assert done.returncode == 2
        assert done.stderr.count("\n") == 1
        assert "No space left" in done.stderr
