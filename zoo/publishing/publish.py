"""From what is published to where it is published."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from zoo.files import write_text
from zoo.hub import hf
from zoo.hub.index import CARD, LICENCE, Entry, entries, write_entry
from zoo.hub.indices import FILE, Indices
from zoo.publishing import upload
from zoo.publishing.checkpoint import FILES, Publication, Replaced, check_place, read_before, write_checkpoint
from zoo.publishing.place import replacing_folder
from zoo.publishing.source import Source, read_source


def publish(name: str, to: str, said: Publication, kind: str = "checkpoint", index: Path | None = None) -> str:
    """Publish a training or a checkpoint, and return what to tell the person.

    Args:
        name: of the source, see `read_source`.
        to: a folder, or `hf://org/repo[@revision][/folder]`.
        said: about it.
        kind: `checkpoint`, `onnx` or `bioimage`.
        index: the file for the entry; None: `index.yaml` beside the folder.

    Raises:
        CheckpointError: the source can't be read, the place can't be written to, or is another's.
        ConfigError: the method can't be a graph.
    """
    if kind != "checkpoint":
        return _graph(name, to, said, kind)
    source = read_source(name)
    if to.startswith(hf.SCHEME):
        return _to_hub(source, name, hf.place(to), said)
    folder = Path(to)
    index = folder.parent / FILE if index is None else index
    check_place(folder, index, said.name, said.url)
    before = _with_entry(read_before(folder, index, said.name), name)
    with replacing_folder(folder, FILES) as work:
        entry = write_checkpoint(work, source, said, before)
    write_entry(index, said.name, entry)
    return f"{folder} written, {said.name} entered in {index}; `zoo validate {folder}` tells what it lacks"


def _to_hub(source: Source, name: str, where: hf.Place, said: Publication) -> str:
    """A folder of a repository with the index above it, or the whole repository, which needs none."""
    upload.make_repository(where)
    beside = upload.above(where)
    with TemporaryDirectory() as temporary:
        folder, index = Path(temporary) / "folder", Path(temporary) / FILE
        folder.mkdir()
        old, parent = upload.read_text(beside, FILE) if where.folder else ("", None)
        if old:
            write_text(index, old)
        entry = entries(index).get(said.name) if index.is_file() else None
        before = Replaced(upload.read_text(where, CARD)[0], upload.read_text(where, LICENCE)[0], entry)
        entry = write_checkpoint(folder, source, said, _with_entry(before, name))
        if where.folder:
            write_entry(index, said.name, replace(entry, url=said.url))
        commit = upload.upload(folder, where, f"Publish {said.name}", index if where.folder else None, parent)
    here = hf.Place(where.repository, commit, where.folder)
    return f'{said.name} is on Hugging Face, now and for ever as {here}: zoo.load("{here}")'


def _with_entry(before: Replaced, name: str) -> Replaced:
    """With the source's own entry, where the place has none and the source is a name of an index."""
    if before.entry is not None or "://" in name:
        return before
    entry: Entry | None = None
    beside = Path(name).parent / FILE
    if Path(name).is_dir() and beside.is_file():
        entry = entries(beside).get(Path(name).name)
    elif not Path(name).exists():
        found = Indices().find(name)
        entry = None if found is None else found.entry
    return before if entry is None else replace(before, entry=replace(entry, url=None))


def _graph(name: str, to: str, said: Publication, kind: str) -> str:
    """A folder of graphs."""
    # Only now: they need packages that a checkpoint doesn't.
    from zoo.publishing.bioimage import FILES as PACKAGE_FILES
    from zoo.publishing.bioimage import write_package
    from zoo.publishing.onnx import FILES as GRAPH_FILES
    from zoo.publishing.onnx import write_graphs

    write: Callable[[Path, str, Publication], list[str]] = write_graphs if kind == "onnx" else write_package
    if to.startswith(hf.SCHEME):
        where = hf.place(to)
        with TemporaryDirectory() as temporary:
            folder = Path(temporary)
            write(folder, name, said)
            upload.make_repository(where)
            commit = upload.upload(folder, where, f"Publish {said.name} as {kind}")
        return f"{hf.Place(where.repository, commit, where.folder)}"
    with replacing_folder(Path(to), GRAPH_FILES if kind == "onnx" else PACKAGE_FILES) as work:
        written = write(work, name, said)
    return f"{to} written: {', '.join(written)}"
