"""Verdicts: the test by exchanges against its oracles, what it does to a function beside itself, words and intervals."""

from __future__ import annotations

import itertools
import pathlib
import runpy
import warnings
from functools import partial

import numpy as np
import pytest
from scipy import stats

from helpers import mark_exhaustive
from slopes.comparing import statistics
from slopes.comparing.statistics import (
    LOOKS,
    Resampled,
    Series,
    at_chosen,
    chance,
    choose,
    corrected_t,
    equivalence,
    estimate,
    holm,
    interval,
    seeds_needed,
    seeds_to_tell,
    shared,
    verdicts,
)

ROOT = pathlib.Path(__file__).parents[2]
NULL = runpy.run_path(str(ROOT / "benchmarks" / "null.py"))
LAWS, at_chosen_rates, false_verdicts = NULL["LAWS"], NULL["at_chosen_rates"], NULL["false_verdicts"]
by_looks, equal, one_by_one, power = (NULL[name] for name in ("by_looks", "equal", "one_by_one", "power"))
TRAPS = ("three rates that validation cannot tell apart", "real runs, log loss")
FALSE = ("better", "worse")  #: verdicts on a function beside itself that are wrong
SURE = 1e-4  #: the chance that a right test is taken for a wrong one, for each of the bounds below


def rows(*numbers):
    return np.array(numbers, dtype=float)


def one_rate(*numbers):
    """A series that is tested on what it is chosen by."""
    return Series(rows(numbers), rows(numbers))


def drawn(seeds, rates=1, shift=0.0, seed=0, scale=1.0):
    generator = np.random.default_rng(seed)
    test = scale * generator.normal(size=(rates, seeds)) + shift
    return Series(generator.normal(size=(rates, seeds)), test)


def verdict_of(series, baseline, **options):
    (only,) = verdicts([series], baseline, **{"higher": True, "margin": 0.0} | options)
    return only


def by_definition(a, b, higher):
    """The share of exchanges whose difference is as large, one at a time."""

    def difference(first, second):
        at = [
            max(range(len(v)), key=lambda rate, v=v: (v[rate].mean() * (1 if higher else -1), -rate))
            for v, _ in (first, second)
        ]
        return first[1][at[0]].mean() - second[1][at[1]].mean()

    seen, sizes = abs(difference(a, b)), []
    for swap in itertools.product([False, True], repeat=a.test.shape[1]):
        exchanged = [(np.where(swap, y, x), np.where(swap, x, y)) for x, y in zip(a, b, strict=True)]
        sizes.append(abs(difference(*zip(*exchanged, strict=True))))
    return np.mean([size >= seen - 1e-9 for size in sizes])


# The test by exchanges


@pytest.mark.parametrize("seeds", [2, 5, 10])
@pytest.mark.parametrize("tied", [False, True])
def test_with_one_rate_it_is_scipys_test_of_signs(seeds, tied):
    a, b = drawn(seeds, shift=0.7, seed=1), drawn(seeds, seed=2)
    if tied:
        a, b = (Series(one.validation, np.round(one.test)) for one in (a, b))
    theirs = stats.permutation_test(
        (a.test[0], b.test[0]), lambda x, y: np.mean(x - y), permutation_type="samples", n_resamples=np.inf
    )
    assert chance(a, b, True) == pytest.approx(theirs.pvalue, abs=1e-12)


@pytest.mark.parametrize("higher", [True, False])
@pytest.mark.parametrize("seed", range(5))
def test_every_exchange_chooses_its_rates_anew(higher, seed):
    a, b = drawn(6, rates=3, shift=0.5, seed=seed), drawn(6, rates=3, seed=seed + 100)
    assert chance(a, b, higher) == by_definition(a, b, higher)


def test_two_seeds_by_hand():
    """Validation likes the second rate of a and the first of b, but with one seed exchanged the first of both."""
    a = Series(rows([1, 1], [3, 2]), rows([0, 0], [10, 10]))
    b = Series(rows([2, 4], [1, 1]), rows([1, 1], [0, 0]))
    # as they are 10 − 1 = 9; seed 2 exchanged: a (1, 4 | 3, 1) takes the first rate, test (0 + 1) / 2, and
    # b (2, 1 | 1, 2) the first of equals, test (1 + 0) / 2, so 0
    assert chance(a, b, True) == 0.5
    assert verdict_of(a, b).difference == 9


@pytest.fixture
def few_exchanges(monkeypatch):
    """Look at 1,024 exchanges at most, which are all for 11 seeds."""
    monkeypatch.setattr(statistics, "EXACT", 11)
    statistics.exchanges.cache_clear()
    yield 1024
    statistics.exchanges.cache_clear()


def test_drawn_exchanges_come_close_to_all_and_are_never_surer_than_their_number(request):
    a, b = drawn(12, rates=2, shift=0.6, seed=3), drawn(12, rates=2, seed=4)
    exact = chance(a, b, True)
    number = request.getfixturevalue("few_exchanges")
    p = chance(a, b, True)
    assert p == pytest.approx(exact, abs=4 * (exact / number) ** 0.5)
    assert p != exact
    assert p == chance(a, b, True), "the same at each call"
    assert chance(drawn(30, shift=9.0), drawn(30, seed=9), True) == 1 / number, "what was seen is one of them"


def test_as_many_seeds_as_are_looked_at_completely_have_all_exchanges_once():
    signs = statistics.exchanges(5)
    assert len({tuple(row) for row in signs} | {tuple(-row) for row in signs}) == 32
    assert (signs[0] == 1).all()


@pytest.mark.parametrize("offset", [0, 10**6])
def test_rounding_makes_no_difference_of_equal_ones(offset):
    """Without a tolerance, some exchanges of these accuracies that are as large as what is seen come out as smaller."""
    a = offset + rows(556, 588, 580, 540, 563, 591, 573, 542, 585, 583)
    b = offset + rows(590, 550, 545, 591, 541, 572, 544, 557, 568, 565)
    assert chance(one_rate(*a / 600), one_rate(*b / 600), True) == chance(one_rate(*a), one_rate(*b), True)


def test_changed_places_change_the_sign_alone():
    a, b = drawn(9, rates=3, shift=3.0, seed=5), drawn(9, rates=3, seed=6)
    there, back = verdict_of(a, b), verdict_of(b, a)
    assert there.difference == -back.difference
    assert there.raw == back.raw
    assert {there.verdict, back.verdict} == {"better", "worse"}
    down = verdict_of(Series(-a.validation, -a.test), Series(-b.validation, -b.test), higher=False)
    assert (down.verdict, down.raw) == (there.verdict, there.raw)


def test_the_order_of_the_seeds_is_nothing():
    a, b = drawn(9, rates=3, shift=0.8, seed=5), drawn(9, rates=3, seed=6)
    order = np.random.default_rng(0).permutation(9)
    other = [Series(one.validation[:, order], one.test[:, order]) for one in (a, b)]
    assert chance(a, b, True) == chance(*other, True)


def test_seeds_must_be_shared_for_what_they_do_to_all_to_cancel():
    common = 10 * np.random.default_rng(0).normal(size=10)
    a, b = drawn(10, shift=1.5, seed=1).test[0] + common, drawn(10, seed=2).test[0] + common
    assert verdict_of(one_rate(*a), one_rate(*b)).verdict == "better"
    assert verdict_of(one_rate(*a), one_rate(*np.roll(b, 1))).verdict == "undecided"


# What is chosen


def test_the_rate_is_chosen_by_mean_validation_and_never_by_the_test_data():
    one = Series(rows([0.1, 0.9], [0.6, 0.6], [0.2, 0.2]), rows([1, 2], [3, 4], [99, 99]))
    assert at_chosen(one, True).tolist() == [3, 4]
    assert at_chosen(one, False).tolist() == [99, 99]


def test_of_equals_the_first_is_chosen_also_where_they_differ_by_rounding():
    assert choose(rows(0.3, 0.1 + 0.2, 0.1), True) == 0
    assert choose(rows(0.1 + 0.2, 0.3, 0.9), False) == 0
    assert choose(rows([1, 2, 0], [5, 4, 6]), True).tolist() == [1, 2]


def test_another_metric_may_choose_and_go_the_other_way():
    a = Series(rows([0.9] * 6, [0.1] * 6), rows([0.2, 0.3, 0.1, 0.2, 0.3, 0.1], [0.9] * 6))
    b = Series(rows([0.9] * 6, [0.1] * 6), rows([0.5, 0.5, 0.6, 0.5, 0.5, 0.6], [0.1] * 6))
    assert verdict_of(a, b, higher=False, higher_validation=True).verdict == "better"
    assert verdict_of(a, b, higher=False).verdict == "worse"


# Many comparisons


@pytest.mark.parametrize("seed", range(5))
def test_holm_is_statsmodels(seed):
    multipletests = pytest.importorskip("statsmodels.stats.multitest").multipletests
    p = np.round(np.random.default_rng(seed).uniform(size=9) ** 3, 2)
    assert holm(p) == pytest.approx(multipletests(p, method="holm")[1])


def test_holm_by_hand():
    assert holm([0.03, 0.01, 0.04]) == pytest.approx([0.06, 0.03, 0.06])
    assert holm([0.9, 0.8]).tolist() == [1, 1]
    assert holm([]).tolist() == []


@pytest.mark.parametrize("comparisons", [1, 17])
def test_six_seeds_and_not_five_can_show_a_difference(comparisons):
    """The clearest of differences, among as many comparisons without one: 2 / 2**6 < 0.05."""
    assert seeds_needed() == 6

    def study(seeds):
        clear, zero = one_rate(*np.full(seeds, 9.0)), one_rate(*np.zeros(seeds))
        others = [drawn(seeds, seed=i, scale=0.1) for i in range(comparisons - 1)]
        return verdicts([clear, *others], zero, higher=True, margin=0)

    assert study(6)[0].verdict == "better"
    found = study(5)
    assert {one.verdict for one in found} == {"undecided"}
    assert {one.needed for one in found} == {6}
    assert found[0].words.endswith("5 seeds can show nothing: it takes 6")


def test_the_page_gives_the_same_number():
    page = (ROOT / "docs" / "compare" / "statistics.md").read_text(encoding="utf-8")
    assert f"With fewer than {seeds_needed()} seeds nothing can be shown" in page


def test_a_series_with_fewer_seeds_than_can_show_anything():
    zero = one_rate(*np.zeros(7))
    short = one_rate(np.nan, np.nan, *np.full(5, 9.0))
    found = verdicts([one_rate(*np.full(7, 9.0)), short], zero, higher=True, margin=0)
    assert [one.verdict for one in found] == ["better", "undecided"]
    assert found[1].needed == 6


def corrected_by_hand(series, baseline):
    """The step-down correction from its definition, one exchange at a time, at one learning rate."""
    differences = [one.test[0] - baseline.test[0] for one in series]
    signs = list(itertools.product([1, -1], repeat=len(differences[0])))
    sizes = [[round(abs((d * sign).mean()), 9) for sign in signs] for d in differences]
    units = [np.sqrt(np.mean(np.square(each))) for each in sizes]
    clear = [  # few as large ones, and then the size in units
        [(-sum(other >= size for other in each), size / unit) for size in each]
        for each, unit in zip(sizes, units, strict=True)
    ]
    order, p = sorted(range(len(series)), key=lambda i: clear[i][0], reverse=True), {}
    for place, i in enumerate(order):
        count = sum(max(clear[j][n] for j in order[place:]) >= clear[i][0] for n in range(len(signs)))
        p[i] = max(count / len(signs), p[order[place - 1]] if place else 0)
    return [p[i] for i in range(len(series))]


@pytest.mark.parametrize("seed", range(3))
def test_the_correction_is_by_the_clearest_difference_in_each_exchange(seed):
    baseline = drawn(7, seed=seed)
    series = [
        drawn(7, shift=shift, scale=scale, seed=10 * seed + i)
        for i, (shift, scale) in enumerate([(2, 1), (30, 20), (0, 5), (1, 1)])
    ]
    found = [one.p for one in verdicts(series, baseline, higher=True, margin=0)]
    assert found == pytest.approx(corrected_by_hand(series, baseline), abs=1e-12)
    assert max(found) > min(found)


def test_a_pair_that_is_worse_at_all_ten_seeds_is_shown_among_seventeen():
    """Though one seed has most of the difference, so that its mean is within chance of others in units."""
    baseline, *others = (one_rate(*draw) for draw in np.random.default_rng(0).normal(size=(17, 10)))
    worse = one_rate(*(baseline.test[0] - [8.0, 1.0, 1.0, 0.5, 0.5, 0.5, 0.2, 0.2, 0.1, 0.1]))
    found = verdicts([worse, *others], baseline, higher=True, margin=0)[0]
    assert found.raw == 2 / 2**10
    assert found.verdict == "worse"


# The margin, and words


@pytest.mark.parametrize("margin", [0, 0.0])
def test_without_a_margin_nothing_that_differs_is_equal(margin):
    for seed in range(5):
        found = verdict_of(drawn(8, seed=seed), drawn(8, seed=seed + 50), margin=margin)
        assert found.p_equal > 0.5
        assert found.verdict != "equal"


CLOSE = np.array([0.1, -0.1, 0.2, -0.2, 0.1, 0.0, -0.1, 0.05])  #: around nothing


def test_a_difference_must_exceed_the_margin():
    clear, zero = one_rate(*(0.02 + 0.01 * CLOSE)), one_rate(*np.zeros(8))
    assert verdict_of(clear, zero, margin=0.019).words.startswith(
        "better by 0.0201 (p = 0.0078); the interval reaches from 0.01"
    )
    assert verdict_of(zero, clear, margin=0.019, percent=True).words.startswith("worse by 2.01 points (p = 0.0078)")
    small = verdict_of(clear, zero, margin=0.0202)
    assert small.verdict == "undecided"
    assert small.words.startswith(
        "a difference is shown (p = 0.0078), but not whether it is above the margin of 0.0202; the interval"
    )
    smaller = verdict_of(clear, zero, margin=0.1)
    assert smaller.verdict == "equal"
    assert smaller.words.startswith(
        "equal within the margin of 0.1 (p = 0.0039), though a difference is shown (p = 0.0078); the interval"
    )
    assert smaller.needed is None


def test_equal_is_shown_and_not_the_want_of_a_difference():
    equal = verdict_of(one_rate(*(0.01 * CLOSE)), one_rate(*np.zeros(8)), margin=0.01, percent=True)
    assert (equal.verdict, equal.needed, equal.p_equal) == ("equal", None, 1 / 2**8)
    assert equal.words.startswith("equal within the margin of 1.00 points (p = 0.0039); the interval reaches from −0.0")
    wide = verdict_of(one_rate(*CLOSE), one_rate(*np.zeros(8)), margin=0.05)
    assert wide.verdict == "undecided"
    assert wide.words.startswith("no difference shown (p = 1); the interval reaches from −0.0")
    assert wide.words.endswith(f"; one of the margin, 0.05, would take about {wide.needed_for_margin} seeds")
    assert wide.needed_for_margin > 8
    assert wide.needed is None, "a difference below the margin is not asked for"
    none = verdict_of(one_rate(*CLOSE), one_rate(*np.zeros(8)), margin=0)
    assert none.needed_for_margin is None, "no margin, no number"
    assert none.words.endswith("; this difference would take more than 1,000 seeds")
    enough = verdict_of(one_rate(*(0.1 + np.tile(CLOSE, 2))), one_rate(*np.tile([0.05, 0.06], 8)), margin=0.1)
    assert enough.words.startswith("no difference shown")
    assert enough.needed_for_margin is None, "it has more seeds than that already"


def test_so_many_seeds_show_this_difference_and_so_many_the_margin():
    draw = rows(2, -1, 1, -1, 2, -1, 1, 0, 2, -1)
    found = verdict_of(one_rate(*draw), one_rate(*np.zeros(10)), margin=0.1)
    assert found.verdict == "undecided"
    assert found.needed == seeds_to_tell(found.difference, draw, 1)
    assert found.needed_for_margin == seeds_to_tell(0.1, draw, 1) > found.needed > 10
    assert found.words.endswith(
        f"; this difference would take about {found.needed} seeds, one of the margin, 0.1, more than 1,000 seeds"
    )


@pytest.mark.parametrize("sign", [1, -1])
def test_equivalence_is_two_tests_of_signs(sign):
    """With one rate each one-sided test is SciPy's, of the differences moved by the margin."""
    d = sign * (0.02 + 0.1 * CLOSE)

    def one_sided(moved, alternative):
        return stats.permutation_test(
            (moved, np.zeros(8)), lambda x, y: np.mean(x - y), permutation_type="samples", n_resamples=np.inf,
            alternative=alternative,
        ).pvalue  # fmt: skip

    expected = max(one_sided(d - 0.03, "less"), one_sided(d + 0.03, "greater"))
    assert equivalence(one_rate(*d), one_rate(*np.zeros(8)), True, 0.03) == pytest.approx(expected, abs=1e-12)
    assert 0.004 < expected < 0.3


def test_a_difference_as_large_as_the_margin_is_called_equal_at_most_as_often_as_said():
    """Seventeen of them, of real runs; without a correction it would be more often."""
    options = {"comparisons": 17, "shift": 0.03}
    assert false_verdicts(LAWS["real runs, accuracy"], 60, test=equal(0.03), **options) <= at_most(60)
    uncorrected = one_by_one(lambda a, b, higher: equivalence(a, b, higher, 0.03), adjust=np.asarray)
    assert false_verdicts(LAWS["real runs, accuracy"], 60, test=uncorrected, **options) > at_most(60)


def test_what_is_the_same_at_every_seed_is_called_so():
    same = drawn(10, rates=2)
    (found,) = verdicts([same], same, higher=True, margin=0.0)
    assert found == (0.0, 0.0, 0.0, 1.0, 1.0, 1.0, "equal", None, None, "the same at every seed")


def test_so_many_seeds_show_a_difference_of_the_margin_four_times_in_five():
    generator = np.random.default_rng(0)
    needed = seeds_to_tell(0.5, generator.normal(size=5000), 1)
    assert needed == pytest.approx((1.96 + 0.84) ** 2 / 0.25, rel=0.05)
    found = sum(
        chance(one_rate(*generator.normal(0.5, 1, needed)), one_rate(*np.zeros(needed)), True) <= 0.05
        for _ in range(150)
    )
    assert found / 150 == pytest.approx(0.8, abs=0.1)
    assert seeds_to_tell(0.5, generator.normal(size=50), 17) > 1.5 * seeds_to_tell(0.5, generator.normal(size=50), 1)
    assert seeds_to_tell(99.0, generator.normal(size=50), 17) == 6, "never fewer than can show anything"


def test_a_seed_with_a_failed_run_is_left_out_of_both_and_counted():
    a, b = drawn(10, rates=2, shift=2.0, seed=1), drawn(10, rates=2, seed=2)
    a.test[1, 3] = a.validation[1, 3] = b.test[0, 7] = b.validation[0, 7] = np.nan
    kept = [i for i in range(10) if i not in (3, 7)]
    without = [Series(one.validation[:, kept], one.test[:, kept]) for one in (a, b)]
    found, rest = verdict_of(a, b), verdict_of(*without)
    assert found[:-1] == rest[:-1]
    assert found.words == rest.words + "; 2 seeds left out, where a run failed or has no value"
    assert shared(a, b)[0].test.shape == (2, 8)


@pytest.mark.parametrize("higher", [True, False])
def test_a_rate_at_which_every_run_failed_is_never_chosen_and_costs_no_seed(higher):
    draw = np.random.default_rng(3)
    a, b = (Series(*draw.normal(0.5, 0.05, (2, 3, 10))) for _ in range(2))
    a.test[:] += 0.2 if higher else -0.2
    lost = [Series(one.validation.copy(), one.test.copy()) for one in (a, b)]
    for one in lost:
        one.validation[1], one.test[1] = np.nan, np.nan
    (found,) = verdicts([lost[0]], lost[1], higher=higher, margin=0.0)
    rest = [Series(one.validation[[0, 2]], one.test[[0, 2]]) for one in (a, b)]
    (expected,) = verdicts([rest[0]], rest[1], higher=higher, margin=0.0)
    assert found == expected
    (found,) = verdicts([lost[0]], b, higher=higher, margin=0.0)
    assert found.verdict == "better"
    assert "left out" not in found.words
    assert found.difference == pytest.approx(np.mean(at_chosen(rest[0], higher) - at_chosen(b, higher)))


def test_where_every_run_failed_nothing_is_said():
    lost = one_rate(*[np.nan] * 6)
    found = verdict_of(lost, one_rate(*range(6)))
    assert np.isnan(found.difference)
    assert found[1:9] == (None, None, 1.0, 1.0, 1.0, "undecided", 6, None)
    assert found.words == "0 seeds can show nothing: it takes 6; 6 seeds left out, where a run failed or has no value"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"alpha": 0.5}, "alpha is the chance of a false verdict, above 0 and below 0.5, got 0.5"),
        ({"alpha": 0.0}, "got 0.0"),
        ({"margin": -0.1}, "margin is the largest difference that counts as none, from 0 on, got -0.1"),
        ({"margin": float("nan")}, "got nan"),
        ({"series": drawn(5)}, r"same rates and seeds, got \(1, 5\) and \(1, 5\), the baseline's \(1, 6\)"),
        ({"series": drawn(6, rates=2)}, r"got \(2, 6\)"),
        ({"series": Series(rows([1] * 6), rows([1] * 5))}, r"got \(1, 6\) and \(1, 5\)"),
        ({"series": Series(np.ones(6), np.ones(6)), "baseline": Series(np.ones(6), np.ones(6))}, r"got \(6,\)"),
    ],
)
def test_what_cannot_be_compared_is_refused(change, message):
    with pytest.raises(ValueError, match=message):
        verdict_of(**{"series": drawn(6), "baseline": drawn(6)} | change)


def test_nothing_to_compare_is_no_verdict():
    assert verdicts([], drawn(6), higher=True, margin=0) == []


# Resampled splits


def test_the_corrected_t_test_by_hand():
    """Mean 2, variance 1 over 3 splits, a test set half the size of the training set: t is 2 / √(1/3 + 1/2)."""
    d = rows(1, 2, 3)
    assert corrected_t(d, Resampled(200, 100)) == pytest.approx(2 * stats.t.sf(2 / (5 / 6) ** 0.5, 2))
    found = verdict_of(one_rate(1, 2, 3), one_rate(0, 0, 0), resampled=Resampled(200, 100))
    half = stats.t.ppf(0.975, 2) * (5 / 6) ** 0.5
    assert (found.low, found.high) == pytest.approx((2 - half, 2 + half))


def test_without_the_correction_it_is_students():
    d = np.random.default_rng(0).normal(0.4, 1, 12)
    assert corrected_t(d, Resampled(10**12, 1)) == pytest.approx(stats.ttest_1samp(d, 0).pvalue, rel=1e-6)


@pytest.mark.parametrize(("differences", "p"), [([0.5] * 4, 0.0), ([0.0] * 4, 1.0), ([3.0], 1.0), ([], 1.0)])
def test_without_spread_the_t_test_leaves_it_to_theexchanges(differences, p):
    assert corrected_t(rows(*differences), Resampled(100, 50)) == p
    assert verdict_of(one_rate(*[0.5] * 4), one_rate(*[0] * 4), resampled=Resampled(100, 50)).raw == 0.125


def test_with_resampled_splits_both_tests_have_to_agree():
    a, b = drawn(10, shift=1.5, seed=3), drawn(10, seed=4)
    fixed, wide = verdict_of(a, b), verdict_of(a, b, resampled=Resampled(100, 100))
    assert fixed.verdict == "better"
    assert wide.verdict == "undecided"
    assert wide.raw == corrected_t(a.test[0] - b.test[0], Resampled(100, 100)) > fixed.raw
    assert wide.low < fixed.low < fixed.high < wide.high


def test_where_the_data_are_too_few_more_seeds_are_not_asked_for():
    found = verdict_of(one_rate(*CLOSE), one_rate(*np.zeros(8)), margin=0.05, resampled=Resampled(100, 100))
    assert found.needed_for_margin is None
    assert found.words.endswith("; one of the margin, 0.05, would take more data than these")
    wide = verdict_of(one_rate(*CLOSE), one_rate(*np.zeros(8)), margin=0.09, resampled=Resampled(10000, 100))
    assert wide.needed_for_margin > 8


def test_the_corrected_t_test_alone_falls_for_rates_that_look_alike():
    """Which is why the exchanges are asked as well."""
    found = {"t": 0, "verdicts": 0}
    for study in range(400):
        a, b = LAWS[TRAPS[0]](np.random.default_rng(study), 2, 10)
        found["t"] += corrected_t(at_chosen(a, True) - at_chosen(b, True), Resampled(900, 600)) <= 0.05
        found["verdicts"] += verdict_of(a, b, resampled=Resampled(900, 600)).verdict in FALSE
    assert found["t"] > 100
    assert found["verdicts"] <= at_most(400)


# A function beside itself


def at_most(studies, rate=0.05):
    """How many of them may come to a false verdict if the rate is as said."""
    return stats.binom.isf(SURE, studies, rate)


@pytest.mark.parametrize("name", mark_exhaustive(LAWS))
def test_a_function_differs_from_itself_at_most_as_often_as_said(name):
    """With seeds of its own for either. The real runs are those that tools/null_runs.py trains."""
    assert false_verdicts(LAWS[name], 1500) <= at_most(1500)
    assert false_verdicts(LAWS[name], 1500, seeds=7, alpha=0.2, first=1500) <= at_most(1500, 0.2)


@pytest.mark.parametrize("name", ["normal", "exponential", TRAPS[0]])
def test_and_hardly_less_often(name):
    """Else nothing that is real would be found. Of 512 exchanges, 25 are the most that are not above alpha."""
    assert false_verdicts(LAWS[name], 1500) >= stats.binom.ppf(SURE, 1500, 25 / 512)


@pytest.mark.parametrize("name", TRAPS)
def test_signs_flipped_at_rates_chosen_once_find_what_is_not_there(name):
    assert false_verdicts(LAWS[name], 2000, test=one_by_one(at_chosen_rates)) > at_most(2000)


@pytest.mark.parametrize("name", mark_exhaustive(LAWS, 1))
def test_of_seventeen_comparisons_any_is_false_at_most_as_often_as_said(name):
    assert false_verdicts(LAWS[name], 300, comparisons=17) <= at_most(300)


def test_without_a_correction_it_would_be_more_often():
    assert false_verdicts(LAWS["normal"], 300, comparisons=17, test=one_by_one(adjust=np.asarray)) > at_most(300)


def test_the_largest_of_each_exchange_finds_more_than_holms_correction():
    """One difference of 1.4 standard deviations among seventeen comparisons of ten seeds."""
    ((found, with_holm),) = power(LAWS["exponential"], 100, [1.4], comparisons=[17], seeds=10).values()
    assert found > 0.4 > 0.3 > with_holm


def test_several_looks_share_the_chance_of_a_false_verdict():
    baseline, *series = (drawn(40, rates=2, shift=0.3 * i, seed=i) for i in range(4))
    options = {"higher": True, "margin": 0.4}
    separate = [
        verdicts([_cut(one, look.seeds) for one in series], _cut(baseline, look.seeds), **options) for look in LOOKS
    ]
    for place, one in enumerate(verdicts(series, baseline, looks=LOOKS, **options)):
        for name in ("p", "raw", "p_equal"):
            shared_out = [getattr(each[place], name) / look.share for each, look in zip(separate, LOOKS, strict=True)]
            assert getattr(one, name) == min(1, *shared_out)
        assert one.difference == separate[-1][place].difference, "of all seeds"
    assert sum(look.share for look in LOOKS) == 1


def test_the_default_study_finds_five_points_on_digits_in_nine_of_ten():
    others = [name for name in NULL["recorded_study"]() if name != ("relu", "cross_entropy")]
    assert len(others) == 17
    shares = dict(zip(others, NULL["found_in_study"](30, 20, others), strict=True))
    assert shares["relu", "mae"] >= 0.9
    assert shares["gelu", "mse"] <= 0.1


def _cut(one, seeds):
    return Series(one.validation[:, :seeds], one.test[:, :seeds])


def test_looks_that_spend_the_whole_chance_each_find_what_is_not_there():
    options = {"studies": 600, "seeds": 40}
    assert false_verdicts(LAWS["normal"], **options, test=by_looks) <= at_most(600)
    whole = partial(by_looks, looks=[look._replace(share=1.0) for look in LOOKS])
    assert false_verdicts(LAWS["normal"], **options, test=whole) > at_most(600)


@pytest.mark.parametrize("margin", [pytest.param(0.0, marks=pytest.mark.exhaustive), 0.005])
def test_verdicts_as_they_are_given(margin):
    """The whole of it on real runs: seventeen aliases, each with seeds of its own."""
    false = 0
    for study in range(60):
        baseline, *others = LAWS["real runs, accuracy"](np.random.default_rng(study), 18, 10)
        found = verdicts(others, baseline, higher=True, margin=margin)
        assert {one.verdict for one in found} <= {*FALSE, "equal", "undecided"}
        false += any(one.verdict in FALSE for one in found)
    assert false <= at_most(60)


def test_drawn_exchanges_are_right_as_well(few_exchanges):
    assert false_verdicts(LAWS[TRAPS[0]], 1000, seeds=20) <= at_most(1000)


# What is real


def test_a_clear_difference_is_found_with_ten_seeds_among_seventeen():
    """Of three standard deviations; a single one of that size would need no statistics."""
    found = 0
    for study in range(100):
        baseline, *others = LAWS["normal"](np.random.default_rng(study), 18, 10)
        others[0] = one_rate(*(others[0].test[0] + 4.0))
        first, *_ = holm([chance(one, baseline, True) for one in others])
        found += first <= 0.05
    assert found >= 95


@pytest.mark.parametrize(("shift", "found"), [(2.0, 80), (3.0, 97)])
def test_a_difference_is_found_where_each_is_tuned_to_a_rate_of_its_own(shift, found):
    """The rates are as unlike as can be, and one function is better by so many standard deviations of a run."""
    better = 0
    for study in range(100):
        a = drawn(10, rates=3, shift=rows([0, 5, 5 + shift]).T, seed=study).test
        b = drawn(10, rates=3, shift=rows([5, 0, 0]).T, seed=study + 1000).test
        better += verdict_of(Series(a, a), Series(b, b)).verdict == "better"
    assert better >= found


# Intervals


def test_the_interval_is_scipys_bca():
    d = np.random.default_rng(1).exponential(size=10)

    def theirs(method):
        return np.array(stats.bootstrap((d,), np.mean, n_resamples=99999, method=method).confidence_interval)

    ours = interval(d)
    assert ours.kind == "BCa"
    assert ours[:2] == pytest.approx(theirs("BCa"), abs=0.25)
    assert ours.high > theirs("percentile")[1] + 0.25, "percentiles would not do"
    assert ours == interval(d), "the same at each call"


def test_the_interval_covers_the_mean_about_as_often_as_said():
    """With ten seeds a bootstrap is somewhat narrow, which is why it does not decide."""
    generator = np.random.default_rng(0)
    covered = sum(low <= 0 <= high for low, high, _ in (interval(generator.normal(size=10)) for _ in range(400)))
    assert 0.87 <= covered / 400 <= 0.96


@pytest.mark.parametrize(
    ("differences", "wanted"),
    [
        ([0.3] * 5, (0.3, 0.3, "BCa")),
        ([0.1 + 0.2, 0.3, 0.3], (0.3, 0.3, "BCa")),
        ([1, 2], None),
        ([1], None),
        ([], None),
    ],
)
def test_the_interval_of_next_to_nothing(differences, wanted):
    found = interval(rows(*differences))
    assert found == (wanted and (pytest.approx(wanted[0]), pytest.approx(wanted[1]), wanted[2]))


def test_where_bca_has_no_answer_percentiles_are_given_and_named(monkeypatch):
    real = stats.bootstrap

    def fails(*args, method, **options):
        result = real(*args, method=method, **options)
        if method == "BCa":
            result.confidence_interval = (np.nan, np.nan)
            warnings.warn("scipy says so, and we in words", stats.DegenerateDataWarning, stacklevel=2)
        return result

    monkeypatch.setattr(stats, "bootstrap", fails)
    assert interval(CLOSE).kind == "percentile"
    found = verdict_of(one_rate(*CLOSE), one_rate(*np.zeros(8)))
    assert "(percentiles, as BCa has no answer here)" in found.words
    assert -0.2 < found.low < 0 < found.high < 0.2


# Means with Student's interval


def test_the_interval_is_students():
    values = [0.91, 0.95, 0.93, 0.99, 0.90]
    ours = estimate(values)
    low, high = stats.t.interval(0.95, 4, loc=np.mean(values), scale=stats.sem(values))
    assert ours == pytest.approx((np.mean(values), low, high))


def test_the_interval_stays_within_bounds():
    assert estimate([0.4, 0.5], (0, 1)) == (0.45, 0, 1)
    inside = [0.5, 0.6, 0.55]
    assert estimate(inside, (0, 1)) == estimate(inside)


def test_one_seed_has_no_interval():
    assert estimate([0.9]) == (0.9, None, None)


def test_equal_seeds_have_an_interval_of_no_width():
    assert estimate([0.5, 0.5, 0.5]) == (0.5, 0.5, 0.5)
