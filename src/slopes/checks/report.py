"""What an audit says: findings, and the report that holds them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from typing import Any


class AuditError(Exception):
    """Raised by `Report.raise_for_errors`."""


@dataclass(frozen=True)
class Finding:
    """One fault: what came, what was expected, and how to see it again."""

    check: str
    message: str
    reproduce: str  #: code that can be pasted and run
    repair: str
    severity: str = "error"  #: or "warning", or "note"

    def __str__(self) -> str:
        return (
            f"{self.severity}: {self.check}: {self.message}\n    see it:  {self.reproduce}\n    repair:  {self.repair}"
        )


@dataclass
class Report:
    """The outcome of an audit: what was found, which checks ran, and why others could not."""

    subject: str
    findings: list[Finding] = field(default_factory=list)
    ran: list[str] = field(default_factory=list)
    skipped: dict[str, str] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        """Whether nothing worse than a note was found."""
        return all(finding.severity == "note" for finding in self.findings)

    def raise_for_errors(self) -> None:
        """Raise AuditError with the report's text if an error was found."""
        if any(finding.severity == "error" for finding in self.findings):
            raise AuditError(str(self))

    def to_json(self) -> str:
        """The report as JSON."""
        return json.dumps({"ok": self.ok, **asdict(self)}, indent=2)

    def __str__(self) -> str:
        checks = f"{len(self.ran)} checks ran"
        head = f"{self.subject}: clean, {checks}" if not self.findings else (
            f"{self.subject}: {len(self.findings)} finding{'s' * (len(self.findings) > 1)}, {checks}"
        )  # fmt: skip
        return "\n".join(
            [
                head,
                *map(str, self.findings),
                *(f"  not run: {name}: {why}" for name, why in self.skipped.items()),
            ]
        )


class Skip(Exception):
    """Raised by a check that cannot run, with the reason."""


Check = Callable[[Any], Iterator[Finding]]


def run(subject: Any, checks: list[Check]) -> Report:
    """Run the checks one after the other; a check that raises is itself a finding."""
    report, raised = Report(subject.name), set()
    for check in checks:
        name = check.__name__
        try:
            report.findings.extend(check(subject))
            report.ran.append(name)
        except Skip as reason:
            report.skipped[name] = str(reason)
        except Exception as error:
            report.ran.append(name)
            if (type(error), str(error)) in raised:
                continue  # one broken body, one finding
            raised.add((type(error), str(error)))
            report.findings.append(
                Finding(
                    name,
                    f"raised {type(error).__name__}: {error}",
                    f"slopes.audit({subject.name})",
                    "make the function return numbers for every input that its kind allows",
                )
            )
    return report
