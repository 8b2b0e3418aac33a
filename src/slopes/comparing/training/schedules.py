"""Factors of the learning rate over a training."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from slopes.comparing.settings import settings_of

_FALLS: dict[str, Callable[[float], float]] = {
    "constant": lambda share: 1.0,
    "cosine": lambda share: (1 + math.cos(math.pi * share)) / 2,
    "linear": lambda share: 1 - share,
}


def factors(schedule: Any, steps: int) -> list[float]:
    """Factor of each step; a warm-up rises to 1, from where the schedule starts."""
    if schedule is None:
        return [1.0] * steps
    if callable(schedule):
        return [float(schedule(step / steps)) for step in range(steps)]
    name, given = settings_of(schedule)
    warm = round(given.get("warmup", 0.0) * steps)
    rise = [(step + 1) / warm for step in range(warm)]
    return rise + [_FALLS[name](step / (steps - warm)) for step in range(steps - warm)]
