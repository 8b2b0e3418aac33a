"""The public function: plan, resume, train, record, report."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from slopes.extras import require
from slopes.study.progress import Callback, Progress, display
from slopes.study.results import Run, Study

if TYPE_CHECKING:
    from slopes.card import Activation, Loss
    from slopes.study.plan import Plan
    from slopes.study.record import Record

SEEDS = 8
EPOCHS = 20
RATES = (0.001, 0.003, 0.01, 0.03)


def compare(
    *,
    activations: Sequence[Activation[Any]] | None = None,
    losses: Sequence[Loss[Any]] | None = None,
    seeds: int | Sequence[int] = SEEDS,
    epochs: int = EPOCHS,
    rates: Sequence[float] = RATES,
    out: str | os.PathLike[str] = "slopes-compare",
    workers: int | None = None,
    progress: Callback | bool | None = None,
) -> Study:
    """Train a small network on handwritten digits for every activation x loss, and write a page on them.

    Each pair is trained at every learning rate for every seed; the rate with the best mean validation accuracy
    is chosen, and the test data judge it. A seed fixes the initial weights and the order of the data, alike for
    all pairs. Every run is kept in ``out/record.sqlite`` as it ends: after a kill, the same call goes on where
    it was, and runs of other settings are kept but not mixed in. The page is ``out/report.html``.

    `activations` and `losses` take cards, one's own included; the default is six activations and three losses.
    `seeds` is how many or which. `workers` is how many processes train, by default one per processor; cards
    that exist in an interactive session or a main script only are trained in this process. `progress` is a
    function that takes `Progress`, or False for silence; the default shows a bar on a terminal and a few lines
    elsewhere.

    Raises TypeError or ValueError for what cannot be trained, before anything is; StudyError where the record
    or the folder will not do; ImportError where ``slopes[lab]`` is not installed.
    """
    require("slopes.compare", "lab", "torch", "sklearn", "jinja2", "rich")
    from slopes.study.engine import outcomes
    from slopes.study.plan import make_plan
    from slopes.study.record import Record
    from slopes.study.tasks import digits

    start = time.monotonic()
    plan = make_plan(activations, losses, seeds, epochs, rates, digits())
    size = _workers(workers)
    folder = Path(out)
    with Record(folder) as record, display(progress) as show:
        recorded = record.read({plan.key(*cell) for cell in plan.cells})
        diverged = sum(outcome["diverged"] is not None for outcome in recorded.values())
        done = resumed = len(recorded)
        total = len(plan.cells)
        show(Progress(done, total, resumed, diverged, 0.0))
        with closing(outcomes(plan, plan.units(recorded), size)) as ending:
            for unit, ended in ending:
                for seed, outcome in zip(unit.seeds, ended, strict=True):
                    cell = (unit.pair, unit.rate, seed)
                    record.add(plan.key(*cell), plan.spec(*cell), outcome)
                    done += 1
                    diverged += outcome["diverged"] is not None
                elapsed = time.monotonic() - start
                show(Progress(done, total, resumed, diverged, elapsed, plan.title(unit.pair)))
        runs = _runs(plan, record)
    study = Study(plan, runs, folder, time.monotonic() - start)
    study.report()
    return study


def _runs(plan: Plan, record: Record) -> list[Run]:
    """The plan's runs, in its order."""
    outcomes = record.read({plan.key(*cell) for cell in plan.cells})
    runs = []
    for pair, rate, seed in plan.cells:
        key = plan.key(pair, rate, seed)
        fields = {name: _frozen(value) for name, value in outcomes[key].items()}
        activation, loss = plan.names["activation"][pair.activation], plan.names["loss"][pair.loss]
        runs.append(Run(key=key, activation=activation, loss=loss, rate=rate, seed=seed, **fields))
    return runs


def _frozen(value: Any) -> Any:
    return tuple(_frozen(item) for item in value) if isinstance(value, list) else value


def _workers(given: Any) -> int:
    if given is None:
        return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if isinstance(given, bool) or not isinstance(given, int) or given < 1:
        raise ValueError(f"compare: workers must be a whole number of at least 1, got {given!r}.")
    return given
