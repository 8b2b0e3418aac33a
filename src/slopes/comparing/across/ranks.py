"""Ranks over tasks, and tests of them (docs/compare/statistics.md).

Demšar (2006): Friedman's test asks whether any ranks differ; then Nemenyi's test compares all mean ranks, or Wilcoxon's
signed-rank test each pair by itself, with Holm's correction.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations
from typing import Literal

import numpy as np

from slopes.comparing.statistics import ROUNDING, Array, exchanges, holm

Test = Literal["nemenyi", "wilcoxon"]


@dataclass(frozen=True, eq=False)
class Ranking:
    """Functions by their mean rank over tasks, best first."""

    names: tuple[str, ...]
    tasks: tuple[str, ...]
    ranks: Array  #: (task, name); 1 is best, and equals share the mean of their ranks
    friedman: float  #: p of no difference at all; NaN for two names, which one test compares
    test: Test
    p: Array  #: (name, name) of no difference in a pair, corrected for all pairs
    critical: float | None  #: least difference of mean ranks that Nemenyi's test shows
    alpha: float

    @property
    def means(self) -> Array:
        means: Array = self.ranks.mean(0)
        return means

    @property
    def differs(self) -> bool:
        """Whether any difference is shown at all."""
        return self.friedman <= self.alpha or (math.isnan(self.friedman) and bool(self.p[0, 1] <= self.alpha))

    def is_apart(self, first: int, second: int) -> bool:
        """Whether the test shows a difference of two names, by place."""
        return self.differs and bool(self.p[first, second] <= self.alpha)

    @property
    def groups(self) -> list[tuple[int, int]]:
        """First and last place of each longest run of names that are not told apart."""
        ends = [self._end_of(start) for start in range(len(self.names))]
        return [(i, end) for i, end in enumerate(ends) if end > i and (i == 0 or ends[i - 1] < end)]

    def _end_of(self, start: int) -> int:
        for end in range(start + 1, len(self.names)):
            if any(self.is_apart(place, end) for place in range(start, end)):
                return end - 1
        return len(self.names) - 1

    @property
    def enough_tasks(self) -> int:
        """Fewest tasks that could show a difference of some pair."""
        count = len(self.names)
        if self.test == "nemenyi" and count > 2:
            return math.ceil(critical_difference(count, 1, self.alpha) ** 2 / (count - 1) ** 2)
        return math.ceil(math.log2(count * (count - 1) / 2 / self.alpha)) + 1


def rank(
    names: Sequence[str], tasks: Sequence[str], scores: Array, test: Test = "nemenyi", alpha: float = 0.05
) -> Ranking:
    """Rank by scores (task, name), in units that are alike for all tasks; more is better.

    Raises ValueError for fewer than two tasks or names, for a score that is no number, and for another test.
    """
    from scipy.stats import rankdata

    if test not in ("nemenyi", "wilcoxon"):
        raise ValueError(f"ranks: test is 'nemenyi' or 'wilcoxon', got {test!r}.")
    if not 0 < alpha < 1:
        raise ValueError(f"ranks: alpha is the chance of a false difference, above 0 and below 1, got {alpha}.")
    if scores.shape != (len(tasks), len(names)) or min(scores.shape) < 2:
        raise ValueError(f"ranks: there must be two tasks and two names or more, got {len(tasks)} and {len(names)}.")
    if not np.isfinite(scores).all():
        raise ValueError("ranks: each name must have a number for each task.")
    step = ROUNDING * np.abs(scores).max()
    ranks = rankdata(np.round(-scores / step) * step if step else -scores, axis=1)
    order = np.argsort(ranks.mean(0), kind="stable")
    ranks, scores = ranks[:, order], scores[:, order]
    nemenyi = test == "nemenyi" and len(names) > 2
    return Ranking(
        tuple(names[place] for place in order), tuple(tasks), ranks, friedman(ranks), test,
        _of_pairs(len(names), *((_nemenyi(ranks), False) if nemenyi else (_wilcoxon(scores), True))),
        critical_difference(len(names), len(tasks), alpha) if nemenyi else None, alpha,
    )  # fmt: skip


def friedman(ranks: Array) -> float:
    """P of equal ranks (task, name); NaN for two names."""
    from scipy.stats import friedmanchisquare

    if ranks.shape[1] < 3:
        return math.nan
    if np.ptp(ranks, axis=1).max() == 0:
        return 1.0
    return float(friedmanchisquare(*ranks.T).pvalue)


@lru_cache(maxsize=64)
def critical_difference(names: int, tasks: int, alpha: float) -> float:
    """Least difference of mean ranks that Nemenyi's test shows."""
    from scipy.stats import studentized_range

    return float(studentized_range.ppf(1 - alpha, names, np.inf)) / math.sqrt(2) * _error(names, tasks)


def _error(names: int, tasks: int) -> float:
    """Standard error of a difference of mean ranks."""
    return math.sqrt(names * (names + 1) / (6 * tasks))


def _nemenyi(ranks: Array) -> Callable[[int, int], float]:
    from scipy.stats import studentized_range

    tasks, names = ranks.shape
    means = ranks.mean(0)

    def p(first: int, second: int) -> float:
        gap = abs(means[first] - means[second]) / _error(names, tasks)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # its integral is slow to converge at 0
            return float(studentized_range.sf(math.sqrt(2) * gap, names, np.inf))

    return p


def _wilcoxon(scores: Array) -> Callable[[int, int], float]:
    return lambda first, second: signed_rank(scores[:, first] - scores[:, second])


def signed_rank(differences: Array) -> float:
    """Two-sided p of Wilcoxon's signed-rank test, by all exchanges of signs (beyond 14 tasks, by 8,192 of them).

    So it is exact with ties and zeros, too, where scipy takes a normal approximation.
    """
    from scipy.stats import rankdata

    sizes = np.abs(differences)
    sizes = np.where(sizes <= ROUNDING * max(float(sizes.max()), 1e-300), 0, sizes)
    weights = np.sign(differences) * np.where(sizes > 0, rankdata(sizes), 0)
    sums = np.abs(exchanges(len(differences)) @ weights)
    return float((sums >= sums[0] * (1 - ROUNDING)).mean())


def _of_pairs(names: int, p: Callable[[int, int], float], corrects: bool) -> Array:
    """Matrix of p values, by Holm's correction if the test has none of its own."""
    pairs = list(combinations(range(names), 2))
    values = np.array([p(*pair) for pair in pairs])
    found = np.ones((names, names))
    for (first, second), value in zip(pairs, holm(values.tolist()) if corrects else values, strict=True):
        found[first, second] = found[second, first] = value
    return found
