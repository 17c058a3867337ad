"""`zoo export`: from a training's .ckpt to a checkpoint folder."""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Sequence
from pathlib import Path

import yaml

from zoo.errors import CheckpointError
from zoo.hub.index import CARD, CONFIG, HERE, LICENCE, WEIGHTS, Entry, checksums, write_entry


def main(argv: list[str]) -> int:
    """Run the verb; 0 when the folder was written."""
    parser = argparse.ArgumentParser(
        prog="zoo export",
        description="Make a checkpoint folder (config.yaml, model.safetensors, model card README.md) of a .ckpt that "
        "`zoo fit` wrote, and print its entry for the index. Averaged weights are taken where the training kept them.",
        epilog="example:\n"
        "  zoo export runs/nuclick/last.ckpt --out zoo/hub/checkpoints/my-nuclei --name my-nuclei --card card.yaml\n\n"
        "card.yaml holds title and licence, and should hold trained_on, intended_use, limits and citation.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("ckpt", type=Path, metavar="CKPT", help="a Lightning checkpoint")
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="the checkpoint folder")
    parser.add_argument("--name", required=True, help="name in the index and in the card")
    parser.add_argument("--card", type=Path, metavar="FILE", help="YAML file of the card's texts")
    parser.add_argument("--result", type=Path, nargs="*", default=[], metavar="JSON", help="results the card lists")
    parser.add_argument("--licence-file", type=Path, metavar="FILE", help=f"copied into the folder as {LICENCE}")
    parser.add_argument("--half", action=argparse.BooleanOptionalAction, default=True, help="half precision")
    parser.add_argument("--url", help="folder on the web that the files will be downloaded from")
    parser.add_argument(
        "--index",
        type=Path,
        nargs="?",
        const=HERE / "index.yaml",
        metavar="YAML",
        help="write the entry into this index; without a file: into the one of this installation",
    )
    args = parser.parse_args(argv)

    entry = export(args.ckpt, args.out, args.name, args.card, args.result, args.half, args.licence_file, args.url)
    if args.index is None:
        print(yaml.safe_dump({args.name: vars(entry)}, sort_keys=False), end="")
    else:
        write_entry(args.index, args.name, entry)
        print(f"{args.out} written, {args.name} entered in {args.index}")
    return 0


def export(
    ckpt: Path,
    folder: Path,
    name: str,
    card: Path | None = None,
    results: list[Path] | None = None,
    half: bool = True,
    licence: Path | None = None,
    url: str | None = None,
) -> Entry:
    """Write the checkpoint folder of a .ckpt and return its entry for the index; see `main` for the arguments.

    Raises:
        CheckpointError: the .ckpt can't be read, was not made by `zoo fit`, or does not load back.
    """
    # Only now: they import torch and Lightning, for seconds, which --help and wrong options must not.
    from zoo.hub.card import Card, read_card
    from zoo.hub.ckpt import read_ckpt
    from zoo.hub.folder import build, load_state, save_folder
    from zoo.methods.base import InteractiveMethod

    config, state = read_ckpt(ckpt)
    module = build(config, ckpt)
    load_state(module, config, state, ckpt)
    text = Card(title=name, licence="not stated") if card is None else read_card(card)
    segmenter = vars(type(module)).get("segmenter")  # not one that is inherited: subclasses may segment otherwise
    if segmenter is not None:
        config["segmenter"] = f"{segmenter.__module__}.{segmenter.__qualname__}"
    mpp = config["init_args"].get("mpp")
    if licence is not None and not licence.is_file():
        raise CheckpointError(f"{licence}: no such file; give the text of the licence")
    gives = module.user.gives if isinstance(module, InteractiveMethod) else None
    readme = text.markdown(name, config["class_path"], mpp, gives, _table(results or []))
    save_folder(folder, config, state, readme, half)
    if licence is not None:
        shutil.copyfile(licence, folder / LICENCE)
    ours = (CONFIG, WEIGHTS, CARD, LICENCE)
    files = {file: digest for file, digest in checksums(folder).items() if file in ours}
    size = sum((folder / file).stat().st_size for file in files)
    interaction = () if gives is None else (gives,)
    return Entry(text.title, text.licence, files, mpp, url, text.tasks, interaction, text.data_sets, size=size)


def _table(paths: Sequence[Path]) -> str:
    """The card's table of results; empty without any."""
    from zoo.comparison.columns import columns
    from zoo.comparison.markdown import cell, table
    from zoo.comparison.result import read

    results = [read(path) for path in paths]
    shown = columns(results)
    rows = [
        [
            *(cell(text) for text in (result.title, result.data.dataset, result.data.split, str(result.data.images))),
            *(column.text(column.value(result)) for column in shown),
        ]
        for result in results
    ]
    headings = ["experiment", "data", "split", "images", *(column.heading for column in shown)]
    return table(headings, rows, (0, 1, 2)) if results else ""
