"""Prediction of a model for a batch, and findings that show how it was made."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from slopes.auditing.evidence import Script, Unshown, attempt
from slopes.auditing.form import Arguments
from slopes.auditing.report import Finding, Skip
from slopes.auditing.subject import Subject

SHOWN = 4  #: number of rows in code


@dataclass(frozen=True)
class Prediction:
    tensor: Tensor
    model: Any
    inputs: Any
    code: str


class ModelError(Exception):
    """Exception of a model for the inputs of a batch."""

    def __init__(self, cause: Exception, model: Any, inputs: Any, call: str) -> None:
        super().__init__(f"{type(cause).__name__}: {cause}")
        self.model, self.inputs, self.call = model, inputs, call

    def finding(self) -> Finding:
        lines = "# model is the one that was audited; inputs are the batch's", attempt(self.call), "print(came)"
        return Script(lines, {"model": self.model, "inputs": self.inputs}).finding(
            f"training stops with an exception: the model raises {self}",
            "call the model on this batch alone: give it the inputs that its training gives",
        )


def predict(model: Any, inputs: Any) -> Prediction:
    """Prediction of a model, or the inputs themselves without one; raise ModelError if the model raises."""
    stars = "**" if isinstance(inputs, Mapping) else "*" if isinstance(inputs, (tuple, list)) else ""
    code = "inputs" if model is None else f"model({stars}inputs)"
    try:
        came = eval(code, {"model": model, "inputs": inputs})
    except Exception as error:
        raise ModelError(error, model, inputs, code) from error
    if isinstance(came, Mapping):
        key = "logits" if "logits" in came else "out"
        came, code = came.get(key), f"{code}[{key!r}]"
    elif isinstance(came, (tuple, list)) and len(came) == 1:
        came, code = came[0], f"{code}[0]"
    if isinstance(came, Tensor) or hasattr(came, "__array__"):
        return Prediction(torch.as_tensor(came), model, inputs, code)
    raise Skip("the model gives no tensor by itself; give batch=(predictions, targets) and no model")


def finding(
    subject: Subject, arguments: Arguments, message: str, lines: str | tuple[str, ...], repair: str,
    grad: int | None = None, **fields: Any,
) -> Finding:  # fmt: skip
    """Finding with code for a corner of the batch, or for all of it if the corner does not show it."""
    lines = (lines,) if isinstance(lines, str) else lines
    corner = _corner(arguments)
    if not _are_long(corner):
        with contextlib.suppress(Unshown):
            return _script(subject, corner, *lines, grad=grad).finding(message, repair, **fields)
    return _script(subject, arguments, *lines, grad=grad).finding(message, repair, **fields)


def _corner(arguments: Arguments) -> Arguments:
    inner = max(x.ndim for x in arguments) - 2  # behind the rows and the classes
    shown = []
    for x in arguments:
        x = x[:SHOWN] if x.ndim else x
        for axis in range(max(x.ndim - inner, 1), x.ndim):
            x = x.narrow(axis, 0, min(2, x.shape[axis]))
        shown.append(x)
    return tuple(shown)


def _are_long(arguments: Arguments) -> bool:
    return sum(x.numel() for x in arguments) > 40 * SHOWN


def _script(subject: Subject, arguments: Arguments, *lines: str, grad: int | None = None) -> Script:
    """Code with the arguments, or with placeholders if they are long."""
    if not _are_long(arguments):
        return subject.script(arguments, *lines, grad=grad)
    named = subject.by_name(arguments)
    told = [f"# {name} is the batch's, {tuple(x.shape)}" for name, x in named.items()]
    if grad is not None:
        told.append(f"{subject.form.names[grad]}.requires_grad_()")
    text = ["import torch", *subject.setup_for(arguments), *told, *lines[:-1], f"print({lines[-1]})"]
    return Script(text, {**subject.given, **named})
