"""Evidence of findings, run again: what the printed code gives is what the finding says that came."""

from __future__ import annotations

import contextlib
import io
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from slopes.auditing.evidence import Script
from slopes.auditing.report import Finding

TESTS = Path(__file__).parent
RUNNER = r"import json, sys; [(exec(code, {}), print(end='\0')) for code in json.load(sys.stdin)]"


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

    def confirm_in_a_process(self, *findings: Finding) -> None:
        """Run the codes in a fresh process, each in a namespace of its own, and compare what they print with here."""
        codes = [finding.reproduce for finding in findings]
        assert not any(self.made[self._key(finding)][0] for finding in findings), "nothing but the code may be needed"
        ended = subprocess.run(
            [sys.executable, "-c", RUNNER], input=json.dumps(codes), capture_output=True, text=True, check=True,
            env={"PYTHONPATH": ":".join([str(TESTS), *sys.path])},
        )  # fmt: skip
        *printed, _ = ended.stdout.split("\0")
        for code, there in zip(codes, printed, strict=True):
            with contextlib.redirect_stdout(io.StringIO()) as here:
                exec(code, {})
            assert there == here.getvalue() != "", code

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
