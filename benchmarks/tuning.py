"""How much a study would save by tuning on few seeds first, and whether its test would hold.

Run ``python benchmarks/tuning.py``; it takes some minutes. All rates are trained from five seeds. Each pair then has a
neighbourhood: the rate that validation prefers, and the rates beside it. The other seeds are trained at these only. The
shares of runs are means over 300 studies that are drawn from the recorded study on digits; the shares of processor time
are medians over rounds of training that study's stacks. False verdicts are of a function beside itself, at five rates
that validation cannot tell apart.
"""

from __future__ import annotations

import argparse
import math
import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch

from null import false_verdicts, one_by_one, recorded_study
from slopes.comparing.job import Cell, divided
from slopes.comparing.plan import STACK, Plan, make_plan
from slopes.comparing.settings import Settings
from slopes.comparing.statistics import Series, chance, choose
from slopes.comparing.training import train

FEW, SEEDS, STUDIES = 5, 20, 300
GRID = (0.0003, 0.001, 0.003, 0.01, 0.03)  #: of the recorded study; the law has as many rates
RATES = len(GRID)

Kept = Any  #: whether a rate is trained from all seeds, (series, rate); the baseline comes first
Way = Callable[[Kept], Kept]


def neighbourhoods(series: Sequence[Series]) -> Kept:
    """Find the rates that each series has beside its best one at few seeds."""
    best = choose(np.array([one.validation[:, :FEW].mean(1) for one in series]), True)
    return np.abs(np.arange(RATES) - best[:, None]) <= 1


def with_the_baseline(kept: Kept) -> Kept:
    """Give each series the baseline's rates as well, and the baseline the rates of all series."""
    return np.vstack([kept.any(0), kept[1:] | kept[0]])


WAYS: dict[str, Way] = {
    "its own neighbourhood": lambda kept: kept,
    "its own and the baseline's": with_the_baseline,
    "the neighbourhoods of all pairs": lambda kept: np.broadcast_to(kept.any(0), kept.shape),
}


def share_of_runs(series: Sequence[Series], way: Way) -> float:
    """Return the share of runs that are trained: all rates and seeds would be 1."""
    shares = []
    for study in range(STUDIES):
        seeds = np.random.default_rng(study).permutation(series[0].test.shape[1])[:SEEDS]
        drawn = [Series(*(part[:, seeds] for part in one)) for one in series]
        shares.append((FEW + (SEEDS - FEW) * way(neighbourhoods(drawn)).mean()) / SEEDS)
    return float(np.mean(shares))


def alike(generator: np.random.Generator, count: int, seeds: int) -> list[Series]:
    """Five rates that validation cannot tell apart, which differ on the test data."""
    validation = generator.normal(size=(count, RATES, seeds))
    test = generator.normal(size=(count, RATES, seeds)) + np.linspace(-2, 2, RATES)[:, None]
    return [Series(*both) for both in zip(validation, test, strict=True)]


def false_share(way: Way, studies: int) -> float:
    """Return how often the exchanges find a function to differ from itself; rates change places in their order."""

    def test(one: Series, baseline: Series, higher: bool) -> float:
        rates = [np.flatnonzero(each) for each in way(neighbourhoods([baseline, one]))]
        places = [each[: min(map(len, rates))] for each in rates]
        pair = [Series(*(part[place] for part in each)) for each, place in zip((baseline, one), places, strict=True)]
        return chance(*pair, higher)

    return false_verdicts(alike, studies, seeds=12, test=one_by_one(test)) / studies


def seconds(plan: Plan, *phases: Sequence[Cell]) -> float:
    """Train the cells of one phase after another, in chunks as a study does, and return the processor time."""
    start = time.process_time()
    for cells in phases:
        for chunk in divided(cells, math.ceil(len(cells) / STACK)):
            list(train(plan.job, chunk))
    return time.process_time() - start


def shares_of_time(rounds: int) -> list[float]:
    """Return the processor time of each way as a share of the time for all rates and seeds: medians of the rounds."""
    study = recorded_study()
    plan = make_plan(Settings(epochs=2, engine="stack", rates=GRID, seeds=SEEDS))
    names, kept = plan.names, neighbourhoods(list(study.values()))
    places = {name: place for place, name in enumerate(study)}
    early = [cell for cell in plan.cells if cell.seed < FEW]

    def later(way: Way) -> list[Cell]:
        chosen = way(kept)
        rows = [places[names["activation"][cell.activation], names["loss"][cell.loss]] for cell in plan.cells]
        return [
            cell
            for cell, row in zip(plan.cells, rows, strict=True)
            if cell.seed >= FEW and chosen[row, plan.rates.index(cell.rate)]
        ]

    seconds(plan, early[:STACK])  # so that nothing is timed that happens once
    found: list[list[float]] = [[] for _ in WAYS]
    for _ in range(rounds):
        whole = seconds(plan, plan.cells)
        for shares, way in zip(found, WAYS.values(), strict=True):
            shares.append(seconds(plan, early, later(way)) / whole)
    return [statistics.median(shares) for shares in found]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3, help="how often each is trained (default: 3)")
    parser.add_argument("--studies", type=int, default=4000, help="of a function beside itself (default: 4000)")
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    study = recorded_study()
    activations = [one for (_, loss), one in study.items() if loss == "cross_entropy"]
    print("| later seeds at | runs of 18 pairs | of 6 activations | time of 18 pairs | false verdicts |")
    print("|---|---|---|---|---|")
    for (name, way), time_share in zip(WAYS.items(), shares_of_time(chosen.rounds), strict=True):
        runs = [share_of_runs(series, way) for series in (list(study.values()), activations)]
        cells = [f"{100 * share:.0f} %" for share in (*runs, time_share)]
        print(f"| {name} | {' | '.join(cells)} | {100 * false_share(way, chosen.studies):.1f} % |", flush=True)


if __name__ == "__main__":
    main()
