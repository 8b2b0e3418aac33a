"""Write what the documents say of the catalogue: the table in README.md, and the order of docs/accuracy.md.

python tools/make_docs.py
"""

from __future__ import annotations

import pathlib
import re

from slopes.accuracy.exhaustive import read_counts
from slopes.accuracy.report import Accuracy
from slopes.accuracy.updating import put_counts, update_page
from slopes.catalogue import CARDS, aliases

ROOT = pathlib.Path(__file__).parent.parent
README = ROOT / "README.md"
PAGE = ROOT / "docs" / "accuracy.md"
COUNTS = ROOT / "docs" / "exhaustive.csv"

#: the rows of README.md: the modules of each, in the packages activations and losses
ROWS = {
    "activations": "rectifiers piecewise sigmoids smooth quotients shrinkage periodic",
    "gates": "gated",
    "maps of a row": "simplex",
    "regression losses": "regression",
    "likelihoods": "likelihood",
    "forecasts": "forecast",
    "margins": "margin",
    "classification losses": "classification focal ordinal",
    "divergences": "divergence",
    "overlap": "overlap",
    "embeddings": "embedding",
    "images": "image",
    "boxes": "boxes",
    "language models": "preference",
}


def renew_readme(text: str) -> str:
    """Return README.md with the functions of the catalogue; raise KeyError for a module without a row."""
    row_of = {module: row for row, modules in ROWS.items() for module in modules.split()}
    names: dict[str, list[str]] = {module: [] for module in row_of}
    for card in dict.fromkeys(CARDS.values()):
        others = ", ".join(f"`{name}`" for name in aliases(card))
        names[card.body.__module__.rpartition(".")[2]].append(f"`{card.name}`" + (f" ({others})" if others else ""))
    for row, modules in ROWS.items():
        listed = ", ".join(name for module in modules.split() for name in names[module])
        text = re.sub(rf"^\| {row} \|.*$", f"| {row} | {listed} |", text, flags=re.M)
    return text


def renew_page(text: str) -> str:
    """Return docs/accuracy.md with its rows in the order of the catalogue, and the counts of every float32 number."""
    return put_counts(update_page(text, Accuracy([], (), [], [], {}, complete=False)), read_counts(str(COUNTS)))


if __name__ == "__main__":
    README.write_text(renew_readme(README.read_text()))
    PAGE.write_text(renew_page(PAGE.read_text()))
