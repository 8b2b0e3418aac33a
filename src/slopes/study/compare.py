"""The public function: plan, resume, train, record, report."""

from __future__ import annotations

import os
import time
import warnings
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import replace as changed
from typing import TYPE_CHECKING, Any

from slopes.extras import require
from slopes.study.executing import Done, Failed, outcomes
from slopes.study.progress import Callback, Progress, display
from slopes.study.results import Failure, Run, Study

if TYPE_CHECKING:
    from slopes.card import Loss
    from slopes.study.plan import Plan
    from slopes.study.record import Record

NEEDED = ("torch", "sklearn", "jinja2", "rich")
SEEDS = 10
EPOCHS = 20
RATES = (0.001, 0.003, 0.01, 0.03)


def compare(
    model: Any = "mlp",
    data: Any = "digits",
    *,
    activations: Sequence[Any] | None = None,
    losses: Sequence[Loss] | None = None,
    seeds: int | Sequence[int] = SEEDS,
    epochs: int = EPOCHS,
    rates: Sequence[float] = RATES,
    baseline: Any = None,
    out: str | os.PathLike[str] = "slopes-compare",
    target: Any = None,
    task: str | None = None,
    replace: Any = None,
    output: Any = None,
    resample: bool = False,
    optimizer: str = "adam",
    batch_size: int = 64,
    clip: float | None = None,
    engine: str = "auto",
    executor: Any = None,
    workers: int | None = None,
    progress: Callback | bool | None = None,
) -> Study:
    """Train a network for every activation x loss, and say which differences are real.

    Each pair is trained at every learning rate for every seed. A seed fixes the initial weights and the order of
    the data, alike for all pairs; the rate with the best mean validation metric is chosen for each pair, test data
    judge it, and a difference to the baseline is called one only if it stands a permutation test over the seeds.
    Networks train side by side in stacks where that is faster, and with the same result. Every run is kept in
    ``out/record.sqlite`` as it ends: after a kill, the same call goes on where it was, and runs of other settings
    are kept but not mixed in. The page is ``out/report.html``.

    Parameters
    ----------
    model
        ``"mlp"``, ``"cnn"`` or ``"transformer"``, with settings as in ``"mlp(hidden=128)"``; or your own: a module,
        of which each seed draws the weights anew, a function or class that makes one, or ``"file.py:Model"``.
        Its activations are replaced as `slopes.swap` does; `replace` names their class where there are several, and
        `output` which of several outputs is the prediction: a place, a key or a function.
    data
        ``"digits"``, ``"mnist5k"``, ``"diabetes"``, ``"breast_cancer"``, ``"randhie"`` or ``"texture_seg"``; or your
        own: ``(inputs, targets)`` as arrays or tensors, a torch or Hugging Face dataset, a triple of such to train,
        validate and test, or a path to a ``.csv``, ``.npz`` or ``.parquet`` file with the column `target`. `task` is
        ``"classification"``, ``"binary"``, ``"regression"``, ``"count"`` or ``"segmentation"`` where the targets do
        not tell. With `resample` each seed has its own split; otherwise all share one, for which verdicts then hold.
    activations
        Cards, one's own included, and modules or classes of them; by default six.
    losses
        Cards, one's own included; by default three that suit the task. One that does not fit is a row with the reason.
    seeds
        How many, or which. Verdicts need about ten.
    epochs, batch_size, optimizer, clip
        How long and how each network trains; `optimizer` is ``"adam"``, ``"adamw"`` or ``"sgd"``, `clip` the most
        that its gradient's norm may be.
    rates
        The learning rates from which each pair picks its own.
    baseline
        The activation, loss or (activation, loss) that the others are compared with; by default the first ones.
    engine
        ``"stack"`` trains networks side by side, ``"loop"`` one by one, ``"auto"`` as is faster.
    executor, workers
        Where the work is done: by default in one process for each processor, with one thread each. `executor` is
        any `concurrent.futures.Executor`, or a cluster as ``"dask://host:8786"`` or a ``distributed.Client``. What
        exists in an interactive session or a main script only is trained in this process.
    progress
        A function that takes `Progress`, or False for silence; the default shows a bar on a terminal or in a
        notebook, and a few lines elsewhere.

    Raises
    ------
    TypeError, ValueError
        For what cannot be trained, before anything is.
    StudyError
        Where the record or the folder will not do, or a cluster is lost; what was recorded is kept.
    ImportError
        Where ``slopes[lab]`` is not installed.

    """
    require("slopes.compare", *NEEDED)
    from slopes.study import arguments
    from slopes.study.plan import make_plan
    from slopes.study.record import Record

    start = time.monotonic()
    size, folder = arguments.workers(workers), arguments.folder(out)
    arguments.progress(progress)
    plan = make_plan(
        model,
        data,
        activations=activations,
        losses=losses,
        seeds=seeds,
        epochs=epochs,
        rates=rates,
        baseline=baseline,
        target=target,
        task=task,
        replace=replace,
        output=output,
        resample=resample,
        optimizer=optimizer,
        batch_size=batch_size,
        clip=clip,
        engine=engine,
    )
    with Record(folder) as record, display(progress) as show:
        recorded = record.read(map(plan.key, plan.cells))
        if record.older and not recorded:  # so that nobody wonders why all begins anew
            warnings.warn(
                f"compare: {record.path} also keeps {record.older} run{'s' * (record.older > 1)} of an older slopes, "
                "which trained other networks; they are not used.",
                stacklevel=2,
            )
        state = Progress(
            done=len(recorded),
            total=len(plan.cells),
            resumed=len(recorded),
            diverged=_diverged(recorded.values()),
            failed=0,
            elapsed=0.0,
        )
        show(state)
        chunks = plan.chunks(recorded, size)
        with closing(outcomes(plan.job, chunks, executor=executor, workers=size)) as ending:
            for ended in ending:
                state = _keep(record, plan, ended, state, time.monotonic() - start)
                show(state)
        runs, failures = _read(plan, record)
    study = Study(plan, runs, failures, folder, time.monotonic() - start)
    study.report()
    return study


def _keep(record: Record, plan: Plan, ended: Done | Failed, state: Progress, elapsed: float) -> Progress:
    """Record what has ended, and return how far the study is."""
    if isinstance(ended, Failed):
        record.fail(plan.key(ended.cell), plan.spec(ended.cell), ended.reason, ended.trace, ended.machine)
        ended_cells, diverged, failed = [ended.cell], 0, 1
    else:
        with record.together():
            for cell, outcome in zip(ended.cells, ended.outcomes, strict=True):
                record.add(plan.key(cell), plan.spec(cell), outcome, ended.machine)
        ended_cells, diverged, failed = list(ended.cells), _diverged(ended.outcomes), 0
    return changed(
        state,
        done=state.done + len(ended_cells),
        diverged=state.diverged + diverged,
        failed=state.failed + failed,
        elapsed=elapsed,
        latest=plan.title(ended_cells[-1]),
    )


def _diverged(outcomes: Iterable[Mapping[str, Any]]) -> int:
    return sum(outcome["diverged"] is not None for outcome in outcomes)


def _read(plan: Plan, record: Record) -> tuple[list[Run], list[Failure]]:
    """The plan's runs and failures, in its order."""
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
            runs.append(Run(key=key, **names, **outcomes[key]))
        elif key in failed:
            failures.append(Failure(**names, reason=failed[key].reason))
    return runs, failures
