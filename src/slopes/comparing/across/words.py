"""Sentences on ranks over tasks."""

from __future__ import annotations

import math
from collections.abc import Sequence

from slopes.comparing.across.ranks import Ranking
from slopes.comparing.words import counted, listed

TITLES = {"nemenyi": "Nemenyi", "wilcoxon": "Wilcoxon with Holm’s correction"}


def describe_ranks(ranks: Ranking, noun: str, left_out: Sequence[str] = ()) -> list[str]:
    """Sentences on the ranks of functions that are called by a noun, such as "activation"."""
    several = {"activation": "activations", "loss": "losses", "pair": "pairs"}[noun]
    found = [_friedman(ranks, several), *_pairs(ranks)]
    if not ranks.differs and len(ranks.tasks) < ranks.enough_tasks:
        found.append(
            f"With {counted(len(ranks.tasks), 'task')} no pair could be told apart: it takes {ranks.enough_tasks}."
        )
    if left_out:
        found.append(f"Left out, as some task has not trained them: {', '.join(left_out)}.")
    return found


def _friedman(ranks: Ranking, several: str) -> str:
    over = f"Over {len(ranks.tasks)} tasks"
    if math.isnan(ranks.friedman):
        shown = "differ" if ranks.differs else "are not shown to differ"
        return f"{over} the two {several} {shown} (Wilcoxon, {_chance(ranks.p[0, 1])})."
    if ranks.differs:
        return f"{over} the ranks of {len(ranks.names)} {several} differ (Friedman, {_chance(ranks.friedman)})."
    return (
        f"{over} the ranks of {len(ranks.names)} {several} are not shown to differ (Friedman, "
        f"{_chance(ranks.friedman)}), so no pair is compared."
    )


def _pairs(ranks: Ranking) -> list[str]:
    best, mean = ranks.names[0], ranks.means[0]
    first = f"{best} has the best mean rank, {mean:.2f}"
    if not ranks.differs:
        return [f"{first}."]
    others = range(1, len(ranks.names))
    worse = [ranks.names[i] for i in others if ranks.is_apart(0, i)]
    open_ = [ranks.names[i] for i in others if not ranks.is_apart(0, i)]
    test = TITLES[ranks.test] if ranks.critical is None else f"Nemenyi, critical difference {ranks.critical:.2f}"
    said = [f"{first}. It is better than {listed(worse)} ({test})." if worse else f"{first}."]
    if open_:
        said.append(f"Whether it is better than {listed(open_)} is undecided.")
    lower = [
        f"{ranks.names[i]} is better than {listed(apart)}"
        for i in others
        if (apart := [ranks.names[j] for j in range(i + 1, len(ranks.names)) if ranks.is_apart(i, j)])
    ]
    return said + ([f"Of the others, {'; '.join(lower)}."] if lower else [])


def _chance(p: float) -> str:
    return "p < 0.001" if p < 0.001 else f"p = {p:.2g}"
