"""Check of devices and dtypes, where torch's "meta", which computes only shapes, stands for other devices."""

from __future__ import annotations

import copy
import operator
import traceback
import warnings
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

import torch
from torch import Tensor

from slopes.auditing.evidence import Script, attempt
from slopes.auditing.form import Arguments
from slopes.auditing.report import Finding, Skip, about
from slopes.auditing.subject import Subject, SubjectError, is_own

ELSEWHERE = "is not on the expected device"  #: torch's message if a tensor stayed on the CPU
MIXED = ("same dtype", "scalar type", "but found", "but got")  #: torch's messages if two dtypes meet
WHOLE = (torch.int64, torch.int32, torch.uint8, torch.bool)


@about("loss", "activation", unless=("purity",), once=True)
def device_and_dtype(subject: Subject) -> Iterator[Finding]:
    for look in (_left_behind, _dtypes, _on_another_device, _whole_targets):
        yield from look(subject)


# ------------------------------------------------------------------------------------------------ devices


def _left_behind(subject: Subject) -> Iterator[Finding]:
    if not subject.is_module:
        return
    for path, module in subject.thing.named_modules():
        for name, value in vars(module).items():
            if name in ("_parameters", "_buffers", "_modules") or not _holds_tensor(value):
                continue
            attribute = f"{path}.{name}" if path else name
            effect = "raises" if ELSEWHERE in str(_error_elsewhere(subject)) else "copies it at every step"
            kept = f"{attribute!r} in {subject.variable}.state_dict()"
            lines = [f'{subject.variable}.to("meta")', f"print({subject.variable}.{attribute}, {kept})"]
            yield Script(["import torch", *subject.setup, *lines], subject.given).finding(
                f"training on a GPU {effect}, and a checkpoint is not whole: self.{attribute} is a tensor that .to() "
                "does not move and state_dict() does not hold",
                f'write self.register_buffer("{name}", …) in __init__, or nn.Parameter where it is to be trained',
                came=f"a tensor on the CPU after .to() of another device, and no {attribute!r} in the checkpoint",
                expected="every tensor of a module is a parameter or a buffer",
                shows=lambda held, is_kept: _holds_tensor(held) and "meta" not in str(held) and not is_kept,
            )


def _holds_tensor(value: Any) -> bool:
    """Whether it is or holds a constant tensor with axes; one number on the CPU goes with every device.

    `connectivity` reports trainable ones.
    """
    if isinstance(value, Mapping):
        value = list(value.values())
    entries = value if isinstance(value, (list, tuple)) else [value]
    return any(isinstance(entry, Tensor) and entry.ndim and not entry.requires_grad for entry in entries)


def _on_another_device(subject: Subject) -> Iterator[Finding]:
    if subject.form.numpy or subject.form.extra:
        return
    error = _error_elsewhere(subject)
    if error is None or ELSEWHERE not in str(error):
        return
    yield subject.script(
        subject.draw(rows=2, dtype=torch.float32), *subject.to_meta(), attempt(subject.call), "came"
    ).finding(
        f"training on a GPU raises: it makes a tensor on the CPU, whatever the device of its arguments{_line(error)}",
        "make it where the prediction is: torch.zeros_like(x), x.new_tensor(…), "
        "or device=x.device, dtype=x.dtype; a constant of a module is a buffer",
        "warning",
        expected="a result on the device of the prediction",
        shows=lambda came: ELSEWHERE in str(came),
    )


def _error_elsewhere(subject: Subject) -> BaseException | None:
    """Exception of a call on another device."""
    arguments = subject.draw(rows=2, dtype=torch.float32)
    moved = copy.deepcopy(subject.thing).to("meta") if subject.is_module else subject.thing
    return _raised(moved, [x.to("meta") for x in subject.placed(arguments)])


def _raised(thing: Any, given: list[Any]) -> BaseException | None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            thing(*given)
    except (Exception, SystemExit) as error:
        return error
    return None


def _line(error: BaseException) -> str:
    """Subject's own line in a traceback."""
    own = [place.line for place in traceback.extract_tb(error.__traceback__) if place.line and is_own(place.filename)]
    return f": {own[-1][:80]}" if own else ""


# ------------------------------------------------------------------------------------------------- dtypes


def _dtypes(subject: Subject) -> Iterator[Finding]:
    if subject.form.numpy:
        yield from _numpy_dtypes(subject)
        return
    for dtype in (torch.float32, torch.float64, torch.float16, torch.bfloat16):
        if dtype is torch.float64 and subject.framework.is_narrow:
            continue
        arguments = subject.draw(dtype=dtype)
        short = _short(dtype)
        as_given = dtype is torch.float32 and not _is_double(subject)
        try:
            came = subject(*arguments, as_given=as_given)
        except SubjectError as error:
            if dtype is not subject.form.dtype and any(words in str(error.cause) for words in MIXED):
                yield subject.script(arguments, attempt(subject.call), "came", as_given=as_given).finding(
                    f"training in {short} raises: a tensor of its own has another dtype{_line(error.cause)}",
                    "give constants the dtype of the prediction: x.new_tensor(…), dtype=x.dtype, .to(x.dtype)",
                    "note" if dtype is torch.float64 else "warning",
                    expected=f"a result of {short}",
                )
            continue
        if came.dtype == dtype or not came.is_floating_point() or "type" in subject.oddities:
            continue
        if subject.family == "loss" and dtype.itemsize == 2 and came.dtype == torch.float32:
            continue  # a careful loss adds up in float32
        if subject.family == "loss" and dtype is torch.float64 and came.dtype == torch.float32:
            subject.facts.append("it computes in float32, also for float64")
            continue
        small = subject.smallest(arguments, partial(_answers_in, subject, came.dtype))
        yield subject.script(small, f"{subject.call}.dtype", as_given=as_given).finding(
            f"{_effect(subject, dtype, came.dtype)}: it gives {_short(came.dtype)} for {short}",
            "a constant of another dtype decides the result's: make it with x.new_tensor(…) or dtype=x.dtype, "
            "or write a plain number",
            _severity(subject, dtype, came.dtype),
            expected=short,
            shows=partial(operator.ne, dtype),
        )


def _answers_in(subject: Subject, dtype: torch.dtype, given: Arguments) -> bool:
    return subject(*given, as_given=True).dtype == dtype


def _is_double(subject: Subject) -> bool:
    return subject.is_module and any(p.dtype is torch.float64 for p in subject.thing.parameters())


def _severity(subject: Subject, given: torch.dtype, came: torch.dtype) -> str:
    """Severity: the layer after an activation raises, a wider loss costs time, a narrower is a choice."""
    if subject.family == "activation":
        return "error"
    return "warning" if came.itemsize > given.itemsize else "note"


def _effect(subject: Subject, given: torch.dtype, came: torch.dtype) -> str:
    if subject.family == "activation":
        return "the next layer of a model raises"
    return "training takes more time and memory" if came.itemsize > given.itemsize else "training rounds its loss"


def _numpy_dtypes(subject: Subject) -> Iterator[Finding]:
    """Check activations alone: no computation follows a loss."""
    if subject.family == "loss":
        return
    (x,) = subject.draw(dtype=torch.float32)
    came = subject.thing(x.numpy())
    if getattr(came, "dtype", None) is None or came.dtype == "float32" or came.dtype.kind != "f":
        return
    yield subject.script((x,), f"{subject.call}.dtype").finding(
        f"the next layers of a model compute in another dtype: it gives {came.dtype} for float32",
        "a NumPy scalar or array of float64 decides the result's dtype: write float(np.sqrt(2)), or x.dtype.type(…)",
        "note",  # some compute in float64 on purpose
        expected="float32",
        shows=lambda dtype: dtype != "float32",
    )


def _short(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


# ---------------------------------------------------------------------------------------- whole targets


def _whole_targets(subject: Subject) -> Iterator[Finding]:
    form = subject.form
    if form.kind is None or form.numpy or "target" not in form.names:
        return
    place = form.names.index("target")
    space = form.spaces[place]
    if space.has_classes or not (space.is_probability or space.is_real or space.is_sign):
        return
    arguments = subject.draw()
    if arguments[place].ndim == 0 or space.is_real:
        arguments = _replaced(arguments, place, arguments[place].double().abs().round())
    for dtype in WHOLE[:2] if space.is_sign else WHOLE[:3] if space.is_real else WHOLE:
        is_misread = partial(_is_misread, subject, place, dtype)
        if not is_misread(arguments):
            continue
        small = subject.smallest(arguments, is_misread)
        small = _replaced(small, place, small[place].to(dtype))
        lines = f"print({subject.call})", f"target = target.to({form.dtype})", subject.call
        yield subject.script(small, *lines).finding(
            f"training learns wrong targets: it reads a target of {_short(dtype)} as other numbers than the same "
            f"target of {_short(form.dtype)}",
            "bring the target to the prediction's dtype first, target = target.to(prediction.dtype): "
            "1 - 2 is 255 in uint8, and ~1 is -2 in an integer",
            "warning" if dtype is torch.uint8 else "error",
            expected="{1}, or a TypeError that says which dtype is due",
        )


def _replaced(arguments: Arguments, place: int, x: Tensor) -> Arguments:
    return *arguments[:place], x, *arguments[place + 1 :]


def _is_misread(subject: Subject, place: int, dtype: torch.dtype, arguments: Arguments) -> bool:
    """Whether a target gives another finite result in this dtype, if it is taken."""
    try:
        came, wide = (
            subject(*_replaced(arguments, place, arguments[place].to(kind))).detach().double()
            for kind in (dtype, subject.form.dtype)
        )
    except (SubjectError, Skip):
        return False
    is_finite = bool(torch.isfinite(wide).all())
    return is_finite and came.shape == wide.shape and not torch.allclose(came, wide, rtol=1e-5, atol=1e-8)
