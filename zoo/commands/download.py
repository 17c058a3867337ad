"""`zoo download`: checkpoints into the cache, or into a folder to take elsewhere."""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from zoo.commands.indices import INDEX, add_index_argument, told
from zoo.errors import CheckpointError, ConfigError

if TYPE_CHECKING:
    from zoo.hub.indices import Indices


def main(argv: list[str]) -> int:
    """Run the verb; 0 when all are there, 2 when one is not, which does not keep the others from being downloaded."""
    options = _parser().parse_args(argv)
    if bool(options.names) == options.all:
        raise ConfigError("give names of checkpoints, or --all; `zoo models` lists them")
    # Only now: what it needs takes a moment, which --help must not.
    from zoo.hub.indices import Indices
    from zoo.hub.locate import checkpoint_folder

    with told("zoo download"):
        indices = Indices(options.index)
        names = list(dict.fromkeys(options.names)) or list(indices.listed())
        done: dict[str, str] = {}
        for name in names:
            try:
                folder = checkpoint_folder(name, indices) if options.to is None else _to(name, options.to, indices)
            except CheckpointError as error:
                print(f"zoo download: {error}", file=sys.stderr)
                continue
            done[name] = str(folder)
            if not options.json:
                print(f"{name}: {folder}", flush=True)
    if options.json:
        print(json.dumps(done, indent=2))
    if len(done) < len(names):
        print(f"zoo download: {len(names) - len(done)} of {len(names)} are missing", file=sys.stderr)
    return 0 if len(done) == len(names) else 2


def _to(name: str, target: Path, indices: Indices) -> Path:
    """A folder of the checkpoint's name in `target`, verified.

    Raises:
        CheckpointError: it can't be had, or another folder has this name.
    """
    from zoo.hub.cache import download, filling, verify
    from zoo.hub.index import checksums
    from zoo.hub.locate import checkpoint_folder, is_web
    from zoo.hub.models import lies

    found = None if "://" in name or Path(name).is_dir() else indices.find(name)
    folder = target / (found.name if found else name.rstrip("/").rpartition("/")[2].replace("@", "-"))
    if found is not None and is_web(found.address) and not found.address.startswith("hf://") and lies(found) is None:
        download(folder, found.address, found.entry.files, found.entry.size)
        verify(folder, found.entry.files)
        return folder
    source = checkpoint_folder(name, indices)
    files = found.entry.files if found else checksums(source)
    with filling(folder) as (work, _):
        if work is not None:
            for file in files:
                shutil.copyfile(source / file, work / file)
    verify(folder, files)
    return folder


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="zoo download",
        description="Download checkpoints and print the folder of each. Every file is compared with its checksum; what "
        "breaks off goes on\nwhere it was when the command is run again. Downloads are kept in the cache folder "
        "(ISEGZOO_CACHE, by default\n~/.cache/isegzoo), where `zoo.load` finds them without a connection.",
        epilog="examples:\n"
        "  zoo download lab/nuclei --index https://lab.org/zoo/index.yaml\n"
        "  zoo download --all --to /media/stick        # for a machine without a connection; there:\n"
        "  zoo segment tile.png --checkpoint /media/stick/nuclei ...\n\n" + INDEX,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help="a name that `zoo models` lists, hf://org/repo or https://..."
    )
    parser.add_argument("--all", action="store_true", help="all that `zoo models` lists")
    parser.add_argument("--to", type=Path, metavar="DIR", help="make a folder of each here, not in the cache")
    add_index_argument(parser)
    parser.add_argument("--json", action="store_true", help="print {NAME: FOLDER} and nothing else to stdout")
    return parser
