"""Evidence of findings, run again: what the printed code gives is what the finding says that came."""

from __future__ import annotations

import contextlib
import io
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from slopes.auditing.evidence import Script
from slopes.auditing.report import Finding

TESTS = Path(__file__).parent


class Evidence:
    """Findings that were made of code, with the templates that the printed values filled."""

    def __init__(self) -> None:
        self.made: dict[tuple[str, ...], tuple[dict[str, Any], dict[str, Any]]] = {}

    def keep(self, script: Script, finding: Finding, templates: dict[str, Any]) -> None:
        """Record a finding."""
        self.made[self._key(finding)] = dict(script.given), templates

    def confirm(self, finding: Finding) -> None:
        """Run the code of a finding in a fresh namespace, and compare with what it says."""
        assert self._key(finding) in self.made, f"no code was run for {finding}"
        given, templates = self.made[self._key(finding)]
        again = Script([finding.reproduce], given).finding("", finding.repair, **templates)
        assert (again.came, again.expected) == (finding.came, finding.expected), str(finding)

    def confirm_in_a_process(self, finding: Finding) -> None:
        """Run the code in a fresh process, and compare what it prints with what it prints here."""
        assert not self.made[self._key(finding)][0], "nothing but the code may be needed"
        paths = {"PYTHONPATH": ":".join([str(TESTS), *sys.path])}
        ended = subprocess.run(
            [sys.executable, "-c", finding.reproduce], capture_output=True, text=True, env=paths, check=True
        )
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            exec(finding.reproduce, {})
        assert ended.stdout == printed.getvalue() != "", str(finding)

    @staticmethod
    def _key(finding: Finding) -> tuple[str, ...]:
        return finding.repair, finding.came, finding.expected


@contextlib.contextmanager
def kept_evidence() -> Iterator[Evidence]:
    """Record the evidence of the findings that are made meanwhile."""
    evidence, plain = Evidence(), Script.finding

    def finding(self: Script, message: str, repair: str, severity: str = "error", **templates: Any) -> Finding:
        made = plain(self, message, repair, severity, **templates)
        evidence.keep(self, made, templates)
        return made

    Script.finding = finding  # type: ignore[method-assign]
    try:
        yield evidence
    finally:
        Script.finding = plain  # type: ignore[method-assign]
