"""Writes one shard: the unit of work, in this process or in a worker of a cluster."""

import hashlib
import json
import re
import traceback
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from data_prep.ahead import ahead
from data_prep.outcomes import ShardOutcome, describe
from data_prep.plan import Group, Patch, Shard, Skipped
from zoo.errors import DataError, StoreError, ZooError
from zoo.files import replacing
from zoo.store.reader import Store
from zoo.store.writer import Stack, StoreWriter


@dataclass(frozen=True)
class Job:
    """A shard, the folder it goes to, what its file says (arguments of `StoreWriter`), and whether to replace it."""

    shard: Shard
    out: Path
    about: Mapping[str, Any]
    force: bool = False

    @property
    def path(self) -> Path:
        """The file to write."""
        return self.out / f"{self.shard.stem}.h5"

    @property
    def picture(self) -> Path:
        """Where its preview goes."""
        return self.out / f"{self.shard.stem}.png"

    @property
    def written(self) -> Sequence[Path]:
        """All that it writes."""
        return (self.path,) if self.shard.preview is None else (self.path, self.picture)


def carry_out(job: Job) -> ShardOutcome:
    """Write a shard unless it is up to date; what goes wrong is told in the outcome."""
    try:
        written = _write_if_needed(job)
        preview = job.shard.preview
        if preview is not None and (written or not job.picture.exists()):
            with replacing(job.picture) as temporary:
                Image.fromarray(preview(job.path)).save(
                    temporary, compress_level=1
                )  # a sixth larger, in a third of the time
        groups = describe(job.path)
        return ShardOutcome(job.shard.stem, job.path, "written" if written else "up to date", groups=groups)
    except ZooError as error:
        reason = str(error)
    except Exception as error:
        place = traceback.extract_tb(error.__traceback__)[-1]
        reason = f"{type(error).__name__}: {error} ({Path(place.filename).name}, line {place.lineno})"
    return ShardOutcome(job.shard.stem, job.path, "failed", reason)


def files_checksum(files: Iterable[Path]) -> str:
    """Sha256 over names and contents of files, in order."""
    digest = hashlib.sha256()
    for path in files:
        digest.update(path.name.encode() + b"\0")
        with path.open("rb") as stream:
            digest.update(hashlib.file_digest(stream, "sha256").digest())
    return digest.hexdigest()


def remove_leftovers(job: Job) -> None:
    """Remove temporary files of processes that were killed while they wrote this shard or its preview."""
    stem = re.escape(job.shard.stem)
    leftover = re.compile(rf"\.{stem}\.h5\.\d+\.tmp|\.\d+-{stem}\.png")
    for path in _hidden(job.out):
        if leftover.fullmatch(path.name):
            path.unlink(missing_ok=True)


def _hidden(folder: Path) -> Iterator[Path]:
    return (path for path in folder.glob(".*") if path.is_file())


def _write_if_needed(job: Job) -> bool:
    checksum = files_checksum(job.shard.files)
    if job.path.exists() and not job.force:
        problem = _difference(job, checksum)
        if problem:
            raise DataError(f"{job.path} exists, but {problem}; --force replaces it, another --out keeps it")
        return False
    remove_leftovers(job)
    with StoreWriter(job.path, source_checksum=checksum, **job.about) as writer:
        for group in job.shard.read():
            _write_group(writer, group)
    return True


def _difference(job: Job, checksum: str) -> str:
    try:
        with closing(Store(job.path)) as store:
            info, groups = store.info, store.groups
    except StoreError as error:
        return f"is damaged ({error})"
    if info.source_checksum != checksum:
        return "was made from other files"
    if not info.parameters and job.about["parameters"]:
        return "its options are unknown"
    then, now = (json.loads(text or "{}") for text in (info.parameters, job.about["parameters"]))
    # An option that is not there is one that was not given: later versions have more of them.
    changed = {key: (then.get(key), now.get(key)) for key in sorted(then | now) if then.get(key) != now.get(key)}
    for group in groups:
        had = {"patient": group.patient, "split": group.split, **group.attributes}
        changed |= {key: (had[key], new) for key, new in job.shard.says.items() if had.get(key, new) != new}
    told = ", ".join(f"{key} {before!r} (now {after!r})" for key, (before, after) in changed.items())
    return f"was made with {told}" if told else ""


def _write_group(writer: StoreWriter, group: Group) -> None:
    stack = writer.open_group(
        group.name,
        slide=group.slide,
        patient=group.patient,
        split=group.split,
        mpp=group.mpp,
        magnification=group.magnification,
        parent=group.parent,
        **group.attributes,
    )
    skipped = Counter[str]()
    with closing(ahead(group.patches)) as patches:
        for patch in patches:
            _append(stack, patch, skipped)
    if skipped:
        stack.attributes["skipped"] = json.dumps(skipped, sort_keys=True)


def _append(stack: Stack, patch: Patch | Skipped, skipped: Counter[str]) -> None:
    if isinstance(patch, Skipped):
        skipped[patch.why] += 1
    else:
        stack.append(patch.image, patch.label, patch.origin, patch.parent)
