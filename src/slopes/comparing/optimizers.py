"""Built-in optimizers: their titles, settings and learning rates."""

from __future__ import annotations

from typing import Any, NamedTuple


class OptimizerFacts(NamedTuple):
    title: str
    defaults: dict[str, Any]  #: of each setting that a user may give
    grid: tuple[float, float]  #: first ends of the default grid of rates


OPTIMIZERS = {
    "adam": OptimizerFacts("Adam", {"weight_decay": 0.0, "betas": (0.9, 0.999), "eps": 1e-8}, (0.001, 0.03)),
    "adamw": OptimizerFacts("AdamW", {"weight_decay": 0.01, "betas": (0.9, 0.999), "eps": 1e-8}, (0.001, 0.03)),
    "sgd": OptimizerFacts("SGD", {"momentum": 0.0, "weight_decay": 0.0, "nesterov": False}, (0.1, 3.0)),
}
