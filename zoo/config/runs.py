"""What a training left as an experiment: its configuration with its weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from zoo.errors import ConfigError

CHECKPOINTS, CONFIG = "checkpoints", "config.yaml"
WHICH = ("best", "last")
EVALUATED = ("title", "seed_everything", "threads", "model", "data", "protocol", "trainer")
TRAINING_ONLY = ("callbacks", "logger")


def is_run(path: Path) -> bool:
    """Whether a path means what `zoo fit` left: its folder, or one of its `.ckpt`."""
    return path.suffix == ".ckpt" or path.is_dir()


def run_name(path: Path) -> str:
    """The folder's name; of a `.ckpt` with that of the file."""
    folder = _folder(path).absolute().name
    return f"{folder}-{path.stem}" if path.suffix == ".ckpt" else folder


def run_weights(path: Path) -> Path:
    """The `.ckpt`, or that of a folder: the best where there is one, else the last.

    Raises:
        ConfigError: there is none.
    """
    names = [path] if path.suffix == ".ckpt" else [path / CHECKPOINTS / f"{which}.ckpt" for which in WHICH]
    found = next((name for name in names if name.is_file()), None)
    if found is None:
        raise ConfigError(f"{path}: there is no {' nor '.join(map(str, names))}; name a folder that `zoo fit` left")
    return found


def run_experiment(path: Path) -> dict[str, Any]:
    """The experiment that evaluates a training's weights on its data under its protocol.

    Raises:
        ConfigError: there are no weights, or nothing says what they are of.
    """
    weights = run_weights(path)
    folder = _folder(path)
    # Those of earlier versions lie beside the logs only; the first is the training's, tests come later.
    known = [folder / CONFIG, *sorted(folder.glob(f"*/version_*/{CONFIG}"), key=lambda file: file.stat().st_mtime)]
    config = next((file for file in known if file.is_file()), None)
    if config is None:
        raise ConfigError(
            f"{path}: {folder} holds no {CONFIG}, which `zoo fit` writes, so that nothing says what {weights.name} is "
            f"of; evaluate it with `zoo test -c EXPERIMENT.yaml --ckpt_path {weights}`"
        )
    try:
        content = yaml.safe_load(config.read_text())
        experiment = {name: content[name] for name in EVALUATED if content.get(name) is not None}
        model = {**experiment["model"], "init_args": {**experiment["model"]["init_args"], "weights": str(weights)}}
        trainer = {name: value for name, value in experiment["trainer"].items() if name not in TRAINING_ONLY}
    except (OSError, ValueError, TypeError, KeyError, AttributeError, yaml.YAMLError) as error:
        raise ConfigError(
            f"{config}: is no configuration that `zoo fit` wrote ({type(error).__name__}: {error})"
        ) from None
    if experiment.get("title"):  # so that tables tell the weights of one training apart
        experiment["title"] = f"{experiment['title']} ({weights.stem})"
    return experiment | {"model": model, "trainer": trainer | {"default_root_dir": str(folder)}}


def _folder(path: Path) -> Path:
    """A training's: of a `.ckpt` the one above `checkpoints`, or where it lies."""
    if path.suffix != ".ckpt":
        return path
    return path.parent.parent if path.parent.name == CHECKPOINTS else path.parent
