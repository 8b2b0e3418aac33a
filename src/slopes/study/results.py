"""What a study gives: its runs, the table of its pairs, and its page."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from slopes.study.statistics import Estimate, estimate

if TYPE_CHECKING:
    from rich.table import Table

    from slopes.study.plan import Plan


@dataclass(frozen=True)
class Run:
    """One network's training: what it was and what came of it."""

    key: str  #: its name in the record
    activation: str
    loss: str
    rate: float
    seed: int
    accuracy: float  #: on the test data, like log_loss and brier
    log_loss: float  #: mean −log of the probability given to the right class
    brier: float  #: mean squared distance between the probabilities and the right answer
    validation: tuple[float, ...]  #: validation accuracy after each epoch
    training_loss: tuple[float | None, ...]  #: mean over each epoch; None from where it diverged
    gradient: tuple[tuple[float, ...] | None, ...]  #: per epoch, the mean norm for each layer's weights
    dead: tuple[tuple[float, ...], ...]  #: per epoch, each hidden layer's share of units with slope 0 throughout
    saturated: tuple[tuple[float, ...], ...]  #: the same, of other units with a mean absolute slope below 0.001
    diverged: int | None  #: the epoch in which it stopped being finite
    seconds_per_epoch: float  #: processor time, diagnostics left out
    stack: int  #: how many runs were trained side by side, sharing that time


@dataclass(frozen=True)
class Pair:
    """An activation with a loss: its runs, and the learning rate that validation chose."""

    activation: str
    loss: str
    note: str  #: added to the loss's name where it is fed what it was not made for
    fed: str
    runs: tuple[Run, ...]
    rates: tuple[float, ...]

    def at(self, rate: float) -> list[Run]:
        """The runs at a rate, by seed."""
        return [run for run in self.runs if run.rate == rate]

    @cached_property
    def rate(self) -> float:
        """The rate with the best mean validation accuracy after the last epoch; of equals the lowest."""
        return max(
            self.rates,
            key=lambda rate: (float(np.mean([run.validation[-1] for run in self.at(rate)])), -rate),
        )

    @property
    def edge(self) -> str:
        """Whether that rate is the "lowest" or "highest" of the grid, beyond which a better one may lie."""
        if len(self.rates) == 1:
            return ""
        return {self.rates[0]: "lowest", self.rates[-1]: "highest"}.get(self.rate, "")

    @property
    def chosen(self) -> list[Run]:
        """The runs at the chosen rate, by seed."""
        return self.at(self.rate)

    @cached_property
    def accuracy(self) -> Estimate:
        """Test accuracy at the chosen rate."""
        return estimate([run.accuracy for run in self.chosen])

    @property
    def diverged(self) -> int:
        """How many runs diverged at the chosen rate."""
        return sum(run.diverged is not None for run in self.chosen)

    @property
    def diverged_anywhere(self) -> int:
        """How many runs diverged at all rates together."""
        return sum(run.diverged is not None for run in self.runs)

    def behind(self, leader: Pair) -> Estimate:
        """How much lower its test accuracy is than the leader's, seed by seed."""
        return estimate(
            [theirs.accuracy - ours.accuracy for ours, theirs in zip(self.chosen, leader.chosen, strict=True)]
        )

    def mean(self, field: str) -> float:
        """The mean of a run's number at the chosen rate."""
        return float(np.mean([getattr(run, field) for run in self.chosen]))


class Study:
    """The outcome of `slopes.compare`: print it, take its `table()` or `runs`, or write its `report`."""

    def __init__(self, plan: Plan, runs: Sequence[Run], folder: Path, seconds: float) -> None:
        self.plan = plan
        self.runs = list(runs)
        self.folder = folder
        self.seconds = seconds  #: how long this start took

    @cached_property
    def pairs(self) -> list[Pair]:
        """Every pair, by loss and then activation, as they were asked for."""
        plan, names = self.plan, self.plan.names
        return [
            Pair(
                activation=names["activation"][pair.activation],
                loss=names["loss"][pair.loss],
                note=plan.feeds[pair.loss].note,
                fed=plan.feeds[pair.loss].fed,
                runs=tuple(self.runs[i] for i, cell in enumerate(plan.cells) if cell[0] == pair),
                rates=plan.rates,
            )
            for pair in plan.pairs
        ]

    @property
    def ranking(self) -> list[Pair]:
        """Every pair, the best mean test accuracy first."""
        return sorted(self.pairs, key=lambda pair: -pair.accuracy.mean)

    def table(self) -> list[dict[str, Any]]:
        """Return one dict per pair, the best mean test accuracy first.

        All numbers are means over seeds at the learning rate that validation chose. `low` and `high` bound
        Student's 95 % interval over seeds (None with one seed); `behind` is the mean gap to the first row, taken
        seed by seed.
        """
        ranking = self.ranking
        rows = []
        for pair in ranking:
            behind = pair.behind(ranking[0])
            rows.append(
                {
                    "activation": pair.activation,
                    "loss": pair.loss,
                    "fed": pair.fed,
                    "rate": pair.rate,
                    "edge": pair.edge,
                    "accuracy": pair.accuracy.mean,
                    "low": pair.accuracy.low,
                    "high": pair.accuracy.high,
                    "behind": behind.mean,
                    "behind_low": behind.low,
                    "behind_high": behind.high,
                    "log_loss": pair.mean("log_loss"),
                    "brier": pair.mean("brier"),
                    "seeds": len(pair.chosen),
                    "diverged": pair.diverged,
                    "diverged_at_all_rates": pair.diverged_anywhere,
                    "dead": float(np.mean([run.dead[-1] for run in pair.chosen])),
                    "saturated": float(np.mean([run.saturated[-1] for run in pair.chosen])),
                    "seconds_per_epoch": float(np.median([run.seconds_per_epoch for run in pair.chosen])),
                }
            )
        return rows

    def report(self, path: str | Path | None = None) -> Path:
        """Write the page, by default ``report.html`` in the study's folder, and return where it is.

        Raises StudyError where it cannot be written.
        """
        from slopes.study.report import write

        return write(self, Path(path) if path is not None else self.folder / "report.html")

    def __rich__(self) -> Table:
        from rich import box
        from rich.markup import escape
        from rich.table import Table

        sizes = self.plan.task.sizes
        table = Table(
            title=f"Accuracy on {sizes['test']} held-out digits, over {len(self.plan.seeds)} seeds",
            caption="Intervals: 95 %, over seeds. Learning rate: chosen on validation data; * edge of the grid.",
            box=box.SIMPLE_HEAD,
        )
        table.add_column("activation")
        table.add_column("loss")
        for heading in ("accuracy %", "95 % interval", "learning rate", "diverged", "ms/epoch"):
            table.add_column(heading, justify="right")
        for row in self.table():
            interval = "" if row["low"] is None else f"{100 * row['low']:.1f} to {100 * row['high']:.1f}"
            note = next(pair.note for pair in self.pairs if pair.loss == row["loss"])
            table.add_row(
                escape(row["activation"]),
                escape(f"{row['loss']} {note}".strip()),
                f"{100 * row['accuracy']:.1f}",
                interval,
                f"{row['rate']:g}{'*' if row['edge'] else ' '}",
                f"{row['diverged']} of {row['seeds']}",
                f"{1e3 * row['seconds_per_epoch']:.1f}",
            )
        return table

    def __str__(self) -> str:
        from rich.console import Console

        stream = io.StringIO()
        Console(file=stream, width=200).print(self)
        return "\n".join(line.rstrip() for line in stream.getvalue().rstrip().splitlines())

    def __repr__(self) -> str:
        return f"<Study: {len(self.pairs)} pairs, {len(self.runs)} runs, in {self.folder}>"
