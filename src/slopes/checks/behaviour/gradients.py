"""Checks of gradients: finite where the value is, connected, and the derivative of what is computed."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from slopes.checks.report import Finding, about
from slopes.checks.subject import Arguments, Subject, SubjectError

SIZES = (0.0, 1e-3, 1.0, 20.0, 50.0, 89.0, 100.0, 710.0, 1e3, 1e4)  #: exp overflows at 89 in float32, at 710 in float64
REPAIR_WHERE = (
    "both branches of torch.where are differentiated, and 0 · inf is NaN: hold the argument inside each branch "
    "(where(x > 0, x, 0)) or use the stable function (expm1, softplus, log_softmax, logsigmoid)"
)


@about("loss", "activation")
def extreme_inputs(subject: Subject) -> Iterator[Finding]:
    """Wherever the value is finite its gradient is too, for numbers small and large, in float64 and float32."""
    for dtype in dict.fromkeys((subject.form.dtype, torch.float32)):
        for arguments in _stressed(subject, dtype):
            if _lost(subject, arguments):
                small = subject.smallest(arguments, lambda given: _lost(subject, given))
                value, gradient = subject.gradient(*small)
                lost = _first_lost(gradient)
                yield Finding(
                    "extreme_inputs",
                    f"the value is finite and the gradient {lost} ({str(dtype).removeprefix('torch.')})",
                    subject.code(small, f"{subject.call}.sum().backward()", f"{subject.form.names[0]}.grad", grad=0),
                    REPAIR_WHERE,
                    came=f"a gradient that {lost} where the value is {value.reshape(-1)[0].item():.6g}",
                    expected="a finite gradient",
                )
                return


def _stressed(subject: Subject, dtype: torch.dtype) -> Iterator[Arguments]:
    """Drawn arguments with the first one at every size and sign, where its space has such numbers."""
    first, *rest = subject.draw(dtype=dtype)
    if subject.space not in ("real", "logits"):
        yield first, *rest
        return
    for size in SIZES:
        for sign in (1.0, -1.0):
            pattern = torch.where(torch.arange(first.numel()).reshape(first.shape) % 2 == 0, sign, -sign).to(dtype)
            yield torch.full_like(first, sign * size), *rest
            yield pattern * size, *rest


def _lost(subject: Subject, arguments: Arguments) -> bool:
    """Whether all of the value is finite and some of the gradient is not; what raises is another check's business."""
    try:
        value, gradient = subject.gradient(*arguments)
    except SubjectError:
        return False
    return bool(torch.isfinite(value).all()) and not bool(torch.isfinite(gradient).all())


def _first_lost(gradient: Tensor) -> str:
    return "is " + str(gradient[~torch.isfinite(gradient)].reshape(-1)[0].item())


@about("loss", "activation", unless=("extreme_inputs",))
def zeros_and_edges(subject: Subject) -> Iterator[Finding]:
    """The gradient is finite where prediction and target agree, where rows are 0 or equal, and at a space's ends."""
    for what, arguments in _edges(subject):
        if _lost(subject, arguments):
            small = subject.smallest(arguments, lambda given: _lost(subject, given))
            _, gradient = subject.gradient(*small)
            yield Finding(
                "zeros_and_edges",
                f"the gradient {_first_lost(gradient)} {what}",
                subject.code(small, f"{subject.call}.sum().backward()", f"{subject.form.names[0]}.grad", grad=0),
                "sqrt, norm, pow, log and acos have no finite slope there: add a small number inside the root "
                "(sqrt(x + eps)), or choose what is taken with two torch.where, one before and one after",
                came=f"a gradient that {_first_lost(gradient)}",
                expected="a finite gradient, 0 at a minimum",
            )
            return


def _edges(subject: Subject) -> Iterator[tuple[str, Arguments]]:
    first, *rest = subject.draw()
    if subject.space in ("real", "logits"):
        yield "at 0", (torch.zeros_like(first), *rest)
        yield "where all are 1", (torch.ones_like(first), *rest)
    if rest:
        same = subject.right(rest[0], 50.0)
        if same is not None:
            yield "where prediction and target agree", (same, *rest)
            yield "where they agree but for one entry", (torch.cat([first[:1], same[1:]]), *rest)
    if subject.space == "probabilities" and subject.form.kind is not None and not subject.form.kind.rowwise:
        for p in (0.5, 1e-12, 1 - 1e-12):
            yield f"at a probability of {p}", (torch.full_like(first, p), *rest)
    elif first.ndim > 1 and rest and rest[0].shape == first.shape and rest[0].is_floating_point():
        zero = torch.zeros_like(first)
        yield "where both are 0", (zero, torch.zeros_like(rest[0]), *rest[1:])
