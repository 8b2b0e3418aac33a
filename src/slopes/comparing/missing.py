"""Metrics without a value: NaN in results, None in files."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

PARTS = ("test", "validation")


def written(outcome: Mapping[str, Any]) -> dict[str, Any]:
    """Outcome of a run with None for NaN among its metrics, as JSON has no NaN."""
    none = {part: {k: None if v != v else v for k, v in outcome[part].items()} for part in PARTS}
    return {**outcome, **none}


def read(outcome: Mapping[str, Any]) -> dict[str, Any]:
    """Undo `written`."""
    nan = {part: {k: math.nan if v is None else v for k, v in outcome[part].items()} for part in PARTS}
    return {**outcome, **nan}
