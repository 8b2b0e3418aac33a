"""Findings of an audit, and their report."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, field, replace
from itertools import islice
from typing import Any, Self, TypeVar

from slopes.notebook import escape, judged, preformatted, table

SEVERITIES = ("error", "warning", "note")
NEVER_CALLED = "however it is called"  #: ends the message about a subject that raises for all arguments


class AuditError(Exception):
    """Error raised by `Report.raise_for_errors`."""


@dataclass(frozen=True)
class Finding:
    """A fault: actual and expected result, and code that reproduces it."""

    check: str  #: its name, which `run` fills in
    message: str  #: the cause, in one line
    reproduce: str  #: code to paste and run
    repair: str  #: the usual fix
    severity: str = "error"  #: or "warning", or "note" for a question to the author
    came: str = ""
    expected: str = ""

    @property
    def more(self) -> str:
        """Command that prints the page on such faults."""
        return f"slopes explain {self.check}"

    @property
    def headline(self) -> str:
        """Severity, check and cause in one line."""
        return f"{self.severity}: {self.check}: {self.message}"

    @property
    def details(self) -> str:
        """Remaining fields, a label and its text on each line."""
        return "\n".join(f"    {label + ':':<10}" + text.replace("\n", "\n" + " " * 14) for label, text in self.rows)

    @property
    def rows(self) -> list[tuple[str, str]]:
        """Remaining fields as (label, text)."""
        seen = [("came", self.came), ("expected", self.expected), ("see it", self.reproduce)]
        return [*((label, text) for label, text in seen if text), ("repair", self.repair), ("more", self.more)]

    def __str__(self) -> str:
        return f"{self.headline}\n{self.details}"

    def _repr_html_(self) -> str:
        code = {"see it", "more"}
        rows = [(label, preformatted(text, wrap=True) if label in code else escape(text)) for label, text in self.rows]
        return f"<p><b>{escape(self.headline)}</b></p>{table(rows, labelled=True)}"


@dataclass
class Report:
    """Outcome of an audit: findings, checks that ran, and reasons why others did not."""

    subject: str
    findings: list[Finding] = field(default_factory=list)
    ran: list[str] = field(default_factory=list)
    skipped: dict[str, str] = field(default_factory=dict)  #: reasons, by the names of checks that did not run
    facts: list[str] = field(default_factory=list)  #: facts about the subject, found by calling it

    @property
    def ok(self) -> bool:
        """Whether nothing worse than a note was found."""
        return all(finding.severity == "note" for finding in self.findings)

    def raise_for_errors(self) -> None:
        """Raise AuditError with the report's text if an error was found."""
        if any(finding.severity == "error" for finding in self.findings):
            raise AuditError(str(self))

    def to_json(self) -> str:
        """Report as JSON."""
        findings = [{**asdict(finding), "more": finding.more} for finding in self.findings]
        return json.dumps({"ok": self.ok, **vars(self), "findings": findings}, indent=2)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Report that `to_json` wrote."""
        told = json.loads(text)
        known = Finding.__dataclass_fields__
        findings = [Finding(**{name: x for name, x in found.items() if name in known}) for found in told["findings"]]
        return cls(told["subject"], findings, told["ran"], told["skipped"], told["facts"])

    @property
    def headline(self) -> str:
        """Subject, and numbers of findings and checks, in one line."""
        return f"{self.subject}: {count_findings(self.findings) or 'clean'}, {len(self.ran)} checks ran"

    @property
    def reasons(self) -> dict[str, list[str]]:
        """Names of the checks that did not run, by reason."""
        grouped: dict[str, list[str]] = {}
        for name, why in self.skipped.items():
            grouped.setdefault(why, []).append(name)
        return grouped

    @property
    def worst_first(self) -> list[Finding]:
        """Findings in the order errors, warnings, notes."""
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


def count_findings(findings: Iterable[Finding]) -> str:
    """Number of findings by severity, in words; "" without findings."""
    counts = Counter(finding.severity for finding in findings)
    return ", ".join(f"{counts[x]} {x}{'s' * (counts[x] > 1)}" for x in SEVERITIES if counts[x])


def unusable(spec: str, fault: str, repair: str) -> Report:
    """Report on an object of a file that no check could look at."""
    finding = Finding("calling", fault, f"slopes.audit({spec!r})", repair, came=fault, expected="a tensor")
    return Report(spec, [finding], ["calling"])


class Skip(Exception):
    """Reason why a check cannot run, raised by the check."""


Check = Callable[[Any], Iterator[Finding]]
C = TypeVar("C", bound=Check)


def about(*families: str, unless: tuple[str, ...] = (), slow: bool = False, once: bool = False) -> Callable[[C], C]:
    """Mark a check with the families of its subjects.

    The check is skipped if a check in `unless` has found something, because it would report the same fault again, and
    in a quick audit if it is `slow`. It ends at its first finding if it reports one fault `once`.
    """

    def mark(check: C) -> C:
        vars(check).update(families=families, unless=unless, slow=slow, once=once)
        return check

    return mark


def why_not(check: Check, subject: Any, report: Report) -> str | None:
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
    """Run the checks in order; a check that raises becomes a finding. `watch` receives the name of each check."""
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
            findings = islice(check(subject), 1 if getattr(check, "once", False) else None)
            report.findings.extend(replace(finding, check=name) for finding in findings)
            report.ran.append(name)
        except Skip as reason_:
            report.skipped[name] = str(reason_)
        except Exception as error:
            report.ran.append(name)
            cause = getattr(error, "cause", error)
            told = f"{type(cause).__name__}: {cause}"
            if any(told in found.message for found in report.findings):
                continue  # one broken body, one finding
            repair = "make the function return numbers for every input that its kind allows"
            try:
                raised = replace(error.finding(f"raised {told}", repair), check=name)  # type: ignore[attr-defined]
            except AttributeError:
                raised = Finding(name, f"raised {told}", f"import slopes\nslopes.audit({subject.name})", repair)
            except Skip as reason_:
                report.skipped[name] = str(reason_)
                continue
            report.findings.append(raised)
    return report
