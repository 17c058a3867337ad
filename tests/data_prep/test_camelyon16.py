from pathlib import Path

import numpy as np
import pytest

from data_prep.datasets import camelyon16
from tests.data_prep.slide_sets import add_slide, box, check_labels, filled, prepare
from zoo.errors import DataError
from zoo.slides import open_slide

PATCHES = ("--mpp", "2", "--size", "32")  # 4 level-0 pixels each
TUMOUR = filled((100, 80, 300, 240), (320, 200, 360, 240))
CUT = filled((120, 100, 140, 120))


def outline(corners: list[tuple[float, float]], group: str) -> str:
    points = "".join(f'<Coordinate Order="{n}" X="{x}" Y="{y}"/>' for n, (x, y) in enumerate(corners))
    head = f'<Annotation Name="Annotation 0" Type="Polygon" PartOfGroup="{group}" Color="#F4FA58">'
    return f"{head}<Coordinates>{points}</Coordinates></Annotation>"


def xml(*outlines: str) -> str:
    return f"<ASAP_Annotations><Annotations>{''.join(outlines)}</Annotations><AnnotationGroups/></ASAP_Annotations>"


DRAWN = xml(
    outline(box(100, 80, 300, 240), "_0"),
    outline(box(320, 200, 360, 240), "_1"),
    outline(box(120, 100, 140, 120), "_2"),
)


def annotate(path: Path, text: str = DRAWN) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


@pytest.fixture(scope="module")
def source(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("camelyon")
    for name in ("normal/normal_001", "normal/normal_010", "normal/normal_086", "tumor/tumor_001", "tumor/tumor_010"):
        add_slide(root / "training" / f"{name}.tif")
    for name in ("test_001", "test_002", "test_049"):
        add_slide(root / "testing" / "images" / f"{name}.tif")
    for name in ("tumor_001", "tumor_010"):
        annotate(root / "training" / "lesion_annotations" / f"{name}.xml")
    annotate(root / "testing" / "lesion_annotations" / "test_001.xml")
    (root / "testing" / "reference.csv").write_text("test_001,Tumor,IDC,Macro\ntest_002,Normal,None,None\n")
    return root


def test_splits_and_labels(source, tmp_path):
    stores = prepare("camelyon16", source, tmp_path, *PATCHES)
    splits = {name: store.groups[0].split for name, store in stores.items()}
    assert splits == {
        "normal_001": "train",
        "normal_010": "val",
        "tumor_001": "val",
        "tumor_010": "train",
        "test_001": "test",
        "test_002": "test",
    }
    store = stores["test_001"]
    (group,) = store.groups
    assert (group.name, group.patient, group.mpp, group.magnification) == ("2um", "test_001", pytest.approx(2), None)
    assert (store.info.dataset, store.info.licence, store.info.labels) == ("CAMELYON16", "CC0 1.0", "region")
    expected = TUMOUR - CUT
    check_labels(store, "2um", expected, 4)
    for normal in ("normal_001", "test_002"):
        check_labels(stores[normal], "2um", np.zeros_like(expected), 4)
    unknown = np.where(expected == 1, 1, 255)
    unknown[CUT == 1] = 0
    check_labels(stores["tumor_010"], "2um", unknown, 4)  # what is not outlined there is unknown


def test_groups_of_the_first_release(source, tmp_path):
    file = tmp_path / "tumor_001.xml"
    annotate(file, xml(outline(box(100, 80, 300, 240), "Tumor"), outline(box(120, 100, 140, 120), "Exclusion")))
    with open_slide(source / "training" / "tumor" / "tumor_001.tif") as slide:
        label = camelyon16.annotation(file, slide).raster(0, 0, 500, 400, 1)
    np.testing.assert_array_equal(label, filled((100, 80, 300, 240)) - CUT)


def test_wrong_annotations_are_named(source, tmp_path):
    file = tmp_path / "tumor_001.xml"
    with open_slide(source / "training" / "tumor" / "tumor_001.tif") as slide:
        for text, message in (
            (xml(outline(box(0, 0, 9, 9), "_0"), outline(box(0, 0, 9, 9), "_7")), "unknown group '_7'"),
            (xml(outline(box(0, 0, 9, 9), "_2")), "no tumour is outlined"),
            (xml(outline(box(1001, 0, 1009, 9), "_0")), r"object 1 \(_0\).*outside the slide"),
        ):
            annotate(file, text)
            with pytest.raises(DataError, match=rf"tumor_001\.xml: .*{message}"):
                camelyon16.annotation(file, slide)


def test_wrong_sources_are_named(tmp_path):
    root, out = tmp_path / "raw", tmp_path / "out"
    root.mkdir()
    with pytest.raises(DataError, match=r"no slides in training/normal(.|\n)*lesion_annotations\.zip"):
        prepare("camelyon16", root, out)
    slide = root / "training" / "tumor" / "tumor_001.tif"
    slide.parent.mkdir(parents=True)
    slide.write_bytes(b"")
    with pytest.raises(DataError, match=r"tumor_001\.tif has no training/lesion_annotations/tumor_001\.xml; unpack"):
        prepare("camelyon16", root, out)
    annotate(root / "training" / "lesion_annotations" / "tumor_001.xml")
    annotate(root / "training" / "lesion_annotations" / "tumor_002.xml")
    with pytest.raises(DataError, match=r"tumor_002\.xml is no slide's \(1 alone\)"):
        prepare("camelyon16", root, out)
    (root / "training" / "lesion_annotations" / "tumor_002.xml").unlink()
    test = root / "testing" / "images" / "test_001.tif"
    test.parent.mkdir(parents=True)
    test.write_bytes(b"")
    with pytest.raises(DataError, match=r"no testing/reference\.csv"):
        prepare("camelyon16", root, out)
    (root / "testing" / "reference.csv").write_text("test_002,Normal\n")
    with pytest.raises(DataError, match="does not say whether test_001"):
        prepare("camelyon16", root, out)
    (root / "testing" / "reference.csv").write_text("test_001,Tumor\n")
    with pytest.raises(DataError, match=r"test_001\.tif has no testing/lesion_annotations/test_001\.xml"):
        prepare("camelyon16", root, out)


def test_lists_are_whole():
    assert len(camelyon16.VAL) == 54
    assert len([name for name in camelyon16.VAL if name.startswith("normal")]) == 32
    assert len(camelyon16.NOT_FULLY_ANNOTATED) == 21
