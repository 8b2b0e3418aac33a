"""Known limits of functions with known names."""

from __future__ import annotations

import inspect
import itertools
import math
import re
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor

from slopes.auditing.behaviour.common import MEASURE, cost, hard, print_cost, skip_on_refusal
from slopes.auditing.form import Arguments
from slopes.auditing.report import Finding, Skip, about
from slopes.auditing.signatures import SMOOTHING, attribute_of, default_of
from slopes.auditing.subject import Subject

CHANCES = (0.1, 0.3, 0.5, 0.7, 0.9)
OTHERWISE = "training follows another loss than its name says"
UNFIT = "a trained model that is loaded elsewhere computes something else than its name says"


@about("loss", "activation", unless=("score_space", "direction", "saturation"))
@skip_on_refusal
def known_limits(subject: Subject) -> Iterator[Finding]:
    name = re.sub(r"[^a-z0-9]", "", subject.title.lower())
    if subject.card is not None or not subject.form.sure:
        raise Skip("a card is held against exact arithmetic" if subject.card is not None else "its kind is a guess")
    if subject.family == "activation":
        yield from _activation(subject, name)
        return
    kind = subject.form.kind
    if kind is not None and (kind.compares_logits or kind.compares_boxes):
        yield from _distilled(subject) if kind.compares_logits else _boxes(subject, name)
        return
    tests = [test for words, test in LOSSES if re.search(words, name)]
    if len(tests) != 1 or re.search(
        "bce|dicece|combo|general|poly|unified|asym|decoupled", name
    ):  # a sum, or a variant
        raise Skip("no limit is known of its name")
    yield from tests[0](subject)


def setting(subject: Subject, *names: str) -> tuple[str, Any] | None:
    """(name, number if known) of the first of these parameters that the subject has."""
    for name in names:
        if subject.is_module and isinstance(getattr(subject.thing, name, None), (int, float, Tensor)):
            value = getattr(subject.thing, name)
            if not isinstance(value, Tensor) or value.numel() == 1:
                return name, float(value)
        elif not subject.is_module and name in subject.keywords:
            default = default_of(subject.thing, name)
            if isinstance(default, (int, float)):
                return name, default
            if default is None or default is inspect.Parameter.empty:
                return name, None
    return None


def _told(subject: Subject, arguments: Arguments, message: str, repair: str, came: float, expected: str,
          severity: str = "error") -> Finding:  # fmt: skip
    small = subject.smallest(arguments, lambda given: math.isclose(cost(subject, *given), came, rel_tol=1e-9))
    return print_cost(subject, small).finding(
        message, repair, severity, expected=expected,
        shows=lambda printed: math.isclose(printed, came, rel_tol=1e-6),
    )  # fmt: skip


# ------------------------------------------------------------------------------------------------ focal


def _certain(subject: Subject, chance: float, value: int = 1) -> Arguments:
    """One row with this probability of the true class."""
    rows = 1 if subject.form.shape[0] != 8 or len(subject.form.shape) > 1 else 8
    drawn = subject.canonical(subject.draw(rows=rows))
    return subject.form.laid_out(subject.form.examples.certain(drawn, chance, value))


def _focal(subject: Subject) -> Iterator[Finding]:
    """Check that the cost, divided by −log p, is a power of 1 − p with exponent γ."""
    hard(subject)
    _refuse_separate_classes(subject)
    power = setting(subject, "gamma", "focusing", "focal_gamma")
    factors = {}
    for value in (1, 0):
        given = [_certain(subject, p, value) for p in CHANCES]
        shares = [cost(subject, *x) / -math.log(p) for x, p in zip(given, CHANCES, strict=True)]
        if not all(math.isfinite(x) and x > 0 for x in shares):
            continue
        slopes = _powers(shares)
        gamma = float(power[1]) if power and power[1] is not None else sum(slopes) / len(slopes)
        factors[value] = shares[2] / 0.5**gamma
        off = max(slopes, key=lambda slope: abs(slope - gamma))
        if abs(off - gamma) > 1e-3 * (1 + gamma):
            wanted = factors[value] * (1 - CHANCES[-1]) ** gamma * -math.log(CHANCES[-1])
            yield _told(
                subject, given[-1],
                "training weighs easy samples otherwise than a focal loss: it is not (1 − p)^γ times the cross-entropy "
                f"of a probability p, with γ = {gamma:.3g}",
                "take p from the unweighted cross-entropy of each row: p = exp(−ce), then alpha · (1 − p)**gamma · ce",
                cost(subject, *given[-1]), f"{wanted:.6g}, as at a probability of 0.5",
            )  # fmt: skip
            return
    yield from _averaged_before(subject, power)
    if len(factors) == 2 and subject.form.spaces[1].is_yes_or_no and setting(subject, "alpha", "balance"):
        yield from _balanced(subject, *factors.values())


def _refuse_separate_classes(subject: Subject) -> None:
    """Raise Skip if a number added to all logits of a row changes its loss."""
    if subject.form.spaces[1].has_classes and subject.space.is_logit:
        first, *rest = subject.draw()
        if not math.isclose(cost(subject, first + 1.0, *rest), cost(subject, first, *rest), rel_tol=1e-5):
            raise Skip("it judges each class by itself, so no row has one probability")


def _powers(shares: list[float]) -> list[float]:
    """The power of 1 − p by which the shares grow from each of CHANCES to the next."""
    logs = [(math.log(share), math.log(1 - p)) for share, p in zip(shares, CHANCES, strict=True)]
    return [(after[0] - before[0]) / (after[1] - before[1]) for before, after in itertools.pairwise(logs)]


def _balanced(subject: Subject, yes: float, no: float) -> Iterator[Finding]:
    if abs(yes - no) < 1e-6 and min(abs(yes - 1), abs(yes - 0.5)) > 1e-6:
        given = _certain(subject, 0.5, 0)
        yield _told(
            subject, given,
            f"training does not balance the classes: alpha weighs yes and no alike ({yes:.3g}); is it meant to scale "
            "the whole loss?",
            "alpha balances the classes: alpha for yes and 1 − alpha for no", cost(subject, *given),
            f"{1 - yes:.3g} of the focal term where the target is 0", "note",
        )  # fmt: skip


def _averaged_before(subject: Subject, power: tuple[str, Any] | None) -> Iterator[Finding]:
    if len(subject.form.shape) != 2 or subject.form.kind is None or not subject.form.kind.rowwise:
        return
    easy, bad = _certain(subject, 0.9), _certain(subject, 0.1)
    both = tuple(torch.cat([x, y]) for x, y in zip(easy, bad, strict=True))
    came = subject(*both).detach()
    if came.ndim:
        return
    costs = cost(subject, *easy), cost(subject, *bad)
    mean = sum(costs) / 2
    ce = -(math.log(0.9) + math.log(0.1)) / 2
    gamma = float(power[1]) if power and power[1] is not None else 2.0
    scale = costs[1] / (0.9**gamma * -math.log(0.1))
    slip = scale * (1 - math.exp(-ce)) ** gamma * ce
    if abs(float(came) - slip) < 1e-6 * slip and abs(float(came) - mean) > 1e-3 * mean:
        yield _told(
            subject, both,
            "training weighs whole batches, not hard samples: the power is taken of the batch's mean cross-entropy, "
            "not row by row",
            "compute the cross-entropy with reduction='none', weigh each row, and average last", float(came),
            f"{mean:.6g}, the mean of both rows' losses",
        )  # fmt: skip


# -------------------------------------------------------------------------------------- Dice and Tversky


def _region(subject: Subject) -> Arguments:
    """One sample, its pixels shared evenly by the classes."""
    target, rest = hard(subject)
    form = subject.form
    if form.spaces[1].has_classes and (target.is_floating_point() or target.ndim < 2):
        raise Skip("of its regions some would have no pixel")
    target = form.lay_out(1, form.examples.even(form.canonical(1, target), form.classes))
    one = target.shape[0] != form.shape[0] or target.ndim < 2
    return (target, *rest) if one else (target[:1], *(x[:1] for x in rest))


def _unsmoothed(subject: Subject) -> tuple[Subject, float]:
    """(subject without smoothing, tolerance for any that remains)."""
    smooth = setting(subject, "smooth", "smoothing", "eps", "epsilon", "smooth_nr")
    return (subject.tuned(**{smooth[0]: 1e-9}), 1e-5) if smooth is not None else (subject, 0.05)


def _dice(subject: Subject) -> Iterator[Finding]:
    target, *rest = _region(subject)
    right = subject.right(target, 50.0)
    if right is None or MEASURE.search(subject.title):
        raise Skip("no prediction is known to cost nothing")
    at = cost(subject, right, target, *rest)
    if min(abs(at), abs(at + 1)) > 1e-3:  # minus Dice is fine, too
        yield _told(
            subject, (right, target, *rest),
            f"training never gets the loss near 0: it costs {at:.4g} where prediction and target agree",
            "Dice is 1 − (2·Σpt + s) / (Σp + Σt + s): the 2, and the same smoothing above and below", at, "0",
        )  # fmt: skip
    elif abs(at) <= 1e-3:
        bare, slack = _unsmoothed(subject)
        yield from _in_between(bare, (target, *rest), slack)


def _in_between(subject: Subject, others: Arguments, slack: float) -> Iterator[Finding]:
    """Check a prediction of 1/4 for Dice, squared Dice, Jaccard, −log and log-cosh Dice."""
    target = others[0]
    if subject.form.spaces[1].has_classes:
        return
    p = torch.full(target.shape, 0.25, dtype=subject.form.dtype)
    prediction = p if subject.space.is_probability else torch.logit(p)
    came = cost(subject, prediction, *others)
    both, whole, true = float((p * target).sum()), float(p.sum()), float(target.sum())
    plain = 1 - 2 * both / (whole + true)
    squared = 1 - 2 * both / (float((p * p).sum()) + true)
    index = both / (whole + true - both)
    variants = (1 - index, -math.log(1 - plain), math.log(math.cosh(plain)))
    if min(abs(came - known) for known in (plain, squared, *variants)) > slack:
        yield _told(
            subject, (prediction, *others), f"{OTHERWISE}: it is not Dice where the prediction is 1/4 everywhere",
            "Dice is 1 − 2·Σpt / (Σp + Σt), with p and t alone in the sums below, or their squares", came,
            f"{plain:.6g}, or {squared:.6g} with squares",
        )  # fmt: skip


def _tversky(subject: Subject) -> Iterator[Finding]:
    if setting(subject, "alpha") is None or setting(subject, "beta") is None:
        yield from _dice(subject)
        return
    bare, slack = _unsmoothed(subject.tuned(alpha=0.5, beta=0.5))
    target, *rest = _region(bare)
    right = bare.right(target, 50.0)
    if right is None:
        raise Skip("no prediction is known to be right")
    for prediction, wanted in ((right, 0.0), (0 * right + 0.5 * (bare.space.is_probability), None)):
        came = cost(bare, prediction, target, *rest)
        if wanted is None:
            if bare.form.spaces[1].has_classes:
                return
            both, whole = 0.5 * float(target.sum()), 0.5 * target.numel() + float(target.sum())
            wanted = 1 - 2 * both / whole
        if abs(came - wanted) > slack:
            yield _told(
                bare, (prediction, target, *rest), f"{OTHERWISE}: with alpha = beta = 1/2 it is not Dice",
                "Tversky is 1 − TP / (TP + alpha·FP + beta·FN), with FP = Σp(1 − t) and FN = Σ(1 − p)t", came,
                f"{wanted:.6g}",
            )  # fmt: skip
            return
    yield from _sides(subject)


def _sides(subject: Subject) -> Iterator[Finding]:
    """Check that alpha weighs false positives, and beta false negatives."""
    bare, slack = _unsmoothed(subject.tuned(alpha=0.9, beta=0.1))
    target, *rest = _region(bare)
    if bare.form.spaces[1].has_classes:
        return
    p = torch.full(target.shape, 0.25, dtype=bare.form.dtype)
    prediction = p if bare.space.is_probability else torch.logit(p)
    came, true = cost(bare, prediction, target, *rest), float(target.sum())
    both, over, missed = 0.25 * true, 0.25 * (target.numel() - true), 0.75 * true
    named, swapped = (1 - both / (both + a * over + b * missed) for a, b in ((0.9, 0.1), (0.1, 0.9)))
    if abs(came - swapped) <= slack < abs(came - named):
        yield _told(
            bare, (prediction, target, *rest),
            "training avoids the mistakes that it is to accept: alpha weighs false negatives, and beta false positives",
            "Tversky's alpha is the weight of false positives, Σp(1 − t), and beta of false negatives, Σ(1 − p)t", came,
            f"{named:.6g}, with alpha = 0.9 and beta = 0.1", "warning",
        )  # fmt: skip


# ------------------------------------------------------------------------------------------------ Huber


def _huber(subject: Subject) -> Iterator[Finding]:
    """Check for the Huber loss, up to a factor."""
    if subject.form.kind is None or not subject.form.kind.compares_numbers or not subject.space.is_real:
        raise Skip("it is no loss of a residual")
    found = setting(subject, "delta", "beta", "threshold", "huber_delta")
    if found is None:
        raise Skip("no δ was found among its parameters")
    pseudo = "pseudo" in subject.title.lower()
    for delta in (2.0, 0.5):
        turned = subject.tuned(**{found[0]: delta})

        def at(residual: float, turned: Subject = turned) -> float:
            first, target, *rest = turned.draw()
            zero = torch.zeros_like(target)
            return cost(turned, torch.full_like(first, residual), zero, *rest)

        near = 1e-3 * delta
        scale = at(near) / (0.5 * near**2)
        if not math.isfinite(scale) or scale <= 0:
            return
        for residual in (0.5 * delta, 0.999 * delta, 1.5 * delta, 20 * delta):
            exact = (
                delta**2 * (math.sqrt(1 + (residual / delta) ** 2) - 1) if pseudo
                else 0.5 * residual**2 if residual <= delta else delta * (residual - 0.5 * delta)
            )  # fmt: skip
            came = at(residual)
            if abs(came - scale * exact) > 1e-4 * scale * exact:
                first, target, *rest = turned.draw()
                yield _told(
                    turned, (torch.full_like(first, residual), torch.zeros_like(target), *rest),
                    f"{OTHERWISE}: with {found[0]} = {delta:g} it is not half the square up to there, then a line that "
                    "joins it",
                    "0.5 · d² where |d| < δ, else δ · (|d| − 0.5 · δ): the constant is half of δ squared", came,
                    f"{scale * exact:.6g} at a residual of {residual:g}",
                )  # fmt: skip
                return


# ------------------------------------------------------------------------------- quantiles, concordance


def _quantile(subject: Subject) -> Iterator[Finding]:
    """Check that a prediction that is too low costs by the quantile, and one that is too high by the rest."""
    found = setting(subject, "q", "quantile", "tau", "alpha")
    kind = subject.form.kind
    if kind is None or not kind.compares_numbers or not subject.space.is_real or found is None:
        raise Skip("it is no loss of a residual, or no quantile was found among its parameters")
    turned = subject.tuned(**{found[0]: 0.9})
    first, target, *rest = turned.draw()
    zero, one = torch.zeros_like(target), torch.ones_like(target)
    low = (0 * first, one, *rest)
    below, above = cost(turned, *low), cost(turned, 0 * first + 1, zero, *rest)
    if math.isclose(9 * below, above, rel_tol=1e-3):
        yield _told(
            turned, low,
            f"training ends at the 0.1 quantile with {found[0]} = 0.9: a prediction that is too high costs most",
            f"max({found[0]} · e, ({found[0]} − 1) · e) wants e = target − prediction", below, f"{9 * below:.6g}",
            "warning",
        )  # fmt: skip


def _concordance(subject: Subject) -> Iterator[Finding]:
    """Check that it costs 0, or −1, where prediction and target agree."""
    first, target, *_ = subject.draw()
    if first.shape != target.shape or MEASURE.search(subject.title):
        raise Skip("it is no loss of two series of numbers")
    came = cost(subject, first, first)
    if min(abs(came), abs(came + 1)) > 1e-4:
        yield _told(
            subject, (first, first), f"training never gets the loss near 0: it costs {came:.4g} where both agree",
            "take variances and the covariance by one divisor: unbiased=False (correction=0) beside means", came, "0",
            "warning",
        )  # fmt: skip


# ------------------------------------------------------------------------------------------- smoothing


def _smoothed(subject: Subject) -> Iterator[Finding]:
    hard(subject)
    if subject.form.kind is None or not subject.form.kind.takes_labels or not subject.space.is_logit:
        raise Skip("it is no loss of rows of logits")
    others = ("epsilon", "eps", "alpha") if "smooth" in subject.title.lower() else ()
    found = setting(subject, *SMOOTHING, *others)
    if found is None or isinstance(attribute_of(subject.thing, "weight"), Tensor):
        raise Skip("no smoothing was found among its parameters, or it weighs classes")
    plain = subject.tuned(**{found[0]: 0.0})
    base = cost(plain, *_certain(plain, 0.5))
    ratio = cost(plain, *_certain(plain, 0.2)) / base if base else math.inf
    if abs(ratio - math.log(5) / math.log(2)) > 1e-4:
        given = _certain(plain, 0.2)
        yield _told(
            plain, given, f"{OTHERWISE}: with {found[0]} = 0 it is not cross-entropy",
            "without smoothing all of the target is the label's", cost(plain, *given), f"{base * math.log2(5):.6g}",
        )  # fmt: skip
        return
    smooth = subject.tuned(**{found[0]: 0.2})
    given = _certain(smooth, 1 / subject.draw(rows=1)[0].shape[subject.form.axis])  # where all classes cost the same
    even, same = cost(smooth, *given), cost(plain, *given)
    if abs(even - same) > 1e-4 * abs(same):
        yield _told(
            smooth, given,
            f"training takes steps of another size with smoothing: with {found[0]} = 0.2 the smoothed target sums to "
            f"{even / same:.3g} instead of 1",
            "(1 − ε) · one-hot + ε / classes: the label's share is less by what the others get",
            even, f"{same:.6g}, as without smoothing where all classes are alike", "warning",
        )  # fmt: skip


# --------------------------------------------------------------------------------------------- boxes

BOX_PAIRS = (
    ("overlap", (0.0, 0.0, 4.0, 3.0), (1.0, 1.0, 6.0, 4.0)),
    ("lie one in the other", (1.0, 1.0, 3.0, 2.0), (0.0, 0.0, 5.0, 5.0)),
    ("are apart, side by side", (0.0, 0.0, 2.0, 3.0), (4.0, 1.0, 5.0, 4.0)),
    ("are apart in both directions", (0.0, 0.0, 2.0, 1.0), (5.0, 4.0, 7.0, 8.0)),
)


def _boxes(subject: Subject, name: str) -> Iterator[Finding]:
    """Check GIoU, DIoU and CIoU for boxes that overlap, that lie one in the other, and that are apart."""
    from slopes.catalogue import CARDS

    named = re.search("[gdc]iou", name)
    if named is None:
        raise Skip("no limit is known of its name")
    card = CARDS[named[0]]
    for relation, *boxes in BOX_PAIRS:
        first, target = (torch.tensor([box], dtype=subject.form.dtype) for box in boxes)
        came, exact = cost(subject, first, target), float(torch.as_tensor(card(first, target)))
        if not abs(came - exact) <= 1e-3 * (1 + abs(exact)):
            yield _told(
                subject, (first, target), f"{OTHERWISE}: it is not {card.name} for boxes that {relation}",
                f"compare it with slopes.{card.name}: widths and heights of the intersection are clamped at 0, and all "
                "beyond the union is divided by the box around both", came, f"{exact:.6g}", "warning",
            )  # fmt: skip
            return


# ------------------------------------------------------------------------------------------- contrasts


def _contrasted(subject: Subject) -> Iterator[Finding]:
    """Check that the denominator holds the positive, and no sample's similarity to itself.

    A pair alone costs nothing then, at any temperature, and no batch costs less than nothing.
    """
    kind, shape = subject.form.kind, subject.form.shape
    if kind is None or kind.has_fixed_shape or not (kind.predicts_vectors or kind.coupled) or len(shape) != 2:
        raise Skip("it is no loss of two views of a batch, nor of embeddings with labels")
    one, other = (subject.draw(seed)[0][:1] for seed in (0, 1))
    opposite = torch.cat([one, -one])
    two_pairs, same, apart = (_pairs(subject, *views) for views in ((opposite, opposite), (one, one), (one, other)))
    least, alike, alone = (cost(subject, *given) for given in (two_pairs, same, apart))
    repair = "softmax over the positive and all negatives of a row: exclude the diagonal, i = j, and nothing else"
    if least < -1.01 * math.log(2):
        yield _told(
            subject, two_pairs,
            "training pulls each pair together as hard as ever, however close it is: the positive is missing from the "
            "denominator, so the loss falls below 0", repair, least, "0 or more", "warning",
        )  # fmt: skip
    elif 1e-3 < alike < math.inf and math.isclose(alike, cost(subject, *_pairs(subject, other, other)), rel_tol=1e-4):
        yield _told(
            subject, same,
            "training never gets the loss near 0, and pushes good pairs on: the denominator holds each sample's "
            "similarity to itself", repair, alike, "0, as for a pair without negatives", "warning",
        )  # fmt: skip
    elif abs(alike) <= 1e-3 < abs(alone):
        yield _told(
            subject, apart,
            "training compares each pair with a sample's similarity to itself: that stands in the denominator, where "
            "the positive belongs", repair, alone, "0, as for a pair without negatives", "warning",
        )  # fmt: skip


def _pairs(subject: Subject, first: Tensor, second: Tensor) -> Arguments:
    """Arguments of two batches whose rows at the same place belong together."""
    assert subject.form.kind is not None
    if subject.form.kind.predicts_vectors:
        return first, second
    return torch.cat([first, second]), torch.arange(len(first)).repeat(2)


# -------------------------------------------------------------------------------------- distillation


def _distilled(subject: Subject) -> Iterator[Finding]:
    """Check that the temperature leaves the gradient's size as it is: the loss has the factor T²."""
    found = setting(subject, "temperature", "T", "tau", "temp", "kd_temperature", "kd_T")
    if found is None:
        raise Skip("no temperature was found among its parameters")
    arguments = subject.draw()
    mild, hot = (subject.tuned(**{found[0]: value}) for value in (30.0, 120.0))
    before, after = (float(turned.gradient(*arguments)[1].abs().max()) for turned in (mild, hot))
    if not after < 0.5 * before:
        return
    steepest = f"torch.autograd.grad({hot.call}.sum(), {hot.form.names[0]})[0].abs().max()"
    yield hot.script(arguments, steepest, grad=0).finding(
        f"training heeds the teacher less and less as {found[0]} grows: the gradient falls with its power "
        f"{math.log(after / before, 4):.2g}",
        f"multiply the divergence of the softened probabilities by {found[0]}**2, and only once",
        "warning",
        came=f"a gradient of {{0:.3g}} with {found[0]} = 120",
        expected=f"about {before:.3g}, as with {found[0]} = 30",
        shows=lambda steepest: steepest < 0.5 * before,
    )


# ----------------------------------------------------------------------------------------- activations


LOSSES: tuple[tuple[str, Callable[[Subject], Iterator[Finding]]], ...] = (
    ("focal", _focal),
    ("dice", _dice),
    ("tversky", _tversky),
    ("huber|smoothl1", _huber),
    ("quantile|pinball", _quantile),
    ("ccc|concordance", _concordance),
    ("ntxent|simclr|infonce", _contrasted),
    ("labelsmooth|smooth(ed)?ce|smooth(ed)?cross|crossentropy", _smoothed),
)  #: patterns of names

VARIANTS: dict[str, tuple[tuple[str, dict[str, float]], ...]] = {
    "gelu": (("gelu", {}), ("gelu_tanh", {}), ("quick_gelu", {})),
    "swish": (("silu", {}),),
    "hardsigmoid": (("hard_sigmoid", {}), ("hard_sigmoid", {"slope": 0.2})),
    **{
        name.replace("_", ""): ((name, {}),)
        for name in (
            *("silu", "mish", "selu", "elu", "softplus", "softsign", "sigmoid", "log_sigmoid", "hard_swish"),
            *("tanhshrink", "relu6", "squareplus"),
        )
    },
}  #: names without underscores, and cards that go by them


GATES = ("glu", "geglu", "swiglu", "reglu")


def _gate(subject: Subject, name: str) -> Iterator[Finding]:
    """Check that one half of a row passes as it is, times a function of the other, whichever is first."""
    from slopes.catalogue import ACTIVATIONS

    (drawn,) = subject.draw()
    numbers = torch.tensor([-2.0, -0.5, 1.0, 3.0], dtype=drawn.dtype)  # each with each: a large entry would hide others
    x = torch.cartesian_prod(numbers, numbers).repeat_interleave(drawn.shape[-1] // 2, dim=-1)
    came = subject(x).detach().double()
    sides = [(card, side) for card in (name, *GATES) for side in ("first", "last")]
    known = [torch.as_tensor(ACTIVATIONS[card](x.double(), gate=side)) for card, side in sides]
    if any(y.shape != came.shape for y in known):
        raise Skip("its rows are no halves side by side")
    distances = [float((came - y).abs().max() / came.abs().max()) for y in known]
    if min(distances[:2]) <= 0.05 or min(distances) <= 1e-6:  # an approximation, or another gate: see `fingerprint`
        return
    yield _told(
        subject, (x,), f"{UNFIT}: it is not {name} with either half as the gate",
        f"the function is taken of one half alone, the gate: see slopes.{name}", cost(subject, x),
        " or ".join(f"{float(y.mean()):.6g}" for y in known[:2]) + " on average", "warning",
    )  # fmt: skip


def _activation(subject: Subject, name: str) -> Iterator[Finding]:
    from slopes.catalogue import ACTIVATIONS

    bare = re.sub(r"^(naive|my|custom|fast|exact|approx|torch|manual)|(activation|fn|function|py)$", "", name)
    if bare in GATES and not subject.form.elementwise:
        yield from _gate(subject, bare)
        return
    given = [setting(subject, name) for name in ("alpha", "beta", "slope")]
    if bare not in VARIANTS or not subject.form.elementwise or any(x and x[1] not in (None, 1) for x in given):
        raise Skip("no limit is known of its name, or of its parameters")
    x = torch.linspace(-8, 8, 64, dtype=subject.form.dtype)
    came = subject(x).detach().double()
    known = [torch.as_tensor(ACTIVATIONS[card](x.double(), **settings)) for card, settings in VARIANTS[bare]]
    exact = min(known, key=lambda y: float((came - y).abs().max()))
    off = (came - exact).abs()
    if float(off.max()) <= 1e-5:
        return
    at, card = int(off.argmax()), VARIANTS[bare][0][0]
    slip = float(off.max()) < 0.3
    yield _told(
        subject, (x[at : at + 1],),
        f"{UNFIT}: it differs from {card} by up to {float(off.max()):.2g}"
        + (": a wrong constant" if slip else ": is it another function?"),
        f"compare its constants with those of slopes.{card}", float(came[at]), f"{float(exact[at]):.6g}",
        "warning" if slip else "note",
    )  # fmt: skip
