"""Update rows of a page of accuracy, whose peers need not be installed."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence

from slopes import catalogue
from slopes.accuracy import exhaustive
from slopes.accuracy.causes import cause_lines
from slopes.accuracy.exhaustive import Count
from slopes.accuracy.report import OFF, Accuracy, counts_lines, table_lines

EVERY_NUMBER = "Every float32 number"
#: sections in order; True for those with rows for slopes, by function
SECTIONS = {
    "How it is measured": False,
    "Function by function": True,
    EVERY_NUMBER: False,
    "Away from the defaults": True,
    "Where peers lose more than 1000 ulp": False,
    OFF: True,
    "By reading and dtype": True,
    "What could not be measured": False,
}
LATER = "Measured later, by `slopes accuracy NAME --update`: "

Row = dict[str, str]  #: cells by heading, or by place where the heading is empty


def read_page(path: str) -> str:
    """Page; raise ValueError unless `slopes accuracy` has written one."""
    if not os.path.isfile(path):
        raise ValueError(f"there is no page {path!r} here: run it in a clone of slopes, or name the page with --out")
    with open(path, encoding="utf-8") as file:
        page = file.read()
    if not page.startswith("# Accuracy\n\nMade by `slopes accuracy"):
        raise ValueError(f"{path!r} is not a page that `slopes accuracy --out` has written")
    return page


def update_page(page: str, result: Accuracy) -> str:
    """Replace the rows of the result's cards in a page; figures of peers stay."""
    order = [card.name for card in catalogue.CARDS.values()]
    head, old = _split(page)
    _, new = _split(result.page())
    for heading in (heading for heading, has_rows in SECTIONS.items() if has_rows):
        old[heading] = _merge(old.get(heading, ""), new.get(heading, ""), result.cards, order)
    over = old[OFF]
    causes = cause_lines((_name(row), row["result"]) for row in _rows(over))
    old[OFF] = "\n".join([over.rstrip(), *causes, ""]) if over else over
    head, _, later = head.partition(LATER)
    named = dict.fromkeys(re.findall(r"`(\w+)`", later) + result.cards)
    head = head.rstrip() + "\n"
    if named:
        head += f"\n{LATER}{', '.join(f'`{name}`' for name in named if name in order)}.\n"
    counts = _count(old["Function by function"], over)
    head = re.sub(r"^\| slopes \|.*$", counts, head, flags=re.M)
    return "\n".join([head, *(f"## {heading}\n{old[heading]}" for heading in SECTIONS if old.get(heading))])


def put_counts(page: str, counts: Sequence[Count]) -> str:
    """Put the section on every float32 number into a page, in place of an older one; none if no count is whole."""
    head, sections = _split(page)
    is_whole = any(count.numbers == exhaustive.NUMBERS for count in counts)
    sections[EVERY_NUMBER] = "\n".join(counts_lines(counts)) + "\n" if is_whole else ""
    return "\n".join(
        [head.rstrip() + "\n", *(f"## {name}\n{sections[name]}" for name in SECTIONS if sections.get(name))]
    )


def _split(page: str) -> tuple[str, dict[str, str]]:
    head, *parts = re.split(r"^## (.*)\n", page, flags=re.M)
    return head, dict(zip(parts[::2], (text.rstrip() + "\n" for text in parts[1::2]), strict=True))


def _merge(old: str, new: str, names: Sequence[str], order: Sequence[str]) -> str:
    """Section with new rows for `names` and old ones for others; "" without rows."""
    before, after = _rows(old), _rows(new)
    rows = [row for row in _merged(before, after, names) if _name(row) in order]
    if not rows:
        return ""
    rows.sort(key=lambda row: ("ulp" in row and row["result"] == "second derivative", order.index(_name(row))))
    headings = list(dict.fromkeys(heading for row in (*before, *after) for heading in row))
    shown = ["" if heading.isdigit() else heading for heading in headings]
    table = table_lines(shown, [[row.get(heading, "") for heading in headings] for row in rows])
    return "\n".join([(old or new).partition("\n|")[0], *table, ""])


def _merged(before: list[Row], after: list[Row], names: Sequence[str]) -> list[Row]:
    """Rows of other names, and the new ones; of a summary with the figures of peers."""
    is_summary = "second derivative" in next(iter(before), {})
    peers = {_name(row): row for row in before} if is_summary else {}
    return [row for row in before if _name(row) not in names] + [peers.get(_name(row), {}) | row for row in after]


def _rows(section: str) -> list[Row]:
    lines = [line[2:-2].split(" | ") for line in section.splitlines() if line.startswith("| ")]
    headings = [heading or str(place) for place, heading in enumerate(lines[0])] if lines else []
    return [dict(zip(headings, line, strict=True)) for line in lines[1:]]


def _name(row: Row) -> str:
    return row["0"].strip("`").partition("(")[0]


def _count(summary: str, over: str) -> str:
    """Line that counts functions of slopes, and those that are off."""
    rows = [row for row in _rows(over) if row["result"] != "second derivative"]
    much = [row for row in rows if not row["above 1000"].startswith("0 of")]
    lost = [row for row in much if row["ulp"] == "inf"]
    functions, (off, far, none) = len(_rows(summary)), (len(set(map(_name, of))) for of in (rows, much, lost))
    return f"| slopes | {functions} | {functions - off} | {far} | {none} |"
