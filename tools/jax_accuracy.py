"""Measure every card on arrays of JAX in float32, and write the table of docs/jax.md."""

import os
import pathlib

os.environ.setdefault("JAX_PLATFORMS", "cpu")

from slopes.catalogue import CARDS
from slopes.truth import measuring
from slopes.truth.errors import ULPS

PAGE = pathlib.Path(__file__).parents[1] / "docs" / "jax.md"
START, END = "<!-- measured by tools/jax_accuracy.py -->\n", "<!-- end -->"


def measure() -> list[measuring.Figure]:
    """Return the figures of all cards, and of JAX's own functions."""
    figures = []
    for card in dict.fromkeys(CARDS.values()):
        found = measuring.measure_on_jax(card, "float32", against=("jax",))
        failures = [item for item in found if isinstance(item, measuring.Failure)]
        if failures:
            raise SystemExit(f"{failures[0].card}: {failures[0].call}: {failures[0].message}")
        figures += found
        print(card.name, *(f"{figure.library} {figure.result} {figure.worst:.3g}" for figure in found), flush=True)
    return figures


def largest(figures: list[measuring.Figure]) -> str:
    """Return the largest error and its function."""
    worst = max(figures, key=lambda figure: figure.worst)
    return f"{worst.worst:.2g} (`{worst.card}`)"


def write_table(figures: list[measuring.Figure]) -> str:
    """Return the table by families, and the functions above the limit."""
    rows = ["| | functions | largest error of a value | of a slope |", "|---|---|---|---|"]
    ours = [figure for figure in figures if figure.library == "slopes"]
    above = sorted({figure.card for figure in ours if figure.worst > ULPS})
    for family, title in (
        ("activation", "activations"),
        ("gate", "gates"),
        ("map", "maps of a row"),
        ("loss", "losses"),
    ):
        names = {card.name for card in CARDS.values() if card.family == family} - set(above)
        chosen = [[f for f in ours if f.card in names and f.result == result] for result in ("value", "slope")]
        rows.append(f"| {title} | {len(names)} | {' | '.join(map(largest, chosen))} |")
    for name in above:
        value, slope = (next(f for f in ours if (f.card, f.result) == (name, r)) for r in ("value", "slope"))
        rows.append(f"| `{name}` | 1 | {value.worst:.2g} | {slope.worst:.2g} |")
    theirs = [figure for figure in figures if figure.library == "jax"]
    cards, beyond = {f.card for f in theirs}, {f.card for f in theirs if f.worst > ULPS}
    rows += [
        "",
        f"JAX has {len(cards)} of these functions itself; its own are within {ULPS:g} for {len(cards - beyond)}.",
    ]
    return "\n".join(rows)


def main() -> None:
    """Measure, and write the page."""
    head, rest = PAGE.read_text().split(START)
    PAGE.write_text(head + START + "\n" + write_table(measure()) + "\n\n" + END + rest.partition(END)[2])


if __name__ == "__main__":
    main()
