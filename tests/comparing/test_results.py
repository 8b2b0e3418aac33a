"""What is chosen by which data, and what a pair says of its runs."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("torch")

from synthetic import make_study

from slopes.comparing.metrics import METRICS
from slopes.comparing.pair import Pair, Run

ACCURACY = METRICS["classification"][0]
RMSE = METRICS["regression"][0]


def made(seed=0, rate=0.1, test=0.5, validation=0.5, diverged=None, metric=ACCURACY):
    return Run(
        key=f"{seed}-{rate}", activation="a", loss="l", rate=rate, seed=seed,
        test={metric.name: test, "brier": 1 - test}, validation={metric.name: validation}, curve=[validation],
        training_loss=[1.0], layers=["1"], gradient=[[1.0]], slots=["2"], dead=[[0.0]], saturated=[[0.0]],
        diverged=diverged, seconds=1.0, engine="stack", stack=1, why="",
    )  # fmt: skip


def pair_of(*runs, metric=ACCURACY):
    rates, seeds = (tuple(sorted({getattr(run, name) for run in runs})) for name in ("rate", "seed"))
    return Pair("a", "l", "", "", "", runs, (), rates, seeds, (metric, *METRICS["classification"][1:]))


def test_the_rate_is_chosen_by_validation_and_never_by_the_test_data():
    pair = pair_of(
        made(rate=0.1, validation=0.6, test=0.99),
        made(rate=0.2, validation=0.7, test=0.01),
        made(rate=0.3, validation=0.6, test=0.99),
    )
    assert pair.rate == 0.2
    assert pair.estimate().mean == 0.01
    assert pair.estimate("brier").mean == 0.99
    assert pair.estimate(rate=0.1).mean == 0.99
    assert pair.edge == ""


def test_intervals_stay_in_the_range_of_the_metric():
    runs = [made(seed=seed, test=test) for seed, test in enumerate((0.999, 1.0, 0.98))]
    accuracy, brier = (pair_of(*runs).estimate(name) for name in ("accuracy", "brier"))
    assert accuracy.low > 0.9
    assert accuracy.high == 1
    assert brier.low == 0 < brier.high < 0.1


def test_where_less_is_better_the_least_is_chosen():
    runs = [made(rate=rate, validation=value, metric=RMSE) for rate, value in ((0.1, 3.0), (0.2, 2.0), (0.3, 4.0))]
    assert pair_of(*runs, metric=RMSE).rate == 0.2


def test_the_rate_is_chosen_by_the_mean_over_seeds_and_of_equals_is_the_lowest():
    def runs(rate, *finals):
        return [made(seed=seed, rate=rate, validation=final) for seed, final in enumerate(finals)]

    assert pair_of(*runs(0.1, 0.2, 0.9), *runs(0.2, 0.6, 0.6)).rate == 0.2
    assert pair_of(*runs(0.1, 0.5), *runs(0.2, 0.5)).rate == 0.1
    assert pair_of(*runs(0.1, 0.1, 0.2), *runs(0.2, 0.15, 0.15)).rate == 0.1, "rounding is no difference"


@pytest.mark.parametrize(("best", "edge"), [(0.1, "lowest"), (0.2, ""), (0.3, "highest")])
def test_a_rate_at_the_edge_of_the_grid_is_marked(best, edge):
    assert pair_of(*[made(rate=rate, validation=float(rate == best)) for rate in (0.1, 0.2, 0.3)]).edge == edge


def test_one_rate_has_no_edge():
    assert pair_of(made()).edge == ""


def test_a_run_that_failed_leaves_a_hole_in_the_series():
    pair = pair_of(made(seed=0, rate=0.1, test=0.7), made(seed=1, rate=0.1, test=0.8), made(seed=0, rate=0.2, test=0.9))
    assert pair.series().test.tolist()[0] == [0.7, 0.8]
    assert np.isnan(pair.series().test[1, 1])
    assert np.isnan(pair.series().validation[1, 1])
    assert pair.series("brier").test[0, 0] == pytest.approx(0.3)


def test_verdicts_among_activations_keep_the_loss_and_are_corrected_by_themselves():
    study = make_study(noise=3.0)
    for among, field in (("activations", "loss"), ("losses", "activation")):
        rows = study.verdicts(among=among)
        assert {row[field] for row in rows} == {getattr(study.baseline, field)}
        assert len(rows) == len(getattr(study.plan.job, among)) - 1
        for row in rows:
            (whole,) = [
                each
                for each in study.verdicts()
                if (each["activation"], each["loss"]) == (row["activation"], row["loss"])
            ]
            assert row["p"] <= whole["p"]
            assert row["difference"] == whole["difference"]
    with pytest.raises(ValueError, match="among is one of 'all', 'activations', 'losses', got 'loss'"):
        study.verdicts(among="loss")


def test_diverged_runs_count_in_the_mean_and_are_counted():
    pair = pair_of(
        made(seed=0, test=0.9),
        made(seed=1, test=0.1, diverged=1),
        made(rate=0.2, diverged=1, validation=0.0),
    )
    assert pair.estimate().mean == pytest.approx(0.5)
    assert (pair.diverged, pair.diverged_anywhere) == (1, 2)
