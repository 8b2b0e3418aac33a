"""Results of a survey as a log in SARIF 2.1.0, the Static Analysis Results Interchange Format."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from slopes import __version__
from slopes.auditing.explanations import PAGES, page_url, title_of
from slopes.auditing.report import Finding
from slopes.auditing.survey.cases import Case, CaseResult


def log_of(results: Sequence[CaseResult]) -> dict[str, Any]:
    """Log with a result for each finding, a rule for each check that found something, and notes on skipped cases."""
    checks = list(dict.fromkeys(finding.check for result in results for finding in result.findings))
    driver = {
        "name": "slopes",
        "version": __version__,
        "informationUri": PAGES,
        "rules": [_rule(check) for check in checks],
    }
    skipped = [
        {"level": "note", "message": _text(f"{result.case.name}: skipped: {result.obstacle}"), **_place(result.case)}
        for result in results
        if result.obstacle
    ]
    run = {
        "tool": {"driver": driver},
        "invocations": [{"executionSuccessful": True, "toolExecutionNotifications": skipped}],
        "results": [
            _result(result.case, finding, checks.index(finding.check))
            for result in results
            for finding in result.findings
        ],
    }
    return {"$schema": "https://json.schemastore.org/sarif-2.1.0.json", "version": "2.1.0", "runs": [run]}


def relative(file: str) -> str:
    """Path of a file from the working directory, with slashes; the whole path for a file elsewhere."""
    path = Path(os.path.abspath(file))
    here = Path.cwd()
    return path.relative_to(here).as_posix() if path.is_relative_to(here) else path.as_posix()


def _rule(check: str) -> dict[str, Any]:
    title, url = title_of(check), page_url(check)
    return {
        "id": check,
        "name": "".join(word.capitalize() for word in check.split("_")),
        "shortDescription": _text(title),
        "fullDescription": _text(title),
        "help": {"text": f"Why it matters, an example and the repair: {url}", "markdown": f"[Why and how]({url})"},
        "helpUri": url,
    }


def _result(case: Case, finding: Finding, index: int) -> dict[str, Any]:
    text = f"{case.name}: {finding.message}\n{finding.details}"
    return {
        "ruleId": finding.check,
        "ruleIndex": index,
        "level": finding.severity,
        "message": _text(text),
        **_place(case),
    }


def _place(case: Case) -> dict[str, Any]:
    logical = [{"name": case.name}]
    if case.file is None:
        return {"locations": [{"logicalLocations": logical}]}
    path = relative(case.file)
    address = Path(path).as_uri() if Path(path).is_absolute() else quote(path)
    physical = {"artifactLocation": {"uri": address}, "region": {"startLine": case.line}}
    return {"locations": [{"physicalLocation": physical, "logicalLocations": logical}]}


def _text(text: str) -> dict[str, str]:
    return {"text": text}
