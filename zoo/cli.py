"""The command `zoo`: Lightning's `fit validate test predict`, and verbs of our own."""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Callable, Mapping
from importlib.metadata import EntryPoint, entry_points

from zoo.commands.guard import guarded

LIGHTNING_VERBS = {
    "fit": "train a method",
    "validate": "evaluate on the validation split",
    "test": "evaluate on the test split under the experiment's protocol",
    "predict": "write instance maps or masks of the test split",
}
VERBS = {
    "models": "list the checkpoints that can be loaded by name",
    "info": "show what is known of a checkpoint, its model card",
    "download": "download checkpoints, into the cache or into a folder",
    "data": "show what stores hold, check them, draw samples with labels",
    "segment": "segment an image from a file of interactions",
    "annotate": "segment images and slides in the browser",
    "serve": "segment from QuPath, MONAI Label's extension and CVAT",
    "replay": "tell other checkpoints what people said in the annotator, and compare",
    "score": "compare label images or folders of them: AJI, PQ, Dice, Hausdorff ...",
    "compare": "evaluate experiments side by side and write a report",
    "leaderboard": "write leaderboard.md from experiments/results",
    "export": "make a checkpoint folder of a training's .ckpt",
}


def main(argv: list[str] | None = None) -> int:
    """Run the command; 0 when all went well, 2 with a message on a user's error."""
    argv = sys.argv[1:] if argv is None else argv
    # Experiments name classes of modules in the current folder, as `python -m` would find them. At the end of the
    # path: nobody's random.py shall replace a library.
    if os.getcwd() not in sys.path:
        sys.path.append(os.getcwd())
    plugins = {point.name: point for point in entry_points(group="zoo.commands")}
    if not argv or argv[0] in ("-h", "--help"):
        _parser(plugins).print_help()
        return 0
    verb, rest = argv[0], argv[1:]
    return guarded(f"zoo {verb}", lambda: _run(verb, rest, plugins))


def _run(verb: str, arguments: list[str], plugins: Mapping[str, EntryPoint]) -> int:
    if verb in LIGHTNING_VERBS:
        from zoo.config.cli import run

        run([verb, *arguments])
        return 0
    if verb in VERBS:
        command: Callable[[list[str]], int] = importlib.import_module(f"zoo.commands.{verb}").main
    elif verb in plugins:
        command = plugins[verb].load()
    else:
        print(f"zoo: no verb {verb!r}; see `zoo --help`", file=sys.stderr)
        return 2
    return command(arguments)


def _parser(plugins: Mapping[str, object]) -> argparse.ArgumentParser:
    every = LIGHTNING_VERBS | VERBS | dict.fromkeys(sorted(plugins), "from an installed package")
    every |= {"prep": "turn a publisher's download into HDF5 stores"} if "prep" in plugins else {}
    width = max(map(len, every))
    lines = "\n".join(f"  {name:{width}}  {text}" for name, text in every.items())
    return argparse.ArgumentParser(
        prog="zoo",
        usage="zoo VERB [options]",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description=f"Interactive segmentation of pathology images.\n\nverbs:\n{lines}",
        epilog=(
            "`zoo VERB --help` explains each.\n\nexamples:\n"
            "  zoo models --task nuclei\n"
            "  zoo compare experiments/tables/dsb2018.yaml --out runs/compare\n"
            "  zoo segment slide.png --checkpoint nuclick-nuclei-compact --interactions clicks.json --out mask.png\n"
            "  zoo fit -c experiments/training/finetune-dsb2018.yaml"
        ),
    )


if __name__ == "__main__":
    sys.exit(main())
