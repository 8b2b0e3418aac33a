"""`slopes.compare`: plan, resume, train, record and report a study."""

from __future__ import annotations

import math
import time
import warnings
from collections.abc import Iterable, Mapping
from contextlib import closing
from dataclasses import replace as changed
from pathlib import Path
from typing import TYPE_CHECKING, Any

from slopes.comparing import missing
from slopes.comparing.executing import Done, Failed, outcomes
from slopes.comparing.executing.here import threads
from slopes.comparing.pair import FailedRun, Run
from slopes.comparing.progress import Callback, Progress, display
from slopes.comparing.settings import Settings, takes
from slopes.extras import require

if TYPE_CHECKING:
    from slopes.comparing.plan import Plan
    from slopes.comparing.record import Record
    from slopes.comparing.study import Study

NEEDED = ("torch", "sklearn", "jinja2", "rich")


@takes(Settings)
def compare(settings: Settings) -> Study:
    """Train a network for every activation x loss, and report which differences are real.

    Each pair is trained at every learning rate for every seed, which fixes the initial weights and the order of the
    data, alike for all pairs. It is judged on test data at the rate with the best mean validation metric. A difference
    to the baseline counts only if it stands a permutation test over the seeds. Every run is kept in
    ``out/record.sqlite`` as it ends: after a kill, the same call resumes. Runs of other settings stay there unused. The
    page is ``out/report.html``.

    Parameters
    ----------
    PARAMETERS

    Raises
    ------
    TypeError, ValueError
        For an option that does not fit, before anything is trained.
    StudyError
        Where the record or the folder cannot be used, or a cluster is lost.
    ImportError
        Where ``slopes[lab]`` is not installed.
    """
    require("slopes.compare", *NEEDED)
    from slopes.comparing.plan import make_plan
    from slopes.comparing.record import Record
    from slopes.comparing.saving import save
    from slopes.comparing.study import Study
    from slopes.comparing.training import cost

    start, folder, size = time.monotonic(), Path(settings.out), settings.processes
    plan = make_plan(settings)
    with Record(folder) as record, display(settings.progress) as show:
        if record.older and not record.read(map(plan.key, plan.cells)):  # Explains why training starts from zero.
            warnings.warn(
                f"compare: {record.path} also keeps {record.older} run{'s' * (record.older > 1)} of an older slopes, "
                "which trained other networks; they are not used.",
                stacklevel=2,
            )
        tried: set[str] = set()
        while True:
            _train(plan, record, tried, show, start, size)
            study = Study(plan, *_read(plan, record), folder, time.monotonic() - start)
            if time.monotonic() >= _end(settings, start):
                left, every = len(plan.cells) - len(study.runs), len(plan.cells)
                if left:
                    words = f"the time is over, with {left} of {every} runs left; the same call trains them."
                    warnings.warn(f"compare: {words}", stacklevel=2)
                break
            extended = plan.extended({pair.edge for pair in study.pairs if pair.trained})
            if extended is plan and _has_room(study, start, size):
                extended = plan.with_more_seeds()
            if extended is plan:
                break
            plan = extended
    if study.runs:
        with threads(1):
            study.costs = cost(plan.job, plan.rates[0], plan.seeds[0])
    save(study)
    study.report()
    return study


def _end(settings: Settings, start: float) -> float:
    """Return the time when training stops, by `time.monotonic`."""
    return start + (math.inf if settings.minutes is None else 60 * settings.minutes)


def _has_room(study: Study, start: float, size: int) -> bool:
    """Whether verdicts are undecided and the time allows for as many runs again."""
    limit = study.plan.settings.minutes
    trained = study.plan.job.epochs * sum(run.seconds for run in study.runs) / size  # earlier starts included
    fits = limit is None or 2 * max(trained, time.monotonic() - start) <= 60 * limit
    return fits and bool(study.plan.looks) and any(row["verdict"] == "undecided" for row in study.verdicts())


def _train(plan: Plan, record: Record, tried: set[str], show: Callback, start: float, size: int) -> None:
    """Train the cells that are neither recorded nor tried by this start, and add their keys to `tried`."""
    recorded = record.read(map(plan.key, plan.cells))
    ended = recorded.keys() | tried
    state = Progress(
        done=len(ended), total=len(plan.cells), resumed=len(recorded.keys() - tried),
        diverged=_diverged(recorded.values()), failed=len(tried - recorded.keys()), elapsed=time.monotonic() - start,
        added=sum(plan.steps),
    )  # fmt: skip
    show(state)
    chunks, until = plan.chunks(ended, size), _end(plan.settings, start)
    try:
        with closing(outcomes(plan.job, chunks, executor=plan.settings.executor, workers=size, until=until)) as ending:
            for each in ending:
                state = _keep(record, plan, each, state, time.monotonic() - start)
                show(state)
    except KeyboardInterrupt as error:
        kept = len(record.read(map(plan.key, plan.cells)))
        error.add_note(f"{record.path} keeps {kept} of {len(plan.cells)} runs: the same call goes on from there")
        raise
    tried.update({*map(plan.key, plan.cells)} - recorded.keys())


def _keep(record: Record, plan: Plan, ended: Done | Failed, state: Progress, elapsed: float) -> Progress:
    if isinstance(ended, Failed):
        record.fail(plan.key(ended.cell), plan.spec(ended.cell), ended.reason, ended.trace, ended.machine)
        ended_cells, diverged, failed = [ended.cell], 0, 1
    else:
        with record.together():
            for cell, outcome in zip(ended.cells, ended.outcomes, strict=True):
                record.add(plan.key(cell), plan.spec(cell), outcome, ended.machine)
        ended_cells, diverged, failed = list(ended.cells), _diverged(ended.outcomes), 0
    return changed(
        state, done=state.done + len(ended_cells), diverged=state.diverged + diverged, failed=state.failed + failed,
        elapsed=elapsed, latest=plan.title(ended_cells[-1]),
    )  # fmt: skip


def _diverged(outcomes: Iterable[Mapping[str, Any]]) -> int:
    return sum(outcome["diverged"] is not None for outcome in outcomes)


def _read(plan: Plan, record: Record) -> tuple[list[Run], list[FailedRun]]:
    keys = [plan.key(cell) for cell in plan.cells]
    outcomes, failed = record.read(keys), record.failures(keys)
    runs, failures = [], []
    for cell, key in zip(plan.cells, keys, strict=True):
        names: dict[str, Any] = {
            "activation": plan.names["activation"][cell.activation],
            "loss": plan.names["loss"][cell.loss],
            "rate": cell.rate,
            "seed": cell.seed,
        }
        if key in outcomes:
            runs.append(Run(key=key, **names, **missing.read(outcomes[key])))
        else:
            reason = failed[key].reason if key in failed else "not trained when the study's minutes were over"
            failures.append(FailedRun(**names, reason=reason))
    return runs, failures
