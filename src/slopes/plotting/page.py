"""Cards as HTML: a page that needs no network, and a section for notebooks."""

from __future__ import annotations

import html
import re
from collections.abc import Sequence
from pathlib import Path
from string import Template
from typing import Any

from slopes.card import Card
from slopes.notebook import table
from slopes.plotting.facts import collect, rows


def page(cards: Sequence[Card]) -> bytes:
    from slopes.plotting.picture import COLOURS, DARK, image

    names = ", ".join(card.name for card in cards)
    figure = _themed(image(cards, "svg", heading=False).decode())
    label = html.escape(f"Value and slope of {names}", quote=True)
    filled = Template(Path(__file__).with_name("page.html").read_text(encoding="utf-8")).substitute(
        title=html.escape(names),
        light="".join(f"--c{k}: {colour}; " for k, colour in enumerate(COLOURS)),
        dark="".join(f"--c{k}: {colour}; " for k, colour in enumerate(DARK)),
        figure=figure.replace("<svg ", f'<svg role="img" aria-label="{label}" ', 1),
        cards="\n".join(section(collect(card), alone=len(cards) == 1) for card in cards),
    )
    return filled.encode()


def _themed(svg: str) -> str:
    """The SVG element with the colours of the page's style sheet."""
    from slopes.plotting.picture import COLOURS, FAINT, GRID, INK, PAPER

    svg = re.sub(r"<metadata>.*?</metadata>\s*", "", svg[svg.index("<svg") :], flags=re.DOTALL)
    names = {INK: "ink", FAINT: "faint", GRID: "grid", PAPER: "paper"} | {c: f"c{k}" for k, c in enumerate(COLOURS)}
    return re.sub("|".join(names), lambda found: f"var(--{names[found[0]]})", svg)


def section(fact: dict[str, Any], alone: bool = True) -> str:
    """Card's facts, below its name unless it is `alone`."""
    formula = fact["formula"]
    shown = formula.get("mathml") or html.escape(formula.get("text", ""))
    source = (
        f"<details><summary>TeX</summary><code>{html.escape(formula['tex'])}</code></details>"
        if "tex" in formula
        else ""
    )
    heading = "" if alone else f"<h2>{html.escape(fact['name'])}</h2>"
    return (
        f"<section>{heading}<p>{html.escape(fact['summary'])}</p>"
        f'<p><code>{html.escape(fact["signature"])}</code></p><div class="formula">{shown}</div>{source}'
        f"{table([(html.escape(label), linked(words)) for label, words in rows(fact)], labelled=True)}</section>"
    )


def linked(words: str) -> str:
    """HTML with arXiv, DOI and web addresses as links."""
    homes = {"arXiv:": "https://arxiv.org/abs/", "doi:": "https://doi.org/"}

    def link(found: re.Match[str]) -> str:
        target = homes.get(found[1], found[1]) + found[2]
        return f'<a href="{target}">{found[0]}</a>'

    return re.sub(r"(arXiv:|doi:|https?://)([^\s;]+)", link, html.escape(words))
