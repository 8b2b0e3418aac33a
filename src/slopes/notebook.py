"""Showing objects in marimo, and in Jupyter and others that run IPython's kernel."""

from __future__ import annotations

import html
import sys
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any


@dataclass(frozen=True, repr=False)
class Html:
    """HTML for a notebook, and the text for a frontend without HTML."""

    html: str
    text: str

    def _repr_html_(self) -> str:
        return self.html

    def __repr__(self) -> str:
        return self.text


def has_kernel() -> bool:
    """Whether this process is an IPython kernel. IPython in a terminal is none."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return getattr(shell, "kernel", None) is not None


def is_running() -> bool:
    """Whether a notebook displays objects: an IPython kernel or marimo."""
    return has_kernel() or _has_marimo()


def display(*objects: Any) -> None:
    """Display objects, such as with ``_repr_html_``, below the running cell."""
    if _has_marimo():
        for each in objects:
            sys.modules["marimo"].output.append(each)
        return
    import_module("IPython.display").display(*objects)


def _has_marimo() -> bool:
    marimo = sys.modules.get("marimo")
    return marimo is not None and marimo.running_in_notebook()


def escape(text: object) -> str:
    """Return text as HTML."""
    return html.escape(str(text)).replace("\n", "<br>")


def preformatted(text: str, wrap: bool = False) -> str:
    """Return an element for code or columns; a long line wraps or else scrolls."""
    lines = "white-space: pre-wrap; overflow-wrap: anywhere" if wrap else "white-space: pre; overflow-x: auto"
    return f'<pre style="{lines}; font-family: monospace; line-height: 1.2; margin: 0">{html.escape(text)}</pre>'


def table(
    rows: Iterable[Sequence[str]], head: Sequence[str] = (), *, labelled: bool = False, right: Collection[int] = ()
) -> str:
    """Return a table of HTML cells, in the colours of the notebook's theme.

    If `labelled`, the first of each row is its label; columns `right` are aligned to the right.
    """

    def row(cells: Sequence[str], first: str, others: str) -> str:
        filled = []
        for column, cell in enumerate(cells):
            tag, side = others if column else first, "right" if column in right else "left"
            filled.append(f'<{tag} style="text-align: {side}; vertical-align: top">{cell}</{tag}>')
        return f"<tr>{''.join(filled)}</tr>"

    heading = f"<thead>{row(head, 'th', 'th')}</thead>" if head else ""
    body = "".join(row(cells, "th" if labelled else "td", "td") for cells in rows)
    return f'<div style="overflow-x: auto"><table>{heading}<tbody>{body}</tbody></table></div>'


def judged(ok: bool, content: str) -> str:
    """Return the content beside a green or red bar."""
    color = "#2da44e" if ok else "#cf222e"
    return f'<div style="border-left: 4px solid {color}; padding-left: 1em">{content}</div>'
