"""Rules for findings, with their thresholds and the usual repairs."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

from slopes.diagnosing.results import HALF, Finding, Measurements, percent, ratio

UNITS = 0.1  #: least share of dead or saturated units
SLOPES = 0.5  #: least share of flat slopes, without outputs that are off
FAR = 1e3  #: least ratio of the first and the last gradient norm
LEAP, CREEP = 0.1, 1e-6  #: updates over weights for too fast or too slow learning; about 1e-3 is usual


def _not_finite(found: Measurements) -> Iterator[Finding]:
    for layer in found.layers:
        if not math.isfinite(layer.mean):
            what, repair = "gives inf or NaN", "lower the learning rate, clip gradients, or normalise what goes in"
            yield Finding("not finite", layer.name, what, repair)
            return  # it causes those of later layers


def _range(found: Measurements) -> Iterator[Finding]:
    largest, _ = HALF["float16"]
    for layer in found.layers:
        most = max(abs(layer.least), abs(layer.most))
        if largest < most < math.inf:
            what = f"outputs of up to {most:.1e} in size are infinite in float16, which ends at {largest:.0f}"
            yield Finding("range", layer.name, what, "use bfloat16 or float32, or normalise what goes in")


def _dead(found: Measurements) -> Iterator[Finding]:
    for layer in found.layers:
        if layer.dead >= UNITS:
            what = f"{percent(layer.dead)} of {layer.units} units never fire in {layer.samples:,} samples"
            yield Finding("dead", layer.name, what, "lower the learning rate, or try leaky_relu or gelu")


def _saturated(found: Measurements) -> Iterator[Finding]:
    repair = "start with smaller weights, normalise what goes in, or try relu or gelu"
    for layer in found.layers:
        if layer.saturated >= UNITS:
            what = f"{percent(layer.saturated)} of {layer.units} units are saturated, their slope being under 0.001"
            yield Finding("saturated", layer.name, what, repair)
        elif layer.flat - layer.off >= SLOPES:
            what = f"{percent(layer.flat - layer.off)} of its slopes are under 0.001 where it is on"
            yield Finding("saturated", layer.name, what, repair)


def _gradients(found: Measurements) -> Iterator[Finding]:
    for weights in found.weights:
        if math.isinf(weights.gradient):
            yield Finding("exploding", weights.name, "its gradient is infinite", _CALM)
            return
    still = [weights.name for weights in found.weights if weights.gradient == 0]
    if still:
        what = "no gradient reaches it" + f", nor {len(still) - 1} others" * (len(still) > 1)
        yield Finding("vanishing", still[0], what, "look for dead units behind it, or for a slope of 0 in the loss")
        return
    # Where outputs fade or grow on the way, gradients by weights stay level, but not those by outputs.
    for rows in (found.weights, found.layers):
        change = ratio([row.gradient for row in rows])
        if change > FAR:
            what = f"its gradient norm is {1 / change:.0e} of that of {rows[-1].name}: gradients vanish"
            yield Finding("vanishing", rows[0].name, what, "try relu or gelu, normalisation, or residual connections")
            return
        if change < 1 / FAR:
            what = f"its gradient norm is {1 / change:.0e} times that of {rows[-1].name}: gradients explode"
            yield Finding("exploding", rows[0].name, what, _CALM)
            return


def _updates(found: Measurements) -> Iterator[Finding]:
    faded = any(finding.kind == "vanishing" for finding in _gradients(found))  # then that finding is enough
    for weights in found.weights:
        if LEAP < weights.update < math.inf:  # weights that start at 0 have nothing to compare with
            what = f"a step changes its weights by {percent(weights.update)} of their norm"
            yield Finding("update", weights.name, what, "lower the learning rate")
        elif 0 < weights.update < CREEP and not faded:
            what = f"a step changes its weights by {weights.update:.0e} of their norm"
            yield Finding("update", weights.name, what, "raise the learning rate")


_CALM = "clip gradients, start with smaller weights, or add normalisation"
RULES: tuple[Callable[[Measurements], Iterator[Finding]], ...] = (
    *(_not_finite, _range, _dead, _saturated, _gradients, _updates),
)
