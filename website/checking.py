"""Check of a built site: each link leads somewhere, and nothing is loaded from elsewhere."""

from __future__ import annotations

import pathlib
from html.parser import HTMLParser
from urllib.parse import unquote, urlsplit

#: attributes whose file a browser loads by itself
LOADED = {("script", "src"), ("img", "src"), ("iframe", "src"), ("source", "src"), ("image", "href"), ("use", "href")}


class _Page(HTMLParser):
    """The ids of a page, its links, and the files that it loads."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.ids: set[str] = set()
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        known = {name: value or "" for name, value in attrs}
        self.ids |= {known[name] for name in ("id", "name") if name in known and tag != "meta"}
        is_style = tag == "link" and known.get("rel") in ("stylesheet", "icon", "preload")
        for name, value in known.items():
            if (tag, name) in LOADED or (is_style and name == "href"):
                self.loaded.append(value)
            elif name == "href":
                self.links.append(value)


def find_faults(site: pathlib.Path) -> list[str]:
    """Return a line for each link that leads nowhere and each file that is loaded from the network or missing."""
    pages = {path.resolve(): _Page(path.read_text(encoding="utf-8")) for path in sorted(site.rglob("*.html"))}
    faults = []
    for path, page in pages.items():
        name = path.relative_to(site.resolve())
        for address in page.loaded:
            if urlsplit(address).netloc:
                faults.append(f"{name}: loads {address} from the network")
            elif not address.startswith("data:") and _file(path, address) is None:
                faults.append(f"{name}: loads {address}, which is missing")
        for address in page.links:
            parts = urlsplit(address)
            if parts.scheme or parts.netloc or "=" in parts.fragment:  # the last is a view, not a place
                continue
            file = _file(path, address)
            if file is None:
                faults.append(f"{name}: {address} leads nowhere")
            elif parts.fragment and file in pages and unquote(parts.fragment) not in pages[file].ids:
                faults.append(f"{name}: {address} names no place of that page")
    return faults


def _file(page: pathlib.Path, address: str) -> pathlib.Path | None:
    """Return the file at an address on a page; None if there is none."""
    path = unquote(urlsplit(address).path)
    file = (page.parent / path).resolve() if path else page
    return file if file.is_file() else None
