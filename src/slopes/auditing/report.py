"""Findings of an audit, and their report."""

from __future__ import annotations

import json
import traceback
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Self, TypeVar

from slopes.loading import describe
from slopes.notebook import escape, judged, preformatted, table

#: folders of libraries on the way from an exception to the function that called them
LIBRARIES = {"torch", "numpy", "scipy", "mpmath", "flint", "sympy", "jax", "keras"}
SEVERITIES = ("error", "warning", "note")


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
        return f"<details><summary><b>{escape(self.headline)}</b></summary>{table(rows, labelled=True)}</details>"


@dataclass
class Report:
    """Outcome of an audit: findings, checks that ran, and reasons why others did not."""

    subject: str
    findings: list[Finding] = field(default_factory=list)
    ran: list[str] = field(default_factory=list)
    skipped: dict[str, str] = field(default_factory=dict)  #: reasons, by the names of checks that did not run
    facts: list[str] = field(default_factory=list)  #: facts about the subject, found by calling it
    is_refused: bool = False  #: whether the subject raises for all arguments
    is_lost: bool = False  #: whether the subject hung or died, or its file does not run

    @property
    def ok(self) -> bool:
        """Whether nothing worse than a note was found."""
        return all(finding.severity == "note" for finding in self.findings)

    def allowing(self, checks: Collection[str]) -> Report:
        """Copy of the report, with the findings of these checks as notes."""
        findings = [replace(x, severity="note") if x.check in checks else x for x in self.findings]
        return replace(self, findings=findings)

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
        return cls(**{name: x for name, x in told.items() if name != "ok"} | {"findings": findings})

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
    finding = Finding("calling", fault, f"import slopes\nslopes.audit({spec!r})", repair, expected="a tensor")
    return Report(spec, [finding], ["calling"], is_lost=True)


NO_GRADIENTS = "it computes in NumPy, which has no gradients"


class Skip(Exception):
    """Reason why a check cannot run, raised by the check."""


Check = Callable[[Any], Iterator[Finding]]
C = TypeVar("C", bound=Check)


def about(
    *families: str, unless: tuple[str, ...] = (), slow: bool = False, once: bool = False, by_gradients: bool = False
) -> Callable[[C], C]:
    """Mark a check with the families of its subjects.

    The check is skipped if a check in `unless` has found an error, because it would report the same fault again, and
    in a quick audit if it is `slow`, and `by_gradients` for a subject in NumPy. If the other has found a warning, only
    errors are kept. Of a check that reports one fault `once`, the strongest finding is kept.
    """

    def mark(check: C) -> C:
        vars(check).update(families=families, unless=unless, slow=slow, once=once, by_gradients=by_gradients)
        return check

    return mark


def why_not(check: Check, subject: Any, report: Report) -> str | None:
    families = getattr(check, "families", ())
    if families and subject.family not in families:
        return f"not about {subject.family}s"
    before = _before(check, report)
    if any(finding.severity == "error" or finding.check == "purity" for finding in before):  # impure calls differ
        return f"would report the fault of {before[0].check} again"
    if getattr(check, "slow", False) and subject.quick:
        return "left out of a quick audit"
    if getattr(check, "by_gradients", False) and subject.form.numpy:
        return NO_GRADIENTS
    return None


def _before(check: Check, report: Report) -> list[Finding]:
    """Findings that the check may report again, the worst first."""
    return [x for x in report.worst_first if x.check in getattr(check, "unless", ()) and x.severity != "note"]


def _worst(check: Check, report: Report) -> str | None:
    """Severity of the worst finding that the check may report again."""
    return next((finding.severity for finding in _before(check, report)), None)


def strongest(findings: Iterable[Finding]) -> Finding:
    """First of the worst findings, so that no note hides an error."""
    return min(findings, key=lambda finding: SEVERITIES.index(finding.severity))


def run(
    subject: Any, checks: list[Check], report: Report | None = None, watch: Callable[[str], None] | None = None
) -> Report:
    """Run the checks in order; a subject's exception becomes a finding. `watch` receives the name of each check."""
    report = Report(subject.name) if report is None else report
    for check in checks:
        name = check.__name__
        if watch is not None:
            watch(name)
        reason = why_not(check, subject, report)
        if reason is not None:
            report.skipped[name] = reason
            continue
        found: list[Finding] = []
        is_once = getattr(check, "once", False)
        try:
            for finding in check(subject):
                if finding.severity == "error" or _worst(check, report) is None:  # a warning hides no error
                    found.append(replace(finding, check=name))
                if is_once and finding.severity == "error":  # weaker ones do not end the search
                    break
            report.ran.append(name)
        except Skip as reason_:
            report.skipped[name] = str(reason_)
        except (Exception, SystemExit) as error:
            _record(error, name, subject, report)
        report.findings += found if not is_once else found and [strongest(found)]
    return report


def _record(error: Exception | SystemExit, name: str, subject: Any, report: Report) -> None:
    """Add a finding for the subject's exception; skip the check for its own."""
    cause = getattr(error, "cause", error)
    told = describe(cause)
    if not _is_of_subject(error):
        report.skipped[name] = f"the check itself failed with {told}"
        return
    report.ran.append(name)
    if any(told in found.message for found in report.findings):
        return  # one broken body, one finding
    repair = "make the function return numbers for every input that its kind allows"
    try:
        message = f"training stops with an exception: {told}"
        if hasattr(error, "finding"):
            finding = error.finding(message, repair)
        else:
            finding = subject.raised(innermost_frame(error), message, repair)
        report.findings.append(replace(finding, check=name))
    except Exception as reason_:  # its exception came once, and not again
        report.ran.remove(name)
        report.skipped[name] = str(reason_) if isinstance(reason_, Skip) else f"it raised {told} once"


def _is_of_subject(error: BaseException) -> bool:
    """Whether the innermost frame outside of libraries belongs to the subject, not to the audit."""
    frame = innermost_frame(error)
    return hasattr(error, "finding") or (frame is not None and not _is_of_audit(Path(frame.filename)))


def innermost_frame(error: BaseException) -> traceback.FrameSummary | None:
    """Innermost frame outside of libraries."""
    standard = Path(traceback.__file__).parent
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        file = Path(frame.filename)
        is_standard = file.is_relative_to(standard) and "site-packages" not in file.parts
        if not is_standard and not LIBRARIES & set(file.parts) and not file.name.startswith("<"):
            return frame
    return None


def _is_of_audit(file: Path) -> bool:
    audit = Path(__file__).parent
    kinds = audit.parent / "kinds"
    places = (audit, audit.parent / "truth", kinds / "examples.py", kinds / "spaces.py")
    return any(file.is_relative_to(place) for place in places)
