"""Checks of reductions, and of micro-batches."""

from __future__ import annotations

import contextlib
import copy
import math
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

import torch
from torch import Tensor

from slopes.auditing.behaviour.batches import (
    asked,
    asking,
    close,
    counts,
    cut,
    doubt_reductions,
    is_library_loss,
    several,
    twice,
    twice_in_code,
)
from slopes.auditing.behaviour.selection import keep_two_thirds, selections
from slopes.auditing.evidence import Script
from slopes.auditing.form import Arguments
from slopes.auditing.report import NO_GRADIENTS, Finding, Skip, about
from slopes.auditing.signatures import attribute_of, default_of
from slopes.auditing.subject import Subject, SubjectError
from slopes.kinds import Kind

PARTS_OF = (
    "num_items_in_batch", "num_items", "num_tokens", "avg_factor", "normalizer", "divisor", "num_boxes", "total_count"
)  # fmt: skip  #: arguments for the divisor of the mean over all parts
Shows = Callable[[Tensor, Tensor, Tensor], bool]
FAULTS: tuple[tuple[str, str, str, str, str, Shows], ...] = (
    ("sum", "takes the steps of 'mean'", "gives the same number", "{1}", "the sum of {0}",
     lambda each, total, mean: not total.ndim and close(total, mean) and not close(total, 0.0)),
    ("none", "cannot weigh or mask samples", "gives one number", "{0}", "a value for each entry or row",
     lambda each, total, mean: not each.ndim),
    ("sum", "raises", "gives several numbers", "{1}", "one number", lambda each, total, mean: total.ndim > 0),
    ("mean", "raises", "gives several numbers", "{2}", "one number", lambda each, total, mean: mean.ndim > 0),
    ("sum", "takes steps of another size", "gives another number than the sum of what 'none' gives", "{1}",
     "the sum of {0}", lambda each, total, mean: not close(total, each.sum())),
)  # fmt: skip  #: faults of results for "none", "sum" and "mean": way, effect, fault, actual and expected result, test
SIZES = ("batch_size", "batchsize", "bs", "n_batch")  #: names of a batch size that was fixed beforehand


@about("loss", unless=("purity", "row_independence"))
def reduction(subject: Subject) -> Iterator[Finding]:
    """Check that none, sum and mean agree, and name the divisor."""
    subject = several(subject)
    by_asking = subject.form.reduction is not None
    finding = (_by_asking(doubt_reductions(subject)) if by_asking else _by_doubling(subject)) or _by_classes(subject)
    if finding is not None:
        yield asked(subject, finding)


def _by_asking(subject: Subject) -> Finding | None:
    arguments = subject.draw()
    came = {}
    for way in ("none", "sum", "mean"):
        try:
            came[way] = subject(*arguments, reduction=way)
        except SubjectError as error:
            raise Skip(f"reduction={way!r} raises {error}") from None
    each, total, mean = came.values()
    if not each.ndim and (subject.batch_level or subject.notes.get("coupled")):
        raise Skip("it gives one number for a batch as a whole")
    fault = next((fault for fault in FAULTS if fault[-1](each, total, mean)), None)
    if fault is not None:
        return _disagreeing(subject, *fault)
    if tuple(each.shape) not in _shapes(subject, arguments):
        return _misshapen(subject, each)
    again = twice(arguments)
    if not close(subject(*again, reduction="none"), torch.cat([each, each])):
        return None  # rows that depend on one another
    for way, factor in (("sum", 2), ("mean", 1)):
        ratio = float(subject(*again, reduction=way) / came[way])
        if came[way] != 0 and not close(ratio, factor):
            return _doubled(subject, way, ratio, factor)
    return _named(subject, arguments, float(total / mean))


def _disagreeing(
    subject: Subject, way: str, effect: str, fault: str, came: str, expected: str, shows: Shows
) -> Finding:
    none, total, mean = (asking(subject, each, subject.call) for each in ("none", "sum", "mean"))
    return subject.script(subject.draw(rows=2), f"print({none})", f"print({total})", mean).finding(
        f"training with reduction={way!r} {effect}: it {fault}",
        "reduce once, at the end, and by the argument alone: none gives the values, sum their sum, mean that "
        "divided by what counts",
        "warning" if way == "none" else "error",
        came=came,
        expected=expected,
        shows=shows,
    )


def _shapes(subject: Subject, arguments: Arguments) -> list[tuple[int, ...]]:
    """Shapes that the values of a batch may have: of entries, of the target, of samples or of rows."""
    first = arguments[0]
    kind, axis = subject.form.kind, subject.form.axis % first.ndim
    assert kind is not None
    known = [*(tuple(x.shape) for x in arguments[:2]), tuple(first.shape[:1])]
    return [*known, (*first.shape[:axis], *first.shape[axis + 1 :])] if kind.rowwise else known


def _misshapen(subject: Subject, each: Tensor) -> Finding | None:
    """Report values for reduction="none" in a shape that no weight or mask of the batch has, unless it selects some."""
    arguments = subject.draw()
    shapes = _shapes(subject, arguments)
    kept = next((shape for shape in reversed(shapes) if math.prod(shape) == each.numel()), None)
    if subject.batch_level or kept is None:
        return None
    return subject.script(arguments, f"tuple({asking(subject, 'none', subject.call)}.shape)").finding(
        f"training weighs the wrong samples with reduction='none': it gives the shape {tuple(each.shape)}, which is "
        "that of no argument",
        "keep the shape of the target (of the rows): weights and masks of that shape would be broadcast against it",
        "warning",
        expected=f"{kept}",
        shows=lambda shape: shape not in shapes,
    )


def _doubled(subject: Subject, way: str | None, ratio: float, factor: int) -> Finding | None:
    call = subject.call if way is None else asking(subject, way, subject.call)
    script = subject.script(subject.draw(rows=2), f"once = {call}", *twice_in_code(subject), f"{call} / once")
    is_root = way is None and any(close(ratio, 2.0**power) for power in (-2, -1, 2))
    return script.finding(
        f"training takes other steps with another batch size: {'the result' if way is None else f'the {way}'} is "
        f"multiplied by {ratio:.6g} where a batch is taken twice",
        "divide once, by what this batch holds (loss.mean(), or loss.sum() / count): not by a number from elsewhere, "
        "nor after a mean",
        "error" if way is not None else "warning" if is_root else "note",
        came="{0} times as much",
        expected=f"{factor} times as much" if way is not None else "the same (a mean) or twice as much (a sum)",
        shows=lambda ratio: not any(close(ratio, known) for known in ((1, 2) if way is None else (factor,))),
    )


def _named(subject: Subject, arguments: Arguments, divisor: float) -> Finding | None:
    """Name the divisor by counts that agree with it in two batches."""
    other = subject.draw(seed=1, rows=max(2, len(arguments[0]) - 2))
    mean = subject(*other, reduction="mean")
    second = float(subject(*other, reduction="sum") / mean) if mean != 0 else math.nan
    known, known_too = (
        {**counts(subject, given), "values": float(subject(*given, reduction="none").numel())}
        for given in (arguments, other)
    )
    names = [n for n, x in known.items() if close(x, divisor) and close(known_too[n], second)]
    subject.notes["divisor"] = names
    subject.facts.append(f"its mean divides by {' = '.join(names) or f'{divisor:.6g}, which is no count of its batch'}")
    call = f"{asking(subject, 'sum', subject.call)} / {asking(subject, 'mean', subject.call)}"
    return _judged(subject, subject.script(arguments, call), arguments, names, divisor)


def _judged(subject: Subject, script: Script, arguments: Arguments, names: list[str], divisor: float) -> Finding | None:
    """Compare the divisor, which the script prints, with the declared one."""
    kind, declared = subject.form.kind, subject.declared.divisor
    assert kind is not None
    found = " = ".join(names) or "no count of the batch"
    told: dict[str, Any] = {"came": f"{{0}}: {found}", "shows": lambda printed: close(printed, divisor)}
    alike = {"valid": ("rows", "samples", "elements")}.get(declared or "", (declared,))
    if declared is not None and not set(names) & set(alike):
        return script.finding(
            f"training takes steps of another size than declared: the mean divides by {found}, not by {declared!r}",
            "divide by what is declared, or declare what it divides by", expected=f"the {declared}", **told,
        )  # fmt: skip
    if declared is None and "elements" in names and "rows" not in names and kind.compares_distributions:
        return script.finding(
            "training takes steps that are too small by the number of classes: the mean of a divergence divides by all "
            "entries",
            "reduction='batchmean', or a sum over the classes before the mean; declare divisor='elements' if meant",
            "note" if is_library_loss(subject) else "warning",
            expected=f"{counts(subject, arguments)['rows']:g}, the rows",
            **told,
        )
    if not names and declared is None and not kind.has_edges:
        return script.finding(
            f"training takes steps of a size that depends on other things than the batch: the mean divides by "
            f"{divisor:.6g}, which is no count of it",
            "say what it divides by with divisor=, and give the caller the sum besides", "note",
            expected="the number of entries, of rows, or of what counts, or the sum of the weights", **told,
        )  # fmt: skip
    return None


def _by_doubling(subject: Subject) -> Finding | None:
    """Check whether a single number is a mean or a sum."""
    arguments = subject.draw()
    once = subject(*arguments)
    if once.ndim:
        raise Skip("it gives a value for each, and takes no reduction")
    if subject.batch_level or subject.notes.get("coupled") or once == 0 or not bool(torch.isfinite(once)):
        return None
    ratio = float(subject(*twice(arguments)) / once)
    if not close(ratio, 1.0) and not close(ratio, 2.0):
        if subject.declared.terms:
            return None  # their reductions may differ, which `term_balance` checks
        if close(2 * once - subject(*twice(arguments)), 1.0):
            return _once(subject)
        return _doubled(subject, None, ratio, 1)
    mean = close(ratio, 1.0)
    subject.notes["divisor"] = ["mean"] if mean else ["one"]
    subject.facts.append("its result is a mean" if mean else "its result is a sum over the batch")
    return _misdeclared(subject, mean) or (_divergence(subject, arguments) if mean else None)


def _misdeclared(subject: Subject, mean: bool) -> Finding | None:
    declared = subject.declared.divisor
    if declared is not None and (declared == "one") == mean:
        twice_as_long = subject.called(each=f".{'repeat' if subject.form.numpy else 'repeat_interleave'}(2, 0)")
        return subject.script(subject.draw(rows=2), f"{twice_as_long} / {subject.call}").finding(
            f"training takes steps of another size than declared: the result is {'a mean' if mean else 'a sum'}, and "
            f"divisor={declared!r} is declared",
            "divide by what is declared, or declare what it divides by",
            came="{0} times as much for a batch taken twice",
            expected=f"{2 if mean else 1} times",
            shows=lambda ratio: close(ratio, 1 if mean else 2),
        )
    return None


def _once(subject: Subject) -> Finding | None:
    """Report 1 minus the sum of similarities, where each row should be subtracted from 1."""
    lines = f"once = {subject.call}", *twice_in_code(subject), f"2 * once - {subject.call}"
    return subject.script(subject.draw(rows=2), *lines).finding(
        "training looks better the larger the batch: it is 1 minus a sum over the batch, and falls below 0",
        "subtract each row from 1 before the sum, Σ(1 − s), or average first, 1 − mean(s)",
        "warning",
        came="{0}, as twice its value less that for the batch taken twice",
        expected="0",
        shows=lambda rest: close(rest, 1.0),
    )


def _by_classes(subject: Subject) -> Finding | None:
    """Check that as many classes again, all but impossible, leave a mean over rows of a softmax as it is."""
    kind, axis = subject.form.kind, subject.form.axis
    if kind is None or not _may_be_of_softmax(subject, kind) or is_library_loss(subject) or subject.form.numpy:
        return None
    arguments, low = subject.draw(rows=2), (-200.0, -200.0 if kind.compares_logits else 0.0)
    more = tuple(
        torch.cat([x, torch.full_like(x, number)], axis) if x.is_floating_point() else x
        for x, number in zip(arguments, low, strict=True)
    )
    with contextlib.suppress(SubjectError, Skip):
        before, after = subject.total(*arguments), subject.total(*more)
        if before != 0 and close(2 * after, before) and _is_log_of_softmax(subject, arguments):
            again = [line for line, x in zip(subject.assign(more), more, strict=True) if x.is_floating_point()]
            return subject.script(arguments, f"print({subject.call})", *again, subject.call).finding(
                "training takes steps that are too small by the number of classes: the mean is taken over them, too",
                "sum over the classes, then average over the rows (reduction='batchmean' of kl_div)",
                "warning",
                came="{1} beside as many classes that are all but impossible",
                expected="{0}, as without them",
                shows=lambda before, after: close(2 * after.sum(), before.sum()),
            )
    return None


def _may_be_of_softmax(subject: Subject, kind: Kind) -> bool:
    """Whether the mean goes over rows, which may be taken for a softmax's."""
    of_rows = kind.takes_labels or kind.compares_distributions or kind.compares_logits
    if not of_rows or kind.has_regions or subject.declared.divisor == "elements":
        return False
    return subject.space.is_logit or subject.space.is_log_probability


def _is_log_of_softmax(subject: Subject, arguments: Arguments) -> bool:
    """Whether it looks at differences of logits, and grows with a wrong one without bound, but is no hinge."""
    first, target = arguments
    kind = subject.form.kind
    assert kind is not None
    if subject.space.is_logit and not close(subject.total(first + 1.0, target), subject.total(first, target)):
        return False
    if kind.compares_logits or subject.space.is_log_probability:
        return True
    target = subject.certain(target)
    costs = []
    for size in (-40.0, -20.0, 3.0):
        prediction = subject.right(target, abs(size))
        if prediction is None:
            return False
        costs.append(float(subject.total(prediction * math.copysign(1.0, size), target).detach()))
    return 1.8 < costs[0] / costs[1] < 2.2 and costs[2] > 0


def _divergence(subject: Subject, arguments: Arguments) -> Finding | None:
    """Find the divisor of a divergence by its known slope."""
    kind = subject.form.kind
    assert kind is not None
    if not kind.compares_distributions or subject.form.numpy or not subject.form.sure:
        return None
    first, target = arguments
    slope = -target if subject.space.is_log_probability else torch.softmax(first, subject.form.axis) - target
    _, gradient = subject.gradient(*arguments)
    divisor = float(slope.abs().sum() / gradient.abs().sum())
    if not close(slope / divisor, gradient):
        return None
    names = [name for name, count in counts(subject, arguments).items() if close(count, divisor)]
    ratio = f"({subject.spell(slope)}).abs().sum() / {subject.form.names[0]}.grad.abs().sum()"
    script = subject.script(arguments, f"{subject.call}.backward()", ratio, grad=0)
    return _judged(subject, script, arguments, names, divisor) if names else None


# ------------------------------------------------------------------------------------------ accumulation


@about("loss", unless=("purity", "row_independence", "reduction"))
def accumulation(subject: Subject) -> Iterator[Finding]:
    """Check that unequal micro-batches, weighted by the divisor, give the full batch's gradient."""
    if subject.batch_level or subject.notes.get("coupled"):
        raise Skip("it looks at a batch as a whole")
    if "divisor" not in subject.notes:
        raise Skip("it is neither a mean nor a sum")
    subject = several(subject)
    finding = _fixed_size(subject) or _parts_of(subject) or _parts(subject)
    if finding is not None:
        yield asked(subject, finding)


def _fixed_size(subject: Subject) -> Finding | None:
    for name in SIZES:
        held = attribute_of(subject.thing, name)
        size = held if type(held) is int else default_of(subject.thing, name)
        if type(size) is not int:
            continue
        arguments = subject.draw()
        small = subject.draw(rows=2)
        if type(held) is int:
            other = subject.like(thing=_with(subject.thing, name, 2 * size))
            after, change = other.total(*arguments), f"{subject.variable}.{name} = {2 * size}"
            call = subject.call
        else:
            after, change = subject.total(*arguments, **{name: 2 * size}), ""
            call = subject.called(f"{name}={2 * size}")
        before = subject.total(*arguments)
        if before != 0 and close(2 * after, before):
            return subject.script(small, f"print({subject.call})", *([change] if change else []), call).finding(
                f"training learns less from a last, smaller batch: it divides by a {name} of {size} whatever the batch "
                "holds",
                "divide by what this batch holds: loss.mean(), or loss.sum() / len(target)",
                "warning",
                came=f"half as much with {name}={2 * size}, on the same rows",
                expected="a mean over the rows that came",
                shows=lambda once, twice: close(once, 2 * twice),
            )
    return None


def _with(thing: Any, name: str, value: Any) -> Any:
    thing = copy.deepcopy(thing)
    setattr(thing, name, value)
    return thing


def _split(subject: Subject) -> tuple[Arguments, dict[str, Any], Tensor, list[slice]]:
    """(arguments, options, kept mask, slices); the last slice keeps nothing if entries can be hidden."""
    arguments = subject.draw(rows=7)
    parts = [slice(0, 3), slice(3, 5), slice(5, 7)]
    way = next((way for way in selections(subject) if not way.is_weight), None)
    if way is None:
        return arguments, {}, torch.ones(7, dtype=torch.bool), parts
    keep = keep_two_thirds((7, *way.shape[1:]))
    keep[5:] = False
    marked, options = way.keeping(keep, arguments)
    return marked, options, keep, parts


def _parts_of(subject: Subject) -> Finding | None:
    """Check that parts add up if an argument gives the count of all."""
    names = subject.keywords
    name = next((name for name in PARTS_OF if name in names), None)
    if name is None or subject.form.numpy:
        return None
    arguments, options, keep, parts = _split(subject)
    count = int(keep.sum())
    try:
        options[name] = count
        whole, gradient = subject.gradient(*arguments, **options)
        pieces = [subject.gradient(*(x[part] for x in arguments), **cut(options, part)) for part in parts]
    except SubjectError as error:
        raise Skip(f"{name}={count} raises {error}") from None
    values, gradients = zip(*pieces, strict=True)
    same = whole.ndim == 0 and close(whole, torch.stack(values).sum())
    if whole.ndim or (same and close(gradient, torch.cat(gradients))):
        return None
    seen = [subject.call_with(options), " + ".join(subject.call_with(options, part) for part in parts)]
    if same:
        seen = [f"torch.autograd.grad({call}, {subject.form.names[0]})[0]" for call in seen]
    return subject.script(arguments, f"print({seen[0]})", seen[1], grad=0, given=options).finding(
        f"training by parts of a batch takes other steps than by the whole: with {name}={count}, they do not add up "
        "to it",
        f"sum every term over what counts and divide that by {name}: no term may keep a mean of its own",
        came="{1} from three parts",
        expected="{0}, as from the whole",
        shows=lambda whole, parts: not close(whole, parts),
    )


def _parts(subject: Subject) -> Finding | None:
    if subject.form.numpy:
        raise Skip(NO_GRADIENTS)
    arguments, options, keep, parts = _split(subject)
    whole, gradient = subject.gradient(*arguments, **options)
    if whole.ndim or not bool(torch.isfinite(gradient).all()):
        return None
    parts = [part for part in parts if bool(keep[part].any())]
    gradients = [subject.gradient(*(x[part] for x in arguments), **cut(options, part))[1] for part in parts]
    shares = _shares(subject, arguments, keep, parts)
    declared = subject.declared.divisor
    rules = list(shares) if declared not in shares else [declared] + ["one"] * (subject.form.reduction is not None)
    is_combined = partial(_is_combined, [shares[rule] for rule in rules])
    if is_combined(_kept(gradient, parts), *_apart(gradients)):
        return None
    seen = _gradients_of(subject, options, parts)
    rule = f"each taken {declared!r} times" if declared in shares else "however they are weighed"
    return subject.script(
        arguments, *(f"print({line})" for line in seen[:-1]), seen[-1], grad=0, given=options
    ).finding(
        f"training by parts of a batch takes other steps than by the whole: they do not give its gradient, {rule}",
        "give the caller the sum and the count, so that it divides once; or declare batch_level=True",
        "error" if declared in shares else "note",
        came="gradients of micro-batches that do not add up to the full batch's",
        expected="the full batch's gradient, each part by its share of the entries, rows, valid ones or weights",
        shows=lambda *gradients: not is_combined(*(_kept(x, parts) for x in gradients)),
    )


def _kept(x: Tensor, parts: list[slice]) -> Tensor:
    return torch.cat([x[part] for part in parts])


def _apart(gradients: list[Tensor]) -> list[Tensor]:
    """Each part's gradient, with zeros for the others."""
    sizes = [len(x) for x in gradients]
    return [
        torch.nn.functional.pad(x, (0, 0) * (x.ndim - 1) + (sum(sizes[:place]), sum(sizes[place + 1 :])))
        for place, x in enumerate(gradients)
    ]


def _gradients_of(subject: Subject, options: Mapping[str, Any], parts: list[slice]) -> list[str]:
    """Code for the gradients of the whole batch and its parts."""
    calls = subject.call_with(options), *(subject.call_with(options, part) for part in parts)
    return [f"torch.autograd.grad({call}, {subject.form.names[0]})[0]" for call in calls]


def _is_combined(shares: list[list[float]], whole: Tensor, *parts: Tensor) -> bool:
    """Whether a sum of the parts in one of the shares is the whole."""
    return any(close(sum(s * x for s, x in zip(each, parts, strict=True)), whole) for each in shares)


def _shares(subject: Subject, arguments: Arguments, keep: Tensor, parts: list[slice]) -> dict[str, list[float]]:
    """Each part's share of a whole batch, by the divisor that decides it."""
    whole = _counts(subject, arguments, keep)
    counted = [_counts(subject, tuple(x[part] for x in arguments), keep[part]) for part in parts]
    return {
        **{name: [part[name] / count for part in counted] for name, count in whole.items()},
        "one": [1.0] * len(parts),
    }


def _counts(subject: Subject, arguments: Arguments, keep: Tensor) -> dict[str, float]:
    """Possible divisors, with weights of kept entries only, and their number."""
    known, labels = counts(subject, arguments), arguments[-1]
    of_classes = "weights" in known and not labels.is_floating_point()
    if of_classes and keep.shape == labels.shape and bool(keep.any()):
        of_class = counts(subject, (arguments[0], torch.where(keep, labels, 0)))["weights"]
        of_none = counts(subject, (arguments[0], torch.zeros_like(labels)))["weights"] / keep.numel()
        known["weights"] = of_class - of_none * float((~keep).sum())
    return {**known, "valid": float(keep.sum())}
