"""Rows of tables in the documents, for the pages of the functions that they are about."""

from __future__ import annotations

import csv
import json
from functools import cache
from typing import Any

from website.documents import LESSONS, PAGES, ROOT
from website.tools import load

ACCURACY = ROOT / "docs" / "accuracy.md"
RECORD = ROOT / "tests" / "data" / "peers.json"
SPEED = ROOT / "benchmarks" / "results" / "speed.csv"
GUIDES = [PAGES / "guides" / name for name in ("activation.md", "loss.md")]  #: whose tables name functions
LIBRARIES = {"torch": "PyTorch", "jax": "JAX", "scipy": "SciPy", "keras": "Keras"}  #: those measured, as they are spelt


def read_tables(text: str) -> dict[str, list[dict[str, str]]]:
    """Return the rows of the first table below each heading "## …", by the heading."""
    found = {}
    for part in text.split("\n## ")[1:]:
        heading, _, rest = part.partition("\n")
        lines = [line for line in rest.splitlines() if line.startswith("| ") or line.startswith("|  |")]
        cells = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]
        cells = [row for row in cells if set("".join(row)) - set("-|")]
        if cells:
            found[heading] = [dict(zip(cells[0], row, strict=False)) for row in cells[1:]]
    return found


@cache
def _accuracy() -> dict[str, list[dict[str, str]]]:
    return read_tables(ACCURACY.read_text(encoding="utf-8"))


def accuracy_of(name: str) -> list[tuple[str, str, str]]:
    """Return (library, errors of values, errors of slopes) from docs/accuracy.md, each "float64 / float32"."""
    row = next((row for row in _accuracy()["Function by function"] if row[""] == f"`{name}`"), None)
    if row is None:
        return []
    ours = [("slopes", row["value"], row["slope"])]
    peers = [(words, row.get(f"{key} value", ""), row.get(f"{key} slope", "")) for key, words in LIBRARIES.items()]
    return ours + [peer for peer in peers if peer[1] or peer[2]]


def losses_of_digits(name: str) -> list[dict[str, str]]:
    """Return the rows of docs/accuracy.md about inputs at which other libraries lose more than 1000 ulp."""
    return [row for row in _accuracy()["Where peers lose more than 1000 ulp"] if row[""] == f"`{name}`"]


@cache
def _times() -> dict[str, str]:
    with SPEED.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    wanted = {"size": "10^7", "threads": "1", "contender": "slopes"}
    found = [row for row in rows if row["section"] in ("numpy", "losses") and wanted.items() <= row.items()]
    return {row["work"]: row["microseconds"] for row in found}


def time_of(name: str) -> str:
    """Return the microseconds of 10^7 numbers on one thread, of a loss with the gradient; "" if not measured."""
    return _times().get(name, "")


@cache
def record() -> dict[str, Any]:
    """Return the recorded results of other libraries."""
    recorded: dict[str, Any] = json.loads(RECORD.read_text(encoding="utf-8"))
    return recorded


def peers_of(card: Any) -> str:
    """Return the section of docs/conventions.md about a card, less its heading and prose; "" if no library has it."""
    entry = record()["cards"].get(card.name)
    if entry is None:
        return ""
    conventions, peers = load("conventions"), load("peers")
    _, arguments = peers.shared_input(card)
    ours = peers.mine(card, arguments)
    section = conventions.section(card, ours, conventions.answers(entry["libraries"]), entry["input"])
    return str(section[section.index("Input: [") :]).replace("](#", "](../conventions.md#")


def read_rows(text: str) -> list[list[str]]:
    """Return the rows of all tables in a text."""
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in text.splitlines() if line[:2] == "| "]


@cache
def _uses() -> list[tuple[str, str, str]]:
    rows = [row for path in GUIDES for row in read_rows(path.read_text(encoding="utf-8"))]
    return [(row[0], row[1], row[-1] if len(row) > 2 else "") for row in rows]


def uses_of(name: str) -> list[tuple[str, str]]:
    """Return (purpose, note) from the guides' tables for each row that names a function."""
    return [(purpose, note) for purpose, named, note in _uses() if f"functions/{name}.md" in named]


@cache
def _judgements() -> dict[str, list[str]]:
    rows = read_rows((ROOT / LESSONS["en"]).read_text(encoding="utf-8"))
    header = next(place for place, row in enumerate(rows) if row[-2:] == ["merits", "faults"])
    return {row[0].replace("-", "_").replace(" ", "_"): row[1:] for row in rows[header + 1 :] if len(row) == 4}


def judgement_of(name: str) -> list[str]:
    """Return a function's purpose, merits and faults in the lesson; [] for one that is not in its table."""
    return _judgements().get(name, [])
