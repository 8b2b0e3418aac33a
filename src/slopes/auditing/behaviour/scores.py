"""Checks of scores: their space, the direction of the loss, its saturation, and its best constant prediction."""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from slopes.auditing.discovery import fitness
from slopes.auditing.form import Arguments
from slopes.auditing.report import Check, Finding, Skip, about
from slopes.auditing.subject import Subject, SubjectError

OVERLAP = re.compile(r"dice|tversky|iou|jaccard|overlap", re.IGNORECASE)
MEASURE = re.compile(r"similarity|score|metric|coef|accuracy|psnr|ssim|_iou|^iou", re.IGNORECASE)


def hard(subject: Subject) -> tuple[Tensor, tuple[Tensor, ...]]:
    """Return (a certain target, further arguments); raise Skip if predictions are not scores of such a target."""
    spaces = subject.form.spaces
    if len(spaces) < 2 or not subject.space.tells_probability or not spaces[1].is_probability:
        raise Skip("its predictions are neither logits nor probabilities of a target")
    _, target, *rest = subject.draw()
    if spaces[1].has_classes and target.is_floating_point():
        axis = subject.form.axis
        rows = torch.nn.functional.one_hot(target.argmax(axis), target.shape[axis])
        target = rows.movedim(-1, axis).to(target.dtype)
    return target, tuple(rest)


def cost(subject: Subject, *arguments: Tensor) -> float:
    """Return the mean of the subject's result."""
    return float(subject(*arguments).detach().double().mean())


def tolerant(check: Check) -> Check:
    """Skip a check if the subject rejects its inputs; other checks cover that."""

    @functools.wraps(check)
    def kindly(subject: Subject) -> Iterator[Finding]:
        try:
            yield from check(subject)
        except SubjectError as error:
            raise Skip(f"it raises for what it would be given ({error})") from error

    return kindly


def mildly(subject: Subject, severity: str = "error") -> str:
    """Return the severity, or a note if the kind is only a guess."""
    return severity if subject.form.sure else "note"


# -------------------------------------------------------------------------------------------- the space


@about("loss")
@tolerant
def score_space(subject: Subject) -> Iterator[Finding]:
    """Check that certain, right predictions cost next to nothing: no link is missing or applied twice."""
    target, rest = hard(subject)
    right = subject.right(target, 50.0)
    if right is None:
        raise Skip("no prediction is known to be right")
    arguments = (right, target, *rest)
    at = cost(subject, *arguments)
    declared = subject.declared.space or ""
    if not math.isfinite(at):
        if declared:
            yield _of_space(
                subject, arguments, f"gives {at} for {declared.replace('_', '-')} that are certain and right",
                f"it was declared to take {declared.replace('_', '-')}; give it what its formula wants, or change that",
                "error",
            )  # fmt: skip
        return
    if not subject.space.is_logit:
        if declared and (at < -1e-3 or at > max(1e-3, 0.05 * _worst(subject, target, rest))):
            yield _of_space(
                subject, arguments, f"{subject.space} that are certain and right cost {at:.4g}",
                _wrong_link(subject, at), "error",
            )  # fmt: skip
        return
    yield from _of_logits(subject, arguments, at)


def _of_logits(subject: Subject, arguments: Arguments, at: float) -> Iterator[Finding]:
    right, target, *rest = arguments
    wrong = cost(subject, -right, target, *rest)
    if not _settled(subject, arguments, at, wrong):
        if subject.declared.space and at < -1e-3 and cost(subject, 10 * right, target, *rest) < 5 * at:
            yield _of_space(
                subject, arguments, f"falls without bound as right logits grow: {at:.4g} for logits of 50",
                "it wants log-probabilities: use cross_entropy, or give it log_softmax of the logits", "error",
            )  # fmt: skip
    elif _minus_the_chance(subject, arguments, at):
        yield _of_space(
            subject, arguments, "the value is minus the probability of the right class, not minus its log",
            "nll_loss and kl_div want log-probabilities: log_softmax in place of softmax", mildly(subject, "warning"),
        )  # fmt: skip
    elif at > max(1e-3, 0.05 * wrong) and not _covers_nothing(subject, wrong):
        yield _of_space(
            subject, arguments, f"logits that are certain and right still cost {at:.4g}, and no larger ones cost less",
            "a softmax or sigmoid is applied twice: give the loss the logits themselves", mildly(subject),
        )  # fmt: skip


def _covers_nothing(subject: Subject, wrong: float) -> bool:
    """Whether an overlap is lost if every prediction is wrong; behind two links, half of it would be left."""
    left = 0.9 if subject.form.spaces[1].has_classes else 0.75
    return bool(OVERLAP.search(subject.title)) and wrong > left


def _settled(subject: Subject, arguments: Arguments, at: float, wrong: float) -> bool:
    """Whether larger logits change the cost of neither right nor wrong predictions, as behind two links."""
    right, target, *rest = arguments
    farther = cost(subject, 10 * right, target, *rest), cost(subject, -10 * right, target, *rest)
    return all(abs(x - y) <= 1e-6 * (1 + abs(y)) for x, y in zip(farther, (at, wrong), strict=True))


def _minus_the_chance(subject: Subject, arguments: Arguments, at: float) -> bool:
    """Whether the loss is the right class's probability times a number below 0."""
    axis = subject.form.axis
    if at > -1e-3 or not subject.form.spaces[1].has_classes:
        return False
    _, target, *rest = arguments
    mild = subject.right(target, 0.75)
    assert mild is not None
    chance = float(torch.softmax(mild, axis).amax(axis).mean())
    return abs(cost(subject, mild, target, *rest) - at * chance) <= 1e-6 * abs(at)


def _worst(subject: Subject, target: Tensor, rest: tuple[Tensor, ...]) -> float:
    """Return the cost of predictions that are almost surely wrong."""
    right = subject.right(target, 16.0)
    assert right is not None
    wrong = right.roll(1, subject.form.axis) if subject.form.spaces[1].has_classes else 1 - right
    if subject.space.is_log_probability:
        return cost(subject, wrong, target, *rest)
    came = cost(subject, 1e-7 + (1 - 2e-7) * wrong, target, *rest)
    return came if math.isfinite(came) else 16.0


def _wrong_link(subject: Subject, at: float) -> str:
    if at < 0:
        return "nll_loss and kl_div want log-probabilities: take the log first"
    return f"a link is applied to {subject.space} again, as cross_entropy does: it wants logits"


def _of_space(subject: Subject, arguments: Arguments, message: str, repair: str, severity: str) -> Finding:
    seen = cost(subject, *arguments)
    small = subject.smallest(arguments, lambda given: _alike(cost(subject, *given), seen))
    return Finding(
        "score_space", message, subject.code(small, subject.call), repair, severity,
        came=f"{cost(subject, *small):.6g}", expected="0, or next to it, for a prediction that is certain and right",
    )  # fmt: skip


def _alike(x: float, y: float) -> bool:
    return not math.isfinite(y) or abs(x - y) <= 0.5 * abs(y)


# ---------------------------------------------------------------------------------------- the direction


@about("loss", unless=("minimum", "score_space"))
@tolerant
def direction(subject: Subject) -> Iterator[Finding]:
    """Check that right predictions cost less than wrong ones."""
    pairs = list(_ordered(subject))
    if not pairs:
        raise Skip("what is right is not known for its kind")
    turned = [pair for pair in pairs if _falls(subject, *pair[1:])]
    kind = subject.form.kind
    strict = kind is not None and (not kind.rowwise or subject.space.tells_probability) and not kind.batched
    if not turned or (not strict and len(turned) < len(pairs)):  # rows are compared up to a scale, or with each other
        return
    what, better, worse = turned[0]
    count = len(better)
    both = subject.smallest((*better, *worse), lambda given: _falls(subject, given[:count], given[count:]))
    better, worse = both[:count], both[count:]
    measure = bool(MEASURE.search(subject.title)) and "loss" not in subject.title.lower()
    low, high = float(subject.total(*better).detach()), float(subject.total(*worse).detach())
    yield Finding(
        "direction",
        f"{what} costs more than what is wrong" + (": a measure that is to grow, not a loss?" if measure else ""),
        _both(subject, better, worse),
        "turn the sign (1 − similarity, −log-likelihood), or put prediction and target in the order it wants",
        "note" if measure else mildly(subject),
        came=f"{low:.6g} where right, {high:.6g} where wrong",
        expected="less where it is right",
    )


def _both(subject: Subject, better: Arguments, worse: Arguments) -> str:
    """Return code that prints both costs; arguments that differ are written twice."""
    lines = subject.code(better, f"right = {subject.call}", "right").splitlines()
    again = [
        f"{name} = {subject.source(y)}"
        for name, x, y in zip(subject.form.names, better, worse, strict=True)
        if not torch.equal(x, y)
    ]
    return "\n".join([*lines[:-1], *again, f"print(right, {subject.call})"])


def _falls(subject: Subject, better: Arguments, worse: Arguments) -> bool:
    low, high = subject.total(*better).detach().double(), subject.total(*worse).detach().double()
    return bool(low > high + 1e-9 * (1 + abs(high)))


def _ordered(subject: Subject) -> Iterator[tuple[str, Arguments, Arguments]]:
    """Yield (description of the right arguments, right arguments, wrong arguments)."""
    kind, space = subject.form.kind, subject.space
    assert kind is not None
    first, *rest = drawn = subject.draw(rows=4 if len(subject.form.shape) > 1 else None)
    if kind.name == "triplets":
        near, far = first + 0.1, first + 5 * torch.sign(rest[0])
        yield "a positive that is near, with a negative that is far,", (first, near, far), (first, far, near)
    elif kind.name == "pairs":
        ones = torch.ones_like(rest[1])
        yield "a pair that is alike and belongs together", (first, first, ones), (first, -first, ones)
    elif kind.name == "ranking":
        signs = rest[1].to(first.dtype)
        yield "the right order", (3 * signs, -3 * signs, rest[1]), (-3 * signs, 3 * signs, rest[1])
    elif kind.name == "margin":
        if fitness(subject) > 0:  # else it is no loss of the product
            yield "the right sign", (5 * rest[0].to(first.dtype), *rest), (-5 * rest[0].to(first.dtype), *rest)
    elif space.tells_probability and kind.name not in ("embeddings", "distillation"):
        target, others = hard(subject)
        right, wrong = (subject.right(goal, 5.0) for goal in (target, _otherwise(subject, target)))
        if right is not None and wrong is not None:
            if space.is_probability:  # so that logs are finite
                right, wrong = right + 0.05 * (wrong - right), wrong + 0.05 * (right - wrong)
            yield "a prediction that is right", (right, target, *others), (wrong, target, *others)
    elif kind.name in ("regression", "variance", "vectors", "boxes", "distillation"):
        yield from _with_noise(subject, drawn)


def _otherwise(subject: Subject, target: Tensor) -> Tensor:
    """Return the opposite target, or another class."""
    if not subject.form.spaces[1].has_classes:
        return 1 - target
    if target.is_floating_point():
        return target.roll(1, subject.form.axis)
    return (target + 1) % subject.form.shape[subject.form.axis]


def _with_noise(subject: Subject, drawn: Arguments) -> Iterator[tuple[str, Arguments, Arguments]]:
    """Yield the target itself as prediction, and predictions that are off by more and more."""
    kind = subject.form.kind
    assert kind is not None
    first, target, *rest = drawn
    space, goal = subject.space, subject.form.spaces[1]
    if space == goal:
        right = target.to(first.dtype)
    elif space.is_real and goal.is_count:
        right, target = torch.log(target + 1), target + 1  # such losses take the log of a count
    elif space.is_positive and goal.is_count:
        right, target = target + 1.0, target + 1
    else:
        return
    drawing = torch.Generator().manual_seed(subject.seed)
    noise = torch.randn(right.shape, generator=drawing, dtype=torch.float64).to(first)
    for size in (0.1, 1.0, 10.0):
        least = kind.spaces(dict(subject.form.settings))[0].low
        moved = right + size * noise if math.isinf(least) else least + (right - least) * torch.exp(size * noise / 4)
        if space.has_corners:
            moved = right + size
        yield "the target itself as prediction", (right, target, *rest), (moved.round(decimals=3), target, *rest)


# --------------------------------------------------------------------------------------- the saturation

FAR = (0.5, 1.0, 2.0, 3.0, 5.0, 8.0, 12.0, 20.0, 39.0, 40.0)


@about("loss", unless=("score_space", "direction", "extreme_inputs", "zeros_and_edges"))
@tolerant
def saturation(subject: Subject) -> Iterator[Finding]:
    """Check that surely wrong predictions have a gradient, which no clamp and no epsilon switches off."""
    if subject.declared.bounded:
        raise Skip("it is declared to saturate")
    kind = subject.form.kind
    assert kind is not None
    if kind.name == "regression" and subject.space.is_real and subject.form.spaces[1].is_real:
        yield from _of_residuals(subject)
    elif subject.space.is_logit or kind.name == "margin":
        yield from _of_wrong_logits(subject)
    elif subject.space.is_probability and kind.name in ("binary", "multilabel"):
        yield from _of_small_chances(subject)
    else:
        raise Skip("its predictions are no logits")


def _slope(subject: Subject, *arguments: Tensor) -> float:
    """Return the largest entry of the gradient; NaN if the subject raises, which other checks report."""
    try:
        return float(subject.gradient(*arguments)[1].double().abs().max())
    except SubjectError:
        return math.nan


def _of_wrong_logits(subject: Subject) -> Iterator[Finding]:
    kind = subject.form.kind
    assert kind is not None
    if kind.name == "margin":
        if fitness(subject) <= 0:
            raise Skip("it is no loss of the product of prediction and target")
        _, drawn, *others = subject.draw()
        goals, rest = [torch.full_like(drawn, sign) for sign in (1, -1)], tuple(others)
    else:
        target, rest = hard(subject)
        several = not subject.form.spaces[1].has_classes and kind.name != "overlap"
        goals = [torch.full_like(target, value) for value in (1, 0)] if several else [target]
    for goal in goals:
        right = subject.right(goal, 0.5 if subject.form.spaces[1].has_classes else 1.0)  # 1 away from the other logits
        if right is None:
            raise Skip("no prediction is known to be wrong")
        slopes = [_slope(subject, -size * right, goal, *rest) for size in FAR]
        finding = _switched_off(subject, slopes, right, goal, rest)
        if finding is not None:
            yield finding
            return


def _switched_off(
    subject: Subject, slopes: list[float], right: Tensor, goal: Tensor, rest: tuple[Tensor, ...]
) -> Finding | None:
    near, last, far = slopes[FAR.index(5.0)], slopes[-2], slopes[-1]
    if not all(map(math.isfinite, slopes)) or near == 0 or far >= 0.1 * near:
        return None
    steepest = FAR[slopes.index(max(slopes))]
    dies = far == 0 or last / far > math.exp(0.9)  # a power of p, which dies more slowly, is a choice
    clamped = steepest >= 3 and dies  # a loss that is bounded by design is steepest near 0
    wrong = (-40.0 * right, goal, *rest)
    small = subject.smallest(wrong, lambda given: _slope(subject, *given) <= 0.2 * near)
    where = "at logits of 40 on the wrong side" if subject.space.is_logit else "at a margin of −40"
    return Finding(
        "saturation",
        f"the gradient {where} is {far / near:.2g} of that at 5: "
        + ("a clamp or an epsilon switches it off" if clamped else "is it meant to be bounded?"),
        subject.code(small, f"{subject.call}.sum().backward()", f"{subject.form.names[0]}.grad", grad=0),
        "compute it from logits (binary_cross_entropy_with_logits, cross_entropy, logsigmoid) instead of log(p + eps) "
        "or log(clamp(p))" if clamped else "declare bounded=True if it is to be; else what is surely wrong stays so",
        mildly(subject) if clamped else "note",
        came=f"{far:.3g} where a logit is 40 off, {near:.3g} where it is 5 off",
        expected="at least a tenth",
    )  # fmt: skip


def _of_residuals(subject: Subject) -> Iterator[Finding]:
    """Yield a note if a far outlier has no gradient, as behind a clamp or in a redescending loss."""
    _, target, *rest = subject.draw()
    near, far = (_slope(subject, target + size, target, *rest) for size in (1.0, 1e3))
    if math.isfinite(far) and near > 0 and far < 1e-3 * near:
        small = subject.smallest((target + 1e3, target, *rest), lambda given: _slope(subject, *given) <= 1e-3 * near)
        yield Finding(
            "saturation", "an outlier has no gradient: is a residual clamped, or is it meant to be ignored?",
            subject.code(small, f"{subject.call}.sum().backward()", f"{subject.form.names[0]}.grad", grad=0),
            "a clamp of the residual takes the gradient as well: a Huber loss bounds the slope and keeps it; declare "
            "bounded=True if it is to be robust",
            "note", came=f"{far:.3g} at a residual of 1000, {near:.3g} at 1", expected="more than a thousandth",
        )  # fmt: skip


def _of_small_chances(subject: Subject) -> Iterator[Finding]:
    """Check that the log goes on as the probability of the true label falls from 1e-5 to 1e-12."""
    _, target, *rest = subject.draw()
    for value in (1, 0):
        goal = torch.full_like(target, value)

        def at(p: float, value: int = value) -> Tensor:
            return torch.full(target.shape, p if value else 1 - p, dtype=subject.form.dtype)

        costs = [cost(subject, at(p), goal, *rest) for p in (1e-3, 1e-5, 1e-12)]
        rise = (costs[1] - costs[0]) / math.log(100)
        if not all(map(math.isfinite, costs)) or rise < 0.1:
            continue  # it has no log
        reached = (costs[2] - costs[1]) / (rise * math.log(1e7))
        if reached > 0.9:
            continue
        wrong = (at(1e-12), goal, *rest)
        small = subject.smallest(wrong, lambda given: True)
        slope = _slope(subject, *small)
        exact = costs[1] + rise * math.log(1e7)
        yield Finding(
            "saturation",
            "a probability of 1e-12 for what is true costs less than its log says"
            + (", and has no gradient: a clamp" if slope == 0 else ": an epsilon inside the log"),
            subject.code(small, f"result = {subject.call}", "result.sum().backward()",
                         f"result, {subject.form.names[0]}.grad", grad=0),
            "take logits and binary_cross_entropy_with_logits, or log p and log1p(−p) from log-sigmoids",
            "note",
            came=f"{costs[2]:.6g}, with a gradient of {slope:.3g}", expected=f"{exact:.6g}",
        )  # fmt: skip
        return


# -------------------------------------------------------------------------------------- the elicitation

SKEWED = tuple(round(math.expm1(3 * i / 20) / 4, 2) for i in range(21))  #: mean 1.39, median 0.87


@about("loss", unless=("score_space", "direction", "saturation", "known_limits"))
@tolerant
def elicitation(subject: Subject) -> Iterator[Finding]:
    """Check that the best constant prediction of a skewed sample is as declared; of labels, their shares."""
    form, wanted = subject.form, subject.declared.elicits
    if len(form.spaces) != 2 or form.kind is None or subject.batch_level:
        raise Skip("it has no best constant prediction")
    if (form.spaces[1].is_yes_or_no or form.spaces[1].has_classes) and subject.space.tells_probability:
        if wanted not in (None, "probability", "mean"):
            raise Skip(f"labels have no {wanted}")
        if wanted is None and (not form.sure or OVERLAP.search(subject.title)):
            raise Skip("it was not declared to elicit probabilities")
        if form.kind.name in ("binary", "classification"):
            yield from _of_shares(subject)
    elif wanted is not None and wanted != "probability" and (subject.space.is_real or subject.space.is_positive):
        yield from _of_sample(subject, wanted)
    else:
        raise Skip("what it is to elicit was not declared")


def functional(name: str) -> tuple[float, float]:
    """Return the bounds of a functional of the skewed sample."""
    if name == "mean":
        mean = sum(SKEWED) / len(SKEWED)
        return mean, mean
    level = 0.5 if name == "median" else float(name.split()[-1])
    place = level * len(SKEWED)
    return SKEWED[max(math.ceil(place) - 1, 0)], SKEWED[min(math.floor(place), len(SKEWED) - 1)]


def _of_sample(subject: Subject, wanted: str) -> Iterator[Finding]:
    sample = torch.tensor(SKEWED, dtype=subject.form.dtype) + (0.1 if subject.space.is_positive else 0.0)
    offset = float(sample[0])
    first, target, *rest = subject.draw(rows=len(SKEWED))
    sample = sample.reshape(-1, *[1] * (target.ndim - 1)).expand(target.shape).contiguous()

    def at(x: float) -> float:
        return float(subject.total(torch.full_like(first, x), sample, *rest).detach().double())

    best = least(at, offset, offset + SKEWED[-1])
    low, high = functional(wanted)
    if low + offset - 0.02 <= best <= high + offset + 0.02:
        return
    small = torch.full_like(first, round(best, 3)), sample, *rest
    told = {"mean": "mean", "median": "median", **{f"quantile {q / 10}": f"quantile {q / 10}" for q in range(1, 10)}}
    near = min(told, key=lambda name: abs(functional(name)[0] + offset - best))
    yield Finding(
        "elicitation",
        f"declared to elicit the {wanted}, and its best constant prediction is nearest to the {near}",
        _searched(subject, small, wanted),
        "a quantile q costs q · (t − p) where p is too low and (1 − q) · (p − t) where it is too high; a squared error "
        "elicits the mean, an absolute one the median",
        came=f"{best:.4g}", expected=f"{(low + high) / 2 + offset:.4g}",
    )  # fmt: skip


def _searched(subject: Subject, arguments: Arguments, wanted: str) -> str:
    """Return code that prints the best of many constant predictions, and the declared functional."""
    first, target = arguments[:2]
    name, goal, *_ = subject.form.names
    lines = subject.code(arguments, "0").splitlines()[:-1]
    library, dtype = ("np", "") if subject.form.numpy else ("torch", f", dtype={first.dtype}")
    functional = f"{library}.{wanted.split()[0]}({', '.join([goal, *wanted.split()[1:]])})"
    return "\n".join([
        *(line for line in lines if not line.startswith(f"{name} = ")),
        "costs = {}",
        f"for x in {library}.linspace({float(target.min())}, {float(target.max())}, 1001):",
        f"    {name} = {library}.full({tuple(first.shape)}, float(x){dtype})",
        f"    costs[float(x)] = float({subject.call}.sum())",
        f"print(min(costs, key=costs.get), {functional})",
    ])  # fmt: skip


def _of_shares(subject: Subject) -> Iterator[Finding]:
    kind = subject.form.kind
    assert kind is not None
    share = 0.3
    if kind.rowwise:
        at, target = _two_classes(subject, share)
    else:
        drawn, goal, *_ = subject.draw(rows=10)
        target = torch.zeros_like(goal)
        target[:3] = 1

        def at(p: float) -> Tensor:
            return torch.full_like(drawn, p if subject.space.is_probability else math.log(p / (1 - p)))

    said = subject.declared.elicits is not None
    best = least(lambda p: float(subject.total(at(p), target).detach().double()), 0.02, 0.98)
    if abs(best - share) <= (0.01 if said else 0.05):
        return
    arguments = at(round(best, 4)), target
    other = at(share), target
    yield Finding(
        "elicitation",
        f"the best constant prediction where {share:.0%} of the labels are so is a probability of {best:.2g}"
        + ("" if said else ": are its outputs to be read as probabilities?"),
        _both(subject, arguments, other),
        "proper are log loss and the squared error of probabilities; class weights, smoothing, powers (focal) and "
        "overlaps move the best probability: calibrate afterwards, or declare nothing",
        "error" if said else "note", came=f"{best:.3g}", expected=f"{share}",
    )  # fmt: skip


def _two_classes(subject: Subject, share: float) -> tuple[Callable[[float], Tensor], Tensor]:
    """Return predictions of classes 0 and 1 as a function of p, and labels with this share of class 0."""
    if subject.space.is_cosine:
        raise Skip("cosines are no probabilities")
    drawn, target, *_ = subject.draw(rows=10)
    axis = subject.form.axis
    labels = (torch.arange(10) >= 10 * share).long().reshape(-1, *[1] * (drawn.ndim - 2))
    labels = labels.expand([n for i, n in enumerate(drawn.shape) if i != axis % drawn.ndim]).contiguous()
    if target.is_floating_point():
        rows = torch.nn.functional.one_hot(labels, drawn.shape[axis])
        labels = rows.movedim(-1, axis).to(target.dtype)

    def at(p: float) -> Tensor:
        rest = 1e-9
        row = torch.tensor([p, 1 - p, *[rest] * (drawn.shape[axis] - 2)], dtype=subject.form.dtype)
        row = row if subject.space.is_probability else torch.log(row)
        return row.expand(*drawn.movedim(axis, -1).shape).movedim(-1, axis).contiguous()

    return at, labels


def least(f: Callable[[float], float], low: float, high: float) -> float:
    """Return a function's minimiser, by a grid and a golden section around its best point; a flat one's middle."""
    grid = [low + (high - low) * i / 40 for i in range(41)]
    values = [f(x) for x in grid]
    if not all(map(math.isfinite, values)):
        raise Skip("it is not finite for some constant predictions")
    places = [i for i, value in enumerate(values) if value <= min(values) + 1e-12 * (1 + abs(min(values)))]
    a, b = grid[max(places[0] - 1, 0)], grid[min(places[-1] + 1, 40)]
    if len(places) > 2:
        return (a + b) / 2
    golden = (math.sqrt(5) - 1) / 2
    for _ in range(25):
        c, d = b - golden * (b - a), a + golden * (b - a)
        if f(c) < f(d):
            b = d
        else:
            a = c
    return (a + b) / 2
