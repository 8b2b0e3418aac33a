"""Pages on the checks, which `slopes explain` prints."""

from __future__ import annotations

from pathlib import Path

from slopes.auditing import cards
from slopes.hints import did_you_mean


def read_page(check: str) -> str:
    """Page on a check, in Markdown; raise LookupError for an unknown one."""
    pages = _pages()
    pages.update({function.__name__: pages["cards"] for function in cards.CHECKS})
    if check not in pages:
        raise LookupError(f"no check {check!r}; {did_you_mean(check, pages, '`slopes explain` lists them.')}")
    return pages[check].read_text(encoding="utf-8")


def list_titles() -> dict[str, str]:
    titles = {}
    for name, path in _pages().items():
        line = path.read_text(encoding="utf-8").partition("\n")[0]
        titles[name] = line.removeprefix("# ").removeprefix(f"{name}: ")
    return titles


def _pages() -> dict[str, Path]:
    """Pages by name: in an installed package beside this file, in a clone in docs/audit."""
    folder = Path(__file__).parent / "pages"
    if not folder.is_dir():
        folder = Path(__file__).parents[3] / "docs" / "audit"
    return {path.stem: path for path in sorted(folder.glob("*.md")) if path.stem != "README"}
