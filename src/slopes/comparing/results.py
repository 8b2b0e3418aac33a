"""Results of a study as data, from which tables, pictures and pages are made."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeVar

import numpy as np

from slopes.comparing.missing import PARTS, written
from slopes.comparing.pair import FailedRun, Pair, Run
from slopes.comparing.statistics import Series, verdicts

if TYPE_CHECKING:
    from torch import nn

    from slopes.comparing.job import Job
    from slopes.comparing.metrics import Metric
    from slopes.comparing.plan import Plan

Rate = Literal["own", "shared"]
Among = Literal["all", "activations", "losses"]
FIELD_KEPT = {"all": "", "activations": "loss", "losses": "activation"}  #: the baseline's, of pairs to compare
REPORTED = ("difference", "low", "high", "p", "p_equal", "verdict", "needed", "needed_for_margin", "words")


class Best(NamedTuple):
    """The pair that validation prefers, and its model."""

    activation: str
    loss: str
    rate: float
    seed: int
    model: nn.Module  #: fitted, in evaluation mode
    run: Run  #: recorded run
    job: Job

    def predict(self, inputs: Any, *, probabilities: bool = False) -> Any:
        """Predict for raw inputs, of the form in which the data came, and return an array.

        It holds labels, numbers in the units of the target, or masks; with `probabilities`, each class's probability or
        that of a yes. Inputs are scaled as those of the training part.
        """
        from slopes.comparing.predicting import predict

        return predict(self.model, self.job, self.loss, inputs, probabilities)


class Results:
    def __init__(
        self, plan: Plan, runs: Sequence[Run], failures: Sequence[FailedRun], folder: Path, seconds: float,
        costs: Sequence[float | None] = (),
    ) -> None:  # fmt: skip
        self.plan = plan
        self.runs = list(runs)
        self.failures = list(failures)
        self.folder = folder  #: of the record
        self.seconds = seconds  #: duration of this start
        #: seconds of each activation in a training step, by itself; None where not measured
        self.costs = list(costs) or [None] * len(plan.names["activation"])

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """Metrics of the task; the first chooses the rates and orders the table."""
        return self.plan.metrics

    @cached_property
    def pairs(self) -> list[Pair]:
        """Every pair, by loss and then activation, in the order of the arguments."""
        plan, names = self.plan, self.plan.names
        runs, failures = _by_pair(self.runs), _by_pair(self.failures)
        pairs = []
        for b, loss in enumerate(names["loss"]):
            feed = plan.feeds[b]
            note, fed = ("", "") if feed is None else (feed.note, feed.fed)
            for a, activation in enumerate(names["activation"]):
                key, unfit = (activation, loss), plan.unfit.get((a, b), "")
                of_pair = tuple(runs.get(key, ())), tuple(failures.get(key, ()))
                pairs.append(Pair(*key, note, fed, unfit, *of_pair, plan.rates, plan.seeds, plan.metrics))
        return pairs

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
        """Trained pairs by a metric's mean on test data, best first; pairs without a value come last."""
        found = self.metric(metric)
        sign = -1 if found.higher else 1
        pairs = [pair for pair in self.pairs if pair.trained and pair.at(self._rate(pair, rate))]
        means = {pair.names: pair.estimate(found.name, self._rate(pair, rate)).mean for pair in pairs}
        return sorted(pairs, key=lambda pair: (np.isnan(means[pair.names]), sign * means[pair.names]))

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
                reason = pair.reason or "no run at this rate"
                rows.append({"activation": pair.activation, "loss": pair.loss, "reason": reason})
        return rows

    def _row(self, pair: Pair, metric: Metric, rate: float) -> dict[str, Any]:
        runs, found = pair.at(rate), pair.estimate(metric.name, rate)
        return {
            **_fields(pair, "activation", "loss", "fed"),
            "rate": rate,
            "edge": pair.edge if rate == pair.rate else "",
            "metric": metric.name,
            **_fields(found, "mean", "low", "high"),
            **{each.name: pair.estimate(each.name, rate).mean for each in self.metrics},
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
        self, metric: str | None = None, *, rate: Rate = "own", baseline: tuple[str, str] | None = None,
        among: Among = "all", margin: float | None = None, alpha: float = 0.05,
    ) -> list[dict[str, Any]]:  # fmt: skip
        """One dict per trained pair, best first, with its mean `difference` to the baseline on test data.

        `low` and `high` bound its 95 % interval. `p` comes from a sign-flip permutation test, corrected for all pairs,
        and `p_equal` from a test of equivalence. `verdict` is ``"better"`` or ``"worse"`` for a difference above
        `margin`, by default the metric's region of practical equality; ``"equal"`` for one shown to be below it; else
        ``"undecided"``; `words` is its sentence. `needed` is the estimated number of seeds that would show this
        difference, `needed_for_margin` one of the margin. Verdicts hold for the split of the data, unless it was
        resampled.

        `among` the ``"activations"`` the baseline's loss is kept, among the ``"losses"`` its activation: fewer
        comparisons, corrected for by themselves, show more. `baseline` names another pair, as (activation, loss);
        choosing it after the fact makes the verdicts a search.
        """
        chosen = self.metric(metric)
        against = self.baseline if baseline is None else self.pair(*baseline)
        kept = FIELD_KEPT.get(among)
        if kept is None:
            raise ValueError(f"verdicts: among is one of {', '.join(map(repr, FIELD_KEPT))}, got {among!r}.")
        pairs = [
            pair
            for pair in self.ranked(chosen.name, rate)
            if pair is not against and (not kept or getattr(pair, kept) == getattr(against, kept))
        ]
        if not against.trained:
            return []
        series = [self._series(pair, chosen, rate) for pair in (against, *pairs)]
        found = verdicts(
            series[1:], series[0], higher=chosen.higher, higher_validation=self.metrics[0].higher,
            margin=chosen.margin if margin is None else margin, alpha=alpha, resampled=self.plan.resampled,
            percent=chosen.percent, looks=self.plan.looks,
        )  # fmt: skip
        return [
            {
                **_fields(pair, "activation", "loss"),
                "metric": chosen.name,
                "baseline": against.title,
                "rate": self._rate(pair, rate),
                **_fields(each, *REPORTED),
            }
            for pair, each in zip(pairs, found, strict=True)
        ]

    def _series(self, pair: Pair, metric: Metric, rate: Rate) -> Series:
        series = pair.series(metric.name)
        if rate == "own":
            return series
        row = [self.plan.rates.index(self.shared_rate)]
        return Series(series.validation[row], series.test[row])

    @property
    def winner(self) -> Pair:
        """Pair with the best mean validation metric; LookupError if nothing could be trained."""
        trained = [pair for pair in self.pairs if pair.trained]
        if not trained:
            raise LookupError("nothing could be trained; the rows of table() say why.")
        return max(trained, key=lambda pair: pair.validated(pair.rate))

    def best(self) -> Best:
        """Train the winner once more and return it with its model; LookupError if nothing could be trained.

        It is the `winner`, at the seed with the best validation metric; test data play no part. Its model
        trains alone, and has the recorded weights within rounding, unless training draws at random.
        """
        return self._best

    def predict(self, inputs: Any, *, probabilities: bool = False) -> Any:
        """Predict by the model of `best`, as `Best.predict` does."""
        return self._best.predict(inputs, probabilities=probabilities)

    @cached_property
    def _best(self) -> Best:
        from slopes.comparing.training import fit

        pair = self.winner
        if not hasattr(self.plan, "cell"):
            raise LookupError("a loaded study has no model and data; the call on its page trains the winner again.")
        sign = 1 if pair.metric.higher else -1
        run = max(pair.chosen, key=lambda run: (sign * run.validation[pair.metric.name], -run.seed))
        model, _ = fit(self.plan.job, self.plan.cell(run.activation, run.loss, run.rate, run.seed))
        return Best(pair.activation, pair.loss, run.rate, run.seed, model.eval(), run, self.plan.job)

    def rows(self) -> list[dict[str, Any]]:
        """One flat dict per run, failed ones included, as `export` writes them."""
        identity = "activation", "loss", "rate", "seed"
        rows: list[dict[str, Any]] = [
            {
                **_fields(run, *identity),
                **{f"{part}_{name}": value for part in PARTS for name, value in written(vars(run))[part].items()},
                "diverged": run.diverged,
                "seconds_per_epoch": run.seconds,
                **_fields(run, "engine", "stack"),
                "failed": "",
                "key": run.key,
            }
            for run in self.runs
        ]
        blank = dict.fromkeys(rows[0]) if rows else {}
        return rows + [blank | _fields(run, *identity) | {"failed": run.reason} for run in self.failures]


def _fields(thing: Any, *names: str) -> dict[str, Any]:
    return {name: getattr(thing, name) for name in names}


R = TypeVar("R", Run, FailedRun)


def _by_pair(runs: Sequence[R]) -> dict[tuple[str, str], list[R]]:
    grouped: dict[tuple[str, str], list[R]] = {}
    for run in runs:
        grouped.setdefault((run.activation, run.loss), []).append(run)
    return grouped


def _share(shares: list[Sequence[Sequence[float]]]) -> float:
    """Mean over runs and slots after the last epoch; 0 without slots."""
    last = [slots[-1] for slots in shares if slots and slots[-1]]
    return float(np.mean(last)) if last else 0.0
