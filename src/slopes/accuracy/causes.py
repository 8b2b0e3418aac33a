"""Causes of errors above 4 ulp that remain, by function and result."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

SECOND = "second derivative"
#: the functions and results of each cause
CAUSES: dict[str, tuple[tuple[str, str], ...]] = {
    "a gate of exactly 0 is a kink of the slope: differences give the mean of both sides, autograd the left side.": (
        ("reglu", SECOND),
    ),
    "it is a difference of 1 and the logarithm, whose rounding counts more the nearer both are; with an exact "
    "difference it is within 3.": (("msle", SECOND),),
    "it is a difference of two products, in float32; in float64, rounded once, it is within 1.": (("z_loss", SECOND),),
    "it is 0 where the likelihood of the rejected answer is 1/2, and terms cancel near there; roots are looked for "
    "along the first argument alone.": (("orpo", SECOND),),
}
_BY_RESULT = {pair: cause for cause, pairs in CAUSES.items() for pair in pairs}


def cause_lines(results: Iterable[tuple[str, str]]) -> Iterator[str]:
    """Yield the lines below a table of these functions and results, as the page names them: a list of their causes."""
    alike: dict[str, list[str]] = {}
    for name, result in dict.fromkeys(results):
        if (name, result) in _BY_RESULT:
            alike.setdefault(_BY_RESULT[name, result], []).append(f"`{name}` ({result})")
    yield from [""] if alike else []
    for cause, pairs in alike.items():
        yield f"- {', '.join(pairs)}: {cause}"
