"""Make docs/findings.md: findings of the audit in widely used losses and activations.

Run ``python tools/findings.py`` where the packages of the extra ``dev`` are installed. The subjects, what is declared
of them, and which errors are known to be true, are in tests/well_kept.py; an error that is not listed there ends it.
"""

from __future__ import annotations

import importlib
import pathlib
import re
import sys
from importlib.metadata import version
from typing import Any

ROOT = pathlib.Path(__file__).parent.parent
PAGE = ROOT / "docs" / "findings.md"
sys.path.insert(0, str(ROOT / "tests"))

import well_kept  # noqa: E402
from slopes.auditing import Report  # noqa: E402
from slopes.auditing.examination import examine  # noqa: E402

LIBRARIES = ("torch", "entmax", "kornia", "monai", "pytorch-metric-learning")
HEAD = """\
# What the audit finds in code that many use

The tests audit {torch} losses and activations of `torch.nn` at their defaults, {packages} of four other packages, and
all functions of slopes. An error is what no author means: each one that is found is below, with code that shows it, and
nothing else there is told as an error. The functions of slopes that stand for these have none of the faults.

Made by `tools/findings.py` with {versions}.

| subject | errors | warnings | questions |
|---|---|---|---|
{rows}

## The errors
"""


def reports() -> dict[str, Report]:
    """The report on every subject, by its name."""
    made: dict[str, tuple[Any, dict[str, Any]]] = {f"torch.nn.{k}": (make(), {}) for k, make in well_kept.TORCH.items()}
    for name, (_, declared) in well_kept.PACKAGES.items():
        made[name] = well_kept.of_package(name, importlib.import_module), declared
    return {name: examine(thing, declared) for name, (thing, declared) in made.items()}


def row(name: str, report: Report) -> str:
    """A line of the table."""
    told = []
    for severity in ("error", "warning", "note"):
        checks = dict.fromkeys(f.check for f in report.findings if f.severity == severity)
        told.append(", ".join(f"[{check}](audit/{check}.md)" for check in checks))
    return f"| `{name}` | {' | '.join(told)} |"


def section(name: str, report: Report) -> str:
    """The errors of a subject, each with why it is true and code that shows it."""
    told = []
    known = well_kept.TRULY_WRONG.get(name.removeprefix("torch.nn."), {})
    for finding in report.findings:
        if finding.severity != "error":
            continue
        why = known[finding.check]  # an error that nobody has looked into must not be published
        told.append(
            f"### `{name}`: {finding.check}\n\n{sentence(finding.message)} {sentence(why)}\n\n"
            f"```python\n{finding.reproduce}\n```\n\nCame: {finding.came}. Expected: {finding.expected}.\n"
        )
    return "\n".join(told)


def sentence(text: str) -> str:
    """The text with a capital letter and a full stop; a shape in it stays as it is."""
    text = text[0].upper() + text[1:]
    return text if text.endswith(".") else f"{text}."


def page() -> str:
    """The whole page."""
    found = reports()
    versions = ", ".join(f"{library} {re.sub(r'[+].*', '', version(library))}" for library in LIBRARIES)
    head = HEAD.format(
        torch=len(well_kept.TORCH), packages=len(well_kept.PACKAGES), versions=versions,
        rows="\n".join(row(name, report) for name, report in found.items()),
    )  # fmt: skip
    return "\n".join([head, *filter(None, (section(name, report) for name, report in found.items()))])


if __name__ == "__main__":
    PAGE.write_text(page())
    print(f"wrote {PAGE.relative_to(ROOT)}")
