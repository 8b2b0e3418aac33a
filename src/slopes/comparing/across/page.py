"""Page of a benchmark: ranks over its tasks, with links to the page of each."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from datetime import datetime
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from slopes.comparing.across.diagram import draw
from slopes.comparing.across.ranks import Ranking
from slopes.comparing.report.page import make_environment, save
from slopes.comparing.report.scales import Numbers
from slopes.comparing.results import Among

if TYPE_CHECKING:
    from slopes.comparing.pair import Pair
    from slopes.comparing.study import Study

QUESTIONS: dict[Among, str] = {"activations": "Which activation?", "losses": "Which loss?", "all": "Which pair?"}
LONG = 24  #: most characters of a name in the diagram


Answer = tuple[Among, Ranking, Sequence[str]]
"""(functions that are ranked, their ranks, sentences)."""


def write(studies: Mapping[str, Study], answers: Sequence[Answer], folder: Path, path: Path) -> Path:
    return save(render(studies, answers, folder), path, "page", "the studies are safe")


def render(studies: Mapping[str, Study], answers: Sequence[Answer], folder: Path) -> str:
    """Page of studies by task, with links relative to the folder."""
    from markupsafe import Markup

    environment = make_environment()
    environment.filters["cut"] = lambda name: name if len(name) <= LONG else f"{name[: LONG - 1]}…"
    style = files("slopes.comparing.report").joinpath("style.css").read_text("utf-8")
    text = files("slopes.comparing.across").joinpath("across.html.j2").read_text("utf-8")
    return environment.from_string(text).render(
        style=Markup(style),
        date=datetime.now().astimezone().strftime("%d %B %Y, %H:%M").lstrip("0"),
        parts=[_part(studies, *answer) for answer in answers],
        tasks=[_task(folder, name, study) for name, study in studies.items()],
    )


def _part(studies: Mapping[str, Study], among: Among, ranks: Ranking, sentences: Sequence[str]) -> dict[str, Any]:
    rows = [
        {
            "name": name,
            "mean": f"{ranks.means[place]:.2f}",
            "cells": [
                (_value(studies[task], among, name), f"{ranks.ranks[i, place]:g}") for i, task in enumerate(ranks.tasks)
            ],
        }
        for place, name in enumerate(ranks.names)
    ]
    return {
        "question": QUESTIONS[among], "sentences": sentences, "diagram": draw(ranks), "rows": rows,
        "tasks": ranks.tasks, "critical": ranks.critical,
    }  # fmt: skip


def _value(study: Study, among: Among, name: str) -> str:
    """Mean of the first metric of the pair that a name stands for."""
    baseline, metric = study.baseline, study.metrics[0]
    names = {"activations": (name, baseline.loss), "losses": (baseline.activation, name)}.get(among)
    pair: Pair = next(each for each in study.ranking if (each.title == name if names is None else each.names == names))
    values = [each.estimate().mean for each in study.ranking]
    return Numbers.of(metric, values).full(pair.estimate().mean)


def _task(folder: Path, name: str, study: Study) -> dict[str, Any]:
    metric, baseline, unit = study.metrics[0], study.baseline, study.plan.job.task.unit
    return {
        "name": name,
        "metric": f"{metric.label}{f' in {unit}' if unit and metric.in_units else ''}",
        "better": "higher" if metric.higher else "lower",
        "network": study.plan.job.network.name,
        "baseline": f"{baseline.activation} with {baseline.loss}",
        "seeds": len(study.plan.seeds),
        "link": Path(os.path.relpath(study.folder, folder), "report.html").as_posix(),
    }
