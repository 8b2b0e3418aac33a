"""Cases of a survey: the subjects to audit, from names, files and folders."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from slopes import catalogue, loading
from slopes.auditing.report import SEVERITIES, Finding, Report
from slopes.auditing.survey.changes import Changes
from slopes.auditing.survey.definitions import Definition, find_definition, find_definitions

SKIPPED_FOLDERS = ("__pycache__", "build")


@dataclass(frozen=True)
class Case:
    """One subject to audit, and its place."""

    name: str
    subject: Any  #: for `slopes.audit`: text or an object
    file: str | None = None
    line: int = 1
    lines: tuple[int, int] = (1, 1)  #: first and last, a decorator's included
    is_named: bool = False  #: whether the user named it, else it was found in a file
    obstacle: str = ""  #: why it cannot be audited
    unreadable: str = ""  #: why its file cannot be read

    @property
    def place(self) -> str:
        return f"{self.file}:{self.line}" if self.file else ""


@dataclass(frozen=True)
class CaseResult:
    """Report on a case, or the obstacle to it."""

    case: Case
    report: Report | None = None
    obstacle: str = ""
    seconds: float = 0.0
    fail_on: str = "warning"  #: severity of the least finding that counts

    @property
    def ok(self) -> bool:
        return not self.faults

    @property
    def faults(self) -> list[Finding]:
        """Findings that are as severe as `fail_on`."""
        return [x for x in self.findings if x.severity in SEVERITIES[: SEVERITIES.index(self.fail_on) + 1]]

    @property
    def is_lost(self) -> bool:
        """Whether there are no results: it hung, died or raised for all arguments, or its file does not run."""
        return self.report is not None and (self.report.is_lost or self.report.is_refused)

    @property
    def findings(self) -> list[Finding]:
        return [] if self.report is None else self.report.worst_first


def is_path(text: str) -> bool:
    """Whether text is a file or a folder, not a name; a folder that is called like a card needs a slash."""
    return text.endswith(".py") or os.path.isfile(text) or (os.path.isdir(text) and text not in list(catalogue.CARDS))


def find_cases(names: Sequence[str], pattern: str | None = None, changed_since: str | None = None) -> list[Case]:
    """Cases for each name, and for each loss and activation in files and folders.

    `pattern` chooses other classes and functions of files; `changed_since` keeps cases with changed lines.

    Raises OSError for a missing file, ValueError for another one than Python's, a name that cannot be read, or a
    revision that git does not know.
    """
    changes = None if changed_since is None else Changes(changed_since)
    found: dict[tuple[str | None, str], Case] = {}
    for name in names:
        for case in _cases_in(name, pattern) if is_path(name) else [_named_case(name)]:
            if changes is None or (case.file is not None and changes.touch(case.file, *case.lines)):
                found.setdefault((case.file, case.name), case)
    return list(found.values())


def catalogue_cases() -> list[Case]:
    return [Case(card.name, card, is_named=True) for card in dict.fromkeys(catalogue.CARDS.values())]


def _named_case(spec: str) -> Case:
    file, name, arguments = loading.parts(spec)
    if file is None or not os.path.isfile(file):
        return Case(spec, spec, is_named=True)  # the audit complains of a file that is missing
    try:
        definition = find_definition(Path(file).read_bytes(), name.partition(".")[0])
    except (OSError, SyntaxError, ValueError):
        definition = None
    definition = definition or Definition(name, 1, (1, 1))
    return _case(file, definition, subject=spec, name=f"{name}{arguments or ''}", is_named=True)


def _cases_in(path: str, pattern: str | None) -> Iterator[Case]:
    for file in _python_files(path):
        try:
            definitions = find_definitions(Path(file).read_bytes(), pattern)
        except (OSError, SyntaxError, ValueError, RecursionError) as error:
            line = getattr(error, "lineno", None) or 1
            yield Case(Path(file).name, file, file, line, (1, 10**9), unreadable=loading.describe(error))
        else:
            yield from (_case(file, definition) for definition in definitions)


def _case(file: str, definition: Definition, **others: Any) -> Case:
    given = {"name": definition.name, "subject": f"{file}:{definition.name}", "obstacle": definition.obstacle, **others}
    return Case(file=file, line=definition.line, lines=definition.lines, **given)


def _python_files(path: str) -> Iterator[str]:
    """Yield a file, or the files of a folder."""
    if not os.path.isdir(path):
        if not os.path.isfile(path):
            raise FileNotFoundError(f"no file {path!r}")
        if not path.endswith(".py"):
            raise ValueError(f"{path!r} is no Python file")
        yield os.path.normpath(path)
    for folder, folders, files in os.walk(path):
        folders[:] = sorted(name for name in folders if not _is_skipped(folder, name))
        sources = sorted(file for file in files if file.endswith(".py") and not file.startswith("."))
        yield from (os.path.normpath(os.path.join(folder, file)) for file in sources)


def _is_skipped(parent: str, name: str) -> bool:
    markers = ("pyvenv.cfg", "conda-meta")
    is_environment = any(os.path.exists(os.path.join(parent, name, marker)) for marker in markers)
    return name.startswith(".") or name in SKIPPED_FOLDERS or is_environment
