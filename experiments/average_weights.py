"""Average the weights of networks that began alike and were trained for different tasks: a beginning for all of them.

    python experiments/average_weights.py nuclei=0.6 nuclick-glands=0.4 --experiment experiments/models/anything.yaml \
        --out runs/anything-0

The checkpoints are loaded into the experiment's method one after the other, so networks with more inputs fill up with
zeros; `--out` is a checkpoint folder that `weights:` takes. Networks that began with other random numbers share nothing
that could be averaged (Wortsman et al., Model soups, ICML 2022; Ilharco et al., Editing models with task arithmetic,
ICLR 2023). Statistics of batch normalisation are averaged too and want some steps of training.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from torch import Tensor

from zoo.commands.guard import guarded
from zoo.config.compose import Address, resolve
from zoo.errors import ConfigError
from zoo.hub.ckpt import TRAINING_ONLY
from zoo.hub.folder import build, save_folder
from zoo.hub.load import load_weights


def main(arguments: Sequence[str] | None = None) -> int:
    """Average and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("weights", nargs="+", metavar="NAME=SHARE", help="a checkpoint and its share of the mean")
    parser.add_argument("--experiment", required=True, help="whose `model` the weights are for")
    parser.add_argument("--out", type=Path, required=True, help="the checkpoint folder")
    args = parser.parse_args(arguments)

    shares = dict(_share(text) for text in args.weights)
    if abs(sum(shares.values()) - 1) > 1e-6:
        raise ConfigError(f"the shares add up to {sum(shares.values()):g}, not to 1; correct {' '.join(args.weights)}")
    config = resolve(Address.parse(args.experiment))["model"]
    kept = {name: value for name, value in config.get("init_args", {}).items() if name not in TRAINING_ONLY}
    config = {"class_path": config["class_path"], "init_args": kept}
    save_folder(args.out, config, mean(config, shares), f"The mean of {' and '.join(args.weights)}.\n", bits=32)
    print(f"{args.out}: the mean of {' and '.join(args.weights)}")
    return 0


def mean(config: dict[str, object], shares: dict[str, float]) -> dict[str, Tensor]:
    """The weighted mean of checkpoints' weights, in the method that `config` describes; counts are of the last."""
    total: dict[str, Tensor] = {}
    for name, share in shares.items():
        method = build(config)
        load_weights(method, name, override=True)
        for key, value in method.state_dict().items():
            part = value * share if value.is_floating_point() else value
            total[key] = total[key] + part if key in total and value.is_floating_point() else part
    return total


def _share(text: str) -> tuple[str, float]:
    name, _, share = text.rpartition("=")
    try:
        return name, float(share)
    except ValueError:
        raise ConfigError(f"{text}: give a checkpoint and its share, such as nuclei=0.5") from None


if __name__ == "__main__":
    sys.exit(guarded("average_weights", main))
