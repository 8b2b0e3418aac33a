"""Pages on the checks, which `slopes explain` prints."""

from __future__ import annotations

from pathlib import Path

from slopes.hints import did_you_mean

#: folder of the pages on the web
PAGES = "https://github.com/slopes-dev/slopes/blob/main/docs/audit"


def read_page(check: str) -> str:
    """Page on a check, in Markdown; raise LookupError for an unknown one."""
    return _page_of(check).read_text(encoding="utf-8")


def page_url(check: str) -> str:
    return f"{PAGES}/{_page_of(check).name}"


def title_of(check: str) -> str:
    return _title(_page_of(check))


def _page_of(check: str) -> Path:
    pages = _pages()
    if check not in pages:
        from slopes.auditing import cards  # which loads torch

        pages.update({function.__name__: pages["cards"] for function in cards.CHECKS})
    if check not in pages:
        raise LookupError(f"no check {check!r}; {did_you_mean(check, pages, '`slopes explain` lists them.')}")
    return pages[check]


def list_titles() -> dict[str, str]:
    return {name: _title(path) for name, path in _pages().items()}


def _title(path: Path) -> str:
    line = path.read_text(encoding="utf-8").partition("\n")[0]
    return line.removeprefix("# ").removeprefix(f"{path.stem}: ")


def _pages() -> dict[str, Path]:
    """Pages by name: in an installed package beside this file, in a clone in docs/audit."""
    folder = Path(__file__).parent / "pages"
    if not folder.is_dir():
        folder = Path(__file__).parents[3] / "docs" / "audit"
    return {path.stem: path for path in sorted(folder.glob("*.md")) if path.stem != "README"}
