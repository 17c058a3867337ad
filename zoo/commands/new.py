"""`zoo new`: files to begin with, of an encoder, a method or a data set of one's own."""

from __future__ import annotations

import argparse
import keyword
import sys
from importlib import resources
from importlib.util import find_spec
from pathlib import Path

from zoo.errors import ConfigError
from zoo.files import write_text

KINDS = {
    "encoder": "maps of clicks and strokes for a network",
    "method": "what a network is given and trained with",
    "dataset": "how a publisher's files become HDF5 stores",
}
TEST, FIT = "python -m pytest test_{name}.py", "zoo fit -c {name}.yaml"
TRAINED = (TEST, FIT, "zoo compare runs/{name} --out runs/compare")
PREPARED = (TEST, "zoo prep {name} --source raw --out data/{name} --mpp 0.25", "zoo data data/{name}", FIT)
EXAMPLES = """examples:
  zoo new encoder rings          rings.py with the class Rings, test_rings.py, rings.yaml
  zoo new method signed_mask     signed_mask.py with the class SignedMask, and so on
  zoo new dataset our_hospital   our_hospital.py, which `zoo prep our_hospital` runs

They work as they are: run the test, train, and change one thing after the other.
"""


def main(argv: list[str]) -> int:
    """Run the command; 0 when all was written."""
    options = _parser().parse_args(argv)
    name: str = options.name
    files = {options.to / file: text for file, text in written(options.kind, name).items()}
    there = [str(path) for path in files if path.exists()]
    if there:
        raise ConfigError(f"{', '.join(there)}: there already; take another name, or another folder with --to")
    for path, text in files.items():
        write_text(path, text)
        print(f"wrote {path}")
    print("\nnext:")
    for line in PREPARED if options.kind == "dataset" else TRAINED:
        print(f"  {line.format(name=name)}")
    return 0


def written(kind: str, name: str) -> dict[str, str]:
    """The text of each file by its name.

    Raises:
        ConfigError: Python could not import a module of this name, or would import another one.
    """
    if not name.isidentifier() or keyword.iskeyword(name) or name != name.lower():
        raise ConfigError(f"{name!r} is no module's name; take small letters, digits and _, like my_{kind}")
    class_name = "".join(part.capitalize() for part in name.split("_"))
    if not class_name.isidentifier() or keyword.iskeyword(class_name) or name == "__main__":
        raise ConfigError(f"{name!r} makes no name of a class; take another one, like my_{kind}")
    if name in sys.stdlib_module_names or (find_spec(name) is not None and not Path(f"{name}.py").exists()):
        raise ConfigError(f"{name!r}: Python has a module of this name already; take another one")
    folder = resources.files("zoo.commands") / "templates"
    names = {"py": f"{name}.py", "test": f"test_{name}.py", "yaml": f"{name}.yaml"}
    texts = {file: (folder / f"{kind}.{part}.txt").read_text("utf-8") for part, file in names.items()}
    return {file: text.replace("MyClass", class_name).replace("MY_MODULE", name) for file, text in texts.items()}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="zoo new",
        description="Write a file of your own to begin with, its test and an experiment that trains with it, into the "
        "current folder. Nothing is registered: experiments name classes by their module.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("kind", choices=KINDS, help="; ".join(f"{kind}: {text}" for kind, text in KINDS.items()))
    parser.add_argument("name", metavar="NAME", help="of the module, such as my_rings; its class becomes MyRings")
    parser.add_argument("--to", type=Path, default=Path(), metavar="DIR", help="folder; default: the current one")
    return parser
