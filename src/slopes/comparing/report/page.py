"""Page of a study: one self-contained HTML file, readable without scripts, in light, in dark and on paper."""

from __future__ import annotations

import base64
import hashlib
import json
import math
from datetime import datetime
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from slopes.comparing import export
from slopes.comparing.errors import StudyError, reason_of
from slopes.comparing.optimizers import OPTIMIZERS
from slopes.comparing.pair import Pair
from slopes.comparing.plain import name_function
from slopes.comparing.repeating import write_call, write_winner
from slopes.comparing.report import charts, figures, functions, panels, scales
from slopes.comparing.report.answer import Verdict, answers, chance, decide, of_pairs
from slopes.comparing.report.scales import Axis, Numbers
from slopes.comparing.results import Results
from slopes.comparing.settings import Settings, settings_of
from slopes.comparing.words import counted, duration
from slopes.models import units
from slopes.whole import whole

if TYPE_CHECKING:
    from jinja2 import Environment
    from markupsafe import Markup

    from slopes.comparing.job import Job

CONTENTS = {
    "ranking": "ranking",
    "differences": "differences to the baseline",
    "winner": "the winner as code",
    "learning": "learning curves",
    "gradients": "gradients",
    "units": "dead units",
    "rates": "learning rates",
    "cost": "cost",
    "lost": "what went wrong",
    "functions": "the functions",
    "numbers": "all numbers",
    "repeat": "how it was done",
}
WITHOUT_RUNS = ("lost", "functions", "repeat")  #: sections for a study without runs
SIZES = ("WIDTH", "HEIGHT", "LEFT", "RIGHT", "TOP", "BOTTOM")
DIGIT = 0.64  #: em per character of a label: a digit takes 0.56 in Arial and 0.64 in DejaVu Sans
MARKS = {"better": "▲", "worse": "▼", "equal": "=", "undecided": "?", "baseline": "·"}


def write(study: Results, path: Path) -> Path:
    return save(render(study), path, "report", "the runs are recorded, so repair this and start again")


def save(page: str, path: Path, noun: str, safe: str) -> Path:
    """Write a page; StudyError, which says that all else is safe, where that fails."""
    try:
        with whole(path) as name:
            Path(name).write_text(page, encoding="utf-8")
    except OSError as error:
        raise StudyError(f"{path}: cannot write the {noun} ({reason_of(error)}); {safe}.") from error
    return path


def render(study: Results) -> str:
    environment = make_environment()
    environment.filters["breakable"] = _breakable
    return environment.from_string(_file("report.html.j2")).render(context(study))


def make_environment() -> Environment:
    """Environment of a template whose variables are escaped, and must all be known."""
    from jinja2 import Environment, StrictUndefined

    return Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)


def _breakable(name: str) -> Markup:
    """HTML that may break after an underscore or before a parenthesis."""
    from markupsafe import Markup, escape

    return escape(name).replace("_", Markup("_<wbr>")).replace("(", Markup("<wbr>("))


def _file(name: str) -> str:
    return files("slopes.comparing.report").joinpath(name).read_text("utf-8")


def context(study: Results) -> dict[str, Any]:
    """Every variable of the template."""
    numbers = {metric.name: _numbers(study, metric) for metric in study.metrics}
    verdicts = {metric.name: study.verdicts(metric.name) for metric in study.metrics}
    first = study.metrics[0]
    own, trained = numbers[first.name], bool(study.ranking)
    return {
        "study": study,
        "metric": first,
        "numbers": numbers,
        "own": own,
        "decision": decide(study, own, verdicts[first.name]),
        "answers": answers(study, numbers, verdicts),
        **_ranking(study, own, verdicts[first.name]),
        **_forest(study, own, verdicts[first.name]),
        "table": _table(study, numbers, verdicts),
        "contents": [(id, words) for id, words in CONTENTS.items() if trained or id in WITHOUT_RUNS],
        "marks": MARKS,
        "chance": chance,
        "microseconds": microseconds,
        **_figures(study, own),
        "definitions": {"dead": units.DEAD, "saturated": units.SATURATED},
        "activation_curves": functions.activation_curves(study),
        "loss_curves": functions.loss_curves(study),
        **_cost(study, own, verdicts[first.name]),
        **_engines(study),
        "diverged_total": sum(pair.diverged_anywhere for pair in study.pairs),
        **_method(study, verdicts),
        **_assets([*charts.learning(study, own), *charts.training(study)] if trained else []),
    }


def _method(study: Results, verdicts: dict[str, list[Verdict]]) -> dict[str, Any]:
    plan = study.plan
    sizes = [len(part) for part in plan.job.task.split(plan.seeds[0])]
    return {
        "plan": plan,
        "job": plan.job,
        "sizes": dict(zip(("train", "validation", "test"), sizes, strict=True)),
        "fed": [(name, feed.fed) for name, feed in zip(plan.names["loss"], plan.feeds, strict=True) if feed],
        "how_trained": _training(plan.job),
        "call": write_call(study),
        "winner": write_winner(study) if study.ranking else "",
        "download": _download(study, verdicts) if study.ranking else "",
        "date": datetime.now().astimezone().strftime("%d %B %Y, %H:%M").lstrip("0"),
        "duration": duration(study.seconds),
    }


#: columns of the file to download: of a pair, and of its comparison with the baseline
OF_PAIR = (
    *("activation", "loss", "rate", "metric", "mean", "low", "high", "seeds", "diverged", "failed", "dead"),
    *("saturated", "reason"),
)
OF_COMPARISON = ("difference", "difference_low", "difference_high", "p", "p_equal", "verdict")


def _download(study: Results, verdicts: dict[str, list[Verdict]]) -> str:
    """Address that holds a CSV file with a row for each pair and metric."""
    rows = []
    for metric in study.metrics:
        compared = of_pairs(verdicts[metric.name])
        for row in study.table(metric.name):
            found = compared.get((row["activation"], row["loss"]), {})
            rows.append(
                {name: _rounded(row.get(name)) for name in OF_PAIR}
                | {name: _rounded(found.get(name.removeprefix("difference_"))) for name in OF_COMPARISON}
            )
    return f"data:text/csv;charset=utf-8,{quote(export.csv_text(rows), safe=' ,()=+:;')}"


def _rounded(value: Any) -> Any:
    """Round to six digits, as the page holds the file; `Study.export` has all of them."""
    return float(f"{value:.6g}") if isinstance(value, float) else value


def _assets(shown: list[Any]) -> dict[str, Any]:
    """Charts with the styles and scripts that draw them."""
    from markupsafe import Markup

    scripts = [_file("uPlot.iife.min.js"), _file("plots.js")] if shown else []
    return {
        "charts": shown,
        "data": Markup(_json({"charts": shown})),
        "panel": {name.lower(): getattr(panels, name) for name in SIZES},
        "style": Markup(_file("uPlot.min.css") + "\n" + _file("style.css")),
        "licence": Markup(_file("uPlot.LICENSE")),
        "scripts": [Markup(script) for script in scripts],
        "policy": " ".join(f"'sha256-{_digest(script)}'" for script in scripts) or "'none'",
    }


def _training(job: Job) -> str:
    words = [_optimizer(job.optimizer), f"batches of {job.batch_size}", counted(job.epochs, "epoch")]
    words.append("no clipping" if job.clip is None else f"gradients clipped to a norm of {job.clip:g}")
    words.append("no schedule" if job.schedule is None else f"the schedule {_title(job.schedule)}")
    ending = f"judged at the best epoch and ended {counted(job.patience or 0, 'epoch')} later"
    words.append("no early stopping" if job.patience is None else ending)
    words += [f"{each} by {_title(getattr(job, each))}" for each in ("augment", "step", "init") if getattr(job, each)]
    words += [f"in {job.precision}"] * (job.precision != Settings.precision)
    words += [f"on {job.device}"] * (job.device != Settings.device)
    return f"{', '.join(words)}."


def _optimizer(chosen: Any) -> str:
    """Title and given settings, as in "Adam(eps=1e-6)"; else the name of a user's own."""
    if not isinstance(chosen, str):
        return _title(chosen)
    name, _ = settings_of(chosen)
    return chosen.replace(name, OPTIMIZERS[name].title, 1)


def _title(hook: Any) -> str:
    return hook if isinstance(hook, str) else name_function(hook)


def _figures(study: Results, own: Numbers) -> dict[str, Any]:
    trained = bool(study.ranking)
    layers, slots = (
        next((named for run in study.runs if (named := getattr(run, kind))), ()) for kind in ("layers", "slots")
    )
    return {
        "learning": figures.learning(study, own) if trained else [],
        "training": figures.training(study) if trained else [],
        "rates": figures.rates(study, own) if trained and len(study.plan.rates) > 1 else [],
        "gradients": figures.gradients(study) if layers else [],
        "units": figures.units(study) if slots else [],
        "layers": layers,
        "slots": slots,
    }


def _numbers(study: Results, metric: Any) -> Numbers:
    values = [pair.estimate(metric.name).mean for pair in study.ranking]
    return Numbers.of(metric, values, study.plan.job.task.unit)


def _json(value: Any) -> str:
    """JSON without characters that open or close a tag or a comment."""
    return json.dumps(value, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c").replace("&", "\\u0026")


def _digest(script: str) -> str:
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()


# --------------------------------------------------------------------------------------------- tables


def _facts(study: Results, pair: Pair, verdicts: dict[tuple[str, str], Verdict]) -> dict[str, Any]:
    """A pair's facts for every table, and the keys that filter its rows."""
    names = study.plan.names
    verdict = verdicts.get(pair.names)
    return {
        "pair": pair,
        "id": study.pairs.index(pair),
        "activation": names["activation"].index(pair.activation),
        "loss": names["loss"].index(pair.loss),
        "verdict": "baseline" if pair is study.baseline else verdict["verdict"] if verdict else "",
        "compared": verdict,
    }


def _ranking(study: Results, own: Numbers, verdicts: list[Verdict]) -> dict[str, Any]:
    values = [run.test[own.metric.name] for pair in study.ranking for run in pair.chosen]
    ends = [end for pair in study.ranking for end in pair.estimate()[1:] if end is not None]
    axis = scales.of_metric(own.metric, values + ends)
    by_pair, rows = of_pairs(verdicts), []
    for pair in study.ranking:
        estimate = pair.estimate()
        seeds = [run.test[own.metric.name] for run in pair.chosen]
        rows.append(
            _facts(study, pair, by_pair)
            | {"estimate": estimate, "seeds": [_percent(axis, value) for value in seeds]}
            | _bar(axis, *estimate)
        )
    there = list(dict.fromkeys(row["verdict"] for row in rows if row["verdict"]))
    return {"rows": rows, "ticks": _ticks(axis), "verdicts": there}


def _forest(study: Results, own: Numbers, verdicts: list[Verdict]) -> dict[str, Any]:
    ends = [row[name] for row in verdicts for name in ("difference", "low", "high") if row[name] is not None]
    axis = scales.of_differences(own.metric, ends)
    by_pair, margin = of_pairs(verdicts), own.metric.margin
    rows = []
    for pair in study.ranking:
        verdict = by_pair.get(pair.names)
        if verdict is not None:
            bar = _bar(axis, verdict["difference"], verdict["low"], verdict["high"])
            rows.append(_facts(study, pair, by_pair) | bar)
    low, high = (_percent(axis, end) for end in (-margin, margin))
    # CSS places a background by the fraction of the free room on its left
    region = {"at": round(low / (1 - (high - low) / 100), 2), "width": round(high - low, 2)}
    return {"forest": rows, "forest_ticks": _ticks(axis), "region": region, "zero": _percent(axis, 0.0)}


def _bar(axis: Axis, mean: float, low: float | None, high: float | None) -> dict[str, Any]:
    start, end = (mean if edge is None else edge for edge in (low, high))
    return {
        "at": _percent(axis, mean),
        "from": _percent(axis, start),
        "to": _percent(axis, end),
        "beyond": axis.beyond(mean),
    }


def _percent(axis: Axis, value: float) -> float:
    return round(100 * axis.at(value), 2)


def _ticks(axis: Axis) -> list[tuple[float, str, float]]:
    """(position in per cent, label, shortest axis in em that has room for it) of each tick.

    Each round places the label that needs the shortest axis to stay clear of the earlier ones, so that a short axis
    shows few labels, spread over its length.
    """
    waiting = [(_percent(axis, value), label, 0.0) for value, label in axis.ticks]
    placed: list[tuple[float, str, float]] = []
    while waiting:
        at, label, room = min(waiting, key=lambda tick: tick[2])
        placed.append((at, label, round(room, 1)))
        waiting = [
            (x, text, max(room, 100 * (DIGIT * (len(text) + len(label)) / 2 + 1) / abs(x - at)))
            for x, text, room in waiting
            if text != label
        ]
    return sorted(placed)


def _table(study: Results, numbers: dict[str, Numbers], verdicts: dict[str, list[Verdict]]) -> list[dict[str, Any]]:
    by_pair = {name: of_pairs(rows) for name, rows in verdicts.items()}
    rows = of_pairs(study.table())
    found = []
    for pair in study.ranking:
        cells = []
        for metric in study.metrics:
            facts = _facts(study, pair, by_pair[metric.name])
            estimate, own = pair.estimate(metric.name), numbers[metric.name]
            cells.append(
                {
                    "mean": own.bare(estimate.mean, 1),
                    "interval": "" if estimate.low is None else own.interval(estimate.low, estimate.high),
                    "verdict": facts["verdict"],
                }
            )
        facts = _facts(study, pair, by_pair[study.metrics[0].name])
        found.append(facts | {"row": rows[pair.names], "cells": cells})
    return found


def microseconds(seconds: float) -> str:
    """Format seconds as microseconds with three digits."""
    us = 1e6 * seconds
    return f"{us:,.0f}" if us >= 100 else f"{us:.3g}"


def _cost(study: Results, own: Numbers, verdicts: list[Verdict]) -> dict[str, Any]:
    """Cost of each activation beside its best pair, the cheapest first, and the axis of these pairs' means."""
    by_pair = of_pairs(verdicts)
    best: dict[str, Pair] = {}
    for pair in study.ranking:
        best.setdefault(pair.activation, pair)
    costs = dict(zip(study.plan.names["activation"], study.costs, strict=True))
    known = sorted((cost, name) for name, cost in costs.items() if cost is not None and name in best)
    axis = scales.of_metric(own.metric, [end for _, name in known for end in best[name].estimate() if end is not None])
    sign, least, rows = 1 if own.metric.higher else -1, -math.inf, []
    for cost, name in known:
        pair, mean = best[name], best[name].estimate().mean
        rows.append(
            _facts(study, pair, by_pair)
            | {"estimate": pair.estimate(), "cost": cost, "times": cost / known[0][0], "share": cost / known[-1][0]}
            | {"leads": sign * mean > least}
            | _bar(axis, *pair.estimate())
        )
        least = max(least, sign * mean)
    return {"costs": rows, "cost_ticks": _ticks(axis)}


def _engines(study: Results) -> dict[str, Any]:
    """Number of stacked runs, the largest stack, and the reasons against stacking."""
    whys: dict[str, list[str]] = {}
    for run in study.runs:
        title = f"{run.activation} with {run.loss}"
        if run.why and title not in whys.setdefault(run.why, []):
            whys[run.why].append(title)
    stacked = sum(run.engine == "stack" for run in study.runs)
    largest = max((run.stack for run in study.runs), default=1)
    return {"whys": whys, "stacked": stacked, "largest": largest}
