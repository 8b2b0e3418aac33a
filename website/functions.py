"""A page for each function, and one for each family of functions, from the cards."""

from __future__ import annotations

import html
import inspect
import os
import pathlib
import re
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import cache
from typing import Any

import jinja2
import numpy as np

import slopes
from slopes.card import Card, Loss, Map
from slopes.catalogue import CARDS
from slopes.plotting import facts
from slopes.plotting.page import linked
from slopes.plotting.samples import Curve, curve
from website import drawing, examples, tables
from website.documents import PAGES
from website.properties import find_properties, find_tags
from website.tools import load

FOLDER = pathlib.Path(__file__).with_name("templates")
NEAREST = 4  #: how many functions a page names as its nearest
READABLE, LONG = 5_000, 2_500  #: characters of a formula's MathML


def cards() -> list[Card]:
    """Return the cards of the catalogue, each once."""
    return list(dict.fromkeys(CARDS.values()))


def families() -> dict[str, list[Card]]:
    """Return the cards of each family; raise KeyError for a module without a row in tools/make_docs.py."""
    row_of = {module: row for row, modules in load("make_docs").ROWS.items() for module in modules.split()}
    found: dict[str, list[Card]] = {row: [] for row in row_of.values()}
    for card in cards():
        found[row_of[card.body.__module__.rpartition(".")[2]]].append(card)
    return found


def slug(family: str) -> str:
    """Return the file of a family's page, less its suffix."""
    return family.replace(" ", "-")


def has_curve(card: Card) -> bool:
    """Return whether a card can be drawn along an axis."""
    return bool(curve_of(card.name).lines)


@cache
def curve_of(name: str) -> Curve:
    """Return the curve of a card by its name."""
    return curve(CARDS[name])


def draw_together(names: str, label: str, caption: str = drawing.CAPTION) -> str:
    """Return a figure of the first curves of functions; names, and the label before them, describe it."""
    curves = [curve_of(name) for name in names.split()]
    lines = tuple(replace(one.lines[0], label=one.card.name) for one in curves)
    return drawing.draw_figure(replace(curves[0], lines=lines), names, label + ", ".join(names.split()), caption)


# ------------------------------------------------------------------------------------------ nearest


def distance(one: Card, other: Card) -> float | None:
    """Return the largest difference of two curves; None if they have different axes."""
    if other is one or not (has_curve(one) and has_curve(other)):
        return None
    first, second = curve_of(one.name), curve_of(other.name)
    spans = [(line.label, line.x[0], line.x[-1]) for drawn in (first, second) for line in drawn.lines]
    if first.axis != second.axis or spans[: len(first.lines)] != spans[len(first.lines) :]:
        return None
    gaps = []
    for a, b in zip(first.lines, second.lines, strict=True):
        gaps.append(np.max(np.abs(np.interp(a.x, b.x, b.value) - a.value)))
    return float(max(gaps))


def nearest(card: Card) -> list[tuple[str, str]]:
    """Return the nearest functions of the same axis, with the largest difference of their values."""
    found = [(far, other.name) for other in cards() if (far := distance(card, other)) is not None]
    return [(name, facts.number(float(f"{far:.2g}"))) for far, name in sorted(found)[:NEAREST] if np.isfinite(far)]


# ------------------------------------------------------------------------------------------- claims


def judge_claims(card: Card) -> list[tuple[str, str, str]]:
    """Return (claim in words, status, detail): proved for all numbers, or tested on samples by the audit."""
    made = slopes.prove(card).verdicts if card.claims.stated() else ()
    verdicts = {verdict.claim: verdict for verdict in made if verdict.status == "proved"}
    rows = []
    for claim, value in card.claims.stated().items():
        words = f"kinks at {', '.join(map(facts.number, value))}" if claim == "kinks" else facts.WORDS[claim](value)
        verdict = verdicts.get(claim)
        status = verdict.status if verdict else "tested"
        rows.append((words or "no kink", status, verdict.detail if verdict else ""))
    return rows


# ------------------------------------------------------------------------------------------ formulas


def derivative_of(card: Card) -> str:
    """Return the derivative by the first argument as MathML; "" if SymPy cannot run it, or it is too long to read.

    A slope's body that is long keeps digits; the derivative of the textbook's form is shown for it, if that is plain.
    """
    import sympy

    from slopes.plotting import formula
    from slopes.readings import symbol

    if isinstance(card, Map) or card.slope_body is None or (isinstance(card, Loss) and not card.kind.has_curve):
        return ""
    symbols, settings = card._symbols(symbol), card._settings({}, symbol)
    try:
        written = str(formula.print_mathml(card.slope_body(*symbols, **settings)))
        if len(written) > LONG and card.definition is not None:
            textbook = card.definition(*symbols, **settings).diff(symbols[0])
            if not textbook.has(sympy.Heaviside, sympy.Sum, sympy.Derivative):
                written = str(formula.print_mathml(textbook))
        return written if len(written) < READABLE else ""
    except Exception:  # a derivative that is no formula, such as one of sorted entries
        return ""


# --------------------------------------------------------------------------------------------- pages


def describe(name: str) -> dict[str, Any]:
    """Return all that the template shows of a card."""
    card = CARDS[name]
    known = facts.collect(card)
    prose = inspect.cleandoc(card.body.__doc__ or "").partition("\n\n")[2]
    drawn = curve_of(name) if has_curve(card) else None
    label = f"Value and slope of {name}. {known['summary']}"
    return {
        **known,
        "prose": prose,
        "picture": drawing.draw_figure(drawn, name, label) if drawn else "",
        "derivative": derivative_of(card),
        "properties": find_properties(card),
        "judged": judge_claims(card),
        "uses": tables.uses_of(name),
        "judgement": tables.judgement_of(name),
        "accuracy": tables.accuracy_of(name),
        "lost": tables.losses_of_digits(name),
        "peers": tables.peers_of(card),
        "papers": [{**paper, "link": linked(paper["link"])} for paper in known["papers"]],
        "examples": examples.examples(card),
        "modules": examples.module_names(card),
        "nearest": nearest(card),
        "is_loss": isinstance(card, Loss),
    }


def environment() -> jinja2.Environment:
    """Return the templates of the site."""
    loader = jinja2.FileSystemLoader(FOLDER)
    return jinja2.Environment(loader=loader, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True)


def page(name: str) -> str:
    """Return the Markdown of a function's page."""
    text = environment().get_template("function.md.j2").render(**describe(name), escape=html.escape)
    return re.sub(r"\n{3,}", "\n\n", text)


def family_pages() -> Iterator[tuple[str, str]]:
    """Yield the path and the Markdown of each family's page, and of the page with all families."""
    found = families()
    template = environment().get_template("family.md.j2")
    for family, members in found.items():
        listed = [(card.name, card.summary, thumbnail(card)) for card in members]
        yield f"families/{slug(family)}.md", template.render(title=family[0].upper() + family[1:], functions=listed)
    titles = [(family[0].upper() + family[1:], slug(family)) for family in found]
    items = [describe_briefly(card, family) for family, members in found.items() for card in members]
    yield "functions/index.md", environment().get_template("functions.md.j2").render(families=titles, functions=items)


def describe_briefly(card: Card, family: str) -> dict[str, Any]:
    """Return a card's entry in the gallery."""
    accuracy = tables.accuracy_of(card.name)
    return {
        "name": card.name, "family": family, "summary": card.summary, "picture": thumbnail(card),
        "tags": find_tags(card),
        "error": accuracy[0][1].partition(" /")[0].strip("*°") if accuracy else "",
        "time": tables.time_of(card.name),
    }  # fmt: skip


def thumbnail(card: Card) -> str:
    """Return a small picture of a card's values; "" if it has no curve."""
    return drawing.draw_thumbnail(curve_of(card.name)) if has_curve(card) else ""


def playground_page() -> str:
    """Return the Markdown of the playground with its first picture, which needs no script."""
    text = (PAGES / "playground.md").read_text(encoding="utf-8")
    return text.replace("<!-- picture -->", draw_together("relu gelu silu", "Values and slopes of "))


def write_functions(sources: pathlib.Path, workers: int | None = None) -> None:
    """Write the pages of all functions and families, and the playground, into the folder for Sphinx."""
    for folder in ("functions", "families"):
        (sources / folder).mkdir(exist_ok=True)
    for path, text in [*family_pages(), ("playground.md", playground_page())]:
        (sources / path).write_text(text, encoding="utf-8")
    names = [card.name for card in cards()]
    with ProcessPoolExecutor(workers or os.cpu_count()) as pool:
        for name, text in zip(names, pool.map(page, names), strict=True):
            (sources / "functions" / f"{name}.md").write_text(text, encoding="utf-8")
