"""Find the numbers of half types at which an activation comes near a tie, and write `slopes/fast/near_ties.py`.

Run with ``python tools/find_near_ties.py``. Within `halves.NEAR` of a tie float64 cannot tell the side, and Arb does.
An exact tie must be exact in float64, too.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import mpmath
import numpy as np

import slopes
from slopes.card import Map
from slopes.catalogue import ACTIVATIONS
from slopes.domains import OneOf
from slopes.fast.halves import EVERY, FORMATS, find_ties

PLACE = Path(slopes.__file__).parent / "fast" / "near_ties.py"
DIGITS = 100  #: of exact results: x/2 + x²/4 is not x/2 for the least bfloat16 either

HEAD = '''\
"""Where results of activations come so near a tie of a half type that float64 cannot tell its side.

Written by ``python tools/find_near_ties.py``; do not edit. Keys are the card's name, the format, the result, and
choices other than the default. A range of numbers, by their bits, ends with 1 if the sizes of exact results near a tie
are above it, and −1 if they are below.
"""

from __future__ import annotations

from typing import Any

NEAR_TIES: dict[tuple[Any, ...], tuple[tuple[int, int, int], ...]] = {
'''


def cards() -> Iterator[Any]:
    """Yield element-wise cards, with each choice of their parameters."""
    for card in dict.fromkeys(ACTIVATIONS.values()):
        if isinstance(card, Map):
            continue
        yield card
        for name, parameter in card.parameters.items():
            if isinstance(parameter.domain, OneOf):
                yield from (card.with_(**{name: c}) for c in parameter.domain.values if c != parameter.default)


def find(card: Any, form: str, result: str) -> list[tuple[int, int]]:
    """(bits, side) of numbers near a tie; the side is 0 for an exact one."""
    with np.errstate(all="ignore"):
        x = FORMATS[form].widen(EVERY)
        values = card(x) if result == "value" else card.slope(x)
        ties = find_ties(values, form)
    (places,) = np.nonzero(np.isfinite(ties) & np.isfinite(x))
    if not places.size:
        return []
    oracle = slopes.exact(card, DIGITS)
    exact = (oracle if result == "value" else oracle.slope)(x[places])
    found = []
    with mpmath.workdps(2 * DIGITS):
        for place, number in zip(places, exact, strict=True):
            excess = abs(number) - abs(mpmath.mpf(float(ties[place])))
            is_exact = abs(excess) <= abs(number) * mpmath.mpf(10) ** (10 - DIGITS)
            if is_exact and values[place] != ties[place]:
                raise SystemExit(f"{card}: {result} at {x[place]!r} is a tie, but not in float64")
            found.append((int(place), 0 if is_exact else 1 if excess > 0 else -1))
    return found


def ranges(found: list[tuple[int, int]]) -> Iterator[tuple[int, int, int]]:
    """Yield (start, stop, side) for runs of one side."""
    for side, run in itertools.groupby(found, key=lambda pair: pair[1]):
        bits = [place for place, _ in run]
        if side:
            yield bits[0], bits[-1] + 1, side


def main() -> None:
    """Write the file."""
    lines = []
    for card in cards():
        for form, result in itertools.product(FORMATS, ("value", "slope")):
            found = find(card, form, result)
            if any(side for _, side in found):
                key = (card.body.__name__, form, result, *card.bound.items())
                lines.append(f"    {key}: {tuple(ranges(found))},\n".replace("'", '"'))
                print(f"{card.name} {form} {result}: {len(found)}")
    PLACE.write_text(HEAD + "".join(lines) + "}\n")


if __name__ == "__main__":
    main()
