"""Results of a study as data, from which tables, pictures and pages are made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

from slopes.comparing.statistics import Estimate, Series, choose, estimate, verdicts

if TYPE_CHECKING:
    from torch import nn

    from slopes.comparing.metrics import Metric
    from slopes.comparing.plan import Plan

Rate = Literal["own", "shared"]


@dataclass(frozen=True)
class Run:
    """Settings and results of one network's training."""

    key: str  #: in the record
    activation: str
    loss: str
    rate: float
    seed: int
    test: Mapping[str, float]  #: metrics on test data, after the last epoch
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


@dataclass(frozen=True)
class Failure:
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
    failures: tuple[Failure, ...]
    rates: tuple[float, ...]
    seeds: tuple[int, ...]
    metric: Metric  #: chooses the learning rate

    @property
    def names(self) -> tuple[str, str]:
        return self.activation, self.loss

    @property
    def title(self) -> str:
        return f"{self.activation} x {self.loss}"

    @property
    def trained(self) -> bool:
        return bool(self.runs)

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
        return estimate([run.test[metric or self.metric.name] for run in self.at(self.rate if rate is None else rate)])

    @property
    def diverged(self) -> int:
        """Number of diverged runs at the chosen rate."""
        return sum(run.diverged is not None for run in self.chosen)

    @property
    def diverged_anywhere(self) -> int:
        return sum(run.diverged is not None for run in self.runs)


class Best(NamedTuple):
    """The pair that validation prefers, and its model."""

    activation: str
    loss: str
    rate: float
    seed: int
    model: nn.Module  #: fitted, in evaluation mode
    run: Run  #: recorded run


class Results:
    def __init__(
        self, plan: Plan, runs: Sequence[Run], failures: Sequence[Failure], folder: Path, seconds: float
    ) -> None:
        self.plan = plan
        self.runs = list(runs)
        self.failures = list(failures)
        self.folder = folder  #: of the record
        self.seconds = seconds  #: duration of this start

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """Metrics of the task; the first chooses the rates and orders the table."""
        return self.plan.metrics

    @cached_property
    def pairs(self) -> list[Pair]:
        """Every pair, by loss and then activation, in the order of the arguments."""
        plan, names = self.plan, self.plan.names
        runs: dict[tuple[str, str], list[Run]] = {}
        failures: dict[tuple[str, str], list[Failure]] = {}
        for run in self.runs:
            runs.setdefault((run.activation, run.loss), []).append(run)
        for failure in self.failures:
            failures.setdefault((failure.activation, failure.loss), []).append(failure)
        found = []
        for b, loss in enumerate(names["loss"]):
            for a, activation in enumerate(names["activation"]):
                feed, key = plan.feeds[b], (activation, loss)
                found.append(
                    Pair(
                        activation=activation,
                        loss=loss,
                        note="" if feed is None else feed.note,
                        fed="" if feed is None else feed.fed,
                        unfit=plan.unfit.get((a, b), ""),
                        runs=tuple(runs.get(key, ())),
                        failures=tuple(failures.get(key, ())),
                        rates=plan.rates,
                        seeds=plan.seeds,
                        metric=plan.metrics[0],
                    )
                )
        return found

    def pair(self, activation: str, loss: str) -> Pair:
        """Pair of these names; LookupError if there is none."""
        for pair in self.pairs:
            if pair.names == (activation, loss):
                return pair
        raise LookupError(f"the study has no {activation} x {loss}; {self._known()}")

    def _known(self) -> str:
        names = self.plan.names
        return f"its activations are {', '.join(names['activation'])}, its losses {', '.join(names['loss'])}."

    @cached_property
    def ranking(self) -> list[Pair]:
        """Trained pairs by the first metric on test data, best first."""
        return self.ranked()

    def ranked(self, metric: str | None = None, rate: Rate = "own") -> list[Pair]:
        """Trained pairs by a metric's mean on test data, best first."""
        found = self.metric(metric)
        sign = -1 if found.higher else 1
        pairs = [pair for pair in self.pairs if pair.at(self._rate(pair, rate))]
        return sorted(pairs, key=lambda pair: sign * pair.estimate(found.name, self._rate(pair, rate)).mean)

    def metric(self, name: str | None = None) -> Metric:
        """Metric by its name, the first one by default; LookupError if there is none."""
        for metric in self.metrics:
            if name in (None, metric.name):
                return metric
        raise LookupError(f"no metric {name!r}; the study has {', '.join(metric.name for metric in self.metrics)}.")

    @property
    def baseline(self) -> Pair:
        """Pair that the others are compared with."""
        a, b = self.plan.baseline
        return self.pair(self.plan.names["activation"][a], self.plan.names["loss"][b])

    @cached_property
    def shared_rate(self) -> float:
        """Rate with the best mean validation metric over all trained pairs."""
        trained = [pair for pair in self.pairs if pair.trained]
        return max(
            self.plan.rates, key=lambda rate: (sum(pair.validated(rate) for pair in trained), -rate), default=np.nan
        )

    def _rate(self, pair: Pair, rate: Rate) -> float:
        if rate not in ("own", "shared"):
            raise ValueError(f"rate must be 'own' (each pair's best) or 'shared' (one for all), got {rate!r}.")
        return self.shared_rate if rate == "shared" else pair.rate

    def table(self, metric: str | None = None, rate: Rate = "own") -> list[dict[str, Any]]:
        """One dict per pair, best mean on test data first; untrained pairs come last, with a `reason`.

        The rate is each pair's own or, with ``rate="shared"``, `shared_rate`. `low` and `high` bound Student's 95 %
        interval over seeds, None with one seed.
        """
        chosen = self.metric(metric)
        rows = [self._row(pair, chosen, self._rate(pair, rate)) for pair in self.ranked(chosen.name, rate)]
        there = {(row["activation"], row["loss"]) for row in rows}
        for pair in self.pairs:
            if pair.names not in there:
                reason = pair.unfit or (pair.failures[0].reason if pair.failures else "no run at this rate")
                rows.append({"activation": pair.activation, "loss": pair.loss, "reason": reason})
        return rows

    def _row(self, pair: Pair, metric: Metric, rate: float) -> dict[str, Any]:
        runs, found = pair.at(rate), pair.estimate(metric.name, rate)
        return {
            "activation": pair.activation,
            "loss": pair.loss,
            "fed": pair.fed,
            "rate": rate,
            "edge": pair.edge if rate == pair.rate else "",
            "metric": metric.name,
            "mean": found.mean,
            "low": found.low,
            "high": found.high,
            **{each.name: float(np.mean([run.test[each.name] for run in runs])) for each in self.metrics},
            "seeds": len(runs),
            "diverged": sum(run.diverged is not None for run in runs),
            "diverged_at_all_rates": pair.diverged_anywhere,
            "failed": len(pair.failures),
            "dead": _share([run.dead for run in runs]),
            "saturated": _share([run.saturated for run in runs]),
            "seconds_per_epoch": float(np.median([run.seconds for run in runs])),
            "engine": " and ".join(sorted({run.engine for run in runs})),
            "reason": "",
        }

    def verdicts(
        self,
        metric: str | None = None,
        *,
        rate: Rate = "own",
        baseline: tuple[str, str] | None = None,
        margin: float | None = None,
        alpha: float = 0.05,
    ) -> list[dict[str, Any]]:
        """One dict per trained pair, best first, with its mean `difference` to the baseline on test data.

        `low` and `high` bound its 95 % interval. `p` comes from a sign-flip permutation test with Holm's correction
        over all pairs. `verdict` is ``"better"``, ``"worse"``, ``"tie"`` or ``"too few seeds"`` (then `needed` is a
        sufficient number), and `words` is its sentence. Differences up to `margin`, by default the metric's region of
        practical equality, count as none. Verdicts hold for the split of the data, unless it was resampled.

        `baseline` names another pair, as (activation, loss); choosing it after the fact makes the verdicts a search.
        """
        chosen = self.metric(metric)
        against = self.baseline if baseline is None else self.pair(*baseline)
        pairs = [pair for pair in self.ranked(chosen.name, rate) if pair is not against]
        if not against.trained:
            return []
        series = [self._series(pair, chosen, rate) for pair in (against, *pairs)]
        found = verdicts(
            series[1:],
            series[0],
            higher=chosen.higher,
            higher_validation=self.metrics[0].higher,
            margin=chosen.margin if margin is None else margin,
            alpha=alpha,
            resampled=self.plan.resampled,
            percent=chosen.percent,
        )
        return [
            {
                "activation": pair.activation,
                "loss": pair.loss,
                "metric": chosen.name,
                "baseline": against.title,
                "rate": self._rate(pair, rate),
                **{
                    name: getattr(each, name)
                    for name in ("difference", "low", "high", "p", "verdict", "needed", "words")
                },
            }
            for pair, each in zip(pairs, found, strict=True)
        ]

    def _series(self, pair: Pair, metric: Metric, rate: Rate) -> Series:
        series = pair.series(metric.name)
        if rate == "own":
            return series
        row = [self.plan.rates.index(self.shared_rate)]
        return Series(series.validation[row], series.test[row])

    def best(self) -> Best:
        """Train the winner once more and return it with its model; LookupError if nothing could be trained.

        The winner has the best mean validation metric, and its seed the best value; test data play no part. Its model
        trains alone, and has the recorded weights within rounding, unless training draws at random.
        """
        from slopes.comparing.training import fit

        trained = [pair for pair in self.pairs if pair.trained]
        if not trained:
            raise LookupError("nothing could be trained; the rows of table() say why.")
        pair = max(trained, key=lambda pair: pair.validated(pair.rate))
        sign = 1 if pair.metric.higher else -1
        run = max(pair.chosen, key=lambda run: (sign * run.validation[pair.metric.name], -run.seed))
        model, _ = fit(self.plan.job, self.plan.cell(run.activation, run.loss, run.rate, run.seed))
        return Best(pair.activation, pair.loss, run.rate, run.seed, model.eval(), run)

    def rows(self) -> list[dict[str, Any]]:
        """One flat dict per run, failed ones included, as `export` writes them."""
        found: list[dict[str, Any]] = []
        for run in self.runs:
            found.append(
                {
                    "activation": run.activation,
                    "loss": run.loss,
                    "rate": run.rate,
                    "seed": run.seed,
                    **{f"test_{name}": value for name, value in run.test.items()},
                    **{f"validation_{name}": value for name, value in run.validation.items()},
                    "diverged": run.diverged,
                    "seconds_per_epoch": run.seconds,
                    "engine": run.engine,
                    "stack": run.stack,
                    "failed": "",
                    "key": run.key,
                }
            )
        blank = dict.fromkeys(found[0]) if found else {}
        for failure in self.failures:
            facts = {name: getattr(failure, name) for name in ("activation", "loss", "rate", "seed")}
            found.append(blank | facts | {"failed": failure.reason})
        return found


def _share(shares: list[Sequence[Sequence[float]]]) -> float:
    """Mean over runs and slots after the last epoch; 0 without slots."""
    last = [slots[-1] for slots in shares if slots and slots[-1]]
    return float(np.mean(last)) if last else 0.0
