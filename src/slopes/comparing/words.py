"""Numbers and names in words."""

from __future__ import annotations

from collections.abc import Sequence


def counted(number: int, noun: str, ending: str = "s") -> str:
    """``1 seed``, ``2 seeds``."""
    return f"{number} {noun}{ending if number != 1 else ''}"


def listed(names: Sequence[str]) -> str:
    """``relu, gelu and silu``."""
    return f"{', '.join(names[:-1])} and {names[-1]}" if len(names) > 1 else "".join(names)


def duration(seconds: float) -> str:
    """``45 s``, ``2 min 5 s``."""
    whole = round(seconds)
    return f"{whole} s" if whole < 90 else f"{whole // 60} min {whole % 60} s"
