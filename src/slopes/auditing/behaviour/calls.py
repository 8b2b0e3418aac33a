"""Check of the type of a result, and of printing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import torch

from slopes.auditing.report import Finding
from slopes.auditing.subject import Subject


def calling(subject: Subject) -> Iterator[Finding]:
    arguments = subject.draw_few()
    if "type" in subject.oddities:
        is_group = isinstance(subject.raw(*arguments), (tuple, list, Mapping))  # its loss was audited
        yield subject.script(arguments, f"type({subject.call})").finding(
            f"training cannot call .backward() of its result: it gives {subject.oddities['type']} instead of a tensor",
            "return the tensor that is to be minimised, and nothing beside it; never .item() or float() of it",
            "note" if is_group else "error",
            expected="a tensor",
            shows=lambda kind: not issubclass(kind, torch.Tensor),
        )
    if "prints" in subject.oddities:
        first = subject.oddities["prints"].strip().splitlines() or [""]
        script = subject.script(arguments, subject.call)
        yield script.finding(
            f"training fills its output with lines: it prints at every call: {first[0][:80]!r}",
            "take the print out, or put it behind a logger",
            "warning",
            shows=lambda *values: script.output.getvalue() or values[1:],
        )
