"""Pages whose code is run when the site is built: each block of Python is followed by the text that it prints."""

from __future__ import annotations

import contextlib
import pathlib
import re
import tempfile
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor

from website.documents import PAGES, ROOT
from website.examples import run

FOLDERS = ("guides", "api")  #: of `pages`, those with such pages
CITATION = ROOT / "CITATION.cff"


def paths() -> list[pathlib.Path]:
    """Return the pages with code to run."""
    return sorted(path for folder in FOLDERS for path in (PAGES / folder).glob("*.md"))


def complete(text: str) -> str:
    """Return a page with the output of its code; blocks of one page share their names, as in a notebook."""
    names = {"__name__": "guide"}

    def show(block: re.Match[str]) -> str:
        output = run(block[1], names)
        return f"{block[0]}\n\n```text\n{output}\n```" if output else block[0]

    with _workplace():
        text = re.sub(r"^```python\n(.*?)^```$", show, text, flags=re.M | re.S)
    return text.replace("<!-- citation -->", f"```bibtex\n{write_citation()}\n```")


@contextlib.contextmanager
def _workplace() -> Iterator[None]:
    """Work in a new folder, which has the examples."""
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        pathlib.Path("examples").symlink_to(ROOT / "examples")
        yield


def write_citation() -> str:
    """Return CITATION.cff as an entry of BibTeX."""
    text = CITATION.read_text(encoding="utf-8")
    fields = dict(re.findall(r"^([\w-]+): (.+)$", text, flags=re.M))
    authors = " and ".join(f"{{{name}}}" for name in re.findall(r"^  - name: (.+)$", text, flags=re.M))
    entry = {
        "title": fields["title"], "author": authors, "version": fields["version"], "url": fields["repository-code"],
        "license": fields["license"],
    }  # fmt: skip
    return "@software{slopes,\n" + "".join(f"  {name} = {{{value}}},\n" for name, value in entry.items()) + "}"


def write_guides(sources: pathlib.Path) -> None:
    """Write the pages with the output of their code into the folder for Sphinx."""
    texts = [path.read_text(encoding="utf-8") for path in paths()]
    with ProcessPoolExecutor() as pool:  # a folder and a namespace for each page
        for path, text in zip(paths(), pool.map(complete, texts), strict=True):
            (sources / path.relative_to(PAGES)).write_text(text, encoding="utf-8")
