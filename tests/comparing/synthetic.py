"""Studies without any training: a plan that says little, and runs whose numbers a seeded generator gives."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch

import slopes
from slopes.comparing import metrics
from slopes.comparing.pair import FailedRun, Run
from slopes.comparing.settings import Settings
from slopes.comparing.study import Study
from slopes.comparing.tasks import Parts

METRICS = {
    "classification": metrics.METRICS["classification"],
    "regression": tuple(m._replace(margin=1.0) if m.in_units else m for m in metrics.METRICS["regression"]),
}

SIX = (slopes.relu, slopes.leaky_relu, slopes.gelu, slopes.silu, slopes.tanh, slopes.sigmoid)
ACTIVATIONS = (slopes.relu, slopes.gelu, slopes.tanh)
LOSSES = (slopes.cross_entropy, slopes.mse)


def named(cards: Sequence[Any]) -> list[str]:
    return [getattr(card, "name", type(card).__name__) for card in cards]


def make_plan(
    activations: Sequence[Any] = ACTIVATIONS,
    losses: Sequence[Any] = LOSSES,
    *,
    kind: str = "classification",
    rates: Sequence[float] = (0.001, 0.01, 0.1),
    seeds: int = 10,
    epochs: int = 12,
    baseline: tuple[int, int] = (0, 0),
    unfit: Mapping[tuple[int, int], str] | None = None,
    resampled: Any = None,
    names: dict[str, list[str]] | None = None,
    notes: Sequence[str] = (),
) -> Any:
    """A plan with the attributes that a study, its table and its page read."""
    unfit = dict(unfit or {})
    sizes = {"classification": (1077, 360, 360), "regression": (309, 67, 66)}[kind]
    ends = np.cumsum((0, *sizes))
    parts = Parts(*(torch.arange(start, end) for start, end in pairwise(ends)))
    task = SimpleNamespace(
        name={"classification": "digits", "regression": "diabetes"}[kind],
        kind=kind,
        about="Numbers of a seeded generator, which stand for no data at all.",
        unit="points of disease progression" if kind == "regression" else "",
        labels=(),
        resampled=resampled is not None,
        split=lambda seed: parts,
    )
    settings = Settings(data=task.name, rates=rates, seeds=seeds, epochs=epochs)
    network = SimpleNamespace(name="mlp", notes=tuple(notes), replace=(torch.nn.ReLU,), digest="0123456789abcdef")
    job = SimpleNamespace(
        activations=tuple(activations),
        losses=tuple(losses),
        network=network,
        task=task,
        **settings.training,
    )
    names = names or {"activation": named(activations), "loss": named(losses)}
    feeds = [
        None
        if all((a, b) in unfit for a in range(len(activations)))
        else SimpleNamespace(
            note="on softmax probabilities" if name == "mse" and kind == "classification" else "",
            fed="softmax probabilities and one-hot rows" if name == "mse" else "logits and labels",
        )
        for b, name in enumerate(names["loss"])
    ]
    return SimpleNamespace(
        job=job,
        settings=settings,
        rates=settings.rates,
        steps=(0, 0),
        looks=(),
        seeds=settings.seeds,
        names=names,
        metrics=METRICS[kind],
        feeds=feeds,
        unfit=unfit,
        baseline=baseline,
        resampled=resampled,
        versions={"slopes": "0.1.0", "torch": "2.13.0", "numpy": "2.3.0"},
        machine={"python": "3.11.7", "system": "Linux x86_64", "processor": "a processor"},
        title=lambda pair: f"{pair.activation} x {pair.loss}",
    )


def make_study(
    folder: Path = Path("nowhere"),
    *,
    lead: Mapping[str, float] | None = None,
    noise: float = 1.0,
    diverging: Sequence[tuple[str, str, float]] = (),
    failing: Sequence[tuple[str, str]] = (),
    layers: int = 3,
    slots: int = 2,
    why: str = "",
    costs: Sequence[float] = (),
    plan: Any = None,
    **options: Any,
) -> Study:
    """A study: `lead` adds to an activation's quality, `diverging` cells diverge, `failing` pairs fail."""
    plan = plan or make_plan(**options)
    lead = dict(lead or {})
    runs, failures = [], []
    for b, loss in enumerate(plan.names["loss"]):
        for a, activation in enumerate(plan.names["activation"]):
            if (a, b) in plan.unfit:
                continue
            for r, rate in enumerate(plan.rates):
                for seed in plan.seeds:
                    if (activation, loss) in failing:
                        reason = "RuntimeError: the worker was killed by signal 9 in all of 3 attempts"
                        failures.append(FailedRun(activation, loss, rate, seed, reason))
                        continue
                    numbers = np.random.default_rng([seed, r, a, b])
                    shared = np.random.default_rng(seed).normal()
                    quality = 2 - 0.3 * b + lead.get(activation, 0.1 * a) - 0.5 * abs(r - len(plan.rates) // 2)
                    quality += 0.15 * noise * shared + 0.06 * noise * numbers.normal()
                    lost = 2 if (activation, loss, rate) in diverging else None
                    runs.append(_run(plan, activation, loss, rate, seed, quality, numbers, lost, layers, slots, why))
    return Study(plan, runs, failures, folder, 83.0, costs)


def _run(
    plan: Any, activation: str, loss: str, rate: float, seed: int, quality: float, numbers: Any, lost: int | None,
    layers: int, slots: int, why: str,
) -> Run:  # fmt: skip
    kind, epochs = plan.job.task.kind, plan.job.epochs
    if lost is not None:
        lost = min(lost, epochs)
        quality = -0.5
    learnt = [quality * (1 - math.exp(-(epoch + 1) / 3)) for epoch in range(epochs)]
    finite = [epoch < (lost or epochs + 1) - 1 for epoch in range(epochs)]
    return Run(
        key=f"{activation}-{loss}-{rate}-{seed}",
        activation=activation,
        loss=loss,
        rate=rate,
        seed=seed,
        test=_judged(kind, learnt[-1]),
        validation=_judged(kind, learnt[-1] - 0.05),
        curve=[_judged(kind, value - 0.05)[plan.metrics[0].name] for value in learnt],
        training_loss=[2.3 * math.exp(-value) if there else None for value, there in zip(learnt, finite, strict=True)],
        layers=[f"layers.{2 * i}" for i in range(layers)],
        gradient=[
            [float(0.5**layer * math.exp(0.2 * numbers.normal())) for layer in range(layers, 0, -1)] if there else None
            for there in finite
        ],
        slots=[f"layers.{2 * i + 1}" for i in range(slots)],
        dead=[[0.0] * slots, [float(numbers.uniform(0, 0.3)) for _ in range(slots)]],
        saturated=[[0.0] * slots, [float(numbers.uniform(0, 0.1)) for _ in range(slots)]],
        diverged=lost,
        seconds=float(0.004 * (1 + 0.2 * numbers.random())),
        engine="loop" if why else "stack",
        stack=1 if why else 60,
        why=why,
    )


def _judged(kind: str, quality: float) -> dict[str, float]:
    """Test metrics of a network; the greater the quality the better."""
    error = 10**-quality
    if kind == "regression":
        rmse = 50 + 40 * error
        return {"rmse": rmse, "mae": 0.8 * rmse, "r2": 1 - (rmse / 77) ** 2}
    wrong = min(error, 0.9)
    return {"accuracy": 1 - wrong, "log_loss": 3.3 * wrong, "brier": 1.5 * wrong, "calibration": 0.3 * wrong}
