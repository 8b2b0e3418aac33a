"""Verdicts on the claims of a card: over its lines, the boxes beside these, and its formulas."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import cache
from typing import Any

from slopes.card import Card
from slopes.proving.claims import PROVERS
from slopes.proving.confirming import differ_by_rounding_alone, is_refuted
from slopes.proving.functions import Formula, formulas
from slopes.proving.lines import Line, lines
from slopes.proving.results import OPEN, PROVED, REFUTED, Verdict

BOXES = 64  #: most parts of a box of arguments
SHARES = (100, 10, 1)  #: parts of the effort that box, corners and formulas get, one round after the other


class Judge:
    """The lines and formulas of a card, each made once."""

    def __init__(self, card: Card, effort: int) -> None:
        self.lines, self.effort = lines(card), effort
        self.formulas = cache(formulas)
        for line in self.lines:
            self.formulas(line)  # raises if nothing can be computed

    def judge(self, claim: str, stated: Any) -> Verdict:
        start = time.process_time()
        verdict = _united(claim, stated, (self._judge_box(line, claim, stated) for line in self.lines))
        return replace(verdict, seconds=time.process_time() - start)

    def _judge_box(self, line: Line, claim: str, stated: Any) -> Verdict:
        """Judge the whole box beside, its corners and, if that decides nothing, ever smaller parts."""
        for share in SHARES if line.beside or not _is_empty(stated) else (1,):
            effort = self.effort // share
            verdict = self._judge_line(line, claim, stated, effort)
            wants_corners = verdict.status == OPEN or (claim == "minimum" and line.is_reached)
            if wants_corners and not line.is_point and verdict.status != REFUTED:
                corners = _united(claim, stated, (self._judge_line(x, claim, stated, effort) for x in line.points()))
                if corners.status == _settling(stated) or verdict.status == PROVED:
                    verdict = corners
            if verdict.status != OPEN:
                return verdict
        return self._judge_parts(line, claim, stated) or verdict

    def _judge_parts(self, line: Line, claim: str, stated: Any) -> Verdict | None:
        parts, proved = deque(line.halves()), []
        for _ in range(BOXES):
            if not parts:
                break
            part = parts.popleft()
            verdict = self._judge_line(part, claim, stated, self.effort // BOXES)
            if verdict.status == _settling(stated):
                return verdict
            if verdict.status == PROVED:
                proved.append(verdict)
            else:
                parts.extend(part.halves() or [part])
        return _united(claim, stated, proved) if proved and not parts else None

    def _judge_line(self, line: Line, claim: str, stated: Any, effort: int) -> Verdict:
        """The verdict by the first formula that proves the claim, else by the first one.

        A body may be refuted by a step that is too small for float64 to show, where its definition has none.
        """
        verdicts = []
        for formula in self.formulas(line):
            verdicts.append(_verdict(formula, claim, stated, effort))
            status, points = verdicts[-1].status, verdicts[-1].points
            if status == PROVED or (status == REFUTED and not differ_by_rounding_alone(line, points)):
                break
        return verdicts[-1] if verdicts[-1].status == PROVED else verdicts[0]


def _is_empty(stated: Any) -> bool:
    """Whether any function has that range or Lipschitz constant, so that the tightest one alone is of interest."""
    return stated in (math.inf, (-math.inf, math.inf))


def _settling(stated: Any) -> str:
    """The status that settles a claim wherever it comes; a claim of False holds if it holds anywhere."""
    return PROVED if stated is False else REFUTED


def _verdict(formula: Formula, claim: str, stated: Any, effort: int) -> Verdict:
    outcome = vars(PROVERS[claim](formula, stated, effort))
    if outcome["status"] == REFUTED and outcome["points"] and not is_refuted(formula, claim, stated, outcome["points"]):
        outcome = {**outcome, "status": OPEN, "reason": f"{outcome['reason']}, which exact arithmetic denies"}
    if outcome["reason"]:
        outcome = {**outcome, "reason": outcome["reason"] + str(formula.line)}
    return Verdict(claim=claim, stated=stated, by=formula.name, **outcome)


def _united(claim: str, stated: Any, verdicts: Iterable[Verdict]) -> Verdict:
    """The first verdict that settles the claim, or an open one, or the last, with the tightest bound of all."""
    made: list[Verdict] = []
    for verdict in verdicts:
        made.append(verdict)
        if verdict.status == _settling(stated):
            return verdict
    chosen = next((verdict for verdict in made if verdict.status == OPEN), made[-1])
    tightest: list[Any] = [verdict.tightest for verdict in made if verdict.tightest is not None]
    if chosen.status != PROVED or len(tightest) < len(made) or claim not in UNIONS:
        return chosen
    return replace(chosen, tightest=UNIONS[claim](tightest))


#: the tightest bound of several
UNIONS: dict[str, Callable[[list[Any]], Any]] = {
    "range": lambda pairs: (min(low for low, _ in pairs), max(high for _, high in pairs)),
    "lipschitz": max,
    "minimum": min,
}
