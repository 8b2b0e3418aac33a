"""Causes of errors above 4 ulp that remain, by function and result."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

SLOPE, SECOND = "slope", "second derivative"
CAUSES: dict[str, tuple[tuple[str, str], ...]] = {
    "the slope by a logit is a difference of terms of the pixel's classes. Near a logit of 0 the roundings of "
    "probabilities and sums are larger than the effect of the logit's last place, so no condition counts them.": (
        ("jaccard", SLOPE),
        ("focal_tversky", SLOPE),
    ),
    "a pixel's classes have steps that are ratios of counts. Here their sum would be exactly 0 at equal probabilities, "
    "and logits of 0.005 leave a two hundredth of it: roundings of steps and probabilities count two hundredfold.": (
        ("lovasz_softmax", SLOPE),
    ),
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
        ("distillation", SECOND),
    ),
    "the second derivatives of both terms of the loss nearly cancel.": (
        ("poly1", SECOND),
        ("symmetric_cross_entropy", SECOND),
    ),
    "where the label is wrong, the slope has a quotient of two numbers near 1, whose own slopes nearly cancel.": (
        ("margin_softmax", SECOND),
    ),
    "on the way, a probability of 1e-25 is divided by an odds ratio of 1e20 and multiplied by it again, and underflows "
    "in float32.": (("js_divergence", SECOND),),
    "it falls with the third power of the residual, so that the roundings of residual and root count three times.": (
        ("charbonnier", SECOND),
        ("pseudo_huber", SECOND),
        ("barron_general", SECOND),
    ),
    "it is a difference of 1 and the logarithm, whose rounding counts more the nearer both are.": (("msle", SECOND),),
}
"""The functions and results of each cause."""
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
