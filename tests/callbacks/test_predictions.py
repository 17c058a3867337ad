"""What `zoo predict` writes."""

import numpy as np
import pytest
import yaml

from zoo.cli import main
from zoo.images.labels import read_labels
from zoo.store.writer import StoreWriter
from zoo.testing import tiny_image


@pytest.fixture
def experiment(tmp_path, monkeypatch):
    """Watershed on a store with a stack of two images and a single one, in a folder of its own."""
    about = {"dataset": "Tiny", "licence": "CC0-1.0", "citation": "nobody", "source_checksum": "0" * 64}
    names = {"slide": "s", "patient": "p", "split": "test"}
    images, labels = zip(*(tiny_image(seed) for seed in range(3)), strict=True)
    with StoreWriter(tmp_path / "tiny.h5", **about) as writer:
        writer.add_group("pair", np.stack(images[:2]), np.stack(labels[:2]), **names)
        writer.add_group("tiny", images[2][None], 7 * labels[2][None], **names)
    content = {
        "trainer": {"logger": False, "enable_progress_bar": False, "accelerator": "cpu"},
        "protocol": {"class_path": "zoo.evaluation.OneShotProtocol"},
        "model": {"class_path": "zoo.methods.Watershed", "init_args": {"window": 32}},
        "data": {"files": ["tiny.h5"], "batch_size": 3},
    }
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(content))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def files(folder):
    return sorted(path.name for path in folder.iterdir())


def test_one_shot_gives_label_images(experiment, capsys):
    assert main(["predict", "-c", "mine.yaml"]) == 0
    folder = experiment / "runs" / "mine" / "predictions"
    assert files(folder) == ["tiny-pair-0.png", "tiny-pair-1.png", "tiny.png"]
    assert str(folder.relative_to(experiment)) in capsys.readouterr().out
    for name in files(folder):
        found, (_, truth) = read_labels(folder / name), tiny_image()
        # Objects count from 1 in the order of the target's ids, which in one image are 7, 14, 21, 28.
        assert found.shape == truth.shape
        assert np.unique(found).tolist() == [0, 1, 2, 3, 4]
        for number in range(1, 5):
            union = (found == number) | (truth == number)
            assert ((found == number) & (truth == number)).sum() / union.sum() > 0.5


def test_interactive_gives_masks(experiment):
    arguments = ["--protocol=zoo.evaluation.Interactive", "--protocol.max_interactions=2"]
    arguments += ["--protocol.samples=zoo.data.ObjectWindows", "--protocol.samples.init_args.side=32"]
    assert main(["predict", "-c", "mine.yaml", *arguments, "--trainer.default_root_dir=out"]) == 0
    folder = experiment / "out" / "predictions"
    pair = [f"tiny-pair-{item}-object-{number}.png" for item in (0, 1) for number in range(1, 5)]
    assert files(folder) == sorted([*pair, *(f"tiny-object-{number}.png" for number in (7, 14, 21, 28))])
    for name in files(folder):
        mask = read_labels(folder / name)
        assert mask.shape == (32, 32)
        assert np.unique(mask).tolist() == [0, 255]
        assert 50 < (mask > 0).sum() < 400


def test_two_stores_of_one_name(experiment, capsys):
    (experiment / "other").mkdir()
    (experiment / "other" / "tiny.h5").write_bytes((experiment / "tiny.h5").read_bytes())
    assert main(["predict", "-c", "mine.yaml", "--data.files=[tiny.h5,other/tiny.h5]"]) == 2
    assert "tiny.h5" in capsys.readouterr().err


def test_without_a_protocol(experiment, capsys):
    content = yaml.safe_load((experiment / "mine.yaml").read_text())
    del content["protocol"]
    (experiment / "mine.yaml").write_text(yaml.safe_dump(content))
    assert main(["predict", "-c", "mine.yaml", "--data.train=zoo.data.WholeImages"]) == 2
    assert "no protocol" in capsys.readouterr().err
