"""How often the statistics of a study find a difference between a function and itself, and how often a real one.

Run ``python benchmarks/null.py``: it prints the tables of docs/compare/statistics.md in about an hour, or some of
them, as in ``python benchmarks/null.py family power``. ``python benchmarks/null.py looks --law "real runs, log loss"
--studies 8000`` prints one row with more studies; so does ``one``. The tests run the same on fewer studies.
"""

from __future__ import annotations

import argparse
import pathlib
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
from scipy.stats import t

from slopes.comparing.statistics import (
    LOOKS,
    InterimLook,
    Series,
    at_chosen,
    chance,
    choose,
    equivalence,
    exchanged_differences,
    exchanged_together,
    exchanges,
    holm,
    share_as_large,
    step_down,
)

Draw = Callable[[np.random.Generator, int, int], list[Series]]  #: so many series of so many seeds
Test = Callable[[Sequence[Series], Series], Any]  #: p of each series beside a baseline, corrected

DATA = pathlib.Path(__file__).parent.parent / "tests" / "data"
RECORD = DATA / "null_runs.npz"  #: by tools/null_runs.py
STUDY = DATA / "study_runs.npz"  #: by tools/study_runs.py
SAMPLES = 600  #: of the test set, where accuracies are drawn
EXCHANGES = 2048  #: where all take too long: all for 12 seeds, a random subset for more


def one_rate(law: Callable[..., Any]) -> Draw:
    """Series of independent numbers, at one learning rate."""

    def draw(generator: np.random.Generator, count: int, seeds: int) -> list[Series]:
        tests = law(generator, (count, 1, seeds))
        return [Series(test, test) for test in tests]

    return draw


def shares(generator: np.random.Generator, size: tuple[int, ...]) -> Any:
    """Accuracies: near 1, skewed, and in steps of a test sample, so that many are equal."""
    return generator.binomial(SAMPLES, generator.beta(60, 2, size)) / SAMPLES


def collapsing(generator: np.random.Generator, size: tuple[int, ...]) -> Any:
    """Accuracies of 95 %, but that one run in ten collapses to anything below 70 %."""
    good, bad = 0.95 + 0.01 * generator.normal(size=size), generator.uniform(0.1, 0.7, size)
    return np.where(generator.random(size) < 0.1, bad, good)


def paired(generator: np.random.Generator, count: int, seeds: int) -> list[Series]:
    """Accuracies that share what a seed does to all, over three rates that differ."""
    common = generator.normal(size=seeds)
    chances = 1 / (1 + np.exp(-(3 + 0.3 * common + 0.2 * generator.normal(size=(count, 3, seeds)))))
    chances[:, 1] **= 2
    return [
        Series(*(generator.binomial((300, SAMPLES), one[..., None]) / (300, SAMPLES)).transpose(2, 0, 1))
        for one in chances
    ]


def trap(generator: np.random.Generator, count: int, seeds: int) -> list[Series]:
    """Three rates that validation cannot tell apart, which differ on the test data."""
    validation = generator.normal(size=(count, 3, seeds))
    test = generator.normal(size=(count, 3, seeds)) + np.array([[-2.0], [0.0], [2.0]])
    return [Series(*both) for both in zip(validation, test, strict=True)]


def extending(generator: np.random.Generator, count: int, seeds: int) -> list[Series]:
    """Four rates and up to two more on either side, added for all while any prefers an edge, as a study adds them.

    Validation cannot tell them apart, and they differ on the test data.
    """
    validation = generator.normal(size=(count, 8, seeds))
    test = generator.normal(size=(count, 8, seeds)) + np.linspace(-2, 2, 8)[:, None]
    ends, previous = (2, 6), None
    while ends != previous:
        previous, (low, high) = ends, ends
        chosen = low + choose(validation[:, low:high].mean(2), True)
        ends = max(low - (low in chosen), 0), min(high + (high - 1 in chosen), 8)
    return [Series(v[low:high], t[low:high]) for v, t in zip(validation, test, strict=True)]


def recorded(metric: str, rates: Sequence[int] = (0, 1, 2)) -> Draw:
    """Series of real runs, chosen by validation accuracy; `metric` is "right" or "log_loss" on the test data."""
    with np.load(RECORD) as record:
        validation = record["validation_right"][list(rates)] / record["validation_samples"]
        test = record[f"test_{metric}"][list(rates)].astype(float)
        if metric == "right":
            test /= record["test_samples"]

    def draw(generator: np.random.Generator, count: int, seeds: int) -> list[Series]:
        places = generator.permutation(test.shape[1])[: count * seeds].reshape(count, seeds)
        return [Series(validation[:, place], test[:, place]) for place in places]

    return draw


LAWS: dict[str, Draw] = {
    "normal": one_rate(lambda generator, size: generator.normal(size=size)),
    "exponential": one_rate(lambda generator, size: generator.exponential(size=size)),
    "accuracies near 1, k/600": one_rate(shares),
    "one run in ten collapses": one_rate(collapsing),
    "accuracies, three rates, seeds matter": paired,
    "three rates that validation cannot tell apart": trap,
    "such rates, in a grid that is extended": extending,
    "real runs, accuracy": recorded("right"),
    "real runs, log loss": recorded("log_loss"),
}


def at_chosen_rates(a: Series, b: Series, higher_validation: bool = True) -> float:
    """Return p of the naive test: rates are chosen once, and then the signs of the differences are flipped."""
    chosen = [one.test[choose(one.validation.mean(1), higher_validation)][None] for one in (a, b)]
    return chance(*(Series(one, one) for one in chosen), higher_validation)


def students(a: Series, b: Series, higher_validation: bool = True) -> float:
    """Return p of the paired t-test at rates that are chosen once."""
    x, y = (one.test[choose(one.validation.mean(1), higher_validation)] for one in (a, b))
    spread = (x - y).std(ddof=1) / len(x) ** 0.5
    return float(2 * t.sf(abs((x - y).mean()) / spread, len(x) - 1)) if spread else float(x[0] == y[0])


def together(series: Sequence[Series], baseline: Series) -> Any:
    """Return p values as a study has them: corrected by the clearest difference in each exchange."""
    return step_down(exchanged_together(series, baseline, True))


def by_looks(series: Sequence[Series], baseline: Series, looks: Sequence[InterimLook] = LOOKS) -> Any:
    """Return p values as ``seeds="auto"`` has them at its last look, by when there are most false verdicts."""
    found = []
    for seeds, share in looks:
        first, *others = (Series(one.validation[:, :seeds], one.test[:, :seeds]) for one in (baseline, *series))
        signs = exchanges(seeds)[:EXCHANGES]
        exchanged = np.array([exchanged_differences(one, first, True, signs) for one in others])
        found.append(step_down(exchanged) / share)
    return np.minimum.reduce(found)


def one_by_one(test: Callable[..., float] = chance, adjust: Callable[..., Any] = holm) -> Test:
    """Return a test of each series by itself, with a correction of its p values."""
    return lambda series, baseline: adjust([test(one, baseline, True) for one in series])


def equal(margin: float) -> Test:
    """Return the test of equality within a margin, with Holm's correction."""
    return one_by_one(lambda one, baseline, higher: equivalence(one, baseline, higher, margin))


def move(series: Series, shift: float) -> Series:
    """Return the series with its test results moved; validation, which chooses the rate, moves with them."""
    return Series(series.validation + shift, series.test + shift)


def false_verdicts(
    draw: Draw,
    studies: int,
    *,
    comparisons: int = 1,
    seeds: int = 10,
    alpha: float = 0.05,
    test: Test = together,
    shift: float = 0.0,
    first: int = 0,
) -> int:
    """Count the studies where any comparison of a function with itself, moved by `shift`, has p of at most alpha."""
    found = 0
    for study in range(first, first + studies):
        baseline, *others = draw(np.random.default_rng(study), comparisons + 1, seeds)
        found += min(test([move(one, shift) for one in others], baseline)) <= alpha
    return found


def power(
    draw: Draw, studies: int, shifts: Sequence[float], *, comparisons: Sequence[int], seeds: int
) -> dict[tuple[float, int], tuple[float, float]]:
    """Return the shares of studies that find the only difference, by the clearest of each exchange and by Holm.

    They are by the size of the difference and the number of comparisons.
    """
    signs = exchanges(seeds)[:EXCHANGES]
    found: dict[tuple[float, int], Any] = {(shift, count): np.zeros(2) for shift in shifts for count in comparisons}
    for study in range(studies):
        baseline, first, *others = draw(np.random.default_rng(study), max(comparisons) + 1, seeds)
        rest = [exchanged_differences(one, baseline, True, signs) for one in others]
        for shift, count in found:
            differences = np.array(
                [exchanged_differences(move(first, shift), baseline, True, signs), *rest[: count - 1]]
            )
            p = step_down(differences)[0], holm([share_as_large(one) for one in differences])[0]
            found[shift, count] += np.array(p) <= 0.05
    return {case: tuple(shares / studies) for case, shares in found.items()}


Names = tuple[str, str]  #: of a pair's activation and loss


def recorded_study() -> dict[Names, Series]:
    """Return the accuracies of a default study on digits with three times its seeds, the baseline's first."""
    with np.load(STUDY) as record:
        names = [(activation, loss) for activation, loss in record["names"].tolist()]
        parts = [record[f"{part}_right"] / record[f"{part}_samples"] for part in ("validation", "test")]
    return {name: Series(*both) for name, both in zip(names, zip(*parts, strict=True), strict=True)}


def found_in_study(studies: int, seeds: int, others: Sequence[Names]) -> Any:
    """Return the shares of studies that find a difference to the baseline, for pairs that alone are compared with it.

    A study draws so many of the recorded seeds, and has the rates of the record.
    """
    series, signs = recorded_study(), exchanges(seeds)[:EXCHANGES]
    whole, *_ = series.values()
    found = np.zeros(len(others))
    for study in range(studies):
        place = np.random.default_rng(study).permutation(whole.test.shape[1])[:seeds]
        baseline, *rest = (Series(*(part[:, place] for part in one)) for one in (whole, *map(series.get, others)))
        found += step_down(np.array([exchanged_differences(one, baseline, True, signs) for one in rest])) <= 0.05
    return found / studies


def _row(name: str, shares: Sequence[float], digits: int = 1) -> None:
    print(f"| {name} |", " | ".join(f"{100 * share:.{digits}f} %" for share in shares), "|", flush=True)


def print_one(laws: Sequence[str] = tuple(LAWS), studies: int = 4000) -> None:
    """One comparison of a function with itself."""
    print("| | exchanges | signs at chosen rates | t-test |\n|---|---|---|---|")
    for name in laws:
        tests = [one_by_one(test) for test in (chance, at_chosen_rates, students)]
        _row(name, [false_verdicts(LAWS[name], studies, test=test) / studies for test in tests])


def print_family() -> None:
    """Seventeen of them."""
    print("| 17 comparisons | clearest of each exchange | Holm | uncorrected |\n|---|---|---|---|")
    for name, draw in LAWS.items():
        tests = {together: 1000, one_by_one(): 2000, one_by_one(adjust=np.asarray): 2000}
        _row(name, [false_verdicts(draw, n, comparisons=17, test=test) / n for test, n in tests.items()])


def print_looks(laws: Sequence[str] = tuple(LAWS), studies: int = 1000) -> None:
    """Seeds that are added."""
    print("| 10, 20 and 40 seeds | one comparison | 17 comparisons |\n|---|---|---|")
    for name in laws:
        counts = [false_verdicts(LAWS[name], studies, comparisons=count, seeds=40, test=by_looks) for count in (1, 17)]
        _row(name, [count / studies for count in counts])


def print_equal() -> None:
    """Differences of the margin, called equal."""
    print("| 17 differences of the margin | called equal | uncorrected |\n|---|---|---|")
    for name, margin in (("real runs, accuracy", 0.005), ("real runs, log loss", 0.02)):
        tests = [
            equal(margin),
            one_by_one(lambda one, base, up, m=margin: equivalence(one, base, up, m), adjust=np.asarray),
        ]
        _row(name, [false_verdicts(LAWS[name], 500, comparisons=17, test=t, shift=margin) / 500 for t in tests])


def print_power() -> None:
    """One true difference among others without any."""
    print("| points | seeds | 5 comparisons | with Holm | 17 comparisons | with Holm |\n|---|---|---|---|---|---|")
    points = (0.5, 1, 2, 5)
    for seeds in (10, 20):
        found = power(recorded("right"), 300, [each / 100 for each in points], comparisons=(5, 17), seeds=seeds)
        for each in points:
            _row(f"{each} | {seeds}", [*found[each / 100, 5], *found[each / 100, 17]], digits=0)


def print_study() -> None:
    """The default study on digits: which of its differences of a point or more it finds, among all and in a family."""
    (baseline, whole), *rest = recorded_study().items()
    others = dict(rest)
    families = [list(others)] + [[name for name in others if name[part] == baseline[part]] for part in (1, 0)]
    shares: dict[Names, list[float]] = {name: [] for name in others}
    for family in families:
        for seeds in (10, 20):
            for name, share in zip(family, found_in_study(300, seeds, family), strict=True):
                shares[name].append(share)
    heads = "pair", "difference", "by seed", "10 seeds", "20 seeds", "10, in its family", "20, in its family"
    print(f"| {' | '.join(heads)} |\n{'|---' * len(heads)}|")
    for name, one in others.items():
        difference = 100 * (at_chosen(one, True) - at_chosen(whole, True))
        if abs(difference.mean()) >= 1:
            words = f"{' x '.join(name)} | {difference.mean():.1f} | {difference.std(ddof=1):.1f}".replace("-", "−")
            cells = [f"{100 * share:.0f} %" for share in shares[name]]
            print(f"| {words} |", " | ".join([*cells, *["–"] * (4 - len(cells))]), "|")


TABLES = {
    "one": print_one, "family": print_family, "looks": print_looks, "equal": print_equal, "power": print_power,
    "study": print_study,
}  # fmt: skip


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tables", nargs="*", metavar="TABLE", help=f"{', '.join(TABLES)} (default: all)")
    parser.add_argument("--law", choices=LAWS, help="this row alone, of one or looks")
    parser.add_argument("--studies", type=int, help="studies of a row, of one (default: 4000) or looks (1000)")
    chosen = parser.parse_args()
    given = ({"laws": [chosen.law]} if chosen.law else {}) | ({"studies": chosen.studies} if chosen.studies else {})
    tables = {**TABLES, "one": partial(print_one, **given), "looks": partial(print_looks, **given)}
    for name in chosen.tables or tables:
        tables[name]()
        print()


if __name__ == "__main__":
    main()
