"""GuideNet: trained and tested through YAML, images of any size, its engine and its checkpoints."""

import csv
import json
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from lightning import Trainer
from torch import Tensor

import zoo
from tests.helpers.regions import HEIGHT, WIDTH, TinyNet, guide_folder, region_image, write_regions
from zoo.cli import main
from zoo.data import GridWindows, PatchDataModule, RandomWindows, WholeImages
from zoo.errors import SplitError
from zoo.evaluation import Automatic
from zoo.hub.load import load_method
from zoo.inference.session import as_images
from zoo.losses import BinaryCrossEntropy
from zoo.methods import GuideNet
from zoo.testing.engines import said

PATIENTS = {"p0": "train", "p1": "train", "p2": "val", "p3": "test", "p4": "test"}


def write_experiment(path: Path, store: Path) -> Path:
    """A GuideNet of two convolutions, two steps of windows of 32 px."""
    content = {
        "title": "Tiny guide",
        "trainer": {
            "accelerator": "cpu",
            "max_steps": 2,
            "logger": {
                "class_path": "lightning.pytorch.loggers.CSVLogger",
                "init_args": {"save_dir": str(path.parent)},
            },
            "enable_progress_bar": False,
            "enable_model_summary": False,
            "log_every_n_steps": 1,
            "default_root_dir": str(path.parent),
            "callbacks": [
                {
                    "class_path": "lightning.pytorch.callbacks.ModelCheckpoint",
                    "init_args": {"dirpath": str(path.parent), "save_last": True, "every_n_train_steps": 1},
                }
            ],
        },
        "protocol": {
            "class_path": "zoo.evaluation.Automatic",
            "init_args": {"samples": {"class_path": "zoo.data.GridWindows", "init_args": {"side": 32, "stride": 32}}},
        },
        "model": {
            "class_path": "zoo.methods.GuideNet",
            "init_args": {
                "network": {"class_path": "tests.helpers.regions.TinyNet"},
                "loss": {"class_path": "zoo.losses.BinaryCrossEntropy"},
                "optimizer": {"class_path": "torch.optim.AdamW", "init_args": {"lr": 0.05}},
                "mpp": 1.0,
            },
        },
        "data": {
            "files": [str(store)],
            "train": {"class_path": "zoo.data.RandomWindows", "init_args": {"side": 32, "per_image": 2}},
            "batch_size": 2,
        },
    }
    path.write_text(yaml.safe_dump(content))
    return path


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `store.h5`, `guide.yaml` and `last.ckpt`."""
    folder = tmp_path_factory.mktemp("guide")
    store = write_regions(folder / "store.h5", PATIENTS)
    assert main(["fit", "-c", str(write_experiment(folder / "guide.yaml", store))]) == 0
    return folder


@pytest.fixture(scope="module")
def exported(trained: Path) -> Path:
    folder = trained / "exported"
    assert main(["publish", str(trained / "last.ckpt"), "--to", str(folder), "--bits", "32"]) == 0
    return folder


def logged(folder: Path, name: str) -> list[float]:
    rows = [row for path in folder.rglob("metrics.csv") for row in csv.DictReader(path.open())]
    return [float(row[name]) for row in rows if row.get(name)]


def test_fit_trains_and_validates(trained):
    losses = logged(trained, "train/loss")
    assert len(losses) == 2
    assert all(0 < loss < 5 for loss in losses)
    assert 0 <= logged(trained, "val/iou_pooled")[-1] <= 1


def test_test_gives_the_scores_of_its_masks(trained, exported, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    experiment = write_experiment(tmp_path / "guide.yaml", trained / "store.h5")
    assert main(["test", "-c", str(experiment), "--ckpt_path", str(trained / "last.ckpt")]) == 0
    data = PatchDataModule([str(trained / "store.h5")], train=partial(GridWindows, side=32, stride=32))
    data.setup("test")
    method, both, either, ious = load_method(str(exported)), 0, 0, []
    for k in range(len(data.datasets["test"])):
        sample = data.datasets["test"][k]
        mask = method.probability(as_images(sample.image))[0, 0].numpy() > 0.5
        inside, union = (mask & sample.target).sum(), ((mask | sample.target) & ~sample.ignore).sum()
        both, either = both + inside, either + union
        ious.append(inside / union if union else 1.0)
    assert logged(tmp_path, "test/samples") == [len(ious)]
    assert logged(tmp_path, "test/iou_pooled") == pytest.approx([both / either])
    assert logged(tmp_path, "test/iou") == pytest.approx([np.mean(ious)])


def tiny(**arguments: Any) -> GuideNet:
    torch.manual_seed(0)
    return GuideNet(TinyNet(), BinaryCrossEntropy(), **arguments)


@pytest.mark.parametrize("size", [(64, 96), (33, 70), (1, 1), (31, 32)])
def test_probability_of_any_size_without_gradient_and_in_evaluation_mode(size):
    model = tiny().train()
    seen = []
    model.network.register_forward_hook(lambda module, given, out: seen.append((given[0], module.training, out)))
    before = {name: value.clone() for name, value in model.state_dict().items()}
    image = torch.rand(2, 3, *size)
    found = model.probability(image)
    assert found.shape == (2, 1, *size)
    assert (found.dtype, found.requires_grad) == (torch.float32, False)
    ((given, training, out),) = seen
    assert not training
    assert model.training
    assert model.network.body[1].training
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    height, width = given.shape[-2:]
    assert (height % 32, width % 32) == (0, 0)
    assert (height - size[0], width - size[1]) < (32, 32)
    padding = (0, width - size[1], 0, height - size[0])
    torch.testing.assert_close(given, torch.nn.functional.pad(image, padding, mode="replicate"))
    torch.testing.assert_close(found, out.sigmoid()[..., : size[0], : size[1]])


def test_the_engine_predicts_once_and_keeps_to_it():
    model = tiny(threshold=0.6)
    engine = model.engine()
    assert engine.warmup == 0
    image = torch.rand(3, 3, 40, 48)
    state = engine.start(image)
    torch.testing.assert_close(state["probability"], model.probability(image))
    assert torch.equal(engine.mask(state, said(0)), state["probability"] > 0.6)
    after = engine.step(image, said(0), state)
    assert torch.equal(after["probability"], state["probability"])
    mask = (torch.rand(3, 1, 40, 48) > 0.5).float()
    assert torch.equal(engine.start(image, mask)["probability"], mask)


def test_the_loss_sees_the_target_and_not_what_is_ignored(trained):
    data = PatchDataModule([str(trained / "store.h5")], train=WholeImages)
    data.setup("test")
    batch = next(iter(data.test_dataloader()))
    assert batch.truth.ignore.any()
    model = tiny()
    model.log = lambda *_, **__: None
    loss = model.training_step(batch, 0)
    model.zero_grad()
    logits = model(as_images(batch.image))
    valid = ~batch.truth.ignore
    expected = torch.nn.functional.binary_cross_entropy_with_logits(logits[valid], batch.truth.target[valid].float())
    assert loss.item() == pytest.approx(expected.item(), rel=1e-5)


def test_checkpoints_record_the_patients_and_load_back(trained, exported):
    config = yaml.safe_load((exported / "config.yaml").read_text())
    assert config["patients"] == ["Regions: p0", "Regions: p1"]
    assert "optimizer" not in config["init_args"]
    folder, ckpt = load_method(str(exported)), load_method(str(trained / "last.ckpt"))
    assert folder.patients == ckpt.patients == {"Regions: p0", "Regions: p1"}
    assert (folder.mpp, folder.training) == (1.0, False)
    for name, value in ckpt.state_dict().items():
        assert torch.equal(folder.state_dict()[name], value), name


def trainer(folder: Path) -> Trainer:
    quiet = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False}
    return Trainer(default_root_dir=folder, accelerator="cpu", max_steps=1, limit_val_batches=0, **quiet)


def windows(store: Path) -> PatchDataModule:
    return PatchDataModule([str(store)], train=partial(RandomWindows, side=32), batch_size=1)


def test_weights_bring_their_patients_along(exported, tmp_path):
    """Fine-tuned weights know whom both trainings have seen."""
    store = write_regions(tmp_path / "more.h5", {"q0": "train", "q1": "val"})
    method = tiny(weights=str(exported))
    assert method.patients == {"Regions: p0", "Regions: p1"}
    fitting = trainer(tmp_path)
    fitting.fit(method, windows(store))
    saved = torch.load(fitting.checkpoint_callback.best_model_path, weights_only=False)
    assert saved["patients"] == ["Regions: p0", "Regions: p1", "Regions: q0"]


def test_testing_on_patients_of_the_training_is_refused(trained, exported, tmp_path, capsys):
    store = write_regions(tmp_path / "again.h5", {"p1": "test", "p7": "test"})
    experiment = write_experiment(tmp_path / "again.yaml", store)
    assert main(["test", "-c", str(experiment), "--ckpt_path", str(trained / "last.ckpt")]) == 2
    message = capsys.readouterr().err
    assert "1 of 2 patients, Regions: p1 among them" in message
    assert "the weights were trained on" in message
    method = tiny(weights=str(exported))
    method.protocol = Automatic()
    with pytest.raises(SplitError, match="Regions: p1 among them"):
        trainer(tmp_path).test(method, windows(store))


def test_a_session_shows_the_prediction(exported):
    session = zoo.load(str(exported))
    assert session.mpp == 1.0
    image, _ = region_image(5)
    session.set_image(image, mpp=1.0)
    method = load_method(str(exported))
    expected = method.probability(as_images(image))
    torch.testing.assert_close(session.probability, expected)
    assert torch.equal(session.mask, expected > 0.5)
    session.add(zoo.Click(20.5, 20.5))
    torch.testing.assert_close(session.probability, expected)


def evaluated(folder: Path) -> tuple[Automatic, list, Tensor]:
    """The protocol, its records on the guide's own test windows, and the masks."""
    data = PatchDataModule([str(folder / "store.h5")], train=partial(GridWindows, side=48, stride=40), batch_size=4)
    data.setup("test")
    protocol, records, masks = Automatic(), [], []
    metric = protocol.metric()
    engine = load_method(str(guide_folder(folder / "partly"))).engine()
    for batch in data.test_dataloader():
        outcome = protocol.run(engine, batch)
        protocol.score(metric, outcome, batch)
        found = protocol.records(outcome, batch)
        predictions = protocol.predictions(outcome)
        for record in found:
            assert set(np.unique(predictions[record.sample_id])) <= {0, 255}
            np.testing.assert_array_equal(record.prediction, predictions[record.sample_id] == 255)
        records += found
        masks.append(outcome.mask)
    assert float(metric.compute()["iou"]) == pytest.approx(np.mean([record.score for record in records]))
    return protocol, records, torch.cat(masks)


def test_the_automatic_protocol_keeps_one_record_a_window(trained):
    protocol, records, masks = evaluated(trained)
    assert (protocol.name, protocol.unit, protocol.settings) == ("automatic", "image", {"samples": "windows"})
    assert [record.sample_id for record in records] == list(range(len(records)))
    assert {record.image_id for record in records} == {0, 1}
    assert masks.shape == (len(records), 1, 48, 48)
    for record, mask in zip(records, masks, strict=True):
        assert (record.ious, record.units, len(record.seconds)) == ((), 1, 1)
        np.testing.assert_array_equal(record.prediction, mask[0].numpy())
        trace = record.trace()
        assert trace["clicks"] == [[]]
        assert trace["score"] == record.score
    assert len({record.score for record in records}) > 3


def test_compare_shows_automatic_methods(trained, exported, tmp_path):
    guide_folder(tmp_path / "other")
    paths = []
    for name, weights in (("one", exported), ("two", tmp_path / "other")):
        content = yaml.safe_load((trained / "guide.yaml").read_text())
        content["title"], content["trainer"] = f"Guide {name}", {"accelerator": "cpu"}
        content["model"]["init_args"]["weights"] = str(weights)
        paths.append(tmp_path / f"{name}.yaml")
        paths[-1].write_text(yaml.safe_dump(content))
    out = tmp_path / "out"
    assert main(["compare", *map(str, paths), "--out", str(out)]) == 0
    results = json.loads((out / "results.json").read_text())["results"]
    for result in results:
        assert (result["protocol"], result["settings"]) == ("automatic", {"samples": "windows"})
        assert (result["data"]["images"], result["data"]["patients"]) == (2, 2)
        assert result["metrics"]["samples"] == result["data"]["objects"] == 2 * 3 * 4
        assert result["speed"]["unit"] == "image"
        assert result["speed"]["count"] == 8
        assert 0 < result["speed"]["model"] <= result["speed"]["end_to_end"]
    page = (out / "report.html").read_text()
    for text in ("Protocol: automatic", "IoU (all pixels)&nbsp;↑", "IoU&nbsp;↑", "Dice&nbsp;↑", "x0 "):
        assert text in page
    for key in ("iou_pooled", "iou", "dice"):
        assert f">{results[0]['metrics'][key]:.3f}</td>" in page
    assert page.count("<img ") == 3 * (2 + 2)  # no curves
    assert (out / "overlays-automatic.jpg").read_bytes().startswith(b"\xff\xd8")
    assert not (out / "curves.png").exists()
    lines = [json.loads(line) for line in (out / "traces" / "two.jsonl").read_text().splitlines()]
    assert [line["sample"] for line in lines] == list(range(24))
    assert lines[-1]["from"] | {"file": ""} == {
        "file": "", "group": "g-p4", "slide": "s-p4", "patient": "p4", "item": 0,
        "x0": WIDTH - 32, "y0": HEIGHT - 32, "side": 32,
    }  # fmt: skip
    assert np.mean([line["score"] for line in lines]) == pytest.approx(results[1]["metrics"]["iou"])


@pytest.mark.parametrize("around", [False, True])
@pytest.mark.parametrize(("name", "expected"), [("float32", torch.float32), ("bfloat16", torch.bfloat16)])
def test_the_guide_runs_in_the_precision_of_its_engine(name, expected, around):
    model, seen = tiny(), []
    model.network.register_forward_hook(lambda *given: seen.append(given[2].dtype))
    with torch.autocast("cpu", torch.bfloat16, enabled=around):
        state = model.engine(name).start(torch.rand(1, 3, 32, 32))
    assert seen == [expected]
    assert state["probability"].dtype == torch.float32
