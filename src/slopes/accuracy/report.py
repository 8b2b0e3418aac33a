"""Reports of measured errors: a table for a terminal, data, and docs/accuracy.md."""

from __future__ import annotations

import itertools
import platform
import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from slopes import __version__
from slopes.accuracy import exhaustive
from slopes.accuracy.causes import cause_lines
from slopes.accuracy.exhaustive import Count
from slopes.truth import libraries
from slopes.truth.errors import ULPS
from slopes.truth.grid import FORMATS, RESULTS
from slopes.truth.measuring import MUCH, OF_PEERS, OURS, Failure, Figure

OFF = "Where slopes is off by more than 4"
NAMES = {"value": "value", "slope": "slope", "second": "second derivative"}

SHORT = """\
Values and slopes, in float64 and float32, over the whole grid described below: how many of the functions stay within 4
units in the last place (ulp) of the exact result, how many are off by more than 1000 somewhere, and how many of these
give an infinity or NaN where the exact result is a number. A library counts with the functions that it has.
"""

ABOUT = """\
Every number is the worst error found, in units in the last place (ulp) of the exact result in its dtype: 0.5 is the
most that rounding once can do, 1 is the neighbouring number, and 1e7 (float32) or 5e15 (float64) is no digit right;
**inf** is an infinity or NaN where the exact result is a number. The exact results have 25 digits, from arithmetic of
as many as it takes. Values are held against the textbook definition, slopes of element-wise functions against its
derivative by the rules of calculus, and slopes of rows against the card's own derivative in exact arithmetic, which
`slopes audit` compares with differences of values. Second derivatives are PyTorch's double backward against
differences of the exact slope. Slopes makes no promise about them, and losses of a whole batch have none here. Keras
runs upon PyTorch, and takes means in float32 whatever the dtype: an error of 3e8 in float64 comes from there.

Two kinds of results cannot be held to an ulp, because terms cancel or exponents magnify whatever the code does. As in
`slopes audit`, the errors of rows and of losses of logits are divided by 1 + their condition: how many ulp the exact
result moves when the arguments move by one. And an error above 4 ulp is counted in eps of the terms that cancel, where
they do: near a root other than 0, near a hinge, beyond which the result is 0, and where numbers nearby have half or
twice the result, as a sine has far out.

The grid is fixed: for a curve about 2000 numbers of both signs, two of each exponent of float32 and of every eighth of
float64, from the smallest subnormal to the largest number, and densely from 1e-5 to 1e3 (half types and second
derivatives: about 350); for an element-wise loss about 700 pairs over the whole range, some near overflow (half types
and second derivatives: about 400); otherwise tens of rows (second derivatives: ten), of sizes from 1e-4 to 1e2. Away
from the defaults, where one parameter is moved at a time and then all numbers at once (`&`), it is thinner, and a
parameter such as 0.1 stands for the nearest number of the dtype, as in PyTorch. Points where the exact result jumps are
left out. A mark ° says that some subnormal numbers were taken for 0, which is not counted. Where Numba is installed,
arrays that repeat the grid until they are large are measured as well, because kernels compute them: these are the
readings "NumPy kernel" and "torch kernel". A peer is measured by the call that [conventions.md](conventions.md) gives
for our number, with whatever that call does around its function.
"""

OF_LOSSES = """\
The worst input of each function, library and result, in the dtype with more of them; the last column says how many of
the grid's results are off by more than 1000. Rows are shown with six digits, with the entry of the result that is off;
the second row of a map's slope is the cotangent that is pulled back. An exact 0 may be a number below all formats.
"""


OF_EVERY_NUMBER = """\

Made by `slopes accuracy --exhaustive NAME`, from [exhaustive.csv](exhaustive.csv): the worst error of all 2^32 float32
numbers in ulp, and how many of them are off by more than 0.5, 1 and 2, where a millionth more does not count. No number
is left out, and no error is divided by anything: beside a root of a slope, as at −0.75 of gelu's, where terms cancel,
an ulp of the result is a tiny part of an ulp of the terms. The exact results come from the card's kernel in float64.
How far its polynomials are from their functions is proved; its roundings are not, so Arb measures the largest error of
that kernel at random numbers, relative to the result or to the input times the slope, and 16 times as much is taken for
its doubt. Where the doubt leaves open whether an error is above, Arb decides. 16,777,214 of the numbers are NaN, and
a result that is a number there is wrong, as some of PyTorch's slopes are. "kernel" is a large array, "torch kernel" a
large tensor, "NumPy" and "torch" are small ones, and "PyTorch" is its own function. A mark † says that the code has
changed since.

All readings of an activation take 0.1 to 1.7 hours of one core, all activations 18: "torch" 9.2, "NumPy" 3.9, "torch
kernel" 1.7, "PyTorch" 1.5, "kernel" 1.1, and the exact results 0.9, by
`python benchmarks/counting.py` on a busy Intel Xeon. `--workers` shares them among cores, `--readings` leaves some out.
"""


@dataclass(frozen=True)
class Accuracy:
    """Figures of cards and of their peers, and failed measurements."""

    cards: list[str]
    against: tuple[str, ...]
    figures: list[Figure]
    failures: list[Failure]
    versions: dict[str, str]
    complete: bool  #: whether the cards are the whole catalogue

    @property
    def ok(self) -> bool:
        """Whether everything could be measured."""
        return not self.failures

    def table(self) -> list[dict[str, Any]]:
        return [asdict(figure) for figure in self.figures]

    def notable(self) -> list[Figure]:
        """For each function and result of peers, the dtype with most errors above 1000 ulp, if any."""
        return self._worst_of(lambda figure: bool(figure.library != "slopes") and figure.worst > MUCH)

    def own(self) -> list[Figure]:
        """The same of slopes for errors above 4, second derivatives last."""
        found = self._worst_of(lambda figure: figure.library == "slopes" and figure.worst > ULPS)
        return sorted(found, key=lambda figure: figure.result == "second")

    def _worst_of(self, chosen: Any) -> list[Figure]:
        worst: dict[tuple[str, str, str, str], Figure] = {}
        for figure in filter(chosen, self.figures):
            key = figure.card, figure.settings, figure.library, figure.result
            if key not in worst or (figure.beyond, figure.worst) > (worst[key].beyond, worst[key].worst):
                worst[key] = figure
        return list(worst.values())

    # ---------------------------------------------------------------------------------- a terminal

    def __rich__(self) -> Any:
        from rich.console import Group
        from rich.text import Text

        head = Text("worst errors in units in the last place; see docs/accuracy.md for how they are counted\n")
        lines = [Text(sentence(figure)) for figure in (*self.own(), *self.notable())]
        lines += [Text(f"{failure.card}: {failure.call} raised {failure.message}") for failure in self.failures]
        return Group(head, self._table(), *([Text("")] if lines else []), *lines)

    def _table(self) -> Any:
        from rich.table import Table
        from rich.text import Text

        found = {(f.card, f.result, f.library, f.reading, f.dtype): f for f in self.figures if not f.settings}
        columns = list(dict.fromkeys((f.library, f.reading, f.dtype) for f in self.figures))
        columns.sort(key=lambda column: [*OURS, ""].index(column[1]))
        table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False)
        for heading in ("", ""):
            table.add_column(heading, no_wrap=True)
        for library, reading, dtype in columns:
            table.add_column(f"{reading or library + '’s'}\n{dtype}", justify="right", no_wrap=True)
        for card in self.cards:
            for result in RESULTS:
                row = [found.get((card, result, *column)) for column in columns]
                if any(row):
                    cells = [
                        Text(_cell([figure]), style="bold red" if figure and figure.worst > MUCH else "")
                        for figure in row
                    ]
                    table.add_row(card if result == "value" else "", NAMES[result], *cells)
        return table

    # -------------------------------------------------------------------------------------- a page

    def page(self) -> str:
        return "\n".join(self._page()) + "\n"

    def _page(self) -> Iterator[str]:
        yield "# Accuracy\n"
        yield f"Made by `{self._command()}`; do not edit.\n"
        yield SHORT
        yield from self._in_short()
        yield f"\nVersions: {', '.join(f'{name} {number}' for name, number in self.versions.items())}.\n"
        yield "## How it is measured\n"
        yield ABOUT
        yield "## Function by function\n"
        yield "The worst error in float64 / float32; of slopes, by any of its readings.\n"
        yield from self._summary()
        yield from self._away()
        if self.notable():
            yield "\n## Where peers lose more than 1000 ulp\n"
            yield OF_LOSSES
            yield from _listed(self.notable())
        if self.own():
            yield f"\n## {OFF}\n"
            yield from _listed(self.own())
            yield from cause_lines((figure.card, NAMES[figure.result]) for figure in self.own())
        yield "\n## By reading and dtype\n"
        yield "The worst error, and the median in brackets.\n"
        yield from self._by_reading()
        if self.failures:
            yield "\n## What could not be measured\n"
            yield from table_lines(
                ["function", "call", "error"],
                [[f"`{f.card}`", f.call, f.message.replace("|", "\\|")] for f in self.failures],
            )

    def _command(self) -> str:
        names = [] if self.complete else [name if name.isidentifier() else f"'{name}'" for name in self.cards]
        against = ["--against", ",".join(self.against)] if self.against else []
        return " ".join(["slopes accuracy", *names, *against, "--out docs/accuracy.md"])

    def _in_short(self) -> Iterator[str]:
        rows = []
        for library in ("slopes", *self.against):
            of_card: dict[str, list[Figure]] = {}
            for figure in self.figures:
                if figure.library == library and figure.result != "second" and figure.dtype in OF_PEERS:
                    of_card.setdefault(figure.card, []).append(figure)
            worst = [max(figure.worst for figure in figures) for figures in of_card.values()]
            lost = [any(figure.lost for figure in figures) for figures in of_card.values()]
            counts = len(worst), sum(w <= ULPS for w in worst), sum(w > MUCH for w in worst), sum(lost)
            rows.append([library, *map(str, counts)])
        yield from table_lines(["", "functions", "within 4", "off by more than 1000", "infinity or NaN"], rows)

    def _summary(self) -> Iterator[str]:
        sources = [("slopes", result) for result in RESULTS]
        for library in self.against:
            sources += [(library, result) for result in RESULTS if self._of(None, library, result)]
        headings = [NAMES[result] if library == "slopes" else f"{library} {result}" for library, result in sources]
        rows = [
            [f"`{card}`", *(_pair(self._of(card, library, result)) for library, result in sources)]
            for card in self.cards
        ]
        yield from table_lines(["", *headings], rows)

    def _of(self, card: str | None, library: str, result: str) -> list[Figure]:
        of = [f for f in self.figures if (f.library, f.result, f.settings) == (library, result, "")]
        return [f for f in of if card in (None, f.card)]

    def _away(self) -> Iterator[str]:
        rows = []
        for card in self.cards:
            figures = [figure for figure in self.figures if figure.card == card and figure.settings]
            if figures:
                tried = ", ".join(dict.fromkeys(figure.settings for figure in figures))
                results = ([f for f in figures if f.result == result] for result in RESULTS[:2])
                rows.append([f"`{card}`", tried, *map(_pair, results)])
        if rows:
            yield "\n## Away from the defaults\n"
            yield "The worst error of element-wise functions in float64 / float32, over all that was tried.\n"
            yield from table_lines(["", "parameters", "value", "slope"], rows)

    def _by_reading(self) -> Iterator[str]:
        ours = [f for f in self.figures if f.library == "slopes" and not f.settings]
        found = {(f.card, f.result, f.reading, f.dtype): f for f in ours}
        measured = {key[2:] for key in found}
        columns = [column for column in itertools.product(OURS, FORMATS) if column in measured]
        rows = []
        for card in self.cards:
            for result in RESULTS:
                figures = [found.get((card, result, *column)) for column in columns]
                if any(figures):
                    cells = ["" if f is None else f"{_cell([f])} ({short(f.median)})" for f in figures]
                    rows.append([f"`{card}`", NAMES[result], *cells])
        yield from table_lines(["", "", *(f"{reading} {dtype}" for reading, dtype in columns)], rows)


def versions(against: Sequence[str]) -> dict[str, str]:
    """Versions and machine that the figures depend on."""
    known = {"slopes": __version__, "Python": platform.python_version()}
    packages = [
        "numpy", "scipy", "numba", "torch", "python-flint", *(libraries.PACKAGES.get(name, name) for name in against),
    ]  # fmt: skip
    for package in dict.fromkeys(packages):
        try:
            known[package] = version(package)
        except PackageNotFoundError:
            continue
    return {**known, "on": platform.machine()}


def short(error: float) -> str:
    if error < 9.95:
        return f"{error:.1f}"
    return f"{error:.0f}" if error < 999.5 else f"{error:.0e}".replace("e+0", "e").replace("e+", "e")


def sentence(figure: Figure) -> str:
    who = figure.library if not figure.reading else f"slopes ({figure.reading})"
    return (
        f"{_name(figure)}: {NAMES[figure.result]} by {who} in {figure.dtype} is {figure.came} at {_input(figure)}, "
        f"exact is {figure.exact} ({_off(figure)})"
    )


def _name(figure: Figure) -> str:
    return f"{figure.card}({figure.settings})" if figure.settings else figure.card


def _off(figure: Figure) -> str:
    return "a number is lost" if figure.lost else f"{short(figure.worst)} ulp"


def _input(figure: Figure) -> str:
    arguments = ", ".join(
        re.sub(r"[^\[\], ]+", lambda entry: f"{float(entry[0]):.6g}", text) if text.startswith("[") else text
        for text in figure.at
    )
    return f"{arguments} (entry {', '.join(map(str, figure.entry))})" if figure.entry else arguments


def _cell(figures: Sequence[Figure | None]) -> str:
    """Format the worst figure, with a mark where subnormal numbers were taken for 0."""
    there = [figure for figure in figures if figure is not None]
    if not there:
        return ""
    return short(max(figure.worst for figure in there)) + "°" * any(figure.flushed for figure in there)


def _pair(figures: list[Figure]) -> str:
    if not figures:
        return ""
    cells = []
    for dtype in OF_PEERS:
        of_dtype = [figure for figure in figures if figure.dtype == dtype]
        much = any(figure.worst > MUCH for figure in of_dtype)
        cells.append(f"**{_cell(of_dtype)}**" if much else _cell(of_dtype) or "–")
    return " / ".join(cells)


def _listed(figures: list[Figure]) -> Iterator[str]:
    """A row for each fault, with all libraries that have it."""
    alike: dict[Any, list[Figure]] = {}
    for f in figures:
        alike.setdefault((f.card, f.settings, f.result, f.dtype, f.at, f.entry, f.came, f.beyond, f.points), []).append(
            f
        )
    rows = [
        [
            f"`{_name(f)}`", ", ".join(f.reading or f.library for f in group), NAMES[f.result], f.dtype,
            f"`{_input(f)}`", f"`{f.came}`", f"`{f.exact}`", "inf" if f.lost else short(f.worst),
            f"{f.beyond} of {f.points}",
        ]
        for group in alike.values()
        for f in group[:1]
    ]  # fmt: skip
    yield from table_lines(["", "by", "result", "dtype", "at", "came", "exact", "ulp", "above 1000"], rows)


COUNT_HEADINGS = ("", "result", "by", "worst", "at", "above 0.5", "above 1", "above 2")


def _count_cells(count: Count) -> list[str]:
    above = (f"{number:,}" for number in (count.above_half, count.above_one, count.above_two))
    return [count.card, count.result, count.reading, short(count.worst), count.at, *above]


def counts_table(counts: Sequence[Count]) -> Any:
    """Counts as a table for a terminal."""
    from rich.table import Table

    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False)
    for place, heading in enumerate(COUNT_HEADINGS):
        table.add_column(heading, justify="right" if place > 2 else "left", no_wrap=True)
    for count in counts:
        table.add_row(*_count_cells(count))
    return table


def counts_lines(counts: Sequence[Count]) -> Iterator[str]:
    """Yield the lines of the section on every float32 number."""
    yield OF_EVERY_NUMBER
    whole = [count for count in counts if count.numbers == exhaustive.NUMBERS]
    names = [card.name for card in exhaustive.elementwise_activations()]
    counted = {count.card for count in whole}
    yield f"Counted: {len(counted.intersection(names))} of the {len(names)} element-wise activations.\n"
    rows = [(" †" * count.is_stale, *_count_cells(count)) for count in whole]
    yield from table_lines(list(COUNT_HEADINGS), [[f"`{name}`{mark}", *rest] for mark, name, *rest in rows])


def table_lines(headings: list[str], rows: list[list[str]]) -> Iterator[str]:
    yield f"| {' | '.join(headings)} |"
    yield f"|{'---|' * len(headings)}"
    for row in rows:
        yield f"| {' | '.join(row)} |"
