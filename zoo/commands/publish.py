"""`zoo publish`: a training's weights as a checkpoint for others, or as a graph that other programs run."""

from __future__ import annotations

import argparse
import shlex
from pathlib import Path

from zoo.errors import ConfigError

FORMATS = ("checkpoint", "onnx", "bioimage")
HF = "hf://"


def main(argv: list[str]) -> int:
    """Run the verb; 0 when it was published."""
    options = _parser().parse_args(argv)
    metrics = dict(map(_metric, options.metric))
    if options.format != "checkpoint" and (options.index or metrics or options.url):
        raise ConfigError(
            f"--format {options.format} makes no entry of an index: leave out --index, --metric and --url"
        )
    if options.to.startswith(HF) and options.index:
        raise ConfigError("--index is for a folder on this machine; that of Hugging Face lies above its folder there")
    # Only now: they import torch and Lightning, for seconds, which --help and wrong options must not.
    from zoo.hub.card import read_card
    from zoo.publishing.checkpoint import Publication
    from zoo.publishing.publish import publish

    said = Publication(
        name=options.name or options.to.removeprefix(HF).rstrip("/").rpartition("/")[2].partition("@")[0],
        command=shlex.join(["zoo", "publish", *argv]),
        card=None if options.card is None else read_card(options.card),
        results=tuple(options.result),
        metrics=metrics,
        licence=options.licence_file,
        change=options.change,
        bits=options.bits,
        url=options.url,
    )
    told = publish(options.source, options.to, said, options.format, options.index)
    print(told)
    return 0


def _metric(text: str) -> tuple[str, float]:
    measured, _, value = text.rpartition("=")
    try:
        return measured.strip(), float(value)
    except ValueError:
        raise ConfigError(f"--metric {text!r}: write what was measured = a number, as 'AJI, MoNuSeg=0.772'") from None


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="zoo publish",
        description="Make a checkpoint of a training: a folder (config.yaml, model.safetensors, the card README.md, "
        "LICENSE, SHA256SUMS\nand training.yaml, the experiment) and its entry in the index beside it, index.yaml, "
        "from which others load it by name.\nThe folder appears when it is complete. Averaged weights are taken where "
        "the training kept them, and the best ones of a\ntraining's folder where it has them. Published again, it "
        "replaces the folder and its entry: what the entry said and is\nnot said anew stays, metrics among it, and the "
        "card lists what changed.",
        epilog="examples:\n"
        "  zoo publish runs/nuclei --to lab/nuclei --card card.yaml --licence-file CC-BY-4.0.txt \\\n"
        "    --metric 'AJI, MoNuSeg=0.772'                    # a run or a .ckpt: lab/nuclei and lab/index.yaml\n"
        "  zoo validate lab/nuclei                            # what is still wrong with it\n"
        "  zoo publish lab/nuclei --to hf://lab/checkpoints/nuclei    # as it is, with the index above it\n"
        "  zoo publish nuclei --to nuclei-onnx --format onnx  # for programs without isegzoo\n"
        "  zoo publish nuclei --to nuclei-bioimage --format bioimage  # a package of bioimage.io\n\n"
        "card.yaml holds title and licence, and should hold trained_on, intended_use, limits, citation, task (nuclei, "
        "glands,\nregion ...) and data. An ONNX graph takes an image (uint8), clicks and the previous mask, of any "
        "sizes; the guidance that\nthe network needs is computed inside. docs/zoo.md shows how to use it.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "source", metavar="RUN_or_CKPT", help="what `zoo fit` left, a checkpoint's folder, or a name of `zoo models`"
    )
    parser.add_argument(
        "--to", required=True, metavar="DIR", help="the folder to make, or hf://org/repo[@branch][/folder]"
    )
    parser.add_argument("--name", help="of the checkpoint; default: the folder's")
    parser.add_argument("--format", choices=FORMATS, default=FORMATS[0], help="default: %(default)s")
    parser.add_argument("--card", type=Path, metavar="FILE", help="YAML file of the card's texts")
    parser.add_argument("--result", type=Path, nargs="*", default=[], metavar="JSON", help="results the card lists")
    parser.add_argument(
        "--metric", action="append", default=[], metavar="TEXT=NUMBER", help="what the index tells it reached"
    )
    parser.add_argument("--licence-file", type=Path, metavar="FILE", help="text of the licence, copied as LICENSE")
    parser.add_argument("--change", metavar="TEXT", help="what is new, for the card's list of changes")
    parser.add_argument(
        "--bits",
        type=int,
        choices=(8, 16, 32),
        help="that a weight is stored in; networks compute in 32 (default: 16 of a training, a checkpoint as it is)",
    )
    parser.add_argument("--index", type=Path, metavar="YAML", help="default: index.yaml beside the folder")
    parser.add_argument("--url", help="folder on the web that the files will be downloaded from")
    return parser
