"""Measure the time of training with an objective of slopes.boosting, relative to the library's built-in twin.

    python benchmarks/boosting.py                  # all; libraries that are not installed are left out
    python benchmarks/boosting.py --rows 20000     # fewer rows than 100,000

Each line is the ratio of times by one thread, median and range of rounds: in each, both train. The loss is logistic,
the data have 10 columns, and there are 50 trees. CatBoost also trains on four classes, with a tenth of the rows.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

import slopes
from slopes import boosting
from speed import take_turns

TREES = 50
Training = Callable[[], Any]


def make_data(rows: int) -> tuple[Any, Any]:
    """Return features and the yes or no of each row."""
    rng = np.random.default_rng(0)
    features = rng.normal(size=(rows, 10)).astype(np.float32)
    return features, (features[:, 0] + features[:, 1] ** 2 + rng.normal(size=rows) > 1).astype(float)


def make_trainings(features: Any, target: Any) -> Iterator[tuple[str, Training, Training]]:
    """Yield (library, training with our objective, training with the built-in one)."""
    card = slopes.binary_cross_entropy
    try:
        import lightgbm
    except ImportError:
        pass
    else:
        common: dict[str, Any] = {"num_leaves": 31, "verbose": -1, "num_threads": 1}

        def by_lightgbm(objective: Any) -> Training:
            data = lightgbm.Dataset(features, target, free_raw_data=False).construct()
            return lambda: lightgbm.train({**common, "objective": objective}, data, TREES)

        yield "LightGBM", by_lightgbm(boosting.lightgbm(card)), by_lightgbm("binary")
    try:
        import xgboost
    except ImportError:
        pass
    else:
        data = xgboost.QuantileDMatrix(features, target, nthread=1)
        shared: dict[str, Any] = {"max_depth": 6, "nthread": 1}
        ours = boosting.xgboost(card)
        yield (
            "XGBoost",
            lambda: xgboost.train({**shared, "base_score": ours.start(target)}, data, TREES, obj=ours),
            lambda: xgboost.train({**shared, "objective": "binary:logistic"}, data, TREES),
        )
    try:
        import catboost
    except ImportError:
        return

    def by_catboost(features: Any, target: Any, **given: Any) -> Training:
        options = {
            "iterations": TREES, "depth": 6, "verbose": False, "thread_count": 1, "allow_writing_files": False,
            "leaf_estimation_method": "Newton", "leaf_estimation_iterations": 1, "boosting_type": "Plain",
        }  # fmt: skip
        return lambda: catboost.CatBoost({**options, **given}).fit(features, target)

    def make_pair(card: Any, twin: str, features: Any, target: Any, **given: Any) -> tuple[Training, Training]:
        objective = boosting.catboost(card)
        mine = by_catboost(features, target, loss_function=objective, eval_metric=objective.metric, **given)
        return mine, by_catboost(features, target, loss_function=twin)

    yield "CatBoost", *make_pair(card, "Logloss", features, target)
    few = features[: len(features) // 10]
    classes = np.digitize(few[:, 0] + few[:, 1] ** 2, [0.0, 1.0, 2.0])
    yield "CatBoost, classes", *make_pair(slopes.cross_entropy, "MultiClass", few, classes, class_names=[0, 1, 2, 3])


def main() -> None:
    """Print the ratio of each library that is installed."""
    parser = argparse.ArgumentParser(
        description="Time of training with an objective of slopes beside the built-in one."
    )
    parser.add_argument("--rows", type=int, default=100_000, help="rows of the data")
    parser.add_argument("--seconds", type=float, default=10.0, help="how long each library trains, or five rounds")
    options = parser.parse_args()
    for library, ours, theirs in make_trainings(*make_data(options.rows)):
        rounds = take_turns({"ours": ours, "theirs": theirs}, options.seconds)
        ratios = [mine / other for mine, other in zip(rounds["ours"], rounds["theirs"], strict=True)]
        print(f"{library:17} {statistics.median(ratios):.2f} times as long ({min(ratios):.2f} to {max(ratios):.2f})")


if __name__ == "__main__":
    main()
