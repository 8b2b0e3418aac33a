"""Check of the type of a result, and of printing."""

from __future__ import annotations

from collections.abc import Iterator

from slopes.auditing.report import Finding
from slopes.auditing.subject import Subject


def calling(subject: Subject) -> Iterator[Finding]:
    """Check that a call gives a tensor, and prints nothing."""
    arguments = subject.draw(rows=2 if len(subject.form.shape) > 1 else None)
    code = subject.code(arguments, f"type({subject.call})")
    if "type" in subject.oddities:
        yield Finding(
            "calling",
            f"gives {subject.oddities['type']} instead of a tensor",
            code,
            "return the tensor that is to be minimised, and nothing beside it; never .item() or float() of it",
            came=subject.oddities["type"],
            expected="a tensor",
        )
    if "prints" in subject.oddities:
        first = subject.oddities["prints"].strip().splitlines() or [""]
        yield Finding(
            "calling",
            f"prints at every call: {first[0][:80]!r}",
            code,
            "take the print out, or put it behind a logger",
            severity="warning",
        )
