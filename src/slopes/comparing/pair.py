"""A pair of an activation and a loss, with the runs that trained it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from slopes.comparing.statistics import Estimate, Series, choose, estimate
from slopes.comparing.words import counted

if TYPE_CHECKING:
    from slopes.comparing.metrics import Metric


@dataclass(frozen=True)
class Run:
    """Settings and results of one network's training."""

    key: str  #: in the record
    activation: str
    loss: str
    rate: float
    seed: int
    test: Mapping[str, float]  #: metrics on test data, after the last epoch; NaN where one has no value
    validation: Mapping[str, float]  #: the same on validation data
    curve: Sequence[float]  #: first metric on validation data, by epoch
    training_loss: Sequence[float | None]  #: mean over each epoch; None from the divergence on
    layers: Sequence[str]  #: modules with weights
    gradient: Sequence[Sequence[float] | None]  #: by epoch, each layer's gradient norm, over two steps
    slots: Sequence[str]  #: places of the activation in the network
    dead: Sequence[Sequence[float]]  #: in the first and last epoch, each slot's fraction of dead units (`models.units`)
    saturated: Sequence[Sequence[float]]  #: the same of saturated units
    diverged: int | None  #: epoch in which it stopped being finite
    seconds: float  #: processor time per epoch without diagnostics; a stack's is divided among its runs
    engine: str  #: "stack" or "loop"
    stack: int  #: number of runs trained side by side
    why: str  #: reason against stacking
    missing: Mapping[str, str] = field(default_factory=dict)  #: reasons why metrics have no value


@dataclass(frozen=True)
class FailedRun:
    """A run that could not be trained."""

    activation: str
    loss: str
    rate: float
    seed: int
    reason: str


@dataclass(frozen=True, eq=False)
class Pair:
    """An activation with a loss, and its runs."""

    activation: str
    loss: str
    note: str  #: suffix of the loss's name where the fit is not native
    fed: str  #: description of the loss's arguments
    unfit: str  #: reason why the pair does not fit the task, or ""
    runs: tuple[Run, ...]
    failures: tuple[FailedRun, ...]
    rates: tuple[float, ...]
    seeds: tuple[int, ...]
    metrics: tuple[Metric, ...]  #: the first chooses the learning rate

    @property
    def metric(self) -> Metric:
        return self.metrics[0]

    @property
    def names(self) -> tuple[str, str]:
        return self.activation, self.loss

    @property
    def title(self) -> str:
        return f"{self.activation} x {self.loss}"

    @property
    def trained(self) -> bool:
        """Whether any run has learned: not if each stopped being finite in its first epoch."""
        return any(run.diverged != 1 for run in self.runs)

    @property
    def reason(self) -> str:
        """Reason why it is not trained, or ""."""
        if self.trained:
            return ""
        if self.runs:
            return f"never learned: {counted(len(self.runs), 'run')}, and none was finite after its first epoch"
        return self.unfit or (self.failures[0].reason if self.failures else "")

    def series(self, metric: str | None = None) -> Series:
        validation, test = (np.full((len(self.rates), len(self.seeds)), np.nan) for _ in range(2))
        rows, columns = ({value: i for i, value in enumerate(values)} for values in (self.rates, self.seeds))
        for run in self.runs:
            place = rows[run.rate], columns[run.seed]
            validation[place] = run.validation[self.metric.name]
            test[place] = run.test[metric or self.metric.name]
        return Series(validation, test)

    def at(self, rate: float) -> list[Run]:
        return [run for run in self.runs if run.rate == rate]

    def validated(self, rate: float) -> float:
        """Mean validation metric at a rate, signed so that higher is better; −inf without runs."""
        values = [run.validation[self.metric.name] for run in self.at(rate)]
        if not values:
            return -np.inf
        return float(np.mean(values)) * (1 if self.metric.higher else -1)

    @cached_property
    def rate(self) -> float:
        """Rate with the best mean validation metric; the lowest of equals."""
        there = [rate for rate in self.rates if self.at(rate)] or list(self.rates[:1])
        return there[choose(np.array([self.validated(rate) for rate in there]), higher=True)]

    @property
    def edge(self) -> str:
        """Edge of the grid that the rate is at, "lowest" or "highest", beyond which a better one may lie; else ""."""
        if len(self.rates) == 1:
            return ""
        return {self.rates[0]: "lowest", self.rates[-1]: "highest"}.get(self.rate, "")

    @property
    def chosen(self) -> list[Run]:
        return self.at(self.rate)

    def estimate(self, metric: str | None = None, rate: float | None = None) -> Estimate:
        """Mean on test data and its interval over seeds, at the chosen rate by default."""
        chosen = next(each for each in self.metrics if metric in (None, each.name))
        runs = self.at(self.rate if rate is None else rate)
        return estimate([run.test[chosen.name] for run in runs], chosen.bounds)

    def missing(self, metric: str) -> list[str]:
        """Reasons of the runs without a value of a metric."""
        return [run.missing[metric] for run in self.runs if metric in run.missing]

    @property
    def diverged(self) -> int:
        """Number of diverged runs at the chosen rate."""
        return sum(run.diverged is not None for run in self.chosen)

    @property
    def diverged_anywhere(self) -> int:
        return sum(run.diverged is not None for run in self.runs)
