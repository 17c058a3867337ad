"""All checkpoints that a path or an address means, looked at."""

from __future__ import annotations

from pathlib import Path

from zoo.errors import CheckpointError
from zoo.hub.index import HERE, Entry, entries
from zoo.hub.indices import FILE, Found, Indices, local_path, read_index
from zoo.hub.locate import folder_of, is_address, located
from zoo.publishing.validate import Check, validate


def validated(name: str, trust_code: bool = False) -> dict[str, list[Check]]:
    """What was found out about each checkpoint of an index, or about the one of a folder, by name.

    Args:
        name: a folder, an index (its file or its folder), or the address of either; that of an index ends in `.yaml`.
        trust_code: whether they may name classes outside `zoo`.

    Raises:
        CheckpointError: it is not there, or no index.
    """
    if is_address(name) and not name.startswith("file://"):
        if not name.endswith((".yaml", ".yml")):
            return {name: validate(located(name, Indices()).folder, None, trust_code)}
        return _each(name, trust_code)
    path = local_path(name)
    if path.is_dir() and not (path / FILE).is_file():
        return {str(path): validate(path, _entry(path), trust_code)}
    if not path.exists():
        raise CheckpointError(f"{path}: not there; give a checkpoint's folder, or an index (its file or folder)")
    return _each(str(path), trust_code)


def _each(address: str, trust_code: bool) -> dict[str, list[Check]]:
    own = Path(address).resolve() in (HERE, HERE / FILE)
    index = next(Indices([]).all()) if own else read_index("index", address)
    out = {}
    for name in index.entries:
        found = Found(index, name)
        try:
            # What has wrong checksums is no folder of theirs: said as one of the things that are wrong.
            out[name] = validate(folder_of(found), found.entry, trust_code)
        except CheckpointError as error:
            local = local_path(found.address)
            there = not is_address(found.address) and local.is_dir()
            out[name] = validate(local, found.entry, trust_code) if there else [Check("files", str(error))]
    if not out:
        raise CheckpointError(f"{address}: names no checkpoint")
    return out


def _entry(folder: Path) -> Entry | None:
    """What the index beside a folder says of it."""
    folder = folder.resolve()
    index = HERE / FILE if folder.parent == HERE / "checkpoints" else folder.parent / FILE
    return entries(index).get(folder.name) if index.is_file() else None
