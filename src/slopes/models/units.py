"""Dead and saturated units of an activation, judged over many samples."""

from __future__ import annotations

from typing import Any

FLAT = 1e-3  #: a smaller slope passes next to nothing on
MOSTLY = 0.95

DEAD = f"output and slope are under {FLAT:g} in size for every sample"
SATURATED = f"its slope is under {FLAT:g} in size in at least {100 * MOSTLY:g} % of the samples in which it is on"


def mark_flat(values: Any, slopes: Any) -> tuple[Any, Any]:
    """Masks of flat slopes, and of flat slopes with an output near 0 (off)."""
    flat = abs(slopes) < FLAT
    return flat, flat & (abs(values) < FLAT)


def classify_units(flat: Any, off: Any, samples: Any) -> tuple[Any, Any]:
    """Masks of dead and of saturated units, by the numbers of samples where each was flat and off; none is both."""
    on = samples - off
    return on == 0, (on > 0) & (flat - off >= MOSTLY * on)
