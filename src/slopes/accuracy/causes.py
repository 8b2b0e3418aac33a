"""Causes of errors above 4 ulp that remain, by function and result."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

SECOND = "second derivative"
#: the functions and results of each cause
CAUSES: dict[str, tuple[tuple[str, str], ...]] = {
    "a gate of exactly 0 is a kink of the slope: differences give the mean of both sides, autograd the left side.": (
        ("reglu", SECOND),
    ),
    "small tensors of float32 use PyTorch's own function, whose double backward is s·(1 − s), without digits where "
    "s is near 1, and 0 beyond 20.": (("softplus", SECOND), ("log_sigmoid", SECOND)),
    "a product of probabilities, each with the roundings of an exponential, a sum and a quotient; at logits near 0 the "
    "condition does not count them.": (
        ("softmax", SECOND),
        ("gumbel_softmax", SECOND),
        ("cross_entropy", SECOND),
        ("logit_adjusted", SECOND),
        ("distillation", SECOND),
    ),
    "products of several probabilities partly cancel; at logits near 0 the condition does not count their roundings.": (
        ("poly1", SECOND),
        ("symmetric_cross_entropy", SECOND),
    ),
    "the slopes of the softmax and of a quotient by 1 − p nearly cancel, as the shares of the other classes among "
    "themselves do not depend on the label's logit.": (("margin_softmax", SECOND),),
    "a gradient of 8e-26 is divided by 4e20, the argument of a logarithm, and underflows in float32; the slope of an "
    "exponential would make it large again.": (("js_divergence", SECOND),),
    "it falls with the third power of the residual, so that roundings of residual, quotient and root count up to three "
    "times.": (
        ("charbonnier", SECOND),
        ("pseudo_huber", SECOND),
        ("barron_general", SECOND),
    ),
    "it is a difference of 1 and the logarithm, whose rounding counts more the nearer both are.": (("msle", SECOND),),
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
