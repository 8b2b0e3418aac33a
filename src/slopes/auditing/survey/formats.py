"""Formats of a survey: text, JSON, and documents that services for continuous integration read.

A format is made with the cases. It gives a part of its text for each result as it comes, and the rest at the end.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import PurePath
from xml.etree import ElementTree

from slopes.auditing.report import Finding, count_findings
from slopes.auditing.survey.cases import Case, CaseResult
from slopes.auditing.survey.sarif import log_of, relative


class Document:
    """Base of formats that are written at the end alone."""

    def __init__(self, cases: Sequence[Case], details: bool = False) -> None:
        """`details` shows the findings of each case, if the format gives a choice."""

    def each(self, result: CaseResult) -> str:
        return ""

    def end(self, results: Sequence[CaseResult]) -> str:
        raise NotImplementedError


class Text(Document):
    """A line for each case, with the totals and details below; or whole reports, if the user named all subjects."""

    def __init__(self, cases: Sequence[Case], details: bool = False) -> None:
        self.has_lines = not all(case.is_named for case in cases) or not cases
        self.details = details or len(cases) == 1
        self.columns = [max(map(len, column)) for column in zip(*map(_columns, cases), strict=True)]

    def each(self, result: CaseResult) -> str:
        if not self.has_lines:
            return f"{result.report}\n"
        cells = [text.ljust(width) for text, width in zip(_columns(result.case), self.columns, strict=True)]
        return re.sub(r"[\r\n]+", " ", "  ".join([*cells, summary(result)])) + "\n"

    def end(self, results: Sequence[CaseResult]) -> str:
        if not self.has_lines:
            return ""
        shown = [result.report for result in results if self.details and result.findings]
        return "".join([*(f"\n{report}\n" for report in shown), "\n" * bool(shown), f"{totals(results)}\n"])


class Github(Text):
    """Lines as in text, and GitHub's workflow commands, which it shows beside the code."""

    def __init__(self, cases: Sequence[Case], details: bool = False) -> None:
        super().__init__(cases)
        self.has_lines, self.details = True, False  # the commands have the details

    def each(self, result: CaseResult) -> str:
        commands = [self._command(result.case, finding) for finding in result.findings]
        return super().each(result) + "".join(commands)

    @staticmethod
    def _command(case: Case, finding: Finding) -> str:
        place = {"file": relative(case.file), "line": str(case.line)} if case.file else {}
        properties = {**place, "title": f"{case.name}: {finding.check}"}
        given = ",".join(f"{key}={_escape_property(text)}" for key, text in properties.items())
        level = "notice" if finding.severity == "note" else finding.severity
        text = _escape(f"{finding.message}\n{finding.details}")
        return f"::{level} {given}::{text}\n"


class Json(Document):
    """The reports, with file and line, or why there is none."""

    def end(self, results: Sequence[CaseResult]) -> str:
        return json.dumps([_fields(result) for result in results], indent=2) + "\n"


class Sarif(Document):
    """A log in SARIF 2.1.0, which GitHub, GitLab, Azure DevOps and editors read."""

    def end(self, results: Sequence[CaseResult]) -> str:
        return json.dumps(log_of(results), indent=2) + "\n"


class Junit(Document):
    """JUnit's XML with a test case for each case: Jenkins, GitLab and others read it."""

    def end(self, results: Sequence[CaseResult]) -> str:
        suites = ElementTree.Element("testsuites")
        suite = ElementTree.SubElement(suites, "testsuite")
        elements = [_test_case(suite, result) for result in results]
        outcomes = Counter(child.tag for element in elements for child in element)
        counts = {"tests": len(results), **{f"{tag}s": outcomes[tag] for tag in ("failure", "error")}}
        for element in (suites, suite):
            element.attrib = {"name": "slopes audit", **{name: str(count) for name, count in counts.items()}}
            element.set("skipped", str(outcomes["skipped"]))
            element.set("time", f"{sum(result.seconds for result in results):.3f}")
        ElementTree.indent(suites)
        return ElementTree.tostring(suites, xml_declaration=True).decode("ascii") + "\n"


FORMATS: dict[str, type[Document]] = {"text": Text, "json": Json, "sarif": Sarif, "github": Github, "junit": Junit}


def summary(result: CaseResult) -> str:
    """Verdict on a case in a few words."""
    if result.obstacle:
        return f"skipped: {result.obstacle}"
    if result.is_lost:
        return f"{count_findings(result.findings)}: {result.findings[0].message}"
    counts = count_findings(result.findings)
    if result.ok:
        return f"ok, {counts}" if counts else "ok"
    checks = dict.fromkeys(finding.check for finding in result.faults)
    return f"{counts}: {', '.join(checks)}"


def totals(results: Sequence[CaseResult]) -> str:
    """Number of cases, and of findings, in one line."""
    if not results:
        return "nothing to audit: no loss or activation found"
    skipped = sum(bool(result.obstacle) for result in results)
    good = sum(result.ok for result in results) - skipped
    cases = f"{len(results)} {'subject' if len(results) == 1 else 'subjects'}: {good} ok"
    faulty = len(results) - good - skipped
    counts = count_findings([finding for result in results for finding in result.findings])
    return f"{cases}, {faulty} faulty, {skipped} skipped; {counts or 'no findings'}"


def _columns(case: Case) -> tuple[str, str]:
    return case.name, case.place


def _escape(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _escape_property(text: str) -> str:
    return _escape(text).replace(":", "%3A").replace(",", "%2C")


def _fields(result: CaseResult) -> dict[str, object]:
    case = result.case
    place = {"file": case.file, "line": case.line} if case.file else {}
    if result.report is None:
        return {"subject": case.name, **place, "not_audited": result.obstacle}
    return {**json.loads(result.report.to_json()), **place}


def _test_case(suite: ElementTree.Element, result: CaseResult) -> ElementTree.Element:
    case = result.case
    place = {"file": case.file, "line": str(case.line)} if case.file else {}
    owner = ".".join(PurePath(case.file).with_suffix("").parts) if case.file else "slopes"
    fields = {"classname": owner, "name": case.name, **place, "time": f"{result.seconds:.3f}"}
    element = ElementTree.SubElement(suite, "testcase", {name: _legal(text) for name, text in fields.items()})
    if result.obstacle:
        ElementTree.SubElement(element, "skipped", message=_legal(result.obstacle))
    elif not result.ok:
        tag = "error" if result.is_lost else "failure"
        kind = next(finding.check for finding in result.findings)
        ElementTree.SubElement(element, tag, message=_legal(summary(result)), type=kind).text = _legal(
            str(result.report)
        )
    elif result.findings:
        ElementTree.SubElement(element, "system-out").text = _legal(str(result.report))
    return element


def _legal(text: str) -> str:
    """Text without the characters that XML 1.0 forbids."""
    return re.sub(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", "\ufffd", text)
