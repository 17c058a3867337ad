"""Every experiment that is shipped parses: its classes exist and take the arguments that it gives them."""

from pathlib import Path

import pytest

from tests.helpers.regions import guide_folder
from tests.helpers.stores import region_store
from zoo.cli import main
from zoo.comparison.result import read
from zoo.config.cli import ZooCLI, run
from zoo.config.compose import Address, experiments, resolve
from zoo.hub.load import load_method

FOLDER = Path(__file__).parents[2] / "experiments"


def addresses(folder: str) -> list[Address]:
    """All experiments of a folder, a row of a table each."""
    return [each for path in sorted((FOLDER / folder).glob("*.yaml")) for each in experiments(Address(path))]


EVALUATED, TRAINED = addresses("tables"), addresses("training")
EVERY = [*EVALUATED, *TRAINED]


@pytest.mark.parametrize("address", EVERY, ids=lambda address: address.name)
def test_experiment_parses(address, monkeypatch):
    monkeypatch.setattr(ZooCLI, "instantiate_classes", lambda self: None)
    cli = run(["-c", str(address)], run_verb=False)
    assert cli.config.title
    assert cli.config.model.class_path.startswith("zoo.methods.")
    assert cli.config.data.files
    if address in TRAINED:
        assert cli.config.trainer.default_root_dir
        assert "zoo.callbacks.SampleLogger" in [each.class_path for each in cli.config.trainer.callbacks]


def test_no_two_experiments_share_a_title_or_a_folder():
    """Rows of one table are told apart by their titles, but for several users; trainings by their folders."""
    tables = {address.path: [] for address in EVALUATED if address.path.stem != "glas-users"}
    for address in EVALUATED:
        if address.path in tables:
            tables[address.path].append(resolve(address)["title"])
    folders = [resolve(address)["trainer"]["default_root_dir"] for address in TRAINED]
    for titles in [*tables.values(), folders]:
        assert len(set(titles)) == len(titles)


def test_every_fragment_is_used():
    docs = [FOLDER.parent / "docs" / "scale.md"]  # of those that are laid over any training
    named = "".join(path.read_text() for path in [*FOLDER.rglob("*.yaml"), *docs])
    for path in [*(FOLDER / "models").iterdir(), *(FOLDER / "training" / "fragments").iterdir()]:
        assert path.name in named


def test_every_result_is_an_experiments():
    """And every evaluated experiment has one, named after it."""
    results = {path for path in (FOLDER / "results").rglob("*.json") if path.parent.name != "differences"}
    assert results == {address.result for address in EVALUATED}
    for address in EVALUATED:
        result = read(address.result)
        assert result.experiment == address.name
        shown = address.path.relative_to(FOLDER.parent).as_posix()
        assert result.command.startswith(f"zoo compare {shown}::{address.row} --out ")


@pytest.mark.parametrize(
    "address",
    [each for each in EVERY if resolve(each)["model"]["class_path"] == "zoo.methods.RefineNet"],
    ids=lambda address: address.name,
)
def test_inputs_of_refinenet_fit_its_network(address, tmp_path, monkeypatch):
    guide = load_method(str(guide_folder(tmp_path / "guide")))
    monkeypatch.setattr("zoo.methods.refinenet.frozen_guide", lambda name: guide)
    monkeypatch.chdir(tmp_path)
    network = "--model.init_args.network.init_args"
    small = [f"{network}.backbone=test_efficientnet", f"{network}.decoder_channels=[8, 8, 4, 4, 4]"]
    arguments = ["-c", str(address), *small, "--model.init_args.weights=null", "--trainer.logger=false"]
    model = run(arguments, run_verb=False).model
    model.setup("fit")
    given = 3 + model.see_guide + model.encoder.out_channels
    assert model.network.normalise.mean.shape[1] == given
    assert not any(tmp_path.glob("runs/*"))


@pytest.mark.parametrize("row", ["anything", "glands"])
def test_inputs_of_trained_unets_fit_their_networks(row, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    network = "--model.init_args.network.init_args"
    small = [f"{network}.backbone=test_efficientnet", f"{network}.decoder_channels=[8, 8, 4, 4, 4]"]
    address = f"{FOLDER / 'training' / 'ten-minutes.yaml'}::{row}"
    model = run(
        ["-c", address, *small, "--model.init_args.weights=null", "--trainer.logger=false"], run_verb=False
    ).model
    model.setup("fit")
    assert model.encoder.boxes == (row == "anything")


def test_unknown_key_is_an_error_without_traceback(tmp_path, capsys):
    path = tmp_path / "wrong.yaml"
    path.write_text("model:\n  class_path: zoo.methods.Watershed\n  init_args: {sgima: 1}\ndata: {files: [a.h5]}\n")
    assert main(["test", "-c", str(path)]) == 2
    message = capsys.readouterr().err
    assert str(path) in message
    assert "sgima" in message
    assert "Traceback" not in message


def test_fitting_a_classical_method_is_a_named_error(tmp_path, capsys):
    store = FOLDER / "data" / "dsb2018.h5"
    arguments = [f"--data.files=[{store}]", "--data.batch_size=2", f"--trainer.default_root_dir={tmp_path}"]
    assert main(["fit", "--model=zoo.methods.Watershed", "--trainer.logger=false", *arguments]) == 2
    assert "nothing to fit" in capsys.readouterr().err


def test_missing_store_names_the_path(tmp_path, capsys):
    gone = tmp_path / "gone-*.h5"
    arguments = [f"--data.files=[{gone}]", "--protocol=zoo.evaluation.Interactive", "--trainer.logger=false"]
    assert main(["test", "--model=zoo.methods.Watershed", *arguments]) == 2
    assert str(gone) in capsys.readouterr().err


def test_experiments_need_a_protocol_to_be_tested(tmp_path, capsys):
    store = FOLDER / "data" / "dsb2018.h5"
    arguments = [f"--data.files=[{store}]", "--trainer.logger=false", f"--trainer.default_root_dir={tmp_path}"]
    assert main(["test", "--model=zoo.methods.Watershed", *arguments]) == 2
    assert "protocol" in capsys.readouterr().err


def test_regions_are_evaluated_one_session_an_image(tmp_path):
    store = region_store(tmp_path / "regions.h5")
    arguments = [
        f"--data.files=[{store.path}]",
        "--model=zoo.methods.Watershed",
        "--protocol=zoo.evaluation.Interactive",
        "--protocol.init_args.samples=zoo.data.WholeImages",
        "--protocol.init_args.max_interactions=2",
    ]
    cli = run(arguments, run_verb=False)
    cli.trainer.test(cli.model, cli.datamodule, verbose=False)
    assert cli.model.scores["sessions"] == sum(info.count for info in store.groups if info.split == "test")
    assert 0 <= cli.model.scores["iou@1"] <= 1


def test_without_a_folder_everything_lies_in_one_named_after_the_experiment(tmp_path, monkeypatch):
    store = FOLDER / "data" / "dsb2018.h5"
    monkeypatch.chdir(tmp_path)
    lines = [
        "protocol: {class_path: zoo.evaluation.Interactive, init_args: {max_interactions: 1}}",
        "model: {class_path: zoo.methods.Watershed}",
        f"data: {{files: [{store}], batch_size: 2}}",
        "trainer: {limit_test_batches: 1, enable_progress_bar: false}",
    ]
    Path("mine.yaml").write_text("\n".join(lines))
    for logger in [], ["--trainer.logger=false"]:
        assert main(["test", "-c", "mine.yaml", *logger]) == 0
        assert {path.name for path in tmp_path.iterdir()} == {"mine.yaml", "runs"}
    assert [path.name for path in Path("runs").iterdir()] == ["mine"]
