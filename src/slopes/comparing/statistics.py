"""Permutation tests of paired runs with a margin, and intervals that only describe (docs/compare/statistics.md).

If two functions are the same, a seed's results at all learning rates may be exchanged between them. Each exchange
chooses the rates anew: a test at rates chosen once finds differences between a function and itself.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Sequence
from functools import lru_cache, partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from slopes.comparing.words import counted

Array = NDArray[np.float64]

CONFIDENCE = 0.95
POWER = 0.8  #: how often the suggested seeds would show the margin
EXACT = 14  #: most seeds with all exchanges; beyond, as many are drawn, enough for 400 comparisons
RESAMPLES = 9999  #: bootstrap samples
MANY = 1000  #: seeds, beyond which no number is given
ROUNDING = 1e-12  #: relative tolerance for equal numbers


class Series(NamedTuple):
    """Results of one pair, (rate, seed), NaN where a run failed."""

    validation: Array  #: metric that chooses the rate
    test: Array  #: metric to compare


class Resampled(NamedTuple):
    """Sizes of the parts, if every seed drew its own split."""

    train: int
    test: int


class InterimLook(NamedTuple):
    """A time at which verdicts decide whether seeds are added."""

    seeds: int
    share: float  #: of the chance of a false verdict that this look may spend


LOOKS = (InterimLook(10, 0.5), InterimLook(20, 0.25), InterimLook(40, 0.25))  #: of ``seeds="auto"``


class Comparison(NamedTuple):
    difference: float  #: of the means, minus the baseline's; NaN if they share no seed
    low: float | None  #: of the 95 % interval; None with fewer than three seeds
    high: float | None
    p: float  #: of no difference, corrected for all comparisons of the call
    raw: float  #: the same before the correction
    p_equal: float  #: of a difference of the margin or more, corrected likewise
    verdict: str  #: "better", "worse", "equal" or "undecided"
    needed: int | None  #: seeds that would show this difference, if known
    needed_for_margin: int | None  #: seeds that would show a difference of the margin, if known
    words: str  #: the verdict as a clause


class Interval(NamedTuple):
    low: float
    high: float
    kind: str  #: "BCa" or "percentile", of a bootstrap, or "corrected t"


def verdicts(
    series: Sequence[Series],
    baseline: Series,
    *,
    higher: bool,
    higher_validation: bool | None = None,
    margin: float,
    alpha: float = 0.05,
    resampled: Resampled | None = None,
    percent: bool = False,
    looks: Sequence[InterimLook] = (),
) -> list[Comparison]:
    """Compare each series with the baseline, each at the rate with its best mean validation.

    `higher` and `higher_validation`: whether more of the test or validation metric is better. "better" and "worse" need
    a difference above `margin`, "equal" one shown to be below it, at a p of at most `alpha`, corrected for all series:
    `alpha` bounds the chance of any false difference, and of any false equality. A seed with a failed run in either is
    left out of both, and so is one without a value of the metric.

    Verdicts hold for the split of the data that all seeds share. With `resampled` splits, whose training sets overlap,
    the corrected t-test of Nadeau and Bengio (2003) must agree, and gives the interval.

    `looks` are all times at which it was decided whether to add seeds, by these verdicts.
    """
    _check(series, baseline, margin, alpha)
    if not series:
        return []
    if higher_validation is None:
        higher_validation = higher
    baseline, *series = (_without_lost_rates(one, higher_validation) for one in (baseline, *series))
    both = [shared(one, baseline) for one in series]
    differences = [at_chosen(a, higher_validation) - at_chosen(b, higher_validation) for a, b in both]
    found = []
    for seeds, share in looks or [InterimLook(baseline.test.shape[1], 1.0)]:
        first, *others = (Series(one.validation[:, :seeds], one.test[:, :seeds]) for one in (baseline, *series))
        found.append(np.array(_p_values(others, first, higher_validation, margin, resampled)) / share)
    raw, p, p_equal = np.minimum.reduce(found).clip(max=1.0).tolist()
    judge = partial(
        _judge, seeds=baseline.test.shape[1], count=len(series), higher=higher, margin=margin, alpha=alpha,
        resampled=resampled, show=_points if percent else _plain,
    )  # fmt: skip
    return [judge(*each) for each in zip(differences, p, raw, p_equal, strict=True)]


def _p_values(
    series: Sequence[Series], baseline: Series, higher_validation: bool, margin: float, resampled: Resampled | None
) -> tuple[Array, Array, Array]:
    """P of no difference, the same corrected, and corrected p of a difference of the margin, (series,) each."""
    both = [shared(one, baseline) for one in series]
    exchanged = exchanged_together(series, baseline, higher_validation)
    raw = np.array([share_as_large(each) for each in exchanged])
    p = step_down(exchanged)
    p_equal = holm([equivalence(a, b, higher_validation, margin) for a, b in both])
    if resampled:
        differences = [at_chosen(a, higher_validation) - at_chosen(b, higher_validation) for a, b in both]
        of_t = [corrected_t(d, resampled) for d in differences]
        raw = np.maximum(raw, of_t)
        p = np.maximum(p, holm(of_t))
        p_equal = np.maximum(p_equal, holm([corrected_t_of_equivalence(d, resampled, margin) for d in differences]))
    return raw, p, p_equal


def _check(series: Sequence[Series], baseline: Series, margin: float, alpha: float) -> None:
    if not 0 < alpha < 0.5:
        raise ValueError(f"verdicts: alpha is the chance of a false verdict, above 0 and below 0.5, got {alpha}")
    if not 0 <= margin < math.inf:
        raise ValueError(f"verdicts: margin is the largest difference that counts as none, from 0 on, got {margin}")
    for one in (baseline, *series):
        if np.ndim(one.test) != 2 or not np.shape(one.validation) == np.shape(one.test) == np.shape(baseline.test):
            got = f"{np.shape(one.validation)} and {np.shape(one.test)}, the baseline's {np.shape(baseline.test)}"
            raise ValueError(f"verdicts: all arrays are (rate, seed) of the same rates and seeds, got {got}")


def _judge(
    d: Array, p: float, p_raw: float, p_equal: float, *, seeds: int, count: int, higher: bool, margin: float,
    alpha: float, resampled: Resampled | None, show: Callable[[float], str],
) -> Comparison:  # fmt: skip
    """`d`: differences by seed; `count`: number of series."""
    mean = float(d.mean()) if len(d) else math.nan
    reach = interval(d, resampled)
    needed: float | None = None
    for_margin: float | None = None
    if _least(len(d)) > alpha:
        verdict, needed = "undecided", seeds_needed(alpha)
        words = f"{counted(len(d), 'seed')} can show nothing: it takes {needed}"
    elif p <= alpha and abs(mean) > margin:
        verdict = "better" if (mean > 0) == higher else "worse"
        words = f"{verdict} by {show(abs(mean))} (p = {p:.2g}){_reach(reach, show)}"
    elif not d.any():
        verdict, words = "equal", "the same at every seed"
    elif p_equal <= alpha:
        verdict = "equal"
        though = f", though a difference is shown (p = {p:.2g})" if p <= alpha else ""
        words = f"equal within the margin of {show(margin)} (p = {p_equal:.2g}){though}{_reach(reach, show)}"
    elif p <= alpha:
        verdict = "undecided"
        words = f"a difference is shown (p = {p:.2g}), but not whether it is above the margin of {show(margin)}"
        words += _reach(reach, show)
    else:
        verdict = "undecided"
        sizes = abs(mean) if abs(mean) > margin else 0.0, margin
        needed, for_margin = (_if_more(seeds_to_tell(size, d, count, alpha, resampled), len(d)) for size in sizes)
        words = f"no difference shown (p = {p:.2g}){_reach(reach, show)}{_outlook(needed, for_margin, show(margin))}"
    if left := seeds - len(d):
        words += f"; {counted(left, 'seed')} left out, where a run failed or has no value"
    low, high = (reach.low, reach.high) if reach else (None, None)
    return Comparison(mean, low, high, p, p_raw, p_equal, verdict, _whole(needed), _whole(for_margin), words)


def choose(means: Array, higher: bool) -> NDArray[np.intp]:
    """Index of the best along the last axis; the first of those equal up to rounding."""
    scores = means if higher else -means
    best = scores.max(-1, keepdims=True)
    enough: NDArray[np.bool_] = scores >= best - ROUNDING * np.abs(scores).max(-1, keepdims=True)
    first: NDArray[np.intp] = enough.argmax(-1)
    return first


def at_chosen(one: Series, higher_validation: bool) -> Array:
    """Test metric (seed,) at the rate with the best mean validation."""
    if not one.test.size:
        return np.empty(0)
    best: Array = one.test[choose(one.validation.mean(1), higher_validation)]
    return best


def _without_lost_rates(one: Series, higher_validation: bool) -> Series:
    """Make rates whose runs all failed so bad that they are never chosen, after any exchange."""
    lost = ~np.isfinite(one.validation).any(1, keepdims=True)
    if not lost.any() or lost.all():
        return one
    known = one.validation[np.isfinite(one.validation)]
    far = 1e3 * len(one.validation[0]) * (1 + np.abs(known).max())
    return Series(
        np.where(lost, -far if higher_validation else far, one.validation),
        np.where(lost, np.nanmean(one.test), one.test),
    )


def shared(a: Series, b: Series) -> tuple[Series, Series]:
    """Leave out of both the seeds with a failed run in either."""
    kept = np.isfinite([*a, *b]).all((0, 1))
    return Series(a.validation[:, kept], a.test[:, kept]), Series(b.validation[:, kept], b.test[:, kept])


def chance(a: Series, b: Series, higher_validation: bool) -> float:
    """Two-sided p: how often exchanges of seeds give at least the difference between a and b.

    With one rate this is the paired sign-flip test. With several it has less power if a and b prefer different rates,
    as an exchange moves seeds to rates that do not suit them; Student's t instead of the mean does no better.
    """
    return share_as_large(exchanged_differences(a, b, higher_validation, exchanges(a.test.shape[1])))


def exchanged_differences(a: Series, b: Series, higher_validation: bool, signs: Array) -> Array:
    """Differences of means (exchange,), at rates that each exchange chooses; the first is the observed one."""
    seeds = a.test.shape[1]
    if not seeds:
        return np.zeros(len(signs))

    def means(x: Array, y: Array) -> tuple[Array, Array]:
        """Means, (exchange, rate)."""
        middle, swing = (x + y).mean(1) / 2, signs @ (x - y).T / (2 * seeds)
        return middle + swing, middle - swing

    validation, test = means(a.validation, b.validation), means(a.test, b.test)
    first, second = (
        np.take_along_axis(tested, choose(valid, higher_validation)[:, None], 1)[:, 0]
        for valid, tested in zip(validation, test, strict=True)
    )
    differences: Array = first - second
    step = ROUNDING * max(np.abs(a.test).max(), np.abs(b.test).max())
    return np.round(differences / step) * step if step else differences  # equal up to rounding is equal


def share_as_large(differences: Array) -> float:
    sizes = np.abs(differences)
    return float((sizes >= sizes[0] * (1 - ROUNDING)).mean())


def exchanged_together(series: Sequence[Series], baseline: Series, higher_validation: bool) -> Array:
    """Differences (series, exchange), where an exchange moves the same seeds of all series."""
    signs, found = exchanges(baseline.test.shape[1]), []
    for one in series:
        kept = np.isfinite([*one, *baseline]).all((0, 1))
        found.append(exchanged_differences(*shared(one, baseline), higher_validation, signs[:, kept]))
    return np.array(found)


def step_down(differences: Array) -> Array:
    """P values (series,) corrected for all series by the clearest difference in each exchange.

    `differences` are (series, exchange). One is the clearer, the fewer exchanges of its series give as large a one; of
    equally clear ones the larger counts, in units of the root mean square. The step-down min-P procedure of Westfall
    and Young (1993): a series is compared with the clearest of those that are not clearer than itself.
    """
    clearness = np.array([_clearness(each) for each in differences])
    order = np.argsort(-clearness[:, 0], kind="stable")
    clearest = np.maximum.accumulate(clearness[order][::-1])[::-1]
    p = (clearest >= clearness[order, :1] * (1 - ROUNDING)).mean(1)
    adjusted = np.empty(len(order))
    adjusted[order] = np.maximum.accumulate(p)
    return adjusted


def _clearness(differences: Array) -> Array:
    """Number of exchanges (exchange,) with a smaller difference, and less than 1 for its size."""
    sizes = np.abs(differences)
    rounded = sizes * (1 - ROUNDING)
    unit = math.sqrt(float((sizes**2).mean())) or 1.0
    smaller: Array = np.searchsorted(np.sort(sizes), rounded) + rounded / (unit + rounded)
    return smaller


def equivalence(a: Series, b: Series, higher_validation: bool, margin: float) -> float:
    """P of a difference of `margin` or more: the larger of two one-sided tests, each with `a` moved by the margin."""
    if not a.test.shape[1]:
        return 1.0
    signs, p = exchanges(a.test.shape[1]), []
    for side in (1, -1):
        moved = exchanged_differences(Series(a.validation, a.test - side * margin), b, higher_validation, signs)
        both = side * np.concatenate([moved, -moved])  # `signs` hold half of the exchanges
        p.append(float((both <= both[0] + ROUNDING * abs(both[0])).mean()))
    return max(p)


@lru_cache(maxsize=4)
def exchanges(seeds: int) -> Array:
    """Signs (exchange, seed), −1 to exchange a and b.

    The first row exchanges none, so that p is never 0. The first seed never changes: exchanging all others instead only
    flips the difference's sign.
    """
    if seeds <= EXACT:
        flipped = np.arange(2 ** (seeds - 1))[:, None] >> np.arange(seeds) & 1
        flipped = flipped[:, ::-1]
    else:
        flipped = np.random.default_rng(0).integers(0, 2, (2 ** (EXACT - 1), seeds))
        flipped[0], flipped[:, 0] = 0, 0
    return np.where(flipped, -1.0, 1.0)


def _least(seeds: int) -> float:
    """Least p that so many seeds can give."""
    return 2.0 ** -max(min(seeds, EXACT) - 1, 0)


def seeds_needed(alpha: float = 0.05) -> int:
    """Fewest seeds with which a pair can be better or worse."""
    return math.ceil(-math.log2(alpha)) + 1


def holm(p: Sequence[float]) -> Array:
    values = np.asarray(p, dtype=float)
    order = np.argsort(values)
    adjusted = np.empty_like(values)
    adjusted[order] = np.maximum.accumulate(values[order] * np.arange(len(values), 0, -1))
    return adjusted.clip(max=1.0)


def corrected_t(differences: Array, resampled: Resampled) -> float:
    """P of a t-test where the mean over n splits has the variance (1/n + test/train) s²."""
    from scipy.stats import t

    n = len(differences)
    if n < 2:
        return 1.0
    error = _error(differences, resampled)
    if error <= ROUNDING * np.abs(differences).max():  # zero variance: leave it to the permutation test
        return 0.0 if differences.any() else 1.0
    return float(2 * t.sf(abs(differences.mean()) / error, n - 1))


def corrected_t_of_equivalence(differences: Array, resampled: Resampled, margin: float) -> float:
    """P of a difference of `margin` or more, by two one-sided t-tests with the same correction."""
    from scipy.stats import t

    n = len(differences)
    if n < 2:
        return 1.0
    gap, error = margin - abs(float(differences.mean())), _error(differences, resampled)
    return float(t.sf(gap / error, n - 1)) if error else float(gap <= 0)


def _error(differences: Array, resampled: Resampled) -> float:
    n = len(differences)
    return float(differences.std(ddof=1)) * math.sqrt(1 / n + resampled.test / resampled.train)


def interval(differences: Array, resampled: Resampled | None = None) -> Interval | None:
    """95 % interval of the mean by the BCa bootstrap (Efron, 1987), else percentiles; None below three values.

    It takes the learning rates as chosen.
    """
    if len(differences) < 3:
        return None
    mean = float(differences.mean())
    if resampled:
        from scipy.stats import t

        half = float(t.ppf((1 + CONFIDENCE) / 2, len(differences) - 1)) * _error(differences, resampled)
        return Interval(mean - half, mean + half, "corrected t")
    if np.ptp(differences) <= ROUNDING * np.abs(differences).max():
        return Interval(mean, mean, "BCa")
    from scipy.stats import bootstrap

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # scipy warns of an interval that is NaN
        for kind in ("BCa", "percentile"):
            low, high = bootstrap(
                (differences,), np.mean, vectorized=True, n_resamples=RESAMPLES, confidence_level=CONFIDENCE,
                method=kind, random_state=np.random.default_rng(0),
            ).confidence_interval  # fmt: skip
            if np.isfinite([low, high]).all():
                break
    return Interval(float(low), float(high), kind)


def _outlook(needed: float | None, for_margin: float | None, margin: str) -> str:
    """Clause on how many seeds would decide."""
    parts = []
    if needed is not None:
        parts.append(f"this difference would take {about(needed)}")
    if for_margin is not None:
        parts.append(f"one of the margin, {margin}, {'' if parts else 'would take '}{about(for_margin)}")
    return f"; {', '.join(parts)}" if parts else ""


def about(seeds: float) -> str:
    if seeds == math.inf:
        return "more data than these"
    return f"about {seeds:.0f} seeds" if seeds <= MANY else f"more than {MANY:,} seeds"


def _if_more(seeds: float | None, present: int) -> float | None:
    return None if seeds is None or seeds <= present else seeds


def _whole(seeds: float | None) -> int | None:
    return None if seeds is None or seeds == math.inf else int(seeds)


def seeds_to_tell(
    size: float, differences: Array, comparisons: int, alpha: float = 0.05, resampled: Resampled | None = None
) -> float | None:
    """Estimate how many seeds show a difference of `size` four times in five; infinite if none suffices.

    None for a size of 0. It takes the differences for normal, at Bonferroni's level.
    """
    from scipy.stats import norm

    if size <= 0:
        return None
    width = float(norm.isf(alpha / (2 * comparisons)) + norm.ppf(POWER)) * float(differences.std(ddof=1))
    share = (size / width) ** 2 - (resampled.test / resampled.train if resampled else 0) if width else math.inf
    if share <= 0:
        return math.inf
    return max(math.ceil(1 / share), seeds_needed(alpha))


def _reach(reach: Interval | None, show: Callable[[float], str]) -> str:
    if reach is None:
        return ""
    note = " (percentiles, as BCa has no answer here)" if reach.kind == "percentile" else ""
    return f"; the interval reaches from {show(reach.low)} to {show(reach.high)}{note}"


def _plain(value: float) -> str:
    return f"{value + 0.0:.3g}".replace("-", "−")  # + 0.0 turns −0 into 0


def _points(value: float) -> str:
    return f"{100 * value + 0.0:.2f} points".replace("-", "−")


class Estimate(NamedTuple):
    """Mean with its interval, None for a single number."""

    mean: float
    low: float | None
    high: float | None


def estimate(values: Sequence[float], bounds: tuple[float, float] = (-math.inf, math.inf)) -> Estimate:
    """Mean with Student's 95 % interval within `bounds`, for independent and roughly normal values.

    NaN is left out, and is the mean of nothing else.
    """
    from scipy.stats import t

    values = [value for value in values if not math.isnan(value)]
    if not values:
        return Estimate(math.nan, None, None)
    mean = float(np.mean(values))
    if len(values) < 2:
        return Estimate(mean, None, None)
    half = float(t.ppf((1 + CONFIDENCE) / 2, len(values) - 1)) * float(np.std(values, ddof=1)) / math.sqrt(len(values))
    return Estimate(mean, max(mean - half, bounds[0]), min(mean + half, bounds[1]))
