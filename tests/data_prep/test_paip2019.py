import pickle
from pathlib import Path

import numpy as np
import pytest
import tifffile

from data_prep.cli import build_parser
from data_prep.datasets import paip2019
from tests.data_prep.slide_sets import add_slide, box, check_labels, filled, prepare
from zoo.errors import DataError
from zoo.slides import open_slide

VIABLE, WHOLE = filled((100, 80, 300, 240)), filled((80, 60, 380, 320))
SIZE = ("--size", "32")


def region(corners: list[tuple[float, float]], negative: int = 0) -> str:
    vertices = "".join(f'<Vertex X="{x}" Y="{y}" Z="0"/>' for x, y in corners)
    return f'<Region Id="1" Type="0" NegativeROA="{negative}"><Vertices>{vertices}</Vertices></Region>'


def xml(whole: str, viable: str) -> str:
    layers = f'<Annotation Id="1"><Regions>{whole}</Regions></Annotation>'
    return f'<Annotations>{layers}<Annotation Id="2"><Regions>{viable}</Regions></Annotation></Annotations>'


def write_mask(path: Path, mask: np.ndarray) -> None:
    tifffile.imwrite(path, mask, compression="zlib", rowsperstrip=16)


@pytest.fixture(scope="module")
def source(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("paip")
    for folder, name in (("Training_phase_1_001", "01_01_0083.svs"), ("Training_phase_2_021", "01_01_0110.SVS")):
        slide = root / folder / name
        add_slide(slide.with_suffix(".svs"))
        slide.with_suffix(".svs").rename(slide)
        write_mask(slide.with_name(f"{slide.stem}_viable.tif"), VIABLE)
        write_mask(slide.with_name(f"{slide.stem}_whole.tif"), WHOLE)
        cut = region(box(120, 100, 140, 120), 1)
        drawn = xml(region(box(80, 60, 380, 320)) + cut, region(box(100, 80, 300, 240)))
        slide.with_suffix(".xml").write_text(drawn)
    return root


def test_masks(source, tmp_path):
    stores = prepare("paip2019", source, tmp_path, *SIZE)
    assert list(stores) == ["01_01_0083", "01_01_0110"]
    store = stores["01_01_0083"]
    (group,) = store.groups
    assert (group.name, group.slide, group.patient, group.magnification) == ("5x", "01_01_0083", "01_01_0083", 5)
    assert (store.info.dataset, store.info.labels) == ("PAIP2019 (viable tumour)", "region")
    check_labels(store, "5x", VIABLE, 4)
    whole = prepare("paip2019", source, tmp_path / "whole", *SIZE, "--region", "whole")["01_01_0110"]
    assert whole.info.dataset == "PAIP2019 (whole tumour)"
    check_labels(whole, "5x", WHOLE, 4)


def test_xml(source, tmp_path):
    viable = prepare("paip2019", source, tmp_path, *SIZE, "--annotation", "xml")["01_01_0083"]
    expected = VIABLE.copy()
    expected[100:120, 120:140] = 0  # cut out of the whole tumour is cut out of the viable one too
    check_labels(viable, "5x", expected, 4)
    more = ("--annotation", "xml", "--region", "whole")
    check_labels(prepare("paip2019", source, tmp_path / "whole", *SIZE, *more)["01_01_0083"], "5x", WHOLE, 4)


def test_pairs_of_magnifications(source, tmp_path):
    sizes = ("--size", "64", "--parent-size", "64")
    store = prepare("paip2019", source, tmp_path, "--preset", "zoomiseg", *sizes)["01_01_0083"]
    assert {group.name: group.parent for group in store.groups} == {"5x": None, "20x": "5x"}
    check_labels(store, "5x", VIABLE, 4)
    check_labels(store, "20x", VIABLE, 1)


def test_splits_stay_when_slides_are_missing(source, tmp_path):
    shares = ("--val-fraction", "0.5", "--test-fraction", "0.3")
    both = prepare("paip2019", source, tmp_path, *SIZE, *shares)
    splits = {name: store.groups[0].split for name, store in both.items()}
    assert set(splits.values()) <= {"train", "val", "test"}
    lone = prepare("paip2019", source / "Training_phase_1_001", tmp_path / "lone", *SIZE, *shares)
    assert lone["01_01_0083"].groups[0].split == splits["01_01_0083"]


def test_shards_go_to_other_processes(source, tmp_path):
    arguments = ["paip2019", "--source", str(source), "--out", str(tmp_path), *SIZE]
    plan = paip2019.plan(source, build_parser().parse_args(arguments))
    assert [shard.stem for shard in pickle.loads(pickle.dumps(plan.shards))] == ["01_01_0083", "01_01_0110"]


def test_mistakes_are_named(tmp_path):
    root, out = tmp_path / "raw", tmp_path / "out"
    root.mkdir()
    with pytest.raises(DataError, match=r"no \.svs files(.|\n)*Training_phase_1_001"):
        prepare("paip2019", root, out)
    slide = root / "01_01_0083.svs"
    add_slide(slide)
    with pytest.raises(DataError, match=r"01_01_0083\.svs has no 01_01_0083_viable\.tif"):
        prepare("paip2019", root, out)
    write_mask(root / "01_01_0083_viable.tif", VIABLE)
    write_mask(root / "01_01_0085_viable.tif", VIABLE)
    with pytest.raises(DataError, match=r"01_01_0085_viable\.tif has no 01_01_0085\.svs"):
        prepare("paip2019", root, out)
    (root / "01_01_0085_viable.tif").unlink()
    (root / "copy").mkdir()
    (root / "copy" / slide.name).write_bytes(b"")
    with pytest.raises(DataError, match="have one name"):
        prepare("paip2019", root, out)


def test_wrong_annotations_are_named(source, tmp_path):
    with open_slide(source / "Training_phase_1_001" / "01_01_0083.svs") as slide:
        mask = tmp_path / "01_01_0083_viable.tif"
        write_mask(mask, VIABLE[:350])
        with pytest.raises(DataError, match=r"01_01_0083_viable\.tif: 500x350 px is no whole fraction"):
            paip2019.annotation(mask, "viable", slide)
        file = tmp_path / "01_01_0083.xml"
        file.write_text(xml(region(box(0, 0, 10, 10)), ""))
        with pytest.raises(DataError, match=r"01_01_0083\.xml: nothing is outlined in layer 2, the viable tumour"):
            paip2019.annotation(file, "viable", slide)
        file.write_text(xml(region(box(2000, 0, 2010, 10)), ""))
        with pytest.raises(DataError, match=r"object 1 \(1\).*outside the slide of 500x400"):
            paip2019.annotation(file, "whole", slide)


def test_a_mask_with_capitals_in_its_ending(tmp_path):
    root = tmp_path / "raw"
    add_slide(root / "a.svs")
    write_mask(root / "a_viable.tif", VIABLE)
    (root / "a_viable.tif").rename(root / "a_viable.TIF")
    check_labels(prepare("paip2019", root, tmp_path / "out", *SIZE)["a"], "5x", VIABLE, 4)
