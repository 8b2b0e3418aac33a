"""What is chosen by which data, and what a pair says of its runs."""

from __future__ import annotations

import pytest

pytest.importorskip("torch")

from slopes.study.results import Pair, Run


def made(seed=0, rate=0.1, accuracy=0.5, validation=(0.5,), diverged=None):
    return Run(
        key=f"{seed}-{rate}", activation="a", loss="l", rate=rate, seed=seed, accuracy=accuracy, log_loss=1.0, brier=0.5,
        validation=validation, training_loss=(1.0,), gradient=((1.0,),), dead=((0.0,),), saturated=((0.0,),),
        diverged=diverged, seconds_per_epoch=1.0, stack=1,
    )  # fmt: skip


def pair_of(*runs):
    return Pair("a", "l", "", "", runs, tuple(sorted({run.rate for run in runs})))


def test_the_rate_is_chosen_by_validation_and_never_by_the_test_data():
    pair = pair_of(
        made(rate=0.1, validation=(0.9, 0.6), accuracy=0.99),
        made(rate=0.2, validation=(0.1, 0.7), accuracy=0.01),
        made(rate=0.3, validation=(0.8, 0.6), accuracy=0.99),
    )
    assert pair.rate == 0.2
    assert pair.accuracy.mean == 0.01
    assert pair.edge == ""


def test_the_rate_is_chosen_by_the_mean_over_seeds_and_of_equals_is_the_lowest():
    def runs(rate, *finals):
        return [made(seed=seed, rate=rate, validation=(final,)) for seed, final in enumerate(finals)]

    assert pair_of(*runs(0.1, 0.2, 0.9), *runs(0.2, 0.6, 0.6)).rate == 0.2
    assert pair_of(*runs(0.1, 0.5), *runs(0.2, 0.5)).rate == 0.1


@pytest.mark.parametrize(("best", "edge"), [(0.1, "lowest"), (0.2, ""), (0.3, "highest")])
def test_a_rate_at_the_edge_of_the_grid_is_marked(best, edge):
    assert pair_of(*[made(rate=rate, validation=(float(rate == best),)) for rate in (0.1, 0.2, 0.3)]).edge == edge


def test_one_rate_has_no_edge():
    assert pair_of(made()).edge == ""


def test_the_gap_to_the_leader_is_taken_seed_by_seed():
    leader = pair_of(*[made(seed=s, accuracy=a) for s, a in enumerate((0.9, 0.7, 0.8))])
    other = pair_of(*[made(seed=s, accuracy=a) for s, a in enumerate((0.8, 0.6, 0.7))])
    assert other.behind(leader) == pytest.approx((0.1, 0.1, 0.1))


def test_diverged_runs_count_in_the_mean_and_are_counted():
    pair = pair_of(
        made(seed=0, accuracy=0.9),
        made(seed=1, accuracy=0.1, diverged=1),
        made(rate=0.2, diverged=1, validation=(0.0,)),
    )
    assert pair.accuracy.mean == pytest.approx(0.5)
    assert (pair.diverged, pair.diverged_anywhere) == (1, 2)
