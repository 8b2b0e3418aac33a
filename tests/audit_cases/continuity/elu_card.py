"""A card of ELU whose left piece ends at 0.1 and not at 0: a constant of another version was left in."""

import slopes
from slopes.ops import expm1, minimum, where


@slopes.activation
def bug(x):
    """Exponential linear unit, a tenth too high on the left."""
    return where(x > 0, x, expm1(minimum(x, 0.0)) + 0.1)


@slopes.activation
def fixed(x):
    """Exponential linear unit."""
    return where(x > 0, x, expm1(minimum(x, 0.0)))
