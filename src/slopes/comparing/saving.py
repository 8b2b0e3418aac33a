"""Results of a study in a file beside its record, to be read without the model and the data."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from slopes.comparing import missing
from slopes.comparing.errors import StudyError
from slopes.comparing.metrics import Metric
from slopes.comparing.pair import FailedRun, Run
from slopes.comparing.results import Results
from slopes.comparing.statistics import InterimLook, Resampled
from slopes.whole import whole

FILE = "study.json"
FORMAT = 1


class SavedPlan(SimpleNamespace):
    """Stand-in for a plan, with the attributes that results read."""


def save(study: Results) -> None:
    """Write everything that tables, verdicts and pictures are made of."""
    plan = study.plan
    task = plan.job.task
    content = {
        "format": FORMAT,
        "names": plan.names,
        "feeds": [None if feed is None else {"note": feed.note, "fed": feed.fed} for feed in plan.feeds],
        "unfit": [[a, b, reason] for (a, b), reason in plan.unfit.items()],
        "rates": plan.rates,
        "seeds": plan.seeds,
        "steps": plan.steps,
        "looks": plan.looks,
        "metrics": [metric._replace(measure=None)._asdict() for metric in plan.metrics],  # type: ignore[arg-type]
        "baseline": plan.baseline,
        "resampled": plan.resampled,
        "epochs": plan.job.epochs,
        "network": plan.job.network.name,
        "task": {"name": task.name, "unit": task.unit, "tested": len(task.split(plan.seeds[0]).test)},
        "seconds": study.seconds,
        "costs": study.costs,
        "runs": [missing.written(vars(run)) for run in study.runs],
        "failures": [vars(failure) for failure in study.failures],
    }
    path = study.folder / FILE
    try:
        with whole(path) as name:
            Path(name).write_text(json.dumps(content), encoding="utf-8")
    except OSError as error:
        raise StudyError(f"{path}: cannot write the results ({error.strerror}); the record is safe.") from error


def load(folder: Path) -> tuple[Any, list[Run], list[FailedRun], Path, float, list[float | None]]:
    """Arguments of `Results` for a study's folder; StudyError without a readable file."""
    path = folder / FILE
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if content["format"] != FORMAT:
            raise StudyError(f"{path}: its format is {content['format']}, and this slopes reads {FORMAT}.")
        runs = [Run(**missing.read(run)) for run in content["runs"]]
        failures = [FailedRun(**failure) for failure in content["failures"]]
        return _plan(content), runs, failures, folder, content["seconds"], content.get("costs", [])
    except FileNotFoundError:
        raise StudyError(f"{path}: there is no study here; give the output folder of one that ended.") from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StudyError(f"{path}: this study cannot be read ({error}); its record is beside it.") from error


def _plan(content: Mapping[str, Any]) -> SavedPlan:
    known = content["task"]
    task = SimpleNamespace(
        name=known["name"], unit=known["unit"], split=lambda _: SimpleNamespace(test=range(known["tested"]))
    )
    return SavedPlan(
        names=content["names"],
        feeds=[None if feed is None else SimpleNamespace(**feed) for feed in content["feeds"]],
        unfit={(a, b): reason for a, b, reason in content["unfit"]},
        rates=tuple(content["rates"]),
        seeds=tuple(content["seeds"]),
        steps=tuple(content["steps"]),
        looks=tuple(InterimLook(*look) for look in content["looks"]),
        metrics=tuple(Metric(**metric | {"bounds": tuple(metric["bounds"])}) for metric in content["metrics"]),
        baseline=tuple(content["baseline"]),
        resampled=None if content["resampled"] is None else Resampled(*content["resampled"]),
        job=SimpleNamespace(task=task, network=SimpleNamespace(name=content["network"]), epochs=content["epochs"]),
    )
