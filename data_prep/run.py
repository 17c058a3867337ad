"""Carries out a plan: shards in this process or on a Dask cluster, progress, and what is said at the end."""

from collections import Counter
from collections.abc import Generator, Mapping, Sequence
from contextlib import closing
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn

from data_prep.outcomes import STATUSES, ShardOutcome, Status, slide_table, split_table, write_csv
from data_prep.plan import Plan
from data_prep.shard import Job, carry_out
from zoo.errors import DataError, first_few
from zoo.files import is_input, keep_inputs
from zoo.progress import ProgressBar

SHOWN = 5  # names of stores in a message


class Interrupted(KeyboardInterrupt):
    """Ctrl-C; `found` counts the shards that were done before by their status."""

    def __init__(self, found: Mapping[Status, int]) -> None:
        super().__init__()
        self.found = found


def cores() -> int:
    """Processor cores this process may use, within the limits of its container."""
    from dask.system import CPU_COUNT  # imported late: most runs need nothing else of Dask

    return int(CPU_COUNT)


def run(
    plan: Plan,
    out: Path,
    *,
    parameters: str = "",
    force: bool = False,
    workers: int | None = None,
    scheduler: str | None = None,
) -> list[ShardOutcome]:
    """Write all shards of a plan that are not up to date, with a progress bar on stderr.

    Args:
        plan: what to write.
        out: folder of the stores, made if missing.
        parameters: JSON of the options they are made with; a store made with other ones counts as failed.
        force: write stores that are there already, too.
        workers: processes; default: one per core; with one, or one shard, no process is started.
        scheduler: address of an existing Dask cluster, which replaces `workers`.

    Returns:
        The outcome of each shard, in the order of the plan.

    Raises:
        DataError: two shards of one name.
        ConfigError: a store or a picture would replace a raw file.
        Interrupted: Ctrl-C; everything was stopped and no shard is half written.
    """
    about = {
        "dataset": plan.dataset,
        "licence": plan.licence,
        "citation": plan.citation,
        "split_unit": plan.split_unit,
        "labels": plan.labels,
        "parameters": parameters,
    }
    jobs = [Job(shard, out, about, force) for shard in plan.shards]
    repeated = [stem for stem, count in Counter(shard.stem for shard in plan.shards).items() if count > 1]
    if repeated:
        raise DataError(f"{plan.dataset}: two shards named {repeated[0]!r}; rename one of their source files")
    keep_inputs([path for job in jobs for path in job.written], [path for shard in plan.shards for path in shard.files])
    workers = min(workers or cores(), len(jobs))
    if scheduler is None and workers < 2:
        made: Generator[ShardOutcome] = (carry_out(job) for job in jobs)
    else:
        from data_prep.cluster import carry_out_all

        made = carry_out_all(jobs, workers, scheduler)
    return _watch(made, plan.dataset, [job.shard.stem for job in jobs])


def _watch(made: Generator[ShardOutcome], title: str, stems: list[str]) -> list[ShardOutcome]:
    outcomes: list[ShardOutcome] = []
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[counts]}"))
    with ProgressBar(*columns, TimeElapsedColumn(), transient=False) as progress, closing(made):
        found = Counter[Status]()
        task = progress.add_task(title, total=len(stems), counts="")
        try:
            for outcome in made:
                outcomes.append(outcome)
                found[outcome.status] += 1
                progress.update(task, advance=1, counts=counts(found))
        except KeyboardInterrupt:
            raise Interrupted(found) from None
    place = {stem: number for number, stem in enumerate(stems)}
    return sorted(outcomes, key=lambda outcome: place[outcome.stem])


def counts(found: Mapping[Status, int]) -> str:
    """How many shards have which status, e.g. '3 written, 1 failed'."""
    return ", ".join(f"{found[status]} {status}" for status in STATUSES if found.get(status))


def report(plan: Plan, out: Path, outcomes: Sequence[ShardOutcome]) -> None:
    """Tables of what was made on stderr, what else is in OUT, and OUT/summary.csv.

    Raises:
        DataError: shards failed; each is named with its reason.
    """
    groups = [group for outcome in outcomes for group in outcome.groups]
    found = Counter(outcome.status for outcome in outcomes)
    console = Console(stderr=True)
    if groups:
        slides = slide_table(groups)
        if slides is not None:
            console.print(slides)
        console.print(split_table(groups))
        write_csv(out / "summary.csv", groups)
    console.print(
        f"{plan.dataset}: {counts(found)}, in {out}. Licence: {plan.licence}", highlight=False, soft_wrap=True
    )
    others = sorted({path for path in out.glob("*.h5") if is_input(path)} - {outcome.path for outcome in outcomes})
    if others:
        names = first_few([path.name for path in others], SHOWN)
        console.print(
            f"warning: {out} also holds stores that are not of this preparation: {names}; {out / '*.h5'} reads them "
            "too, so remove those whose images have moved to another split or are gone",
            highlight=False,
            soft_wrap=True,
            markup=False,
        )
    failed = [outcome for outcome in outcomes if outcome.status == "failed"]
    if failed:
        reasons = "".join(f"\n  {outcome.stem}: {outcome.reason}" for outcome in failed)
        raise DataError(f"{len(failed)} of {len(outcomes)} failed:{reasons}")
