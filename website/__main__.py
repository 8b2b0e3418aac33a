"""Build the website into a folder, which works from there without a server.

python -m website [--out site]
"""

from __future__ import annotations

import argparse
import pathlib
import shutil
import sys
import tempfile

from sphinx.cmd.build import build_main

from website.checking import find_faults
from website.course import write_course
from website.documents import write_documents
from website.functions import cards, write_functions
from website.guides import write_guides
from website.javascript import is_printable, print_script


def build(out: pathlib.Path) -> int:
    """Build the site and check its links; return the exit status."""
    with tempfile.TemporaryDirectory() as folder:
        sources = pathlib.Path(folder) / "sources"
        write_documents(sources)
        write_functions(sources)
        write_course(sources)
        write_guides(sources)
        static = pathlib.Path(folder) / "static"
        static.mkdir()
        script = print_script(card for card in cards() if is_printable(card))
        (static / "slopes.js").write_text(script, encoding="utf-8")
        shutil.rmtree(out, ignore_errors=True)
        options = ["--fail-on-warning", "--keep-going", "--quiet", "--jobs", "auto", "--conf-dir", "website"]
        options += ["-D", f"html_static_path=static,{static}"]
        status: int = build_main([*options, "--doctree-dir", f"{folder}/doctrees", str(sources), str(out)])
    for left in (out / ".buildinfo", out / "_static/webpack-macros.html", *out.rglob("*.map")):
        left.unlink(missing_ok=True)
    faults = [] if status else find_faults(out)
    print(*faults, sep="\n", end="\n" * bool(faults), file=sys.stderr)
    return status or bool(faults)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Build the website.")
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path("site"))
    sys.exit(build(parser.parse_args().out))
