"""Parts of several checks."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator

import torch
from torch import Tensor

from slopes.auditing.evidence import Script
from slopes.auditing.form import Arguments
from slopes.auditing.report import Check, Finding, Skip
from slopes.auditing.subject import Subject, SubjectError

OVERLAP = re.compile(r"dice|tversky|iou|jaccard|overlap|lov[aá]sz", re.IGNORECASE)
MEASURE = re.compile(r"similarity|score|metric|coef|accuracy|psnr|ssim|_iou|^iou", re.IGNORECASE)


def hard(subject: Subject) -> tuple[Tensor, tuple[Tensor, ...]]:
    """(certain target, further arguments); raise Skip if predictions are not its scores."""
    spaces = subject.form.spaces
    if len(spaces) < 2 or not subject.space.tells_probability or not spaces[1].is_probability:
        raise Skip("its predictions are neither logits nor probabilities of a target")
    _, target, *rest = subject.draw()
    return subject.certain(target), tuple(rest)


def cost(subject: Subject, *arguments: Tensor) -> float:
    return float(subject(*arguments).detach().double().mean())


def skip_on_refusal(check: Check) -> Check:
    """Skip if the subject rejects its inputs, which other checks report."""

    @functools.wraps(check)
    def checked(subject: Subject) -> Iterator[Finding]:
        try:
            yield from check(subject)
        except SubjectError as error:
            raise Skip(f"it rejects the arguments of this check ({error})") from error

    return checked


def severity_if_sure(subject: Subject, severity: str = "error") -> str:
    return severity if subject.form.sure else "note"


def print_cost(subject: Subject, arguments: Arguments) -> Script:
    return subject.script(arguments, subject.call + ".mean()" * (subject(*arguments).ndim > 0))


def print_both(subject: Subject, better: Arguments, worse: Arguments) -> Script:
    return subject.script(better, f"right = {subject.call}", *_other(subject, better, worse), f"right, {subject.call}")


def print_steepest(subject: Subject, one: Arguments, other: Arguments) -> Script:
    steepest = f"torch.autograd.grad({subject.call}.sum(), {subject.form.names[0]})[0].abs().max()"
    return subject.script(one, f"print({steepest})", *_other(subject, one, other, grad=0), steepest, grad=0)


def _other(subject: Subject, one: Arguments, other: Arguments, grad: int | None = None) -> list[str]:
    """Lines of code that turn the arguments `one` into `other`."""
    lines = subject.assign(other, grad)
    return [line for line, x, y in zip(lines, one, other, strict=True) if not torch.equal(x, y)]
