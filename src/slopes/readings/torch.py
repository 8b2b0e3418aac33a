"""The torch reading: composed of torch operations, so that every transform works.

Half types are computed in float32 and rounded once, others in their own dtype.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import Any

import torch
from torch._C._functorch import TransformType

from slopes.constants import Array, Constant
from slopes.readings import tails
from slopes.readings.plain import ALL_DTYPES, is_plain

_this = sys.modules[__name__]
Tensor = torch.Tensor

# --------------------------------------------------------------------------------------- primitives

exp, log, sqrt, rint = torch.exp, torch.log, torch.sqrt, torch.round
sinh, erf, lgamma = torch.sinh, torch.erf, torch.lgamma
sin, cos = torch.sin, torch.cos
sum = partial(torch.sum, dim=-1, keepdim=True)

#: exp(−DEEP) is normal
DEEP = {torch.float64: 700.0, torch.float32: 80.0}
#: a number up to 64 rounded to this step has an exact square
SPLIT = {torch.float64: 2.0**20, torch.float32: 2.0**6}
decay, softplus = partial(tails.decay, _this), partial(tails.softplus, _this)
mish, mish_slope = partial(tails.mish, _this), partial(tails.mish_slope, _this)
softcap, expm1_less = partial(tails.softcap, _this), partial(tails.expm1_less, _this)
lgamma_ratio = partial(tails.lgamma_ratio, _this)
root_of_square = partial(tails.root_of_square, _this)
log_softmax = partial(tails.log_softmax, _this)
sum_others, softmax_logit = partial(tails.sum_others, _this), partial(tails.softmax_logit, _this)
softmax_pulled_closely = partial(tails.softmax_pulled_closely, _this)
gauss = partial(tails.gauss, _this)


def _to_onnx() -> bool:
    """Whether ONNX, which has fewer operators, records a graph."""
    return _is_traced() and torch.onnx.is_in_onnx_export()


def _is_traced() -> bool:
    return torch.compiler.is_compiling() or _is_traced_by_jit()


def _is_traced_by_jit() -> bool:
    return torch.jit.is_tracing()  # type: ignore[attr-defined, no-any-return, no-untyped-call]


def expm1(x: Array) -> Array:
    """torch.expm1's slope, expm1(x) + 1, is 0 below −37; compilers replace expm1 by exp(x) − 1."""
    if torch.compiler.is_compiling() or _to_onnx():
        near = (x > -0.75) & (x < 0.75)
        held = torch.where(near, x, 0.0)
        return torch.where(near, held * tails.exp_series(held, 2), torch.exp(x) - 1)
    return torch.where(x < -1, torch.exp(x) - 1, torch.expm1(x))


def tanh(x: Array) -> Array:
    """The slope is 4q/(1 + q)², q = exp(−2|x|); torch's 1 − tanh² is 0 from 19 on."""
    value = torch.tanh(x)
    if not _may_differentiate(x):
        return value
    left = x < 0
    q = torch.exp(2 * torch.where(left, x, -x))
    smooth = torch.where(left, q - 1, 1 - q) / (1 + q)
    return value.detach() + (smooth - smooth.detach())


def log1p(x: Array) -> Array:
    """ONNX's log would lose a small x."""
    if not _to_onnx():
        return torch.log1p(x)
    held = minimum(x, 1.0)
    return torch.where(1 + held == 1, x, torch.log(1 + x) * (held / (1 + held - 1)))


def where(condition: Array, a: Array, b: Array) -> Array:
    if not isinstance(a, Tensor) and not isinstance(b, Tensor):
        a = torch.full((), a, dtype=_double(condition), device=condition.device)
    return torch.where(condition, a, b)


# PyTorch's subgradients change (at clamp's bound 1 up to 2.13, 0 from 2.14 on), so primitives with a kink state theirs.
minimum, maximum = partial(tails.minimum, _this, Tensor), partial(tails.maximum, _this, Tensor)


def absolute(x: Array) -> Array:
    return x * torch.sign(x)


def sign(x: Array) -> Array:
    """PyTorch's is 0 at NaN."""
    return torch.where(x == x, torch.sign(x), x)


def _double(x: Tensor) -> torch.dtype:
    """float64, or float32 on devices without it and for ONNX runtimes, unless x has float64."""
    single = x.device.type == "mps" or _to_onnx()
    return torch.float32 if single and x.dtype != torch.float64 else torch.float64


def _in_double(times: Tensor | float, x: Tensor, tail: Callable[[Tensor], Tensor]) -> Tensor:
    """times · tail(x) of float32, by the textbook form in float64."""
    wide = x.to(torch.float64)
    part = tail(wide)
    if isinstance(times, Tensor):
        ended = (wide < -400) | (part == 0)  # an infinite `times` and its gradient would give 0 · inf
        times = torch.where(ended, 0.0, times.to(torch.float64))
    return (part * times).to(x.dtype)


def sigmoid(x: Array, times: Array, low: Array) -> Array:
    if x.dtype == _double(x) or isinstance(times, float):
        return tails.sigmoid(_this, x, times, low)
    return _in_double(times, x, lambda x: 1 / (1 + torch.exp(-maximum(x + low, -700.0))))


def sigmoid_slope(x: Array, times: Array, low: Array) -> Array:
    """s·(1 − s) is (1 − tanh²(x/2))/4, whose slope is a product."""

    def form() -> Array:
        if type(times) is float:
            root = tanh(x / 2)
            rest = stop_gradient(1 - root * low)  # far from 0 `low` is in the exponent alone
            return times / -4 * root**2 * rest
        return times * sigmoid_slope(x, 1.0, low)

    return with_slope_of(tails.sigmoid_slope(_this, x, times, low), form)


gate_slope = partial(tails.gate_slope, _this)


def ndtr(x: Array, times: Array) -> Array:
    if x.dtype == _double(x):
        return tails.ndtr(_this, x, times)
    return _in_double(times, x, lambda x: torch.erfc(x * -0.7071067811865476) / 2)


def normal_pdf(x: Array, times: Array) -> Array:
    if x.dtype == _double(x):
        return tails.normal_pdf(_this, x, times)
    return _in_double(times, x, lambda x: torch.exp(tails.confine(_this, x, 64.0).square() * -0.5) * tails.DENSITY.high)


normal_gate_slope = partial(tails.normal_gate_slope, _this)


def _parts(x: Tensor, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    high = x.to(dtype)
    return high, (x - high).to(dtype)


def _parts_of(form: Callable[..., tuple[Tensor, Tensor]], x: Tensor, parameter: Array) -> tuple[Tensor, Tensor]:
    high, low = form(_this, double(x), parameter)
    return (high, low) if x.dtype == high.dtype else _parts(high, x.dtype)


product, quotient = partial(_parts_of, tails.product), partial(_parts_of, tails.quotient)
sigmoid_less = partial(_parts_of, tails.sigmoid_less)


def sigmoid_mixture(x: Array, share: Array) -> tuple[Array, Array]:
    return _parts_of(tails.sigmoid_mixture, x, double(share))


def _rounded_once(form: Callable[..., Tensor], x: Tensor, *parameters: Array) -> Tensor:
    return form(_this, double(x), *parameters).to(x.dtype)


snake, snake_slope = partial(_rounded_once, tails.snake), partial(_rounded_once, tails.snake_slope)
tanhshrink = partial(_rounded_once, tails.tanhshrink)
above_simplex_threshold = partial(_rounded_once, tails.above_simplex_threshold)


FEW = 7  #: coefficients of polynomials that float64 holds for a float32, whatever its size


def rational(x: Array, numerator: Any, denominator: Any, order: int) -> Array:
    """Learnt coefficients get gradients by Horner's rule alone, which saves few tensors."""

    def value(x: Array, order: int = 0) -> Array:
        wide = tails.rational(_this, double(x), numerator, denominator, order, closely=x.dtype == torch.float64)
        return wide.to(x.dtype)

    if order == 0 and any(isinstance(part, Tensor) and wants_gradient(part) for part in (numerator, denominator)):
        has_room = _double(x) != x.dtype and max(len(numerator), len(denominator)) <= FEW
        quotient = partial(_quotient, x, numerator, denominator)
        return quotient() if has_room else with_slope_of(value(x), quotient)
    if torch.compiler.is_compiling():  # it traces no Function within another
        return value(x, order)
    further = partial(rational, numerator=numerator, denominator=denominator, order=order + 1)
    return differentiable(partial(value, order=order), further, x)


def _quotient(x: Tensor, numerator: Any, denominator: Any) -> Tensor:
    wide = tails.confine(_this, double(x), 2.0**140)
    size = absolute(wide)
    above: Any = functools.reduce(lambda total, a: total * wide + a, [*numerator][::-1])
    below: Any = functools.reduce(lambda total, b: (total + abs(b)) * size, [*denominator][::-1], 0.0)
    return (above / (1 + below)).to(x.dtype)  # type: ignore[no-any-return]


def cubic(x: Array, a: Constant, b: Constant) -> tuple[Array, Array]:
    if x.dtype == _double(x):
        return tails.cubic(_this, x, a, b)
    wide = tails.confine(_this, x.to(torch.float64), 32.0)
    return _parts(wide * (a + b * wide * wide), x.dtype)


exp_of_size = partial(tails.exp_of_size, _this)


def fma(x: Array, a: Array, c: Array) -> Array:
    """A number `a` is rounded to x's dtype, as PyTorch's products round it."""
    if _double(x) == torch.float32:
        return a * x + c
    if x.dtype == torch.float32 and isinstance(a, (int, float)):
        a = torch.full((), a, dtype=x.dtype, device=x.device)
    return tails.fma(_this, x.to(torch.float64), a, c).to(x.dtype)


rounding_of_difference = tails.rounding_of_difference


def double(x: Array) -> Array:
    return x.to(_double(x))


def double_for(x: Array, *parameters: Array) -> Array:
    """Under a compiler a number may be a symbol without digits."""
    if x.dtype != torch.float32:
        return x
    numbers = [p for p in parameters if isinstance(p, (int, float))]
    if torch.compiler.is_compiling():
        return double(x) if numbers else x
    return x if all(map(tails.is_single, numbers)) else double(x)


top = partial(tails.top, _this)
sum_pairs, jaccard_steps = partial(tails.sum_pairs, _this), partial(tails.jaccard_steps, _this)


def exp_parts(x: Array) -> tuple[Array, Array]:
    """Of float32 by float64."""
    if x.dtype == torch.float64:
        return tails.exp_parts(_this, x)
    high, wide = torch.exp(x), torch.exp(double(x.detach()))
    return high, torch.where(x.detach().abs() < 10, wide - high.detach(), 0.0).to(x.dtype)


levels, ranks = partial(tails.levels, _this), partial(tails.ranks, _this)
cumsum = partial(torch.cumsum, dim=-1)


def overlap_slopes(over: Array, missed: Array, right: Array, *parameters: Array) -> tuple[Array, Array]:
    wide = tails.overlap_slopes(_this, double(over), double(missed), double(right), *parameters)
    outside, inside = (slope.to(right.dtype) for slope in wide)
    return torch.where(outside == torch.inf, 0.0, outside), torch.where(inside == torch.inf, 0.0, inside)


def entry(x: Array, place: int) -> Array:
    return x[..., place]


def inner(x: Array, y: Array) -> Array:
    """Autocast would multiply in half precision."""
    if not autocasts(x):
        return x @ y.transpose(-1, -2)
    with torch.autocast(x.device.type, enabled=False):
        return x @ y.transpose(-1, -2)


def log_odds(p: Array, like: Array) -> tuple[Array, Array]:
    """The low part is 0 for a tensor or under a compiler."""
    if isinstance(p, Tensor) or torch.compiler.is_compiling():
        p = double(zero_dimensional(p, like))
        return torch.log(p) - torch.log1p(-p), 0.0
    return tails.log_odds(p)


def zero_dimensional(number: Array, like: Array) -> Array:
    if isinstance(number, Tensor):
        return number
    return torch.full((), number, dtype=_double(like), device=like.device)


def angle(y: Array, x: Array) -> Array:
    return torch.atan2(y, x)


def just_above(x: Array) -> Array:
    """ONNX has no nextafter: x stays."""
    if x.dtype != torch.float32 or _to_onnx():
        return x
    number, last = x.detach(), torch.finfo(x.dtype).max
    return x + torch.where(number < last, torch.nextafter(number, torch.full_like(number, last)) - number, 0.0)


def stop_gradient(x: Array) -> Array:
    return x.detach()


def with_slope_of(value: Array, form: Callable[[], Array]) -> Array:
    """Compilers keep the value's own slope: they differentiate no slope again."""
    if torch.compiler.is_compiling() or not _may_differentiate(value):
        return value
    smooth = form()
    change = smooth - smooth.detach()
    return value.detach() + torch.where(change == change, change, 0.0)  # inf − inf is NaN


def softmax(x: Array) -> Array:
    """Where it is differentiated, probabilities are rounded once, as later slopes are products and sums of them."""
    if _is_traced() or not (_may_differentiate(x) and _may_need_vjp(x)):
        return tails.softmax(_this, x)
    return with_vjp(_close_softmax, partial(tails.softmax_pulled, _this), x)


def _close_softmax(x: Array) -> Array:
    form = tails.softmax_closely if x.dtype == torch.float64 else tails.softmax
    return form(_this, double(x)).to(x.dtype)


def softmax_complement(x: Array) -> Array:
    return with_slope_of(tails.softmax_complement(_this, x), lambda: -softmax(x))


def descending(x: Array) -> Array:
    return torch.sort(x, dim=-1, descending=True).values


def places(x: Array) -> Array:
    if _to_onnx():
        return torch.sort(x.detach(), dim=-1, descending=True).indices
    return torch.sort(x.detach(), dim=-1, descending=True, stable=True).indices


def inverted(places: Array) -> Array:
    ascending = torch.arange(places.shape[-1], device=places.device).expand(places.shape)
    return torch.zeros_like(places).scatter(-1, places, ascending)


def picked(x: Array, places: Array) -> Array:
    return torch.gather(x, -1, places)


def reversed(x: Array) -> Array:
    return torch.flip(x, (-1,))


def shift_by_top(x: Array) -> tuple[Array, Array]:
    if not x.shape[-1]:  # argmax refuses an empty row
        return x == x, x
    place = torch.argmax(x, dim=-1, keepdim=True)
    top = torch.arange(x.shape[-1], device=x.device) == place
    largest = torch.gather(x, -1, place)
    nothing = largest == -torch.inf  # no entry counts
    return top, torch.where(top & (x > -torch.inf), 0.0, x - torch.where(nothing, 0.0, largest))


def expected(values: Array, target: Array) -> Array:
    if is_integer(target):
        return torch.gather(values, -1, target.unsqueeze(-1)).squeeze(-1)
    return torch.where(target == 0, 0.0, target * values).sum(-1)


def expected_log(values: Array, target: Array) -> Array:
    if is_integer(target):
        return torch.log(expected(values, target))
    return xlogy(target, values).sum(-1)


def one_hot(target: Array, like: Array) -> Array:
    if not is_integer(target):
        return target
    return (torch.arange(like.shape[-1], device=like.device) == target.unsqueeze(-1)).to(like.dtype)


def xlogy(x: Array, y: Array) -> Array:
    """torch.xlogy has a NaN gradient at (0, 0)."""
    return torch.xlogy(x, torch.where((x == 0) & (y == 0), 1.0, y))


def xlog1py(x: Array, y: Array) -> Array:
    """torch's own has a NaN gradient at (0, −1)."""
    y = torch.where((x == 0) & (y == -1), 0.0, y)
    return x * log1p(y) if _to_onnx() else torch.special.xlog1py(x, y)


def ratio(x: Array, y: Array) -> Array:
    return torch.where(x == 0, 0.0, x / torch.where(x == 0, 1.0, y))


# ------------------------------------------------------------------------- how arguments come and go

isnan = torch.isnan
_HALF = (torch.float16, torch.bfloat16)
_REAL = (torch.float32, torch.float64, *_HALF)
_WHOLE = (
    torch.int64, torch.int32, torch.bool, torch.uint8, torch.int16, torch.int8, torch.uint16, torch.uint32, torch.uint64
)  # fmt: skip


def enter(x: Array, label: str, like: Array | None = None) -> Array:
    """A tensor on the device of `like`; else raise TypeError."""
    if not isinstance(x, Tensor):
        name = label.rpartition(" ")[2]
        raise TypeError(
            f"{label} must be a torch tensor here, as the other arguments are, got {type(x).__name__}; "
            f"torch.as_tensor({name}) is a tensor"
        )
    if x.dtype not in _REAL and x.dtype not in _WHOLE:
        raise TypeError(f"{label} must hold real numbers, got dtype {x.dtype}")
    if x.layout is not torch.strided and x.layout is not torch.jagged:
        name = label.rpartition(" ")[2]
        raise TypeError(f"{label} must be a dense tensor, got layout {x.layout}; {name}.to_dense() is one")
    if like is not None and x.device != like.device:
        raise TypeError(f"{label} lies on device {x.device}, the prediction on {like.device}")
    return x


def moveaxis(x: Array, source: int, destination: int) -> Array:
    """torch.jit.trace's ONNX exporter misreads negative axes."""
    source, destination = source % x.ndim, destination % x.ndim
    return x if source == destination else torch.movedim(x, source, destination)


def row(numbers: tuple[float, ...], like: Array) -> Array:
    """The numbers beside `like`; on a GPU they are kept, as a copy to it waits for it."""
    if is_plain(like, ALL_DTYPES, True) and like.is_cuda:
        return _kept_row(numbers, like.dtype, like.device)
    return torch.tensor(numbers, dtype=like.dtype, device=like.device)


@functools.lru_cache(maxsize=256)
def _kept_row(numbers: tuple[float, ...], dtype: torch.dtype, device: torch.device) -> Tensor:
    with torch.inference_mode(False):
        return torch.tensor(numbers, dtype=dtype, device=device)


def arange(n: int, like: Array) -> Array:
    return torch.arange(n, device=like.device)


def draw(distribution: str, generator: Any, like: Array, owner: str) -> Array:
    if not isinstance(generator, torch.Generator):
        raise TypeError(f"{owner}: generator must be a torch.Generator here, got {type(generator).__name__}")
    return drawn(distribution, like, generator)


def drawn(distribution: str, like: Tensor, generator: torch.Generator | None = None) -> Tensor:
    """Draw noise, by default from the global generator."""
    noise = torch.empty_like(widen(like.detach()))
    if distribution == "uniform":
        return noise.uniform_(generator=generator)
    return -noise.exponential_(generator=generator).log()


def spread(values: Array, places: Array, count: int) -> Array:
    return torch.zeros(count, dtype=values.dtype, device=values.device).index_copy(0, places, values)


def padded(x: Array, count: int, axis: int) -> Array:
    return torch.nn.functional.pad(x, (0, 0) * (-1 - axis) + (count, count))


def joined(a: Array, b: Array) -> Array:
    return torch.cat([a, b], dim=-1)


def is_integer(x: Array) -> bool:
    return not (x.is_floating_point() or x.is_complex())


def autocasts(x: Tensor) -> bool:
    """Whether autocast is on for x; the meta device has none."""
    device = x.device.type
    return device != "meta" and torch.is_autocast_enabled(device)


def result_dtype(x: Array, loss: bool = False) -> Any:
    """The argument's own dtype, or the default for integers; float32 for losses under autocast."""
    if is_integer(x):
        return torch.get_default_dtype()
    if loss and x.dtype in _HALF and autocasts(x):
        return torch.float32
    return x.dtype


def widen(x: Array, like: Array | None = None) -> Array:
    """x in the dtype of bodies: of `like` if given, but float32 for a half type."""
    dtype = result_dtype(x) if like is None else like.dtype
    dtype = torch.float32 if dtype in _HALF else dtype
    return x if x.dtype == dtype else x.to(dtype)  # under torch.func any cast wraps a tensor


for_kernel = widen


def narrow(x: Array, dtype: Any) -> Array:
    """PyTorch rounds float64 to a half type by way of float32, and so twice; TorchScript and ONNX view no bits."""
    if x.dtype == torch.float64 and dtype in _HALF and not (_is_traced_by_jit() or _to_onnx()):
        x = _round_to_odd(x)
    return x.to(dtype)


def _round_to_odd(x: Tensor) -> Tensor:
    """Round float64 to float32 as NumPy's reading does."""
    single = x.to(torch.float32)
    held, exact = single.detach(), x.detach()
    near = held.to(torch.float64)
    bits = held.view(torch.int32)
    odd = torch.where(near == exact, bits, (bits - (near.abs() > exact.abs()).int()) | 1).view(torch.float32)
    return single + torch.where(held.isfinite(), odd - held, 0.0)


def check_out(owner: str, out: Any, x: Array) -> None:
    """Refuse `out`: autograd cannot record it."""
    if out is not None:
        raise TypeError(f"{owner}: out is for NumPy arrays; out.copy_({owner}(x)) writes a tensor's result to another")


def quiet() -> AbstractContextManager[Any]:
    return nullcontext()


def is_concrete(x: Array) -> bool:
    """Whether values can be read without waiting for a device or breaking a trace."""
    return (
        not _is_traced()
        and not torch._C._len_torch_dispatch_stack()  # make_fx and linearize trace by a mode
        and type(x) in (Tensor, torch.nn.Parameter)
        and x.device.type == "cpu"
        and not torch._C._functorch.is_functorch_wrapped_tensor(x)
    )


def assert_on_gpu(holds: Array, message: str) -> None:
    """Let a GPU raise an error where a condition does not hold, without waiting for it; not in a trace."""
    if is_plain(holds, (torch.bool,), True) and holds.is_cuda:
        torch._assert_async(holds.all(), message)


def total(x: Array) -> Array:
    return x.sum(dtype=_double(x))


def extremes(x: Array) -> tuple[float, float]:
    least, largest = torch.aminmax(x.detach())
    return float(least), float(largest)


def count(x: Array) -> int:
    return x.numel()  # type: ignore[no-any-return]


# --------------------------------------------------------------------------------------- derivatives


class _WithVjp(torch.autograd.Function):
    """value(x, *rest) with the gradient pull_back(gradient, x, *rest) by x, which can be differentiated again.

    Operations are element-wise or row-wise over leading axes, so vmap only moves the batch to the front.
    """

    @staticmethod
    def forward(value: Any, pull_back: Any, x: Tensor, *rest: Tensor) -> Tensor:
        return value(widen(x), *rest)  # type: ignore[no-any-return]

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Tensor) -> None:
        _, ctx.pull_back, *tensors = inputs
        ctx.save_for_backward(*tensors)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        x, *rest = ctx.saved_tensors
        pulled = ctx.pull_back(gradients[0], widen(x), *rest)
        return None, None, pulled.to(x.dtype), *(None for _ in rest)

    @staticmethod
    def vmap(info: Any, in_dims: Any, value: Any, pull_back: Any, *tensors: Tensor) -> tuple[Tensor, int]:
        front = [
            tensor.expand(info.batch_size, *tensor.shape) if dim is None else tensor.movedim(dim, 0)
            for tensor, dim in zip(tensors, in_dims[2:], strict=True)
        ]
        return _apply(value, pull_back, *front), 0


def _apply(value: Callable[..., Array], pull_back: Callable[..., Array], x: Tensor, *rest: Tensor) -> Any:
    """torch.jit.trace records operations, as it cannot store a Function."""
    if not torch.compiler.is_compiling() and _is_traced_by_jit():
        return value(widen(x), *rest)
    return _WithVjp.apply(value, pull_back, x, *rest)  # type: ignore[no-untyped-call]


def differentiable(value: Callable[..., Array], slope: Callable[..., Array] | None, x: Array, *rest: Array) -> Array:
    """value(x, *rest), differentiated by x through `slope`; with more axes than the value it is the gradient of a row.

    Autograd differentiates the operations if another argument may need a gradient, and in forward mode: nested, a
    Function's own ``jvp`` gives a silent second derivative of 0.
    """
    if slope is None or not _may_need_vjp(x) or any(map(wants_gradient, rest)):
        return value(widen(x), *rest)

    def pull_back(gradient: Tensor, *arguments: Tensor) -> Tensor:
        rows: Tensor = slope(*arguments)
        for _ in range(rows.ndim - gradient.ndim):
            gradient = gradient.unsqueeze(-1)
        return gradient * rows

    return _apply(value, pull_back, x, *rest)


def with_vjp(value: Callable[..., Array], pull_back: Callable[..., Array] | None, x: Array, *rest: Array) -> Array:
    if pull_back is None or not _may_need_vjp(x) or any(map(wants_gradient, rest)):
        return value(widen(x), *rest)
    return _apply(value, lambda gradient, *arguments: pull_back(*arguments, gradient), x, *rest)


def wants_gradient(x: Tensor) -> bool:
    """Whether x may need a gradient: unknown, hence True, for floats in torch.func's transforms."""
    if x.requires_grad or not x.is_floating_point() or torch.compiler.is_compiling():
        return x.requires_grad
    return torch._C._functorch.is_functorch_wrapped_tensor(x)


def _may_differentiate(x: Tensor) -> bool:
    """Whether x may be differentiated, in either mode: always in traces, but not in ONNX's."""
    if _to_onnx():
        return False
    if _is_traced():
        return True
    return (torch.is_grad_enabled() and wants_gradient(x)) or torch.autograd.forward_ad._current_level >= 0


def _may_need_vjp(x: Tensor) -> bool:
    """Whether x may need a gradient in reverse mode, outside forward mode and functionalize."""
    if torch.compiler.is_compiling():
        return wants_gradient(x)
    in_forward_mode = torch.autograd.forward_ad._current_level >= 0
    return wants_gradient(x) and not in_forward_mode and not _is_functionalized()


def _is_functionalized() -> bool:
    """Whether torch.func.functionalize, without support for autograd.Function, is active."""
    levels = torch._C._functorch.get_interpreter_stack()
    return levels is not None and any(level.key() == TransformType.Functionalize for level in levels)


def slope_of(
    name: str, value: Callable[..., Array], x: Tensor, *rest: Tensor, cotangent: Array = None, coupled: bool = False
) -> Tensor:
    result, pull_back, *_ = torch.func.vjp(lambda x: value(x, *rest), x)
    return pull_back(torch.ones_like(result) if cotangent is None else cotangent.to(result.dtype))[0]  # type: ignore[no-any-return]


def parameter(name: str, value: Any, like: Array = None) -> Any:
    """A parameter for a card's body, with a first argument `like`."""
    if type(value) is float or type(value) is int:
        if like is not None and not tails.fits_single(value) and result_dtype(like) is not torch.float64:
            becomes = 0 if abs(value) < 1 else torch.inf
            raise ValueError(
                f"{name} must be a number of float32, in which this tensor is computed: {value} is {becomes} there"
            )
        return value
    if isinstance(value, Tensor):
        if value.dtype not in _REAL and value.dtype not in _WHOLE:
            raise TypeError(f"{name} must hold real numbers, got dtype {value.dtype}")
        if like is not None and value.ndim and value.device != like.device:
            raise TypeError(f"{name} lies on device {value.device}, the arguments on {like.device}")
        dtype = torch.float64 if like is not None and result_dtype(like) is torch.float64 else torch.float32
        return value if value.dtype in (dtype, torch.float64) else value.to(dtype)  # bodies split it or take its log
    if hasattr(value, "__array__"):
        raise TypeError(
            f"{name} must be a number or a torch tensor here, as the arguments are, got {type(value).__name__}; "
            f"torch.as_tensor({name}) is a tensor"
        )
    return value


def labels(x: Array) -> Array:
    return x.long()
