"""The draw of test objects in proportion to their strata."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.helpers.scripts import script
from zoo.errors import DataError
from zoo.store.writer import StoreWriter
from zoo.testing import tiny_image

choose_objects = script("choose_objects")


def store(path: Path) -> str:
    """Six test images with four objects each: four benign, two malignant; and one of another split."""
    about = {"dataset": "Tiny", "licence": "CC0-1.0", "citation": "nobody", "source_checksum": "0" * 64}
    with StoreWriter(path, **about) as writer:
        for k, grade in enumerate(["benign"] * 4 + ["malignant"] * 2 + ["benign"]):
            image, labels = tiny_image(k)
            name, split = f"image_{k}", "train" if k == 6 else "test"
            writer.add_group(
                name, image[None], labels[None], slide=name, patient=name, split=split, mpp=0.25, grade=grade
            )
    return str(path)


def test_strata_give_their_share(tmp_path):
    out = tmp_path / "list.txt"
    files = store(tmp_path / "tiny.h5")
    choose_objects.main(["--files", files, "--by", "grade", "--count", "9", "--out", str(out)])
    head, *names = [line for line in out.read_text().splitlines() if "objects of the test split" not in line]
    assert head == "# 6 of 16 benign, 3 of 8 malignant."
    assert names == sorted(set(names))
    assert len(names) == 9
    assert sum(name.split("/")[1] in ("image_4", "image_5") for name in names) == 3
    assert not any("image_6" in name for name in names)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--by", "organ"], "no attribute 'organ'"),
        (["--by", "grade", "--count", "25"], "has 24"),
        (["--by", "grade", "--count", "0"], "0 objects were asked for"),
    ],
)
def test_what_cannot_be_drawn_is_a_named_error(arguments, said, tmp_path):
    out = tmp_path / "list.txt"
    with pytest.raises(DataError, match=said):
        choose_objects.main(["--files", store(tmp_path / "tiny.h5"), "--out", str(out), *arguments])
    assert not out.exists()


@given(st.lists(st.integers(1, 500), min_size=1, max_size=8), st.integers(0, 100))
def test_shares_are_rounded_from_their_proportion(sizes, percent):
    count = sum(sizes) * percent // 100
    quota = choose_objects.shares({str(k): size for k, size in enumerate(sizes)}, count)
    assert sum(quota.values()) == count
    for k, size in enumerate(sizes):
        assert abs(quota[str(k)] - count * size / sum(sizes)) < 1
        assert quota[str(k)] <= size
