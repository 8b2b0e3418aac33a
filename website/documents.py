"""Documents of the repository as pages of the site."""

from __future__ import annotations

import os
import pathlib
import re
import shutil
import tomllib

ROOT = pathlib.Path(__file__).parents[1]
PAGES = pathlib.Path(__file__).with_name("pages")  #: pages that the site alone has
#: the lesson by language; its pages are those of the course
LESSONS = {"en": "docs/lesson.md", "zh": "docs/lesson.zh.md"}
NAMED = {
    "README.md": "start.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    LESSONS["en"]: "lesson/index.md",
    LESSONS["zh"]: "lesson/zh/index.md",
}
PICTURES = (".png", ".svg")  #: how names of pictures end
#: the entries of a page's menu, where others are below it; "*" are all in its folder
CHILDREN = {"audit/index.md": "*", "compare/index.md": "*"}


def page_of(document: str) -> str:
    """Return the page for a document, as in "audit/index.md" for "docs/audit/README.md"."""
    path = NAMED.get(document, document.removeprefix("docs/"))
    return path.removesuffix("README.md") + "index.md" if path.endswith("/README.md") else path


def documents() -> list[str]:
    """Return the paths of all documents in the repository."""
    return list(dict.fromkeys([*NAMED, *sorted(str(path.relative_to(ROOT)) for path in ROOT.glob("docs/**/*.md"))]))


def home() -> str:
    """Return the address of the repository."""
    address: str = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["urls"]["Homepage"]
    return address


def has_page(path: str) -> bool:
    """Return whether the site has a file of the repository: a document or a picture."""
    return path in NAMED or (path.startswith("docs/") and path.endswith((".md", *PICTURES)) and (ROOT / path).is_file())


def relink(text: str, document: str) -> str:
    """Return a document's text with links to pages of the site, or to the repository for files without a page."""
    here = os.path.dirname(page_of(document))

    def replace(found: re.Match[str]) -> str:
        target = found[1]
        if target is None or re.match(r"#|[a-z]+:", target):
            return found[0]
        path, mark, anchor = target.partition("#")
        path = os.path.normpath(os.path.join(os.path.dirname(document), path))
        if has_page(path):
            return f"]({os.path.relpath(page_of(path), here or '.')}{mark}{anchor})"
        form = "tree" if (ROOT / path).is_dir() else "blob"
        return f"]({home()}/{form}/main/{path}{mark}{anchor})"

    return re.sub(r"^ *```.*?^ *```|`[^`\n]*`|\]\(([^)\s]+)\)", replace, text, flags=re.M | re.S)


def _menu(page: str) -> str:
    entries = CHILDREN.get(page)
    return f"\n```{{toctree}}\n:hidden:\n:glob:\n\n{entries}\n```\n" if entries else ""


def write_documents(sources: pathlib.Path) -> None:
    """Write the site's own pages, the documents but for the lesson, and their pictures into a folder for Sphinx."""
    shutil.copytree(PAGES, sources, dirs_exist_ok=True)
    for document in documents():
        if document in LESSONS.values():
            continue  # see course.py
        page = page_of(document)
        path = sources / page
        path.parent.mkdir(parents=True, exist_ok=True)
        text = relink((ROOT / document).read_text(encoding="utf-8"), document)
        text = text.replace("# slopes\n", "# Start\n", 1) if document == "README.md" else text
        path.write_text(text + _menu(page), encoding="utf-8")
    for picture in ROOT.glob("docs/**/*"):
        if picture.suffix in PICTURES:
            path = sources / picture.relative_to(ROOT / "docs")
            path.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(picture, path)
