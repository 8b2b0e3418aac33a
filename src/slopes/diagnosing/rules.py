"""Rules for findings, with their thresholds and the usual repairs."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence

from slopes.diagnosing.results import HALF, Finding, Measurements, percent, ratio, wilson
from slopes.models.units import FLAT

UNITS = 0.2  #: least share of dead or saturated units, by the lower end of its interval
SLOPES = 0.5  #: least share of flat slopes, without outputs that are off
FAR = 1e3  #: least ratio of the first and the last gradient norm
LEAP, JUMP, CREEP = 0.1, 0.3, 1e-5  #: updates over weights: too fast on average, in one step; too slow (1e-3 is usual)
PUSH = 1e-3  #: least gradient over weights for which an update can be too slow; below, there may be nothing to learn
RISE = 1.05  #: least ratio of later and first losses in a trial
IDLE = 100  #: steps without a change of any weight that are a finding


def _not_finite(found: Measurements) -> Iterator[Finding]:
    if found.origin is not None:
        yield Finding("not finite", found.origin.module, found.origin.words, found.origin.repair)
        return
    for layer in found.layers:
        if not math.isfinite(layer.mean):
            begun = found.begun or (found.steps is not None and found.steps[1] > 0)
            message, repair = "gives inf or NaN", _advice(begun, f"clip gradients, or normalise its inputs{_STOP}")
            yield Finding("not finite", layer.name, message, repair)
            return  # it causes those of later layers


def _range(found: Measurements) -> Iterator[Finding]:
    largest, _ = HALF["float16"]
    for layer in found.layers:
        most = max(abs(layer.least), abs(layer.most))
        if largest < most < math.inf:
            message = f"outputs of up to {most:.1e} in size are infinite in float16, which ends at {largest:.0f}"
            yield Finding("range", layer.name, message, "use bfloat16 or float32, or normalise its inputs")


def _dead(found: Measurements) -> Iterator[Finding]:
    before = "draw the weights by torch.nn.init.kaiming_normal_, normalise its inputs"
    repair = ("" if found.begun else f"{before}, ") + "or try leaky_relu or gelu"
    for layer in found.layers:
        if layer.dead_interval[0] >= UNITS:
            message = f"{percent(layer.dead)} of {layer.units} units never fire in {layer.samples:,} samples"
            yield Finding("dead", layer.name, message, _advice(found.begun, repair))


def _advice(begun: bool, rest: str) -> str:
    """Repair, with a lower learning rate once training has begun: it cannot help before."""
    return f"lower the learning rate, {rest}" if begun else rest


def _saturated(found: Measurements) -> Iterator[Finding]:
    repair = "start with smaller weights, normalise its inputs, or try relu or gelu"
    for layer in found.layers:
        if wilson(layer.saturated, layer.units)[0] >= UNITS:
            message = (
                f"{percent(layer.saturated)} of {layer.units} units are saturated, their slope being under {FLAT:g}"
            )
            yield Finding("saturated", layer.name, message, repair)
        elif layer.flat - layer.off >= SLOPES:
            message = f"{percent(layer.flat - layer.off)} of its slopes are under {FLAT:g} where it is on"
            yield Finding("saturated", layer.name, message, repair)


def _gradients(found: Measurements) -> Iterator[Finding]:
    for weights in found.weights:
        if math.isinf(weights.gradient):
            yield Finding("exploding", weights.name, "its gradient is infinite", _CALM)
            return
    still = [weights.name for weights in found.weights if weights.gradient == 0]
    if still:
        message = "no gradient reaches it" + _others(still)
        yield Finding("vanishing", still[0], message, "look for dead units behind it, or for a slope of 0 in the loss")
        return
    cut = [weights.name for weights in found.weights if weights.followed and math.isnan(weights.gradient)]
    if cut and any(weights.gradient > 0 for weights in found.weights):
        repair = "look for detach, no_grad or numpy behind it, or freeze it by requires_grad_(False)"
        yield Finding("detached", cut[0], "no gradient comes back to it" + _others(cut), repair)
    yield from _far_gradients(found)


def _far_gradients(found: Measurements) -> Iterator[Finding]:
    # Where outputs fade or grow on the way, gradients by weights stay level, but not those by outputs.
    for rows in (found.weights, found.layers):
        change = ratio([row.gradient for row in rows])
        if change > FAR:
            message = f"its gradient norm is {1 / change:.0e} of that of {rows[-1].name}: gradients vanish"
            yield Finding(
                "vanishing", rows[0].name, message, "try relu or gelu, normalisation, or residual connections"
            )
            return
        if change < 1 / FAR:
            message = f"its gradient norm is {1 / change:.0e} times that of {rows[-1].name}: gradients explode"
            yield Finding("exploding", rows[0].name, message, _CALM)
            return


def _others(found: Sequence[object], words: str = "nor") -> str:
    others = len(found) - 1
    return f", {words} {others} other{'s' * (others > 1)}" if others else ""


def _updates(found: Measurements) -> Iterator[Finding]:
    if found.losses and not max(found.losses) - found.losses[0] <= (RISE - 1) * abs(found.losses[0]):
        message = f"{len(found.losses) - 1} steps on one batch raise its loss from {found.losses[0]:.3g} to "
        yield Finding("update", "loss", f"{message}{_most(found.losses):.3g}", "lower the learning rate")
        return
    if found.idle >= IDLE:
        repair = "make the optimizer of this model's parameters, call its step, and check its learning rate"
        yield Finding("update", "model", f"no weight has changed in {found.idle:,} steps", repair)
        return
    kept = [weights.name for weights in found.weights if weights.fastest == weights.update == 0 < weights.gradient]
    if kept:
        repair = "give it to the optimizer with a learning rate, or freeze it by requires_grad_(False)"
        yield Finding(
            "update", kept[0], "a step leaves its weights as they are" + _others(kept, "and those of"), repair
        )
    most = JUMP if found.steps is None else LEAP
    fast = [w for w in found.weights if most < w.update < math.inf]  # weights of 0 compare with nothing
    if fast:
        message = f"a step changes its weights by {percent(fast[0].update)} of their norm" + _others(
            fast, "and those of"
        )
        yield Finding("update", fast[0].name, message, "lower the learning rate")
    yield from _slow_updates(found)


def _slow_updates(found: Measurements) -> Iterator[Finding]:
    if any(finding.kind == "vanishing" for finding in _gradients(found)):  # that finding is enough
        return
    slow = [w for w in found.weights if 0 < w.fastest < CREEP and w.gradient > PUSH * w.norm]
    if slow:
        message = f"a step changes its weights by {slow[0].update:.0e} of their norm" + _others(slow, "and those of")
        yield Finding("update", slow[0].name, message, "raise the learning rate")


def _most(losses: tuple[float, ...]) -> float:
    return next((loss for loss in losses if not math.isfinite(loss)), max(losses))


def _mistakes(found: Measurements) -> Iterator[Finding]:
    yield from found.mistakes


_STOP = "; Watcher(model, stop_on_nan=True) finds the operation where it begins"
_CALM = "clip gradients, start with smaller weights, or add normalisation"
RULES: tuple[Callable[[Measurements], Iterator[Finding]], ...] = (
    *(_mistakes, _not_finite, _range, _dead, _saturated, _gradients, _updates),
)
RULES_WITH_AN_ORIGIN = (_mistakes, _not_finite)  #: as other numbers are no measurements then
