"""Checks of continuity and of low precision."""

from __future__ import annotations

import contextlib
import math
import textwrap
from collections.abc import Callable, Iterable, Iterator
from functools import partial

import torch
from torch import Tensor

from slopes.auditing.behaviour.common import OVERLAP, skip_on_refusal
from slopes.auditing.behaviour.differences import is_of_float32
from slopes.auditing.evidence import Script, attempt
from slopes.auditing.form import Arguments, widened
from slopes.auditing.report import Finding, Skip, about
from slopes.auditing.subject import Subject, SubjectError

# ----------------------------------------------------------------------------------------- continuity


SMOOTH = 8  #: order of the differences that hardly show a smooth function, and show jumps and kinks


@about("loss", "activation", unless=("known_limits",))
@skip_on_refusal
def continuity(subject: Subject) -> Iterator[Finding]:
    """Check that the value has no jump along a line of predictions."""
    if subject.notes.get("random"):
        raise Skip("it draws random numbers, as many as its argument has entries")
    if subject.form.kind is not None and subject.form.kind.coupled:
        raise Skip("it may choose among the pairs of a batch, and jumps where it takes others")
    line, low, high, count = _line(subject)

    def values(at: Tensor) -> Tensor:
        return line(at)[1].detach().double()

    step = (high - low) / count
    grid = low + step * (torch.arange(count + 1, dtype=torch.float64) + 0.2718)  # no round number is on it
    known = values(grid)
    if not bool(torch.isfinite(known).all()):
        raise Skip("its values are not finite along a line")
    if not torch.allclose(values(grid[7:9]), known[7:9], rtol=1e-9, atol=1e-12):
        raise Skip("its values are drawn at random, or depend on one another")
    size = max(float(known.max() - known.min()), 1e-300)
    least = max(1e-6 * size, 1e-7, _rounding(subject, grid, known))
    if float(torch.diff(known, n=SMOOTH).abs().max()) <= least:
        return  # a jump of that height is in these differences many times over
    rough = torch.diff(known, n=3).abs()  # a kink shows as well, until bisection rules it out
    starts = _apart(rough.argsort(descending=True)[:64].tolist())
    (left, right), (before, after) = ((x[starts], x[[i + 3 for i in starts]]) for x in (grid, known))
    for _ in range(48):
        middle = (left + right) / 2
        half = values(middle)
        first = (half - before).abs() >= (after - half).abs()
        left, right = torch.where(first, left, middle), torch.where(first, middle, right)
        before, after = torch.where(first, before, half), torch.where(first, half, after)
        if float((after - before).abs().max()) <= 1e-9 * float(known.abs().max()):
            return
    jumps = (after - before).abs()
    place = int(jumps.argmax())
    jump = float(jumps[place])
    if jump <= least:
        return
    below, above = float(left[place]), float(right[place])
    beside = values(torch.tensor([below - step, below, above, above + step], dtype=torch.float64))
    flat = bool((torch.diff(beside)[::2].abs() <= 1e-6 * step * size).any())
    yield _jump(subject, line, below, above, jump, stepped=flat)


def _rounding(subject: Subject, grid: Tensor, known: Tensor) -> float:
    """Difference that rounding may make between values at neighbouring numbers."""
    steepest = float((torch.diff(known) / torch.diff(grid)).abs().max())
    eps = torch.finfo(torch.float32 if is_of_float32(known) else subject.form.dtype).eps
    return 16 * eps * (float(known.abs().max()) + steepest * float(grid.abs().max()))


def _apart(places: list[int], most: int = 6) -> list[int]:
    """First places at least four points apart: a kink fills the points beside it."""
    kept: list[int] = []
    for place in places:
        if len(kept) < most and all(abs(place - other) >= 4 for other in kept):
            kept.append(place)
    return kept


Along = Callable[[Tensor], tuple[list[Arguments], Tensor]]


def _line(subject: Subject) -> tuple[Along, float, float, int]:
    """(function from numbers on a line to arguments and values, beginning, end, number of points)."""
    first, *rest = subject.draw()
    kind, space = subject.form.kind, subject.space
    if kind is None and subject.form.elementwise:
        shape = -1, *[1] * (first.ndim - 1)

        def entries(at: Tensor) -> tuple[list[Arguments], Tensor]:
            x = at.to(subject.form.dtype).reshape(shape)
            x = x.expand(len(at), *first.shape[1:])
            return [(x[i : i + 1],) for i in range(len(at))], subject(x).reshape(len(at), -1)[:, 0]

        return entries, -9.0, 9.0, 4000
    ends = _ends(subject, first, rest)
    if ends is None:
        raise Skip("no line is known through its predictions")
    start, stop = ends

    def mixed(at: Tensor) -> tuple[list[Arguments], Tensor]:
        given = [(start + float(x) * (stop - start), *rest) for x in at]
        return given, subject.totals(given)

    return (mixed, 0.01, 0.98, 150) if not space.is_logit and not space.is_real else (mixed, -1.0, 2.0, 150)


def _ends(subject: Subject, first: Tensor, rest: list[Tensor]) -> tuple[Tensor, Tensor] | None:
    """Two predictions with valid ones between them, or None."""
    kind, space = subject.form.kind, subject.space
    if not (space.is_unbounded or space.tells_probability or space.is_positive):
        return None
    if kind is None or kind.rowwise:
        return first, subject.draw(1)[0]
    start, stop = first.clone(), first.clone()  # one entry alone, across its target, where it has one
    goal = float(rest[0].reshape(-1)[0]) if space.is_real and not kind.is_margin else 0.0
    ends = (0.0, 1.0) if space.is_probability else (0.05, 5.0) if space.is_positive else (goal - 2.0, goal + 2.0)
    start.reshape(-1)[0], stop.reshape(-1)[0] = ends
    return start, stop


def _jump(subject: Subject, line: Along, below: float, above: float, jump: float, *, stepped: bool) -> Finding:
    (x, y), _ = line(torch.tensor([below, above], dtype=torch.float64))
    name = subject.form.names[0]
    lines = f"below = {subject.call}", f"{name} = {subject.spell(y[0])}", f"below, {subject.call}"
    where = f" near {below:.6g}" if subject.form.kind is None else ""
    return subject.script(x, *lines).finding(
        f"no gradient tells training of a jump: it jumps by {jump:.3g}{where}, where its argument hardly changes"
        + (": is it to have a step?" if stepped else ": two pieces do not meet"),
        "smooth the step, or pass the gradient through on purpose" if stepped
        else "give both pieces the same value where they meet: solve for the constant, or move the threshold",
        "error" if subject.form.sure and not stepped and not subject.batch_level else "note",
        came="{0:.9g} and {1:.9g}", expected="one value, or nearly",
        shows=lambda below, above: abs((above - below).sum()) > 0.5 * jump,
    )  # fmt: skip


# -------------------------------------------------------------------------------------- low precision

MANY = 2**18
HALVES = (torch.bfloat16, torch.float16)
SIZES = (10.0, 30.0, 80.0, 100.0)


@about(
    "loss", "activation", once=True,
    unless=("purity", "finite", "no_nan", "value_precision", "score_space", "saturation", "extreme_inputs"),
)  # fmt: skip
@skip_on_refusal
def low_precision(subject: Subject) -> Iterator[Finding]:
    """Check float32, half types and autocast against float64."""
    if subject.form.numpy or subject.form.dtype != torch.float64:
        raise Skip("it is computed in one precision alone")
    for seen in (_of_float32, _vanished, _of_halves, _of_autocast):
        yield from seen(subject)


def _of_float32(subject: Subject) -> Iterator[Finding]:
    large = list(_large(subject))
    for place in subject.suspects([arguments for arguments, _ in large], partial(_is_precise, subject)):
        arguments, offset = large[place]
        low, exact = _pair(subject, arguments)
        wide = exact.abs().amax()
        if not bool(torch.isfinite(exact).all()) or float(wide) > 1e30:
            continue
        lost = ~torch.isfinite(low)
        if bool(lost.any()):
            yield _lost(subject, arguments, low, "float32", "error")
        off = (low - exact).abs() / (1 + exact.abs())
        if float(off.max()) > 1e-3:
            yield _lost(subject, arguments, low, "float32", "warning" if offset else "error")
    if subject.form.kind is None:
        yield from _tail(subject)


def _is_precise(subject: Subject, arguments: Arguments) -> bool:
    """Whether each entry, not only the mean, is close to its value in float64."""
    low, exact = _pair(subject, arguments, reduction=None if subject.form.kind is None else "none")
    return bool(((low - exact).abs() <= 1e-4 * (1 + exact.abs())).all()) and float(exact.abs().amax()) <= 1e30


def _large(subject: Subject) -> Iterator[tuple[Arguments, bool]]:
    """Yield (arguments in float32, whether a large number is added to all)."""
    first, *rest = subject.draw(dtype=torch.float32)
    yield (first, *rest), False
    if not subject.space.is_unbounded:
        return
    pattern = torch.where(torch.arange(first.numel()).reshape(first.shape) % 2 == 0, 1.0, -1.0)
    overlap = OVERLAP.search(subject.title)  # probabilities that underflow make a region without pixels
    for size in SIZES[:2] if overlap else SIZES:
        for sign in (1.0, -1.0):
            yield (sign * size * pattern, *rest), False
    if subject.form.kind is not None and subject.form.kind.compares_numbers and subject.form.spaces[1].is_real:
        for seed in range(3):
            moved, goal, *others = subject.draw(seed, dtype=torch.float32)
            yield (moved + 1000, goal + 1000, *others), True


def _pair(subject: Subject, arguments: Arguments, reduction: str | None = None) -> tuple[Tensor, Tensor]:
    """(result, result in float64)."""
    wide = widened(arguments)
    with subject.without_kernels():
        exact = subject(*wide, reduction=reduction)
    return subject(*arguments, reduction=reduction).detach().double(), exact.detach().double()


def _lost(subject: Subject, arguments: Arguments, low: Tensor, name: str, severity: str) -> Finding:
    def fails(given: Arguments) -> bool:
        a, b = _pair(subject, given)
        return bool(torch.isfinite(b).all()) and not bool(((a - b).abs() <= 1e-3 * (1 + b.abs())).all())

    small = subject.smallest(arguments, fails)
    low, exact = _pair(subject, small)
    place = _worst(low, exact)
    came, true = float(low.reshape(-1)[place]), float(exact.reshape(-1)[place])
    fault = f"is {came}" if not math.isfinite(came) else "has lost its digits"
    return _in_both(subject, small, place).finding(
        f"training in {name} gets wrong numbers: it {fault} where float64 gives {true:.6g}",
        "overflow and cancellation: log_softmax, logsigmoid, softplus, logsumexp and expm1 for what is made of exp and "
        "log; a difference before the square, not of squares",
        severity, expected="{1}", shows=lambda low, exact: not abs(low - exact) <= 1e-3 * (1 + abs(exact)),
    )  # fmt: skip


def _worst(low: Tensor, exact: Tensor) -> int:
    """Place of the largest error."""
    return int(((low - exact).abs() / (1 + exact.abs())).nan_to_num(nan=math.inf).reshape(-1).argmax())


def _in_both(subject: Subject, arguments: Arguments, place: int) -> Script:
    """Code that prints one entry in both precisions."""
    wide = [f"{name} = {name}.double()" for name, x in subject.by_name(arguments).items() if x.is_floating_point()]
    if subject.is_module:
        wide.append(f"{subject.variable} = {subject.variable}.double()")
    entry = f".reshape(-1)[{place}]" if subject(*arguments).numel() > 1 else ""
    return subject.script(arguments, f"low = {subject.call}", *wide, f"low{entry}, {subject.call}{entry}")


def _tail(subject: Subject) -> Iterator[Finding]:
    if not subject.form.elementwise:
        return
    first, *_ = subject.draw(dtype=torch.float32)
    x = torch.linspace(-12, 12, 193)
    x = x.reshape(-1, *[1] * (first.ndim - 1)).expand(193, *first.shape[1:])
    low, exact = _pair(subject, (x,))
    off = (low - exact).abs()
    lost = (off > 0.01 * exact.abs()) & (exact.abs() > 1e-30) & (off > 1e-9)
    if not bool(lost.any()):
        return
    numbers = x[lost]
    nearest = numbers[numbers.abs().argmin()]
    small = (torch.full((80, *x.shape[1:]), float(nearest)),)  # some processors compute a single number otherwise
    yield _in_both(subject, small, 0).finding(
        f"training in float32 gets wrong numbers where they are small: more than 1 % of the value is lost from "
        f"{float(nearest):.4g} on",
        "1 + erf and 1 + tanh cancel where they are near 0: erfc(−x) and 2·sigmoid(2x) do not",
        "note", expected="{1}", shows=lambda low, exact: abs(low - exact) > 0.01 * abs(exact),
    )  # fmt: skip


def _of_autocast(subject: Subject) -> Iterator[Finding]:
    arguments = subject.draw(dtype=torch.float32)
    exact = subject(*arguments).detach().double()
    lines = "with torch.autocast('cpu', dtype=torch.bfloat16):", textwrap.indent(attempt(subject.call), "    ")
    try:
        with torch.autocast("cpu", dtype=torch.bfloat16):
            low = subject(*arguments).detach().double()
    except SubjectError as error:
        if "not implemented" not in str(error):
            yield subject.script(arguments, *lines, "came").finding(
                f"training with autocast raises: {error}",
                "wrap it in torch.autocast(enabled=False) and take .float() of what comes in", "note",
            )  # fmt: skip
        return
    off = (low - exact).abs() / (1 + exact.abs())
    if bool(torch.isfinite(exact).all()) and (not bool(torch.isfinite(low).all()) or float(off.max()) > 0.1):
        entry = f".reshape(-1)[{_worst(low, exact)}]"
        yield subject.script(arguments, *lines, f"came{entry}, {subject.call}{entry}").finding(
            "training with autocast gets wrong numbers: in bfloat16 it is far from its result without",
            "matrix products run in bfloat16: take .float() of what comes in and disable autocast inside", "note",
            expected="{1}", shows=lambda low, exact: not abs(low - exact) <= 0.1 * (1 + abs(exact)),
        )  # fmt: skip


def _of_halves(subject: Subject) -> Iterator[Finding]:
    for arguments, case, severity in _half(subject):
        try:
            low, exact = _pair(subject, arguments)
        except SubjectError:
            continue  # it refuses this type
        top = 3e4 if arguments[0].dtype == torch.float16 else 1e30
        if not bool(torch.isfinite(exact).all()) or float(exact.abs().max()) > top:
            continue
        eps = torch.finfo(arguments[0].dtype).eps
        off = (low - exact).abs() / (1 + exact.abs())
        infinite = not bool(torch.isfinite(low).all())
        if infinite or float(off.max()) > max(8 * eps, 0.1):
            worst = _worst(low, exact)
            came, true = float(low.reshape(-1)[worst]), float(exact.reshape(-1)[worst])
            if arguments[0].numel() >= MANY:  # so many entries are seldom a batch of half types
                subject.facts.append(
                    f"{case.removeprefix('for ')} in float16 is too large for its sums: take .float() of it"
                )
                return
            if bool(low.isnan().any()):
                severity = "warning"
            name = str(arguments[0].dtype).removeprefix("torch.")
            yield _in_both(subject, arguments, worst).finding(
                f"training in {name} gets wrong numbers: it is {came:.4g} {case}, where float64 gives {true:.6g} of "
                "the same numbers",
                "take .float() of what comes in: sums pass 65504, and an epsilon of 1e-8 is 0 in float16",
                severity if infinite else "note", expected="{1}",
                shows=lambda low, exact, eps=eps: not abs(low - exact) <= max(8 * eps, 0.1) * (1 + abs(exact)),
            )  # fmt: skip


def _vanished(subject: Subject) -> Iterator[Finding]:
    """Report NaN in a half type at zeros, ties and agreement, where an epsilon protects float64 alone."""
    kind = subject.form.kind
    severity = "note" if kind is not None and kind.compares_vectors else "warning"  # few vectors are 0
    cases = list(subject.degenerate())
    for dtype in HALVES:
        batches = [tuple(x.to(dtype) if x.is_floating_point() else x for x in drawn) for _, drawn in cases]
        for number in subject.suspects(batches, lambda given: not _is_nan(subject.gradient(*given))):
            case, arguments = cases[number][0], batches[number]
            with contextlib.suppress(SubjectError, Skip):
                low = subject.gradient(*arguments)
                if not _is_nan(low):
                    continue
                exact = subject.gradient(*widened(arguments))
                place = next((n for n, (x, y) in enumerate(zip(low, exact, strict=True)) if _is_lost(x, y)), None)
                if place is None:
                    continue
                entry = int(low[place].isnan().reshape(-1).nonzero()[0])
                yield _with_slopes(subject, arguments, place, entry).finding(
                    f"training in {str(dtype).removeprefix('torch.')} turns into NaN: "
                    f"{'its gradient' if place else 'the value'} is NaN {case}, where float64 gives a number",
                    "an epsilon of 1e-8 is 0 in float16 and 1 − 1e-7 is 1 in both half types: take .float() of what "
                    "comes in, or an epsilon of the dtype, torch.finfo(x.dtype).eps",
                    severity, expected="{1}", shows=lambda low, exact: bool(low.isnan() > exact.isnan()),
                )  # fmt: skip
                return


def _is_nan(results: Iterable[Tensor]) -> bool:
    return any(bool(x.isnan().any()) for x in results)


def _is_lost(low: Tensor, exact: Tensor) -> bool:
    """Whether there is NaN for ordinary numbers."""
    ordinary = bool(exact.isfinite().all()) and float(exact.abs().max()) < 3e4
    return ordinary and low.shape == exact.shape and bool(low.isnan().any())


def _with_slopes(subject: Subject, arguments: Arguments, place: int, entry: int) -> Script:
    """Code that prints one entry of the value or the gradient in the arguments' precision and in float64."""
    names = subject.by_name(arguments)
    first = subject.form.names[0]
    wide = [f"{name} = {name}.detach().double()" for name, x in names.items() if x.is_floating_point()]
    wide.append(f"{first}.requires_grad_()")
    if subject.is_module:
        wide.append(f"{subject.variable} = {subject.variable}.double()")
    seen = f"torch.autograd.grad({subject.call}.sum(), {first})[0]" if place else f"{subject.call}.detach()"
    seen += f".reshape(-1)[{entry}]"
    return subject.script(arguments, f"low = {seen}", *wide, f"low, {seen}", grad=0)


def _half(subject: Subject) -> Iterator[tuple[Arguments, str, str]]:
    """Yield (arguments, description, severity if the result is not finite)."""
    kind = subject.form.kind
    for dtype in HALVES:
        first, *rest = subject.draw(dtype=dtype)
        yield (first, *rest), "for ordinary numbers", "warning" if dtype == torch.bfloat16 else "note"
        if kind is not None and subject.space.is_probability and not kind.rowwise and len(rest) == 1:
            yield (1 - rest[0], *rest), "where a probability is 0 or 1 and wrong", "note"
    if kind is None:
        return
    if kind.compares_boxes:
        for dtype in HALVES:
            yield tuple(500 * x for x in subject.draw(dtype=dtype)), "for boxes in pixels", "warning"
    # rows are averaged as entries are
    if not subject.quick and not kind.batched and not kind.rowwise:
        rows = MANY // max(math.prod(subject.form.shape[1:]), 1)
        drawn = subject.draw(dtype=torch.float16)
        many = tuple(x[:1].expand(rows, *x.shape[1:]).contiguous() for x in drawn)
        yield many, f"for a batch of {MANY} entries", "note"
