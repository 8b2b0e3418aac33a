"""Curves and facts as text, for a terminal, a pipe, or an ASCII-only log.

The canvas has 2 x 4 braille dots per character, which plain text carries anywhere.
"""

from __future__ import annotations

import codecs
import sys
from collections.abc import Iterator, Sequence
from itertools import groupby
from operator import itemgetter
from typing import Any

import numpy as np

from slopes.card import Card
from slopes.plotting.facts import collect, number, rows_with_formula
from slopes.plotting.samples import Panel, panels

COLOURS = ("blue", "dark_orange3", "green4", "magenta", "cyan", "yellow4", "red", "bright_black")
HEIGHT = 12  #: of a panel, in characters
GUTTER = 7  #: left of a panel, for its numbers
DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))  #: a braille cell's bits, by row and column


def show(cards: Sequence[Card]) -> None:
    for part in _parts(cards, console().width):
        emit(part)


def text(cards: Sequence[Card], width: int = 100) -> str:
    """Printed lines of `show`, without colours."""
    printer = console(width, color_system=None)
    with printer.capture() as captured:
        for part in _parts(cards, width):
            printer.print(part)
    return "\n".join(line.rstrip() for line in captured.get().splitlines())


def _parts(cards: Sequence[Card], width: int) -> Iterator[Any]:
    from rich.text import Text

    known = [collect(card) for card in cards]
    for pair in panels(cards):
        beside = width >= 76 and max(len(label) for label, *_ in pair[0].lines) < width // 7
        each = min(60, (width - 2) // 2 if beside else width)
        left, right = (draw(panel, each) for panel in pair)
        lines = [[*a, ("  ", ""), *b] for a, b in zip(left, right, strict=True)] if beside else [*left, [], *right]
        for line in [*lines, []]:
            yield Text.assemble(*line, no_wrap=True)
    for fact in known:
        yield Text(fact["signature"], style="bold")
        yield Text(fact["summary"])
        yield _table(fact)


def console(width: int | None = None, **options: Any) -> Any:
    """Rich console on standard output that leaves text as it is."""
    from rich.console import Console

    # in a notebook rich would also display an element for each print
    return Console(width=width, highlight=False, markup=False, emoji=False, force_jupyter=False, **options)


def emit(renderable: Any, width: int | None = None) -> None:
    printer = console(width)
    with printer.capture() as captured:
        printer.print(renderable)
    write("\n".join([*(line.rstrip() for line in captured.get().splitlines()), ""]))


def write(text: str) -> None:
    """Write to standard output, with look-alikes for characters that it lacks."""
    encoding = sys.stdout.encoding or "utf-8"
    sys.stdout.write(text.encode(encoding, "slopes.lookalike").decode(encoding))
    sys.stdout.flush()


def _table(fact: dict[str, Any]) -> Any:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0), pad_edge=False)
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for label, words in [*rows_with_formula(fact), ("", "")]:
        table.add_row(label, Text(words))
    return table


# ------------------------------------------------------------------------------------------- canvas


def draw(panel: Panel, width: int) -> list[list[tuple[str, str]]]:
    """Lines of (text, style) pieces, each line `width` characters wide."""
    labels = [label for label, *_ in panel.lines]
    margin = min(max((len(label) + 1 for label in labels if label), default=0), width // 3)
    columns = width - GUTTER - margin
    low, high = panel.limits()
    left, right = float(panel.lines[0][1][0]), float(panel.lines[0][1][-1])
    characters, owner, ends = _canvas(panel, columns, low, high, left, right)
    scale = {_dot_of(tick, low, high) // 4: number(tick) for tick in _ticks(low, high)}
    zero = next((row for row, text in scale.items() if text == "0"), -1)
    names = _spread(ends, labels)
    lines: list[list[tuple[str, str]]] = [[(f"{'':{GUTTER}}{panel.title}".ljust(width)[:width], "bold")]]
    for r in range(HEIGHT):
        line = [(f"{scale.get(r, ''):>{GUTTER - 2}} {'┤' if r in scale else '│'}", "dim")]
        for c in range(columns):
            empty = "┄" if r == zero else " "
            line.append((characters[r, c], _colour(owner[r, c])) if owner[r, c] >= 0 else (empty, "dim"))
        named = names.get(r)
        line.append((" " * margin, "") if named is None else _name(labels[named], margin, named))
        # One piece per run of a style: a style per cell would be ten times the text.
        runs = groupby(line, key=itemgetter(1))
        lines.append([("".join(text for text, _ in run), style) for style, run in runs])
    first, last = number(round(left, 2)), number(round(right, 2))
    between = max(0, columns - len(first) - len(last))
    ticks = f"{first}{panel.axis:^{between}.{between}}{last}"
    lines.append([(f"{'':{GUTTER - 1}}└{'─' * columns}".ljust(width), "dim")])
    lines.append([(f"{'':{GUTTER}}{ticks}".ljust(width)[:width], "dim")])
    return lines


def _colour(index: int) -> str:
    return COLOURS[index % len(COLOURS)]


def _name(label: str, margin: int, index: int) -> tuple[str, str]:
    return f" {label}"[:margin].ljust(margin), _colour(index)


def _dot_of(y: float, low: float, high: float) -> int:
    """Row of dots, four of which make a character."""
    return int(np.clip(round((high - y) / (high - low) * (4 * HEIGHT - 1)), -1, 4 * HEIGHT))


def _canvas(
    panel: Panel, columns: int, low: float, high: float, left: float, right: float
) -> tuple[np.ndarray, np.ndarray, dict[int, tuple[int, float]]]:
    """(characters, the line that each belongs to or −1, where each line ends: row and −y)."""
    dots, owner = np.zeros((HEIGHT, columns), dtype=int), np.full((HEIGHT, columns), -1)
    marked, ends = np.zeros((HEIGHT, columns), dtype=bool), {}
    for index, (_, x, y, marks) in enumerate(panel.lines):
        for column, at in _trace(x, y, low, high, left, right, columns):
            cell = at // 4, column // 2
            dots[cell] |= DOTS[at % 4][column % 2]
            owner[cell] = index
            ends[index] = cell[0], -y[np.isfinite(y)][-1]
        for x_mark, y_mark in marks:
            column = round((x_mark - left) / (right - left) * (2 * columns - 1)) // 2
            at = _dot_of(y_mark, low, high)
            if 0 <= at < 4 * HEIGHT:
                marked[at // 4, column], owner[at // 4, column] = True, index
    return np.where(marked, "●", np.vectorize(chr, otypes=["U1"])(0x2800 + dots)), owner, ends


def _trace(
    x: np.ndarray, y: np.ndarray, low: float, high: float, left: float, right: float, columns: int
) -> list[tuple[int, int]]:
    """(column, row) dots of a line: one stroke between gaps, upright where it is steep."""
    found = []
    gaps = np.flatnonzero(~np.isfinite(y))
    for start, stop in zip([0, *(gaps + 1)], [*gaps, y.size], strict=True):
        if stop - start < 2:
            continue
        across = (x[start:stop] - left) / (right - left) * (2 * columns - 1)
        cells = np.arange(int(np.ceil(across[0])), int(np.floor(across[-1])) + 1)
        heights = (high - np.interp(cells, across, y[start:stop])) / (high - low) * (4 * HEIGHT - 1)
        at = np.clip(np.rint(heights), -1, 4 * HEIGHT).astype(int)
        for k, column in enumerate(cells):
            before = at[k - 1] if k else at[k]
            step = 1 if at[k] >= before else -1
            stroke = range(before + step, at[k] + step, step) if at[k] != before else [at[k]]
            found += [(int(column), int(row)) for row in stroke if 0 <= row < 4 * HEIGHT]
    return found


def _spread(ends: dict[int, tuple[int, float]], labels: list[str]) -> dict[int, int]:
    """Row of each label: where its line ends, or the nearest free row, below first."""
    taken: dict[int, int] = {}
    for index in sorted(ends, key=ends.__getitem__):
        free = [row for row in range(HEIGHT) if row not in taken]
        if labels[index] and free:
            taken[min(free, key=lambda row: (abs(row - ends[index][0]), -row))] = index
    return taken


def _ticks(low: float, high: float) -> list[float]:
    """Three or four round numbers, with 0 if it lies between the two."""
    rough = (high - low) / 4
    power = 10.0 ** np.floor(np.log10(rough))
    step = power * next(times for times in (1, 2, 2.5, 5, 10) if power * times >= rough)
    return [float(round(k * step, 12)) for k in range(int(np.ceil(low / step)), int(high // step) + 1)]


# --------------------------------------------------------------------------------------- look-alikes

LOOKALIKES = {
    "−": "-", "–": "-", "·": "*", "×": "x", "…": "...", "≥": ">=", "≤": "<=", "²": "^2", "³": "^3",
    "√": "sqrt ", "∞": "inf", "Σ": "sum", "ᵢ": "_i", "ⱼ": "_j", "ŷ": "yhat", "│": "|", "┤": "+", "└": "+",
    "─": "-", "┄": "-", "━": "-", "●": "o", "‘": "'", "’": "'", "“": '"', "”": '"', "α": "alpha", "β": "beta",
    "γ": "gamma", "δ": "delta", "ε": "epsilon", "λ": "lambda", "μ": "mu", "σ": "sigma", "τ": "tau", "ω": "omega",
    "Δ": "d", "á": "a", "é": "e", "✓": "ok", "✗": "x",
}  # fmt: skip


def _lookalike(error: UnicodeError) -> tuple[str, int]:
    """Codec error handler for the nearest ASCII."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(_plain(c) for c in error.object[error.start : error.end]), error.end


def _plain(character: str) -> str:
    bits = ord(character) - 0x2800
    if not 0 < bits < 256:
        return LOOKALIKES.get(character, " " if bits == 0 else "?")
    upper, lower = bits & 0x1B, bits & 0xE4  # by the half of the braille cell that is dotted
    return ":" if upper and lower else "'" if upper else "."


codecs.register_error("slopes.lookalike", _lookalike)
