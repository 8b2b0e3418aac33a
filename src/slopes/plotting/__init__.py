"""Pictures and facts of cards: in the terminal or a notebook, or as PNG, SVG or a self-contained HTML page."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from slopes import notebook
from slopes.card import Card, Loss
from slopes.domains import is_array, is_tensor, shown
from slopes.extras import require
from slopes.loading import check_card

SUFFIXES = (".png", ".svg", ".html")


def show(*cards: Card, out: str | os.PathLike[str] | None = None) -> None:
    """Show the curve, the slope and the facts of one or several cards.

    Without `out` they are printed, or a notebook displays a picture; else the file is written, in the format of its
    suffix. A loss is drawn along the axis of its kind, a map of rows along its first entry with the others at 0. Cards
    of one axis share a picture. A dot marks a kink, at the card's slope there.

    Raises TypeError for anything but a card, ValueError for an unknown suffix, OSError where the file cannot be
    written, ImportError where the library that draws is not installed.
    """
    if not cards:
        raise TypeError("show takes at least one card, as in slopes.show(slopes.relu)")
    for card in cards:
        _check(card)
    if out is None:
        return _show_in_notebook(cards) if notebook.is_running() else _show_in_terminal(cards)
    if not isinstance(out, (str, os.PathLike)):
        raise TypeError(f"show: out must be the path of a file, got {shown(out)}")
    path = Path(out)
    if path.suffix.lower() not in SUFFIXES:
        raise ValueError(f"show: out must end in {', '.join(SUFFIXES[:-1])} or {SUFFIXES[-1]}, got {str(out)!r}")
    require("slopes.show", "matplotlib")
    from slopes.plotting import page, picture

    content = page.page(cards) if path.suffix.lower() == ".html" else picture.image(cards, path.suffix.lower()[1:])
    try:
        path.write_bytes(content)
    except OSError as error:
        raise type(error)(f"show: cannot write {str(out)!r}: {error.strerror}") from error
    except ValueError as error:  # a path that no system takes
        raise ValueError(f"show: cannot write {str(out)!r}: {error}") from error


def _check(card: Any) -> None:
    if isinstance(card, (list, tuple)):
        raise TypeError("show: takes the cards one by one; put a star before the list, as in slopes.show(*cards)")
    if isinstance(card, str):
        raise TypeError(f"show: takes the cards themselves and not their names, as in slopes.relu; got {card!r}")
    check_card(card, f"show: {card!r}")
    if isinstance(card, Loss) and not card.kind.has_curve:
        compared = "the vectors of a batch" if card.kind.coupled else card.kind.data
        raise ValueError(f"show: {card.name} takes {compared}, and has no axis to be drawn along")
    arrays = [name for name, value in card.bound.items() if is_array(value) or is_tensor(value)]
    if arrays:
        raise ValueError(f"show: {' and '.join(arrays)} of {card.name} must be a number, for one line to be drawn")


def _show_in_terminal(cards: Sequence[Card]) -> None:
    require("slopes.show", "rich")
    from slopes.plotting import terminal

    terminal.show(cards)


def _show_in_notebook(cards: Sequence[Card]) -> None:
    """Display the text for a terminal where matplotlib is missing."""
    try:
        require("slopes.show", "matplotlib")
    except ImportError as error:
        require("slopes.show", "rich")
        from slopes.plotting import terminal

        text = f"{terminal.text(cards)}\n{error}"
        return notebook.display(notebook.Html(notebook.preformatted(text), text))
    from slopes.plotting import facts, page, picture

    notebook.display(picture.draw(cards, heading=False))
    for card in cards:
        known = facts.collect(card)
        # else the formula would stand in the middle of a wide screen, far from the table
        content = f'<div style="width: fit-content">{page.section(known)}</div>'
        notebook.display(notebook.Html(content, facts.text(known)))


def described(card: Card) -> dict[str, Any]:
    """Facts and the curve's points, for programs."""
    from slopes.plotting import facts, samples

    drawn = samples.curve(card)
    lines = [{"label": line.label, "x": line.x, "value": line.value, "slope": line.slope} for line in drawn.lines]
    return {**facts.collect(card), "curve": {"axis": drawn.axis, "lines": lines}}
