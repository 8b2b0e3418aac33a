"""The fast path of plain tensors through a card.

Most calls are small, and the code around the arithmetic takes most of their time. So a card keeps a function for each
dtype and choice of parameters: a compiled kernel, or operations of PyTorch. Tensors that are not plain (`is_plain`),
and a second backward, take the general path of `slopes.readings.torch`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch._C import _functorch as functorch

from slopes.fast import half_tensors
from slopes.fast.counting import counted
from slopes.fast.short import (
    FORMS,
    LOSSES,
    SMALL,
    STRAIGHT,
    Value,
    glu,
    nll_of_labels,
    own_function,
    plain_range,
    run_in_double,
    softmax,
)
from slopes.readings import torch as reading
from slopes.readings.plain import ALL_DTYPES, DTYPES, HALF, TYPES, is_plain, keeps_graph

Tensor = torch.Tensor
Body = Callable[..., Any]


class UnfitError(Exception):
    """A body gives other values than one per entry: the general path raises the error."""


class PlainFunction:
    """An element-wise function of plain tensors of one dtype, and its vjps.

    Autograd can differentiate `pull_back`; `pull` is faster. With `value_and_slope` the forward computes slopes for the
    backward. `own` is PyTorch's function, if as accurate and faster.
    """

    __slots__ = ("in_double", "own", "pull", "pull_back", "value", "value_and_slope")

    def __init__(self, body: Body, slope: Body, dtype: torch.dtype) -> None:
        self.pull_back = self.pull = _pulling(slope, dtype)
        self.value = _checked(body, dtype)
        self.value_and_slope: Callable[[Tensor], tuple[Tensor, Tensor]] | None = None
        self.own: Value | None = None
        self.in_double: tuple[Value, float, float] | None = None  #: an entry of `slopes.fast.short.PLAIN_RANGES`


def _checked(body: Body, dtype: torch.dtype) -> Value:
    def value(x: Tensor) -> Tensor:
        result = body(x)
        if type(result) is not Tensor or result.shape != x.shape:
            raise UnfitError
        return result if result.dtype is dtype else result.to(dtype)

    return value


def _pulling(slope: Body, dtype: torch.dtype) -> Callable[[Tensor, Tensor], Tensor]:
    def pull(gradient: Tensor, x: Tensor) -> Tensor:
        pulled: Tensor = gradient * slope(x)
        return pulled if pulled.dtype is dtype else pulled.to(dtype)

    return pull


def run_activation(card: Any, x: Tensor, parameters: tuple[tuple[str, Any], ...] = ()) -> Tensor | None:
    """Parameters are numbers, strings and flags by name; wrong ones raise as in a call."""
    if not is_plain(x, ALL_DTYPES, True):
        return None
    size = x.numel()
    key = (x.dtype, x.is_cpu or x.device, size.bit_length() if size >= LARGE else 0, parameters)
    function: PlainFunction | None = card.cache.get(key)
    if function is None:
        if key in card.cache:
            return None
        keep(card, key, _make_function(card, dict(parameters), x))
        return run_activation(card, x, parameters)
    if function.own is not None:
        return function.own(x)
    try:
        if x.requires_grad and torch.is_grad_enabled():
            result = None if function.in_double is None else run_in_double(x, *function.in_double)
            return _apply(function, x) if result is None else result
        return function.value(x)
    except UnfitError:
        return None


def computed_by_kernel(
    card: Any, output: str, arrays: list[Tensor], out: Any, settings: dict[str, Any]
) -> Tensor | None:
    """The slope of one of our cards at a half type, unless autograd may differentiate it."""
    x = arrays[0]
    if output != "slope" or not is_plain(x, HALF, True) or not x.is_cpu or not _is_ours(card):
        return None
    from slopes.kernels.programs import are_literals

    if (x.requires_grad and torch.is_grad_enabled()) or not are_literals(settings):
        return None
    return half_tensors.slope(card, settings, x)


def is_own(card: Any, x: Tensor, parameters: dict[str, Any]) -> bool:
    """Whether PyTorch's function is as accurate for x, in place too."""
    if not is_plain(x, ALL_DTYPES) or not x.is_cpu:
        return False
    try:
        settings = _bind(card, parameters, x)[0]
    except (ValueError, TypeError):
        return False
    return own_function(card.body.__name__, settings, x.dtype) is not None


def keep(card: Any, key: Any, function: Any) -> None:
    """Store a function, among `MOST`: a schedule may change parameters without end."""
    if len(card.cache) >= MOST:
        card.cache.clear()
    card.cache[key] = function


MOST = 100  #: functions kept per card


def _bind(card: Any, parameters: dict[str, Any], x: Tensor) -> tuple[dict[str, Any], Body, Body | None]:
    """(settings, body, slope) with settings filled in; slope None if one is an array."""
    from slopes.kernels.programs import are_literals

    settings, body, slope = card.bind(reading, x, parameters)
    return settings, body, slope if are_literals(settings) else None


LARGE = 2**12  #: fewer entries are not worth compiling a kernel
KEPT = 2**17 - 1  #: entries for which the forward computes slopes


def _make_function(card: Any, parameters: dict[str, Any], x: Tensor) -> PlainFunction | None:
    """None without a derivative, as autograd must see operations, or with an array as parameter."""
    settings, body, slope = _bind(card, parameters, x)
    if slope is None:
        return None
    function = PlainFunction(body, slope if x.dtype in DTYPES else lambda x: slope(x.float()), x.dtype)
    if x.is_cpu and _is_ours(card):
        return _make_ours(function, card, parameters, settings, x)
    if _is_ours(card) and card.body.__name__ in STRAIGHT:
        own = own_function(card.body.__name__, settings, x.dtype)
        if own is not None:
            function.own = own[0]
            return function
    compiled = _compile(card, parameters, x)
    return _by_kernel(function, compiled, x) if compiled is not None or x.dtype in DTYPES else None


def _make_ours(
    function: PlainFunction, card: Any, parameters: dict[str, Any], settings: dict[str, Any], x: Tensor
) -> PlainFunction:
    name, is_half = card.body.__name__, x.dtype in HALF
    own = own_function(name, settings, x.dtype)
    compiled = None if is_half else _compile(card, parameters, x)
    if own is not None and (compiled is None or x.numel() < own[1]):
        function.own = own[0]
        return function
    if is_half:
        function.value, function.pull = half_tensors.functions(card, settings, x)
        return function
    if compiled is None and x.dtype is torch.float32:
        _shorten(function, name, settings)
    return _by_kernel(function, compiled, x)


def _by_kernel(function: PlainFunction, compiled: Any, x: Tensor) -> PlainFunction:
    """The function, by its kernel if there is one."""
    if compiled is None:
        return function
    function.value, function.pull = compiled.value, compiled.pull
    if x.numel() <= KEPT and x.dtype in DTYPES:
        function.value_and_slope = compiled.value_and_slope
    return function


def _shorten(function: PlainFunction, name: str, settings: dict[str, Any]) -> None:
    """Compute by the card's short form, if any."""
    short = FORMS[name](**settings) if name in FORMS else None
    if short is not None:
        function.value, function.pull = short
        function.in_double = plain_range(name, settings)


def _is_ours(card: Any) -> bool:
    return bool(card.body.__module__.startswith("slopes.activations."))


def _compile(card: Any, parameters: dict[str, Any], x: Tensor) -> Any:
    size = x.numel()
    if size < LARGE:
        return None
    from slopes.kernels.programs import are_worthwhile

    if x.is_cuda:
        from slopes.kernels.tensors import gpu

        return gpu.find(card, parameters, x) if are_worthwhile(card, size, "triton") else None
    from slopes.kernels.tensors import activations

    return activations.find(card, parameters, x.dtype) if are_worthwhile(card, size) else None


EXACT = 2**24  #: float32 holds every integer up to this


class PlainLoss:
    """A loss of plain tensors of one shape and dtype, and its gradient by the first.

    `short` computes the loss of up to `SMALL` entries in few operations, or returns None. `short_slope` is its slope,
    None if PyTorch differentiates `short`.
    """

    __slots__ = ("body", "reduction", "short", "short_slope", "slope")

    def __init__(self, body: Body, slope: Body, reduction: str) -> None:
        self.body, self.slope, self.reduction = body, slope, reduction
        self.short: Body | None = None
        self.short_slope: Body | None = None

    def value(self, x: Tensor, *others: Tensor) -> Tensor:
        if self.short is not None and self.short_slope is not None:
            result: Tensor = self.short(x, *others, self.reduction)
            return result
        values: Tensor = self.body(x, *others)
        if type(values) is not Tensor or values.shape != x.shape:
            raise UnfitError
        if self.reduction != "none":
            values = values.sum(dtype=torch.float64)
            if self.reduction == "mean":
                values = values / x.numel()
        return values.to(x.dtype)

    def pull_back(self, gradient: Tensor, slope: Body, x: Tensor, *others: Tensor) -> Tensor:
        if self.reduction == "mean":
            count = x.numel()
            gradient = gradient / count if count <= EXACT else (gradient.double() / count).to(x.dtype)
        pulled: Tensor = gradient * slope(x, *others)
        return pulled if pulled.dtype is x.dtype else pulled.to(x.dtype)


NO_ENTRIES: Mapping[str, Tensor] = {}
Counting = tuple[Mapping[str, Tensor], Any, Any, Any]  #: entries, weight, mask and divisor of `run_loss`


def language_of(x: Tensor) -> str:
    """Language of the kernels for the device of a tensor; "" if it has none."""
    if x.is_cpu:
        from slopes.kernels.compiling import is_available

        return "numba" if is_available() else ""
    if x.is_cuda:
        from slopes.kernels.gpu.rows import are_available

        return "triton" if are_available(x.get_device()) else ""
    return ""


def run_loss(
    card: Any, reduction: str, tensors: tuple[Tensor, ...], parameters: tuple[tuple[str, Any], ...] = (),
    is_checked: bool = False, *, weight: Any = None, mask: Any = None, divisor: Any = None,
    entries: Mapping[str, Tensor] = NO_ENTRIES,
) -> Tensor | None:  # fmt: skip
    """Parameters are as in `run_activation`.

    Only kernels check values (`is_checked`) and take weights, a mask, a divisor and `entries`, parameters with
    one value per entry. Empty tensors give None.
    """
    x, *others = tensors
    given = entries, weight, mask, divisor
    result: Tensor | None
    if x.is_cuda and x.numel() >= LARGE_FOR_A_LOSS and not entries and weight is mask is divisor is None:
        result = _run_loss_on_gpu(card, reduction, tensors, parameters)
        if result is not None:
            return result
    if not is_plain(x):
        return _run_widened_loss(card, reduction, tensors, parameters, is_checked, given)
    counting = None if not entries and weight is mask is divisor is None else given
    if x.numel() >= LARGE_FOR_A_LOSS and x.is_cpu:
        result = _run_large_loss(card, reduction, tensors, parameters, is_checked, counting)
        if result is not None:
            return result
    if is_checked or counting is not None or not x.numel() or not _are_alike(x, others):
        return None
    plain = card.cache.get((x.dtype, x.is_cpu, reduction, parameters)) or _find_loss(card, reduction, parameters, x)
    if plain is None:
        return None
    try:
        if plain.short is not None and plain.short_slope is None and x.numel() <= SMALL:
            result = plain.short(x, *others, reduction)
            if result is not None:
                return result
        if x.requires_grad and torch.is_grad_enabled():
            return _apply_loss(plain, x, *others)
        return plain.value(x, *others)
    except UnfitError:
        return None


def _run_loss_on_gpu(
    card: Any, reduction: str, tensors: tuple[Tensor, ...], parameters: tuple[tuple[str, Any], ...]
) -> Tensor | None:
    """Loss by kernels, which look for no value that the kind refuses: to be told would be to wait."""
    x = tensors[0]
    if not is_plain(x, ALL_DTYPES) or reduction not in DENOMINATORS or language_of(x) != "triton":
        return None
    tensors = (x, *(other.to(x.dtype) if _is_whole(other) else other for other in tensors[1:]))
    if not _are_alike(x, tensors[1:], ALL_DTYPES):
        return None
    from slopes.kernels.gpu import losses

    def pull_back(incoming: Tensor, *tensors: Tensor) -> Tensor:
        wide = [_widen(tensor) for tensor in tensors]
        plain = _find_loss(card, reduction, parameters, wide[0])
        if plain is None:
            raise UnfitError
        return plain.pull_back(_widen(incoming), plain.slope, *wide).to(tensors[0].dtype)

    kernel = losses.find(card, dict(parameters), x)
    if kernel is None:
        return None
    loss = losses.LossOnGpu(kernel, DENOMINATORS[reduction](x), pull_back)
    if x.requires_grad and torch.is_grad_enabled():
        return apply_compiled_loss(loss, *tensors)
    value: Tensor = loss.value(None, *tensors)
    return value


DENOMINATORS: dict[str, Callable[[Tensor], float | None]] = {
    "mean": lambda x: float(x.numel()), "sum": lambda x: 1.0, "none": lambda x: None,
}  # fmt: skip


def _run_widened_loss(
    card: Any, reduction: str, tensors: tuple[Tensor, ...], parameters: tuple[tuple[str, Any], ...], is_checked: bool,
    counting: Counting,
) -> Tensor | None:  # fmt: skip
    """Loss in float32 where autocast asks for that, else None."""
    if not _is_autocast(tensors[0]):
        return None
    entries, weight, mask, divisor = counting
    with torch.autocast("cpu", enabled=False):
        return run_loss(
            card, reduction, tuple(map(_widen, tensors)), parameters, is_checked, weight=_widen(weight), mask=mask,
            divisor=divisor, entries={name: _widen(entry) for name, entry in entries.items()},
        )  # fmt: skip


def _run_large_loss(
    card: Any, reduction: str, tensors: tuple[Tensor, ...], parameters: tuple[tuple[str, Any], ...], is_checked: bool,
    counting: Counting | None,
) -> Tensor | None:  # fmt: skip
    x = tensors[0]
    others = [other.to(x.dtype) if _is_whole(other) else other for other in tensors[1:]]
    tensors = (x, *others)
    if counting is not None:
        entries, weight, mask, divisor = counting
        if not _are_alike(x, [*others, *entries.values(), *(() if weight is None else (weight,))]):
            return None
        count = _count(x, reduction, weight, mask, divisor)
        return None if count is None else _run_compiled_loss(card, tensors, parameters, is_checked, count, entries)
    if not _are_alike(x, others):
        return None
    plain = _find_loss(card, reduction, parameters, x)
    if plain is None:
        return None
    count = None, DENOMINATORS[reduction](x)
    return _run_compiled_loss(card, tensors, parameters, is_checked, count, NO_ENTRIES, plain)


def _are_alike(x: Tensor, others: Sequence[Any], dtypes: tuple[torch.dtype, ...] = DTYPES) -> bool:
    """Whether others are plain constants like x."""
    wants_gradient = torch.is_grad_enabled()
    for other in others:
        fits = type(other) in TYPES and other.dtype is x.dtype and other.shape == x.shape and is_plain(other, dtypes)
        if not fits or other.device != x.device or (wants_gradient and other.requires_grad):
            return False
    return True


def _find_loss(card: Any, reduction: str, parameters: tuple[tuple[str, Any], ...], x: Tensor) -> PlainLoss | None:
    key = (x.dtype, x.is_cpu, reduction, parameters)
    if key not in card.cache:
        keep(card, key, _make_loss(card, reduction, dict(parameters), x))
    return card.cache[key]  # type: ignore[no-any-return]


Counted = tuple[Tensor | None, float | None]
"""(weight of each value, or None for 1; denominator of their sum, or None if the loss is not reduced)."""


def _count(x: Tensor, reduction: str, weight: Any, mask: Any, divisor: Any) -> Counted | None:
    if mask is not None:
        fits = type(mask) is Tensor and mask.dtype is torch.bool and mask.shape == x.shape and mask.device == x.device
        if not fits or mask.layout is not torch.strided or functorch.is_functorch_wrapped_tensor(mask):
            return None
        weight = mask.to(x.dtype) if weight is None else torch.where(mask, weight, 0.0)
    return counted(reduction, divisor, x.numel(), weight, _measure)


def _measure(weight: Tensor) -> tuple[float, float, float]:
    least, largest = torch.aminmax(weight.detach())
    return least.item(), largest.item(), weight.detach().sum(dtype=torch.float64).item()


def _is_autocast(x: Any) -> bool:
    """Whether x is a large plain CPU tensor that autocast computes in float32."""
    if torch.compiler.is_dynamo_compiling() or type(x) not in TYPES or not x.is_cpu or x.dtype not in AUTOCAST:
        return False
    if not torch.is_autocast_enabled("cpu") or x.numel() < LARGE_FOR_A_LOSS:
        return False
    with torch.autocast("cpu", enabled=False):
        return is_plain(x, ALL_DTYPES)


AUTOCAST = (torch.float32, *HALF)


def _widen(x: Any) -> Any:
    return x.float() if isinstance(x, Tensor) and x.dtype in HALF else x


def _is_whole(x: Any) -> bool:
    return type(x) is Tensor and not (x.is_floating_point() or x.is_complex()) and x.layout is torch.strided


LARGE_FOR_A_LOSS = 2**14  #: entries that are worth compiling a loss's kernel


def _run_compiled_loss(
    card: Any, tensors: tuple[Tensor, ...], parameters: tuple[tuple[str, Any], ...], is_checked: bool, count: Counted,
    entries: Mapping[str, Tensor], plain: PlainLoss | None = None,
) -> Tensor | None:  # fmt: skip
    from slopes.kernels import TraceError, elementwise_losses
    from slopes.kernels.tensors import losses

    x, (weight, denominator) = tensors[0], count
    name, is_weighted = str(x.dtype).removeprefix("torch."), weight is not None
    try:
        kernel = elementwise_losses.find(card, name, dict(parameters), x.numel(), tuple(entries), is_weighted)
        if kernel is None:
            return None

        def pull_back(incoming: Tensor, *tensors: Tensor) -> Tensor:
            if plain is not None:
                return plain.pull_back(incoming, plain.slope, *tensors)
            return _pull_back_counted(card, dict(parameters), tuple(entries), denominator, incoming, *tensors)

        loss = losses.LossOfTensors(kernel, denominator, is_checked, pull_back)
        given = (*tensors, *entries.values(), *(() if weight is None else (weight,)))
        if x.requires_grad and torch.is_grad_enabled():
            return apply_compiled_loss(loss, *given)
        return loss.value(None, *given)
    except (TraceError, UnfitError):
        return None


def _pull_back_counted(
    card: Any, parameters: dict[str, Any], entries: tuple[str, ...], denominator: float | None, incoming: Tensor,
    *tensors: Tensor,
) -> Tensor:  # fmt: skip
    count = len(card.kind.arguments)
    arguments, (*arrays, weight) = tensors[:count], (*tensors[count:], None)[: len(entries) + 1]
    x = tensors[0]
    settings = card.bind(reading, x, parameters)[0] | dict(zip(entries, arrays, strict=True))
    scale = incoming if denominator is None else (incoming.double() / denominator).to(x.dtype)
    if weight is not None:
        counts, spaces = weight != 0, card.kind.spaces(settings)
        arguments = tuple(torch.where(counts, a, s.filler(reading, a)) for a, s in zip(arguments, spaces, strict=True))
        scale = scale * weight
    pulled: Tensor = scale * card.slope_body(*arguments, **settings)
    return pulled.to(x.dtype)


def _make_loss(card: Any, reduction: str, parameters: dict[str, Any], x: Tensor) -> PlainLoss | None:
    settings, body, slope = _bind(card, parameters, x)
    if slope is None or card.rowwise or reduction not in ("mean", "sum", "none"):
        return None
    plain = PlainLoss(body, slope, reduction)
    if card.body.__module__.startswith("slopes.losses.") and x.is_cpu and x.dtype is torch.float32:
        name = card.body.__name__
        plain.short, plain.short_slope = (LOSSES[name](**settings) if name in LOSSES else None) or (None, None)
    return plain


def run_gate(card: Any, axis: int, parameters: dict[str, Any], *tensors: Tensor) -> Tensor | None:
    x = tensors[0]
    if len(tensors) > 1 or not _suits_gates(x) or not -x.ndim <= axis < x.ndim or x.shape[axis] % 2:
        return None
    from slopes.kernels.programs import is_ours
    from slopes.kernels.tensors import gates

    wants_gradient = x.requires_grad and torch.is_grad_enabled()
    if wants_gradient and card.slope_body is None:
        return None
    key = ("gate", x.dtype, x.shape, axis, *parameters.items())
    gate = card.cache.get(key)
    if gate is None:
        gate = gates.find(card, parameters, x, axis)
        if gate is None:
            return None
        if is_ours(card):
            keep(card, key, gate)
    return _apply_gate(gate, x) if wants_gradient else gate.value(x)


def _suits_gates(x: Tensor) -> bool:
    return is_plain(x) and x.is_cpu and x.numel() >= LARGE and x.is_contiguous() and not x.is_neg()


def run_map(card: Any, x: Tensor, axis: int) -> Tensor | None:
    """PyTorch's softmax, log_softmax or glu; a row of only −inf gives NaN."""
    if not is_plain(x) or x.dtype is not torch.float32 or not x.is_cpu or not x.numel():
        return None
    if not -x.ndim <= axis < x.ndim:
        return None
    if card.name == "glu":
        return glu(x, axis)
    return softmax(x, axis, card.name == "log_softmax")


def run_nll(
    rows: Tensor, labels: Tensor, reduction: str, ignore_index: int, is_normalized: bool = False
) -> Tensor | None:
    """PyTorch's cross-entropy, or NLL if `is_normalized`, which refuses wrong labels; the mean over nothing is NaN."""
    plain = is_plain(rows) and rows.dtype is torch.float32 and rows.is_cpu and rows.ndim == 2 and rows.numel()
    if not plain or type(labels) is not Tensor or labels.dtype is not torch.int64 or labels.shape != rows.shape[:1]:
        return None
    if not labels.is_cpu or functorch.is_functorch_wrapped_tensor(labels):
        return None
    return nll_of_labels(rows, labels, reduction, ignore_index, is_normalized)


class _DirectLoss(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, loss: PlainLoss, *tensors: Tensor) -> Tensor:
        ctx.loss = loss
        ctx.save_for_backward(*tensors)
        return loss.value(*tensors)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        tensors, loss = ctx.saved_tensors, ctx.loss
        slope = loss.slope
        if loss.short_slope is not None and not torch.is_grad_enabled():
            slope = loss.short_slope
        return None, loss.pull_back(gradients[0], slope, *tensors), *(None for _ in tensors[1:])


class _CompiledLoss(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, loss: Any, *tensors: Tensor) -> Tensor:
        from slopes.kernels.tensors.activations import empty_like

        ctx.loss = loss
        ctx.gradient = empty_like(tensors[0].detach()) if loss.keeps_gradient else None
        ctx.save_for_backward(*tensors)
        value: Tensor | None = loss.value(ctx.gradient, *tensors)
        if value is None:
            raise UnfitError
        return value

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        (incoming,), tensors, loss = gradients, ctx.saved_tensors, ctx.loss
        gradient, ctx.gradient = ctx.gradient, None  # the caller owns it
        if torch.is_grad_enabled() or not is_plain(incoming, ALL_DTYPES):
            pulled = loss.pull_back(incoming, *tensors)
        elif gradient is None:
            pulled = loss.pull(incoming, *tensors)
        else:
            factor = incoming.item()
            pulled = gradient if factor == 1.0 else gradient.mul_(factor)
        return None, pulled, *(None for _ in tensors[1:])


class _Direct(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, function: PlainFunction, x: Tensor) -> Tensor:
        ctx.function = function
        if function.value_and_slope is None:
            ctx.save_for_backward(x)
            return function.value(x)
        values, slopes = function.value_and_slope(x)
        ctx.save_for_backward(x, slopes)
        return values

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        x, *slopes = ctx.saved_tensors
        function, gradient = ctx.function, gradients[0]
        if torch.is_grad_enabled() or not is_plain(gradient, ALL_DTYPES):
            return None, function.pull_back(gradient, x)
        if not slopes:
            return None, function.pull(gradient, x)
        return None, slopes[0] * gradient if keeps_graph() else slopes[0].mul_(gradient)


class _CompiledGate(_Direct):
    pass


#: `Function.apply` without code for transforms, which `is_plain` excludes
_apply_loss: Callable[..., Tensor] = super(torch.autograd.Function, _DirectLoss).apply
_apply_gate: Callable[..., Tensor] = super(torch.autograd.Function, _CompiledGate).apply
apply_compiled_loss: Callable[..., Tensor] = super(torch.autograd.Function, _CompiledLoss).apply
_apply: Callable[..., Tensor] = super(torch.autograd.Function, _Direct).apply
