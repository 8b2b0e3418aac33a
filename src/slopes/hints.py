"""Hints at known names."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any


def did_you_mean(name: Any, known: Iterable[str], otherwise: str | None = None, most: int = 1) -> str:
    """Return up to `most` names that contain this one or are near to it, else `otherwise`, by default all known."""
    known = list(known)
    for written in (str(name), str(name).lower().replace("-", "_")):
        parts = [each for each in known if written in each.split("_")]
        if near := list(dict.fromkeys(parts + difflib.get_close_matches(written, known, n=most)))[:most]:
            return f"did you mean {' or '.join(map(repr, near))}?"
    return f"there are {', '.join(known)}." if otherwise is None else otherwise
