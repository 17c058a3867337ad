"""What starts fast imports little: heavy modules by name, in a process of its own, not seconds."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from tests.helpers.checkpoints import nuclick_folder
from zoo.cli import VERBS

ROOT = Path(__file__).parents[1]
HEAVY = {"torch", "lightning", "torchmetrics", "numpy", "scipy", "skimage", "cv2", "matplotlib", "h5py", "PIL", "dask"}
TRAINING = {"lightning", "torchmetrics", "scipy.signal", "matplotlib", "h5py"}
"""What no session needs."""
OF_TIMM = {"wandb", "torchvision", "timm", "segmentation_models_pytorch"}
"""timm imports torchvision, and wandb where it is installed; networks without one of its backbones need none."""


def imported(code: str, path: Path) -> tuple[int, set[str]]:
    """Exit code of Python code, and the modules that are imported at its end."""
    atexit = f"import atexit, sys\natexit.register(lambda: open({str(path)!r}, 'w').write('\\n'.join(sys.modules)))\n"
    done = subprocess.run([sys.executable, "-c", atexit + code], cwd=ROOT, capture_output=True, text=True)
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode, set(path.read_text().split())


def command(*arguments: str) -> str:
    return f"from zoo.cli import main\nsys.exit(main({list(arguments)!r}))"


@pytest.mark.parametrize("verb", ["", *VERBS, "prep"])
def test_help_imports_nothing_heavy(verb, tmp_path):
    code, modules = imported(command(*[verb] * bool(verb), "--help"), tmp_path / "modules")
    assert code == 0
    assert HEAVY & modules == set()


WRONG = {
    "models": ["--no-such-option"],
    "info": [],
    "download": [],
    "data": ["store.h5", "--samples", "0"],
    "segment": ["a.png", "--checkpoint", "nuclei", "--interactions", "a.json", "--out", "a.docx"],
    "serve": ["slides", "--port", "99999"],
    "score": ["gone.png", "gone.png"],
    "compare": [],
    "sweep": ["a.yaml"],
    "leaderboard": ["--no-such-option"],
    "annotate": ["--no-such-option"],
    "new": ["encoder", "torch"],
    "replay": ["--no-such-option"],
    "publish": ["a.ckpt"],
    "prep": ["no-such-data"],
}


def test_every_verb_is_given_something_wrong():
    assert WRONG.keys() == {*VERBS, "prep"}


@pytest.mark.parametrize("verb", WRONG)
def test_wrong_arguments_are_refused_before_anything_heavy_is_imported(verb, tmp_path):
    code, modules = imported(command(verb, *WRONG[verb]), tmp_path / "modules")
    assert code == 2
    assert HEAVY & modules == set()


CLICK = """
import torch, zoo
session = zoo.load({name!r})
session.set_image(torch.zeros(1, 3, 64, 64, dtype=torch.uint8), mpp=session.mpp)
session.add(zoo.Click(32.5, 32.5))
assert session.mask.shape[-2:] == (64, 64)
"""


@pytest.mark.parametrize("name", ["nuclei", "ritm-glands-glas", "deepscribble-refine-glas"])
def test_a_session_needs_nothing_of_training(name, tmp_path):
    code, modules = imported(CLICK.format(name=name), tmp_path / "modules")
    assert code == 0
    assert "torch" in modules
    assert (TRAINING | {"zoo.methods", "zoo.users", "zoo.losses", "zoo.data"}) & modules == set()


def test_a_session_without_a_backbone_needs_no_timm_either(tmp_path):
    code, modules = imported(CLICK.format(name="nuclick-nuclei-compact"), tmp_path / "modules")
    assert code == 0
    assert (TRAINING | OF_TIMM) & modules == set()


def test_a_checkpoint_that_names_no_segmenter_loads_as_its_method(tmp_path):
    folder = nuclick_folder(tmp_path / "tiny")
    code, modules = imported(CLICK.format(name=str(folder)), tmp_path / "modules")
    assert code == 0
    assert {"lightning", "zoo.methods"} <= modules


def test_segment_needs_nothing_of_training(tmp_path):
    Image.new("RGB", (96, 96), "pink").save(tmp_path / "a.png")
    said = {"interactions": [{"type": "click", "x": 40.5, "y": 40.5, "positive": True}]}
    clicks = {"schema": "isegzoo.interactions/1", "objects": [said]}
    (tmp_path / "clicks.json").write_text(json.dumps(clicks))
    given = ["--checkpoint", "nuclick-nuclei-compact", "--interactions", str(tmp_path / "clicks.json"), "--mpp", "0.25"]
    outputs = [("--out", "m.png"), ("--overlay", "o.png"), ("--geojson", "g.json")]
    paths = [each for option, name in outputs for each in (option, str(tmp_path / name))]
    code, modules = imported(command("segment", str(tmp_path / "a.png"), *given, *paths), tmp_path / "modules")
    assert code == 0
    assert (TRAINING | OF_TIMM) & modules == set()
    assert all((tmp_path / name).is_file() for _, name in outputs)
