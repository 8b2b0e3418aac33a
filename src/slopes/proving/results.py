"""The outcome of a proof: a verdict for each claim."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict, dataclass
from typing import Any

from slopes.notebook import escape, judged, table

PROVED, REFUTED, OPEN = STATUSES = ("proved", "refuted", "open")


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """Whether one claim holds for all float64 numbers."""

    claim: str  #: its name, as in `range`
    stated: Any  #: the claimed number, pair or word
    status: str  #: "proved", "refuted" or "open"
    reason: str = ""  #: why it is refuted or open
    points: tuple[Any, ...] = ()  #: inputs that refute it, confirmed by exact arithmetic; of rows, tuples of arguments
    left: tuple[float, float] | None = None  #: an interval in which it is open
    tightest: Any = None  #: the tightest number or pair that is proved, rounded outwards to nine digits
    by: str = "body"  #: the formula that was looked at: the card's body, or its definition
    seconds: float = 0.0  #: processor time

    @property
    def detail(self) -> str:
        """Reason, tightest bound and formula in one line."""
        parts = [self.reason] if self.reason else []
        if self.tightest is not None and self.tightest != self.stated:
            parts.append(f"{'roots' if self.claim == 'slope_roots' else 'tightest'}: {self.tightest!r}")
        if self.by != "body":
            parts.append(f"by its {self.by}")
        return "; ".join(parts)

    @property
    def row(self) -> tuple[str, str, str, str, str]:
        """Claim, stated value, status, detail and time as text."""
        return self.claim, repr(self.stated), self.status, self.detail, f"{self.seconds:.2f} s"


@dataclass(frozen=True)
class Proof:
    """Verdicts on the claims of a card."""

    card: str
    verdicts: tuple[Verdict, ...]

    def __getitem__(self, claim: str) -> Verdict:
        """Return the verdict on a claim by its name; raise KeyError if there is none."""
        for verdict in self.verdicts:
            if verdict.claim == claim:
                return verdict
        raise KeyError(claim)

    @property
    def ok(self) -> bool:
        """Whether no claim is refuted."""
        return all(verdict.status != REFUTED for verdict in self.verdicts)

    @property
    def headline(self) -> str:
        """Card and number of claims by status, in one line."""
        counts = Counter(verdict.status for verdict in self.verdicts)
        listed = ", ".join(f"{counts[status]} {status}" for status in STATUSES if counts[status])
        return f"{self.card}: {listed} for all float64 numbers"

    def table(self) -> list[dict[str, Any]]:
        """Return the fields of each verdict."""
        return [asdict(verdict) for verdict in self.verdicts]

    def to_json(self) -> str:
        """Return the proof as JSON."""
        return json.dumps({"card": self.card, "ok": self.ok, "verdicts": self.table()}, indent=2)

    def __str__(self) -> str:
        rows = [verdict.row for verdict in self.verdicts]
        widths = [max(len(row[column]) for row in rows) for column in range(4)]
        lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, [*widths, 0], strict=True)) for row in rows]
        return "\n".join([self.headline, *(f"  {line.rstrip()}" for line in lines)])

    def _repr_html_(self) -> str:
        rows = [[escape(cell) for cell in verdict.row] for verdict in self.verdicts]
        listed = table(rows, ("claim", "stated", "status", "", "time"), labelled=True, right=(4,))
        return judged(self.ok, f"<p><b>{escape(self.headline)}</b></p>{listed}")
