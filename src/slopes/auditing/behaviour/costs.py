"""Checks of memory layout, compilation and cost: only a wrong result is an error."""

from __future__ import annotations

import contextlib
import copy
import logging
import re
import traceback
from collections.abc import Callable, Iterator
from dataclasses import replace
from types import FunctionType, MethodType
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from slopes.auditing.adapters import jit
from slopes.auditing.behaviour.differences import is_of_float32
from slopes.auditing.evidence import attempt
from slopes.auditing.form import Arguments
from slopes.auditing.growth import told_bytes
from slopes.auditing.report import Finding, Skip, about
from slopes.auditing.subject import Subject, SubjectError, is_own

LAYOUTS: dict[str, tuple[int, Callable[[Tensor], Tensor], str]] = {
    "strided": (1, lambda x: torch.stack([x, x + 1], -1)[..., 0], "torch.stack([{0}, {0} + 1], -1)[..., 0]"),
    "transposed": (
        2, lambda x: x.transpose(0, -1).contiguous().transpose(0, -1),
        "{0}.transpose(0, -1).contiguous().transpose(0, -1)",
    ),
    "channels-last": (
        4, lambda x: x.contiguous(memory_format=torch.channels_last),
        "{0}.contiguous(memory_format=torch.channels_last)",
    ),
}  # fmt: skip
SHAPES = ((6, 4), (2, 3, 4, 4))  #: further shapes to try, if entries or rows are treated alike
BIG = 4096  #: entries that make the memory of constants negligible
KEPT = {"activation": 2.5, "loss": 16}  #: least memory to report, as a multiple of the first argument's
READS = {Tensor.item, Tensor.tolist, Tensor.__float__, Tensor.__int__, Tensor.__index__}  #: give a Python number
LENGTHS = (5, 7, 11)
FULL = 1024  #: rows of a usual batch


@about("loss", "activation", unless=("purity",), slow=True)
def layout_and_cost(subject: Subject) -> Iterator[Finding]:
    yield from _growth(subject)
    if not subject.framework.is_torch:
        yield from _compiled_by_jax(subject)
        raise Skip(f"memory layouts and torch.compile are of PyTorch, and it computes by {subject.framework.title}")
    wrong = next(_layouts(subject), None)
    if wrong is not None:
        yield wrong
        return
    if subject.form.numpy:
        return
    yield from _memory(subject)
    if subject.card is None and _is_called_plainly(subject):  # the tests of transforms cover cards
        yield from _compiled(subject)


def _is_called_plainly(subject: Subject) -> bool:
    return not subject.form.extra and subject.declared.call is None


# ------------------------------------------------------------------------------------------------- layout


def _layouts(subject: Subject) -> Iterator[Finding]:
    for twin in _shaped(subject):
        arguments = twin.draw()
        axes = arguments[0].ndim
        try:
            plain = _result(twin, arguments)
        except (SubjectError, Skip):
            continue
        for name, (fewest, *_) in LAYOUTS.items():
            if (axes == 4 if fewest == 4 else axes >= fewest) and (name == "strided" or not twin.form.numpy):
                yield from _laid_out(twin, name, arguments, plain)


def _laid_out(subject: Subject, name: str, arguments: Arguments, plain: tuple[Tensor, Tensor]) -> Iterator[Finding]:
    _, lay_out, text = LAYOUTS[name]
    first, is_numpy = subject.form.names[0], subject.form.numpy
    line = f"{first}_2 = {text.format(first)}".replace("torch.stack", "np.stack" if is_numpy else "torch.stack")
    again = subject.called(**{first: f"{first}_2"})
    try:
        came = _result(subject, (lay_out(arguments[0]), *arguments[1:]))
    except SubjectError:
        yield subject.script(arguments, line, attempt(again), f"{subject.call}, came").finding(
            f"training stops with an exception: it raises for a {name} {first}, which a permute or a slice gives",
            "write reshape instead of view, or call .contiguous() first",
            "warning",
            came="{1}",
            expected="what the same numbers give in another layout",
            shows=lambda plain, came: isinstance(came, Exception),
        )
        return
    least = 1e-3 * _size(plain[0])  # a gradient that is 0 by nature comes out as rounding
    for one, two, output in zip(plain, came, ("value", "gradient"), strict=True):
        if _same(one, two, least) or not all(map(_same, plain, _result(subject, arguments))):
            continue  # or it gives another result at each call
        place = int((one - two).abs().reshape(-1).nan_to_num(nan=torch.inf).argmax())
        seen = {again: f"{first}_2", subject.call: first}
        results = list(seen)
        if output == "gradient":
            results = [f"torch.autograd.grad({call}.sum(), {by})[0]" for call, by in seen.items()]
        shown = ", ".join(f"{result}.reshape(-1)[{place}]" for result in results)
        yield subject.script(arguments, line, shown, grad=None if is_numpy else 0).finding(
            f"training computes wrong numbers after a permute or a slice: the {output} of a {name} {first} is another "
            "than that of the same numbers laid out in order",
            "as_strided, storage() and data_ptr() see memory, not the tensor: use unfold, reshape or indexing, "
            "or call .contiguous() first",
            expected="{1}",
            shows=lambda came, due: not _same(torch.as_tensor(due), torch.as_tensor(came), least),
        )


def _shaped(subject: Subject) -> Iterator[Subject]:
    """Yield the subject, then with more axes unless its kind is rowwise."""
    yield subject
    form = subject.form
    if form.kind is not None and form.kind.rowwise:
        return
    for shape in SHAPES:
        if len(shape) > len(form.shape):
            yield subject.like(form=replace(form, shape=shape), notes={}, oddities={}, facts=[])


def _result(subject: Subject, arguments: Arguments) -> tuple[Tensor, Tensor]:
    """(value, gradient or 0) without copying the arguments."""
    leaf = arguments[0].detach()
    nothing = torch.zeros(1)
    if subject.form.numpy:
        return subject(*arguments, in_place=True), nothing
    leaf.requires_grad_()
    came = subject(leaf, *arguments[1:], in_place=True)
    if not came.requires_grad:
        return came, nothing
    try:
        (gradient,) = torch.autograd.grad(came.sum(), leaf, allow_unused=True)
    except RuntimeError as error:
        raise SubjectError(error) from error
    return came.detach(), nothing if gradient is None else gradient


def _size(x: Tensor) -> float:
    """Largest finite magnitude."""
    return float(x.double().abs().nan_to_num(0.0, 0.0, 0.0).max()) if x.numel() else 0.0


def _same(x: Tensor, y: Tensor, least: float = 0.0) -> bool:
    """Equality up to the order of sums and vector units' rounding, of numbers of size `least` at least."""
    eps = torch.finfo(x.dtype).eps if x.is_floating_point() else 0.0
    if is_of_float32(x) or is_of_float32(y):
        eps = max(eps, torch.finfo(torch.float32).eps)
    size = max(_size(x), least)
    return x.shape == y.shape and torch.allclose(x, y, rtol=1e4 * eps, atol=1e4 * eps * size, equal_nan=True)


# ------------------------------------------------------------------------------------------------- memory


def _growth(subject: Subject) -> Iterator[Finding]:
    """Report memory that grows faster than the batch: with its square where rows are no pairs, or faster."""
    growth, kind = subject.growth, subject.form.kind
    if growth is None or not subject.form.shape:
        return
    is_of_pairs = subject.batch_level or (kind is not None and kind.coupled)
    if growth.power <= (2.5 if is_of_pairs else 1.5):
        return
    entries = growth.entries // 32 * FULL
    few, many = (f"allocated(lambda: {subject.called(each=each)})" for each in ("[:16]", ""))
    yield subject.script(
        subject.draw(rows=32), "from slopes.auditing.growth import allocated", f"{many} / {few}"
    ).finding(
        f"training runs out of memory as the batch grows: {FULL} rows take {told_bytes(growth.bytes_at(entries))}, "
        f"because memory grows with the power {growth.power:.2g} of the rows",
        "choose triplets or pairs before their terms are computed, go through the batch in parts, or take a matrix "
        "product in place of tensors of all pairs",
        "warning" if growth.power > 2.5 else "note",
        came="{0:.3g} times the memory for a batch of twice as many rows",
        expected="4 times at most" if is_of_pairs else "twice the memory",
        shows=lambda ratio: ratio > 2**1.5,
    )


def _memory(subject: Subject) -> Iterator[Finding]:
    if subject.batch_level or not subject.form.learned:
        return
    small = subject.draw(rows=2)
    copies = max(BIG // small[0].numel(), 1)
    arguments = tuple(torch.cat([x] * copies) for x in small)
    times = kept(subject, arguments)
    if times is None or times < KEPT[subject.family]:
        return
    first = subject.form.names[0]
    script = subject.script(
        small,
        *(f"{name} = torch.cat([{name}] * {copies})" for name in subject.form.names),
        f"{first}.requires_grad_()",
        "kept = {}",
        "def keep(tensor):",
        "    kept[tensor.untyped_storage().data_ptr()] = tensor",
        "    return tensor",
        f"with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor): {subject.call}",
        f"sum(x.untyped_storage().nbytes() for x in kept.values()) / {first}.untyped_storage().nbytes()",
    )
    yield script.finding(
        f"training takes more memory than it must: {times:.1f} times that of {first} is kept for the backward pass",
        "where memory is short: a built-in function keeps its input alone, as does a torch.autograd.Function that "
        "saves it and computes the rest anew; torch.compile joins most of it",
        "note",
        came="{0:.1f} times",
        expected="1 times" if subject.family == "activation" else f"less than {KEPT['loss']} times",
        shows=lambda times: times >= KEPT[subject.family],
    )


def kept(subject: Subject, arguments: Arguments) -> float | None:
    """Bytes that autograd saves, as a multiple of the first argument's; None if the call fails."""
    saved: dict[int, Tensor] = {}

    def pack(x: Tensor) -> Tensor:
        saved.setdefault(x.untyped_storage().data_ptr(), x)
        return x

    leaves = (arguments[0].detach().clone().requires_grad_(), *arguments[1:])
    try:
        with torch.autograd.graph.saved_tensors_hooks(pack, lambda x: x), subject.without_kernels():
            subject(*leaves, in_place=True)
    except (SubjectError, Skip):
        return None
    return sum(x.untyped_storage().nbytes() for x in saved.values()) / leaves[0].untyped_storage().nbytes()


# ------------------------------------------------------------------------------------------------ compile


def _compiled(subject: Subject) -> Iterator[Finding]:
    arguments = subject.draw(dtype=torch.float32)
    read = _Reads()
    with contextlib.suppress(Exception, SystemExit), read:
        subject.thing(*subject.placed(arguments))
    if read.line:
        yield from _read_number(subject, arguments, read.line)
        return
    with _quiet():
        broken, graphs = _compile(subject)
        if broken and subject.form.kind is not None and subject.form.kind.coupled:
            subject.facts.append("torch.compile cannot take it whole: the number of its pairs depends on the labels")
        elif broken:
            yield from _broken_graph(subject, arguments, broken)
        elif graphs > 2:
            yield from _compiled_again(subject, graphs)


def _read_number(subject: Subject, arguments: Arguments, line: str) -> Iterator[Finding]:
    yield subject.script(arguments, *subject.to_meta(), attempt(subject.call), "came").finding(
        f"training waits for the GPU at every step: it takes a Python number out of a tensor: {line}",
        "compute with the tensor itself: .item(), float() and int() wait for the GPU at each step, break the graph "
        "of torch.compile, and cut the gradient",
        "warning",
        expected="a result without a look at numbers, which a tensor on the device meta has not",
    )


def _compiled_by_jax(subject: Subject) -> Iterator[Finding]:
    compiled = jit(subject.thing)
    if compiled is None or not _is_called_plainly(subject):
        return
    arguments = subject.draw_few()
    try:
        subject.like(thing=compiled)(*arguments)
    except SubjectError as error:
        kind = subject.form.kind
        lines = "from slopes.auditing.adapters import jit", f"compiled = jit({subject.variable})"
        call = f"compiled{subject.call.removeprefix(subject.variable)}"
        yield subject.script(arguments, *lines, attempt(call), "came").finding(
            f"training raises under jax.jit: {str(error).splitlines()[0]}",
            "choose by jnp.where or jax.lax.cond instead of if, keep float(), NumPy and boolean indices out, and give "
            "shapes as static arguments",
            "note" if kind is not None and kind.coupled else "warning",
            expected="the result that it gives without jax.jit",
        )


def _broken_graph(subject: Subject, arguments: Arguments, reason: str) -> Iterator[Finding]:
    whole = f"torch.compile({subject.variable}, backend='eager', fullgraph=True)"
    call = whole + subject.call.removeprefix(subject.variable)
    yield subject.script(arguments, attempt(call), "came").finding(
        f"training with torch.compile gains little: it cannot take the function whole: {reason}",
        "choose by torch.where instead of if, and keep prints and NumPy out of the compiled function",
        "note",
        came="more than one graph",
        expected="one graph",
    )


def _compiled_again(subject: Subject, graphs: int) -> Iterator[Finding]:
    yield subject.script(
        subject.draw(rows=max(LENGTHS), dtype=torch.float32),
        "graphs = []",
        f"compiled = torch.compile({subject.variable}, backend=lambda x, given: graphs.append(x) or x.forward)",
        f"for rows in {LENGTHS}:",
        f"    compiled{subject.called(each='[:rows]').removeprefix(subject.variable)}",
        "len(graphs)",
    ).finding(
        f"training with torch.compile stops to compile: it does so {graphs} times for {len(LENGTHS)} lengths of a "
        "batch",
        "a length became a Python number that the code depends on: keep it in shapes, or mark the axis as dynamic",
        "note",
        came="{0} compilations",
        expected="2: one for the first length, one for any",
        shows=lambda graphs: graphs > 2,
    )


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    logger = logging.getLogger("torch._dynamo")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(level)


class _Reads(TorchFunctionMode):
    """Record the subject's first line that takes a number out of a tensor."""

    line = ""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func in READS and not self.line:
            caller = traceback.extract_stack(limit=2)[0]
            self.line = (caller.line or "") if is_own(caller.filename) else ""
        return func(*args, **(kwargs or {}))


def _fresh(thing: Any) -> Any:
    """Copy with its own code object, by which torch.compile keeps compiled code."""
    if isinstance(thing, torch.nn.Module):
        thing = copy.deepcopy(thing)
        thing.forward = MethodType(_fresh(type(thing).forward), thing)
    elif isinstance(thing, FunctionType):
        made = FunctionType(
            thing.__code__.replace(), thing.__globals__, thing.__name__, thing.__defaults__, thing.__closure__
        )
        made.__kwdefaults__ = thing.__kwdefaults__
        return made
    return thing


def _compile(subject: Subject) -> tuple[str | None, int]:
    """(reason and line of a graph break for the first of LENGTHS, if known; number of compilations up to an error)."""
    import torch._dynamo

    made = []

    def backend(graph: Any, inputs: Any) -> Any:
        made.append(graph)
        return graph.forward

    compiled: Any = torch.compile(_fresh(subject.thing), backend=backend, fullgraph=True)
    try:
        for rows in LENGTHS:
            compiled(*subject.placed(subject.draw(rows=rows, dtype=torch.float32)))
    except Exception as error:
        is_break = isinstance(error, (torch._dynamo.exc.Unsupported, torch._dynamo.exc.UserError))
        return (_place(str(error)) if is_break and not made else None), len(made)
    return None, len(made)


def _place(told: str) -> str:
    lines = re.findall(r'File "[^"]*", line \d+, in [^\n]*\n\s*([^\n]+)', told.partition("from user code:")[2])
    return told.splitlines()[0] + (f", at {lines[-1].strip()}" if lines else "")
