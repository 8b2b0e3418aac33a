"""The rows that a benchmark measures, as a CSV file."""

from __future__ import annotations

import csv
from pathlib import Path


def write_rows(path: Path | None, rows: list[dict[str, str]]) -> None:
    """Write the rows, which have the same names, to the file if one is given."""
    if path is None:
        return
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
