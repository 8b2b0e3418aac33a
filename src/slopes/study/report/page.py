"""The page of a study: one self-contained HTML file, readable without scripts, in light, in dark and on paper."""

from __future__ import annotations

import os
from contextlib import suppress
from datetime import datetime
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from slopes.study import figures
from slopes.study.errors import StudyError
from slopes.study.progress import duration
from slopes.study.statistics import of_a_test_set, overlap

if TYPE_CHECKING:
    from slopes.study.results import Pair, Study


def write(study: Study, path: Path) -> Path:
    """Write the page, whole or not at all, and return its path; StudyError where it cannot be written."""
    page = render(study)
    partial = path.with_name(f".{path.name}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial.write_text(page, encoding="utf-8")
        os.replace(partial, path)
    except OSError as error:
        with suppress(OSError):
            partial.unlink(missing_ok=True)
        reason = (error.strerror or str(error)).lower()
        raise StudyError(
            f"{path}: cannot write the report ({reason}); the runs are recorded, so repair this and start again."
        ) from error
    return path


def render(study: Study) -> str:
    """Return the page as text."""
    from jinja2 import Environment, StrictUndefined

    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters["percent"] = lambda share, digits=1: f"{100 * share:.{digits}f}"
    template = files("slopes.study").joinpath("report.html.j2").read_text("utf-8")
    return environment.from_string(template).render(context(study))


def context(study: Study) -> dict[str, Any]:
    """Everything that the template shows."""
    plan, ranking = study.plan, study.ranking
    return {
        "plan": plan,
        "study": study,
        "date": datetime.now().astimezone().strftime("%-d %B %Y, %H:%M")
        if os.name != "nt"
        else datetime.now().isoformat(" ", "minutes"),
        "answer": answer(study),
        "rows": rows(study),
        "ticks": _axis(ranking)[1],
        "table": study.table(),
        "accuracy": matrix(study),
        "times": times(study),
        "diverged": [
            [_of(study, a, b).diverged_anywhere for b in plan.names["loss"]] for a in plan.names["activation"]
        ],
        "diverged_total": sum(pair.diverged_anywhere for pair in ranking),
        "activation_curves": figures.activation_curves(study),
        "loss_curves": figures.loss_curves(study),
        "learning": figures.learning(study),
        "training": figures.training(study),
        "rates": figures.rates(study),
        "gradients": figures.gradients(study),
        "units": figures.units(study),
        "call": call(study),
        "machine": plan.machine,
        "hidden": plan.hidden,
        "batch": plan.batch,
        "duration": duration(study.seconds),
        "panel": {
            "width": figures.WIDTH,
            "height": figures.HEIGHT,
            "left": figures.LEFT,
            "right": figures.RIGHT,
            "top": figures.TOP,
            "bottom": figures.BOTTOM,
        },
    }


def _of(study: Study, activation: str, loss: str) -> Pair:
    return next(pair for pair in study.pairs if (pair.activation, pair.loss) == (activation, loss))


# --------------------------------------------------------------------------------------------- answer


def answer(study: Study) -> dict[str, Any]:
    """What the study found, in plain sentences, and how far it can be trusted."""
    ranking, plan = study.ranking, study.plan
    leader, last = ranking[0], ranking[-1]
    rivals = [pair for pair in ranking[1:] if overlap(pair.accuracy, leader.accuracy)]
    trust = []
    seeds = len(plan.seeds)
    if len(ranking) == 1:
        trust.append("Only one pair was trained, so there is nothing to compare it with.")
    elif seeds == 1:
        trust.append(
            "With one seed there is no interval: how much of any difference is chance cannot be said. Use five or more."
        )
    elif rivals:
        named = _list([_title(pair) for pair in rivals[:4]]) + (
            f" and {len(rivals) - 4} more" if len(rivals) > 4 else ""
        )
        trust.append(
            f"The interval of {_count(len(rivals), 'other pair')} overlaps with the leader’s ({named}): "
            f"which of {'the two' if len(rivals) == 1 else f'these {len(rivals) + 1}'} is best, this study cannot tell."
        )
    else:
        trust.append(
            "No other pair’s interval overlaps with the leader’s: on these images its lead is unlikely to be the luck "
            "of initial weights and data order."
        )
    if seeds > 1:
        trust.append(
            "An interval holds the mean that many more seeds would give, 95 times in 100 (Student’s t over "
            f"{seeds} seeds); it speaks of weights and data order, not of other images."
        )
    noise = of_a_test_set(leader.accuracy.mean, plan.task.sizes["test"])
    trust.append(
        f"All pairs answer the same {plan.task.sizes['test']} images. Another set of that size would move every "
        f"accuracy near the leader’s by up to {100 * noise:.1f} points or so, mostly together. The leader was picked "
        "by its test accuracy, which flatters it a little."
    )
    edges = [pair for pair in ranking if pair.edge]
    if edges:
        trust.append(
            f"For {_count(len(edges), 'pair')} the best learning rate lies at the edge of the grid (marked ◂ or ▸): "
            "a rate beyond it may do better."
        )
    lost = sum(pair.diverged_anywhere for pair in ranking)
    trust.append(
        f"None of the {len(study.runs)} runs diverged."
        if not lost
        else f"{lost} of {len(study.runs)} runs diverged; they are counted, not dropped."
    )
    return {"leader": leader, "last": last, "trust": trust, "alone": len(ranking) == 1}


def _title(pair: Pair) -> str:
    return f"{pair.activation} with {pair.loss}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'s' if number != 1 else ''}"


def _list(words: list[str]) -> str:
    return ", ".join(words)


# --------------------------------------------------------------------------------------------- tables


def _axis(ranking: list[Pair]) -> tuple[figures.Scale, list[tuple[float, str]]]:
    """The accuracy axis of the ranking, in per cent of its width."""
    ends = [end for pair in ranking for end in pair.accuracy if end is not None]
    ends += [run.accuracy for pair in ranking for run in pair.chosen]
    return figures.accuracy_axis([min(max(end, 0.0), 1.0) for end in ends], 0.0, 100.0, 11.0)


def rows(study: Study) -> list[dict[str, Any]]:
    """The ranking with the places of its dots and bars."""
    ranking = study.ranking
    scale, _ = _axis(ranking)
    losses = study.plan.names["loss"]
    found = []
    for pair in ranking:
        mean, low, high = pair.accuracy
        found.append(
            {
                "pair": pair,
                "colour": losses.index(pair.loss),
                "at": scale(mean),
                "from": scale(max(low, 0.0)) if low is not None else scale(mean),
                "to": scale(min(high, 1.0)) if high is not None else scale(mean),
                "seeds": [scale(run.accuracy) for run in pair.chosen],
                "behind": pair.behind(ranking[0]),
            }
        )
    return found


def matrix(study: Study) -> list[list[dict[str, Any]]]:
    """Accuracy by activation (rows) and loss (columns), each with a shade between 0 and 1."""
    means = [figures.stretched(pair.accuracy.mean) for pair in study.pairs]
    low, span = min(means), (max(means) - min(means)) or 1.0
    table = []
    for a in study.plan.names["activation"]:
        pairs = [_of(study, a, b) for b in study.plan.names["loss"]]
        table.append([{"pair": p, "shade": (figures.stretched(p.accuracy.mean) - low) / span} for p in pairs])
    return table


def times(study: Study) -> list[list[dict[str, float]]]:
    """Milliseconds per epoch by activation and loss, each with its share of the longest."""
    by_pair = {(row["activation"], row["loss"]): 1e3 * row["seconds_per_epoch"] for row in study.table()}
    longest = max(by_pair.values())
    return [
        [{"ms": by_pair[a, b], "share": by_pair[a, b] / longest} for b in study.plan.names["loss"]]
        for a in study.plan.names["activation"]
    ]


def call(study: Study) -> str:
    """The call that repeats the study."""
    plan = study.plan
    counted = plan.seeds == tuple(range(len(plan.seeds)))
    return (
        "slopes.compare(\n"
        f"    activations=[{', '.join(map(repr, plan.activations))}],\n"
        f"    losses=[{', '.join(map(repr, plan.losses))}],\n"
        f"    seeds={len(plan.seeds) if counted else list(plan.seeds)},\n"
        f"    epochs={plan.epochs},\n"
        f"    rates={plan.rates},\n"
        ")"
    )
