"""What an audit says: findings, and the report that holds them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from typing import Any, Self, TypeVar

from slopes.notebook import escape, judged, preformatted, table

SEVERITIES = ("error", "warning", "note")


class AuditError(Exception):
    """Raised by `Report.raise_for_errors`."""


@dataclass(frozen=True)
class Finding:
    """One fault: what came, what was expected, and how to see it again."""

    check: str
    message: str  #: the cause, in one line
    reproduce: str  #: code that can be pasted and run
    repair: str  #: what usually mends it
    severity: str = "error"  #: or "warning", or "note", which asks what the author meant
    came: str = ""
    expected: str = ""

    @property
    def more(self) -> str:
        """Return the command that prints the page on such faults."""
        return f"slopes explain {self.check}"

    @property
    def headline(self) -> str:
        """Return the severity, the check and the cause in one line."""
        return f"{self.severity}: {self.check}: {self.message}"

    @property
    def rows(self) -> list[tuple[str, str]]:
        """Return the rest as (label, text)."""
        seen = [("came", self.came), ("expected", self.expected), ("see it", self.reproduce)]
        return [*((label, text) for label, text in seen if text), ("repair", self.repair), ("more", self.more)]

    def __str__(self) -> str:
        told = (f"    {label + ':':<10}" + text.replace("\n", "\n" + " " * 14) for label, text in self.rows)
        return "\n".join([self.headline, *told])

    def _repr_html_(self) -> str:
        code = {"see it", "more"}
        rows = [(label, preformatted(text, wrap=True) if label in code else escape(text)) for label, text in self.rows]
        return f"<p><b>{escape(self.headline)}</b></p>{table(rows, labelled=True)}"


@dataclass
class Report:
    """The outcome of an audit: what was found, which checks ran, and why others could not."""

    subject: str
    findings: list[Finding] = field(default_factory=list)
    ran: list[str] = field(default_factory=list)
    skipped: dict[str, str] = field(default_factory=dict)  #: why a check did not run
    facts: list[str] = field(default_factory=list)  #: what was found out of the subject by calling it

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
        findings = [{**asdict(finding), "more": finding.more} for finding in self.findings]
        return json.dumps({"ok": self.ok, **vars(self), "findings": findings}, indent=2)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """The report that `to_json` has written."""
        told = json.loads(text)
        known = Finding.__dataclass_fields__
        findings = [Finding(**{name: x for name, x in found.items() if name in known}) for found in told["findings"]]
        return cls(told["subject"], findings, told["ran"], told["skipped"], told["facts"])

    @property
    def headline(self) -> str:
        """The subject, and how it fared, in one line."""
        counts = [(severity, sum(f.severity == severity for f in self.findings)) for severity in SEVERITIES]
        told = ", ".join(f"{n} {severity}{'s' * (n > 1)}" for severity, n in counts if n) or "clean"
        return f"{self.subject}: {told}, {len(self.ran)} checks ran"

    @property
    def reasons(self) -> dict[str, list[str]]:
        """The checks that did not run, by the reason why."""
        grouped: dict[str, list[str]] = {}
        for name, why in self.skipped.items():
            grouped.setdefault(why, []).append(name)
        return grouped

    @property
    def worst_first(self) -> list[Finding]:
        """The findings, errors before warnings and these before notes."""
        return sorted(self.findings, key=lambda finding: SEVERITIES.index(finding.severity))

    def __str__(self) -> str:
        return "\n".join(
            [
                self.headline,
                *(f"  {fact}" for fact in self.facts),
                *map(str, self.worst_first),
                *(f"  not run: {', '.join(names)}: {why}" for why, names in self.reasons.items()),
            ]
        )

    def _repr_html_(self) -> str:
        facts = "".join(f"<li>{escape(fact)}</li>" for fact in self.facts)
        not_run = [(escape(", ".join(names)), escape(why)) for why, names in self.reasons.items()]
        parts = [
            f"<p><b>{escape(self.headline)}</b></p>",
            f"<ul>{facts}</ul>" if facts else "",
            *(finding._repr_html_() for finding in self.worst_first),
            f"<details><summary>not run: {len(self.skipped)}</summary>{table(not_run)}</details>" if not_run else "",
        ]
        return judged(self.ok, "".join(parts))


class Skip(Exception):
    """Raised by a check that cannot run, with the reason."""


Check = Callable[[Any], Iterator[Finding]]
C = TypeVar("C", bound=Check)


def about(*families: str, unless: tuple[str, ...] = (), slow: bool = False) -> Callable[[C], C]:
    """Say of a check which families of subjects it is about.

    It is passed over where a check named in `unless` has found something, for it would see the same fault again,
    and in a quick audit if it is `slow`.
    """

    def mark(check: C) -> C:
        vars(check).update(families=families, unless=unless, slow=slow)
        return check

    return mark


def why_not(check: Check, subject: Any, report: Report) -> str | None:
    """Why a check is not to run on a subject; None if it is."""
    families = getattr(check, "families", ())
    if families and subject.family not in families:
        return f"not about {subject.family}s"
    found = {finding.check for finding in report.findings if finding.severity != "note"}
    before = [name for name in getattr(check, "unless", ()) if name in found]
    if before:
        return f"would see again what {before[0]} found"
    if getattr(check, "slow", False) and subject.quick:
        return "left out of a quick audit"
    return None


def run(
    subject: Any, checks: list[Check], report: Report | None = None, watch: Callable[[str], None] | None = None
) -> Report:
    """Run the checks one after the other; a check that raises is itself a finding. `watch` is told each one's name."""
    report = Report(subject.name) if report is None else report
    for check in checks:
        name = check.__name__
        if watch is not None:
            watch(name)
        reason = why_not(check, subject, report)
        if reason is not None:
            report.skipped[name] = reason
            continue
        try:
            report.findings.extend(check(subject))
            report.ran.append(name)
        except Skip as reason_:
            report.skipped[name] = str(reason_)
        except Exception as error:
            report.ran.append(name)
            cause = getattr(error, "cause", error)
            told = f"{type(cause).__name__}: {cause}"
            if any(told in found.message for found in report.findings):
                continue  # one broken body, one finding
            report.findings.append(
                Finding(
                    name,
                    f"raised {told}",
                    getattr(error, "code", f"slopes.audit({subject.name})"),
                    "make the function return numbers for every input that its kind allows",
                )
            )
    return report
