"""Table of the ranking and the untrained pairs, for `print(study)` and notebooks."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import TYPE_CHECKING

from rich import box
from rich.table import Table
from rich.text import Text

from slopes.comparing.pair import Pair
from slopes.comparing.report.answer import chance, missing_words, of_pairs, split_of, title
from slopes.comparing.report.scales import Numbers
from slopes.comparing.results import Results
from slopes.comparing.words import counted
from slopes.notebook import escape, table

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderableType, RenderResult

    from slopes.comparing.report.answer import Verdict

STYLES = {"better": "bold green", "worse": "red", "undecided": "yellow"}
#: narrower terminals omit the column
FROM = {"fed": 150, "95 % interval": 96, "p": 125, "diverged": 110, "failed": 125}


class _Listing(Table):
    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        narrow = copy.copy(self)
        narrow.columns = [c for c in self.columns if options.max_width >= FROM.get(str(c.header), 0)]
        yield from Table.__rich_console__(narrow, console, options)


def listing(study: Results, metric: str | None = None) -> Table:
    chosen = study.metric(metric)
    ranked = study.ranked(chosen.name)
    values = [pair.estimate(chosen.name).mean for pair in ranked]
    numbers = Numbers.of(chosen, values, study.plan.job.task.unit)
    verdicts = of_pairs(study.verdicts(chosen.name))
    listed = _Listing(
        title=_title(study, numbers), caption=_caption(study, numbers), box=box.SIMPLE_HEAD, padding=(0, 0, 0, 1)
    )
    listed.caption_justify, listed.pad_edge = "left", False
    noted = any(pair.note for pair in study.pairs)
    for heading in ("#", "activation", "loss", *["fed"] * noted, f"{chosen.label}{' %' if chosen.percent else ''}"):
        left = heading in ("activation", "loss", "fed")
        listed.add_column(heading, justify="left" if left else "right", overflow="fold")
    for heading in ("95 % interval", "difference", "p", "verdict", "rate", "diverged", "failed"):
        listed.add_column(heading, justify="left" if heading == "verdict" else "right", no_wrap=True)
    for place, pair in enumerate(ranked, 1):
        listed.add_row(str(place), *_names(pair, noted), *_cells(study, pair, numbers, verdicts.get(pair.names)))
    for pair in study.pairs:
        if not pair.trained:
            outcome = "does not fit" if pair.unfit else "never learned" if pair.runs else "failed"
            blank = [Text()] * 4  # for the columns from the mean to p
            listed.add_row("–", *_names(pair, noted), *blank, Text(outcome, style="yellow"))
    return listed


def _cells(study: Results, pair: Pair, numbers: Numbers, verdict: Verdict | None) -> Iterator[str | Text]:
    estimate = pair.estimate(numbers.metric.name)
    yield numbers.bare(estimate.mean)
    yield "" if estimate.low is None else numbers.interval(estimate.low, estimate.high)
    yield "" if verdict is None else numbers.signed(verdict["difference"])
    yield "" if verdict is None else chance(verdict["p"]).removeprefix("p = ").removeprefix("p ")
    yield _verdict(study, pair, verdict)
    yield f"{pair.rate:g}{'*' if pair.edge else ' '}"
    yield f"{pair.diverged} of {len(pair.chosen)}"
    yield str(len(pair.failures) or "")


def html(study: Results) -> str:
    listed = listing(study)
    columns = [[_cell(cell) for cell in column.cells] for column in listed.columns]
    head = [escape(column.header) for column in listed.columns]
    right = [place for place, column in enumerate(listed.columns) if column.justify == "right"]
    rows = table(zip(*columns, strict=True), head, right=right)
    return f"<p><b>{escape(listed.title)}</b></p>{rows}<p>{escape(listed.caption)}</p>"


def _cell(cell: RenderableType) -> str:
    bold = isinstance(cell, Text) and "bold" in str(cell.style)
    return f"<b>{escape(cell)}</b>" if bold else escape(cell)


def _names(pair: Pair, noted: bool) -> list[Text]:
    return [Text(pair.activation), Text(pair.loss), *[Text(pair.note)] * noted]


def _verdict(study: Results, pair: Pair, verdict: Verdict | None) -> Text:
    if pair is study.baseline:
        return Text("baseline", style="bold")
    word = "" if verdict is None else verdict["verdict"]
    return Text(word, style=STYLES.get(word, ""))


def _title(study: Results, numbers: Numbers) -> Text:
    plan = study.plan
    samples = len(plan.job.task.split(plan.seeds[0]).test)
    unit = f" in {numbers.unit.strip()}" if numbers.unit and not numbers.metric.percent else ""
    return Text(
        f"{plan.job.task.name}: {numbers.metric.label}{unit} on {samples} test samples, {plan.job.network.name}, "
        f"{counted(len(plan.seeds), 'seed')} x {counted(len(plan.rates), 'rate')} x {counted(plan.job.epochs, 'epoch')}"
    )


def _caption(study: Results, numbers: Numbers) -> Text:
    lines = []
    if study.ranking:
        lines.append(
            f"Means over seeds, {'higher' if numbers.metric.higher else 'lower'} is better. Verdicts against "
            f"{title(study.baseline)} hold for {split_of(study)}; differences up to {numbers.margin} count as none."
        )
        edge = "; * the edge of the grid" if any(pair.edge for pair in study.ranking) else ""
        shared = f"; best for all: {study.shared_rate:g}" if len(study.plan.rates) > 1 else ""
        lines.append(f"Rate: chosen on validation data{edge}{shared}. {_engine(study)}")
    diverged = sum(pair.diverged_anywhere for pair in study.pairs)
    if diverged:
        lines.append(f"{diverged} of {counted(len(study.runs), 'run')} diverged, at whatever rate.")
    if missing := missing_words(study, numbers.metric):
        lines.append(missing)
    reasons: dict[str, list[str]] = {}
    for pair in study.pairs:
        if not pair.trained:
            reasons.setdefault(pair.reason, []).append(title(pair))
    for reason, pairs in reasons.items():
        more = f" and {len(pairs) - 3} more" if len(pairs) > 3 else ""
        lines.append(f"Not trained, {', '.join(pairs[:3])}{more}: {reason}")
    return Text("\n".join(lines))


def _engine(study: Results) -> str:
    stacked = sum(run.engine == "stack" for run in study.runs)
    if not stacked:
        return "Trained one by one."
    largest = max(run.stack for run in study.runs)
    some = "Trained" if stacked == len(study.runs) else f"{stacked} of {len(study.runs)} runs trained"
    return f"{some} side by side, up to {largest}."
