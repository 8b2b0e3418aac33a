"""Follow each operation of a step that is repeated, and find the first one with a non-finite result."""

from __future__ import annotations

import linecache
import math
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.modules.module import register_module_forward_hook, register_module_forward_pre_hook
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map

from slopes.diagnosing.causes import Cause, Event, explain
from slopes.diagnosing.origin import Origin, Range

OUTSIDE = "the loss"  #: place of operations outside of the model
_LIBRARIES = (str(Path(torch.__file__).parent), str(Path(__file__).parents[1]))
#: operations that do not read the tensor that they write to
_OVERWRITING = ("copy_", "fill_", "zero_", "normal_", "uniform_", "random_", "bernoulli_", "exponential_")
_NAMES = {
    **dict.fromkeys(("addmm", "mm", "bmm", "baddbmm"), "matmul"),
    **{"linalg_vector_norm": "norm", "to_copy": "conversion"},
}

Line = tuple[str, int]


class _Input(NamedTuple):
    values: Tensor  #: a copy, where the operation writes
    range: Range
    place: int


@dataclass
class _Call:
    """An operation of the forward pass, with the module and the line that called it."""

    operation: str
    module: str
    line: Line | None
    inputs: tuple[Range, ...]


@dataclass
class _Birth:
    """The first non-finite number of a chain of operations."""

    order: int
    call: _Call
    phase: str
    output: Range
    cause: Cause
    is_meant: bool  #: inf that the code wrote, as masks do
    later: str = ""  #: operation that turned its inf into NaN
    note: str = ""


class Trace(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Mode that keeps, for each storage, the operation that made it non-finite."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._names = {module: name for name, module in model.named_modules()}
        self._modules: list[nn.Module] = []  # that run
        self._births: dict[int, _Birth] = {}
        self._calls: dict[int, _Call] = {}  # by the numbers of autograd's nodes

    def run(self, step: Callable[[], Any]) -> Any:
        with ExitStack() as stack:
            stack.callback(register_module_forward_pre_hook(self._enter).remove)
            stack.callback(register_module_forward_hook(self._leave, always_call=True).remove)
            stack.enter_context(self)
            return step()

    def _enter(self, module: nn.Module, _: Any) -> None:
        self._modules.append(module)

    def _leave(self, *_: Any) -> None:
        self._modules.pop()

    def give(self, name: str, tensor: Tensor, repair: str, *, may_be_infinite: bool = False) -> None:
        """Name a tensor that comes from outside."""
        there = measure(tensor)
        if not there.is_finite:
            cause = Cause("given", f"it is {there}", repair)
            self._add(_Call("", name, None, ()), "before", there, cause, may_be_infinite and not there.nans, tensor)

    def _add(self, call: _Call, phase: str, there: Range, cause: Cause, is_meant: bool, tensor: Tensor) -> _Birth:
        birth = _Birth(len(self._births), call, phase, there, cause, is_meant)
        self._births[_place(tensor)] = birth
        return birth

    def origin(self, tensors: Iterable[Tensor]) -> Origin | None:
        """Earliest cause of non-finite numbers in the tensors, which are results of the trace."""
        bad = [tensor for tensor in tensors if not measure(tensor).is_finite]
        births = [birth for tensor in bad if (birth := self._births.get(_place(tensor))) is not None]
        if not births:
            return None
        birth = min(births, key=_urgency)
        call, cause = birth.call, birth.cause
        return Origin(
            phase=birth.phase, module=call.module, operation=call.operation,
            value="NaN" if birth.output.nans else "inf",
            cause=cause.kind, message=cause.message, repair=cause.repair,
            line=_code(call.line), inputs=call.inputs, output=birth.output if call.operation else None,
            later=birth.later, notes=(birth.note,) if birth.note else (),
        )  # fmt: skip

    # -------------------------------------------------------------------------------------- operations

    def __torch_dispatch__(self, function: Any, _: Any, arguments: Any = (), named: Any = None) -> Any:
        named = named or {}
        name = function.overloadpacket.__name__
        if name.startswith(("empty", "new_empty")):  # its numbers are those that lay in memory
            result = function(*arguments, **named)
            self._births.pop(_place(result), None)
            return result
        writes = function._schema.is_mutable
        read = arguments[1:] if name in _OVERWRITING else arguments
        tensors = [x for x in tree_leaves((read, named)) if isinstance(x, Tensor)]
        copies = {id(x): x.clone() if writes else x for x in tensors}
        inputs = [_Input(copies[id(x)], measure(x), _place(x)) for x in tensors]
        call = self._call_of(name, tuple(each.range for each in inputs))
        result = function(*arguments, **named)
        for output in tree_leaves(result):
            if isinstance(output, Tensor):
                self._follow(call, function, (arguments, named), copies, inputs, output)
        return result

    def _call_of(self, name: str, ranges: tuple[Range, ...]) -> _Call:
        """Operation of the forward pass; in a backward pass, the one whose gradient is computed."""
        node: Any = torch._C._current_autograd_node()
        if node is None:
            call = _Call(_plain(name), self._module(), self._line(), ranges)
            if torch.is_grad_enabled():
                self._calls.setdefault(torch.autograd._get_sequence_nr() - 1, call)  # type: ignore[attr-defined]
            return call
        known = self._calls.get(node._sequence_nr())
        return known or _Call(node.name().partition("Backward")[0].lower(), OUTSIDE, None, ranges)

    def _module(self) -> str:
        if not self._modules:
            return OUTSIDE
        module = self._modules[-1]
        kind, name = type(module).__name__, self._names.get(module)
        return f"{OUTSIDE} ({kind})" if name is None else f"{name} ({kind})" if name else kind

    def _line(self) -> Line | None:
        return _user_line(sys._getframe(3))

    def _follow(
        self, call: _Call, function: Any, given: Any, copies: Mapping[int, Tensor], inputs: Sequence[_Input],
        output: Tensor,
    ) -> None:  # fmt: skip
        """Keep for the output that it is finite, or why it is not."""
        there, place = measure(output), _place(output)
        if there.is_finite:
            if all(place != each.place for each in inputs):
                self._births.pop(place, None)
            return
        bad = [each for each in inputs if not each.range.is_finite]
        sources = [self._births.get(each.place) or self._unknown(each) for each in bad]
        if bad and (any(each.range.nans for each in bad) or not there.nans):
            self._births[place] = min(sources, key=_urgency)
            return
        event = _event(call, function, given, copies, inputs, output)
        phase = "backward" if event.is_backward else "forward"
        own = call if event.is_backward else replace(call, inputs=event.inputs)
        birth = self._add(own, phase, there, explain(event), event.written and not there.nans, output)
        source = min(sources, key=_urgency, default=birth)
        if source is not birth and not source.is_meant:
            words = f"{'the gradient of ' * event.is_backward}{call.operation} in {call.module} turns it into NaN"
            self._births[place] = replace(source, later=f"{words}: {birth.cause.message}")
        elif source.phase == "before":
            birth.note = f"{source.call.module} holds inf: {source.cause.message}"

    def _unknown(self, input: _Input) -> _Birth:
        cause = Cause("given", f"it is {input.range}", "look where it is made")
        call = _Call("", "a tensor made outside of the repeated step", None, ())
        return self._add(call, "before", input.range, cause, not input.range.nans, input.values)


def _event(
    call: _Call, function: Any, given: Any, copies: Mapping[int, Tensor], inputs: Sequence[_Input], output: Tensor
) -> Event:
    bad = ~torch.isfinite(output.detach())
    index = tuple(int(k) for k in np.unravel_index(int(bad.reshape(-1).byte().argmax()), output.shape))
    return Event(
        operation=_plain(function.overloadpacket.__name__),
        forward=call.operation,
        is_backward=torch._C._current_autograd_node() is not None,
        entry=_entry(function, given, copies, output, index),
        written=any(isinstance(x, float) and not math.isfinite(x) for x in tree_leaves(given)),
        inputs=tuple(each.range for each in inputs),
        output=measure(output),
        exact=_exact(function, given, copies, output, index),
    )


def _entry(function: Any, given: Any, copies: Mapping[int, Tensor], output: Tensor, index: tuple[int, ...]) -> Any:
    """Arguments of an operation of single entries at one entry of its result."""
    if torch.Tag.pointwise not in function.tags:
        return ()
    numbers = []
    for x in given[0]:
        if isinstance(x, Tensor) and id(x) in copies:
            numbers.append(float(copies[id(x)].detach().expand(output.shape)[index]))
        elif isinstance(x, (int, float)):
            numbers.append(float(x))
    return tuple(numbers)


def _exact(function: Any, given: Any, copies: Mapping[int, Tensor], output: Tensor, index: tuple[int, ...]) -> float:
    """Size of one entry of the result, computed in float64; NaN where that is not finite or not possible."""
    if torch.Tag.nondeterministic_seeded in function.tags:
        return math.nan

    def wide(x: Any) -> Any:
        if isinstance(x, Tensor):
            x = copies.get(id(x), x)
            return x.to(torch.float64, copy=True) if x.is_floating_point() else x
        return torch.float64 if isinstance(x, torch.dtype) and x.is_floating_point else x

    try:
        results = tree_leaves(function(*tree_map(wide, given[0]), **tree_map(wide, given[1])))
    except (RuntimeError, TypeError):  # no such kernel, or no memory
        return math.nan
    for result in results:
        if isinstance(result, Tensor) and result.shape == output.shape:
            size = abs(float(result[index]))
            return size if math.isfinite(size) else math.nan
    return math.nan


def _user_line(frame: Any) -> Line | None:
    """Line of the user's code that runs: the innermost outside of PyTorch and this package, up to `Trace.run`."""
    while frame is not None and frame.f_code is not Trace.run.__code__:
        if not frame.f_code.co_filename.startswith(_LIBRARIES):
            return frame.f_code.co_filename, frame.f_lineno
        frame = frame.f_back
    return None


def _urgency(birth: _Birth) -> tuple[bool, int]:
    return birth.is_meant, birth.order


def _plain(name: str) -> str:
    """Name of an operation as users know it."""
    plain = name.strip("_").removeprefix("native_").removesuffix("_forward")
    return _NAMES.get(plain, plain)


def _code(line: Line | None) -> str:
    if line is None:
        return ""
    file, number = line
    return f"{Path(file).name}:{number}: {linecache.getline(file, number).strip()}".rstrip(": ")


def _place(x: Tensor) -> int:
    try:
        return x.untyped_storage().data_ptr() or id(x)
    except (NotImplementedError, RuntimeError):  # a sparse tensor has none
        return id(x)


@torch.no_grad()
def measure(x: Tensor) -> Range:
    """Summary of the numbers of a tensor."""
    kind, shape = str(x.dtype).removeprefix("torch."), tuple(x.shape)
    if not (x.is_floating_point() or x.is_complex()) or x.is_meta:
        return Range(kind, shape, math.nan, math.nan, 0, 0, 0)
    values = x.detach() if x.layout is torch.strided else x.detach().coalesce().values()
    values = torch.view_as_real(values) if values.is_complex() else values
    values = values if values.dtype in (torch.float32, torch.float64) else values.float()
    is_finite = torch.isfinite(values)
    finite = values if bool(is_finite.all()) else values[is_finite]
    least, most = torch.aminmax(finite) if finite.numel() else (math.nan, math.nan)
    nans = int(values.isnan().sum())
    zeros = finite.numel() - int(torch.count_nonzero(finite))
    return Range(kind, shape, float(least), float(most), zeros, nans, values.numel() - finite.numel() - nans)
