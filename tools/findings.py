"""Make docs/findings.md: findings of the audit in widely used losses and activations.

Run ``python tools/findings.py`` where the packages of tests/packages.txt are installed, as ``make test-packages`` does.
The subjects, what is declared of them, and which faults are known to be true, are in tests/well_kept.py and
tests/packages.py; an error that is not listed there ends it.
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

import packages  # noqa: E402
import well_kept  # noqa: E402
from slopes.auditing import Finding, Report  # noqa: E402
from slopes.auditing.evidence import Script  # noqa: E402
from slopes.auditing.examination import examine  # noqa: E402

HEAD = """\
# What the audit finds in code that many use

The tests audit {torch} losses and activations of `torch.nn` at their defaults, {packages} of {count} other packages,
and all functions of slopes. An error is what no author means: each one that is found is below, with code that shows it,
and nothing else there is told as an error. So are the warnings that were looked into, and a few faults that no check
looks for. The tests run this code. The functions of slopes that stand for these have none of the faults.

Made by `tools/findings.py` with {versions}.

| subject | errors | warnings | questions |
|---|---|---|---|
{rows}

## The faults
"""


def pins() -> dict[str, str]:
    """The versions of tests/packages.txt, by package."""
    lines = (ROOT / "tests" / "packages.txt").read_text().splitlines()
    return dict(line.split("==") for line in lines if not line.startswith("#"))


def reports() -> dict[str, Report]:
    """The report on every subject, by its name."""
    made: dict[str, tuple[Any, dict[str, Any]]] = {f"torch.nn.{k}": (make(), {}) for k, make in well_kept.TORCH.items()}
    for name, (_, declared) in well_kept.PACKAGES.items():
        made[name] = well_kept.of_package(name, importlib.import_module), declared
    for name, (_, declared) in packages.LOSSES.items():
        made[name] = packages.loss_named(name, importlib.import_module), declared
    return {name: examine(thing, declared) for name, (thing, declared) in made.items()}


def row(name: str, report: Report) -> str:
    """A line of the table."""
    told = []
    for severity in ("error", "warning", "note"):
        checks = dict.fromkeys(f.check for f in report.findings if f.severity == severity)
        told.append(", ".join(f"[{check}](audit/{check}.md)" for check in checks))
    return f"| `{name}` | {' | '.join(told)} |"


def sections(name: str, report: Report) -> list[str]:
    """The errors of a subject and its known warnings, each with why it is true and code that shows it."""
    short = name.removeprefix("torch.nn.")
    wrong = well_kept.TRULY_WRONG.get(short, {}) | packages.TRULY_WRONG.get(name, {})
    warned = well_kept.TRULY_WARNED.get(short, {}) | packages.TRULY_WARNED.get(name, {})
    # an error that nobody has looked into must not be published
    told = [(finding, wrong[finding.check]) for finding in report.findings if finding.severity == "error"]
    told += [(x, warned[x.check]) for x in report.findings if x.severity == "warning" and x.check in warned]
    return [section(f"`{name}`: {finding.check}", finding, why) for finding, why in told]


def section(title: str, finding: Finding, why: str = "") -> str:
    """A fault, with why it is one and code that shows it."""
    return (
        f"### {title}\n\n{' '.join(sentence(text) for text in (finding.message, why) if text)}\n\n"
        f"```python\n{finding.reproduce}\n```\n\nCame: {finding.came}. Expected: {finding.expected}.\n"
    )


def sentence(text: str) -> str:
    """The text with a capital letter and a full stop; a shape in it stays as it is."""
    text = text[0].upper() + text[1:]
    return text if text.endswith(".") else f"{text}."


def defects() -> list[str]:
    """The faults that no check looks for."""
    told = []
    for name, (message, code, came, expected, shows) in packages.DEFECTS.items():
        finding = Script([code]).finding(message, "", came=came, expected=expected, shows=shows)
        told.append(section(f"`{name}`", finding))
    return told


def page() -> str:
    """The whole page."""
    found = reports()
    libraries = pins()
    wrong = [name for name, pin in libraries.items() if re.sub(r"[+].*", "", version(name)) != pin]
    assert not wrong, f"{', '.join(wrong)}: not the version of tests/packages.txt"
    others = {**well_kept.PACKAGES, **packages.LOSSES}
    head = HEAD.format(
        torch=len(well_kept.TORCH), packages=len(others), count=len({name.partition(".")[0] for name in others}),
        versions=", ".join(f"{name} {pin}" for name, pin in libraries.items()),
        rows="\n".join(row(name, report) for name, report in found.items()),
    )  # fmt: skip
    return "\n".join([head, *(text for name, report in found.items() for text in sections(name, report)), *defects()])


if __name__ == "__main__":
    PAGE.write_text(page())
    print(f"wrote {PAGE.relative_to(ROOT)}")
