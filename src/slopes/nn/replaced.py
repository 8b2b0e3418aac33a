"""PyTorch's activation and loss classes, each with a forward that a card computes."""

from __future__ import annotations

import functools
import inspect
import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from slopes.card import Card
from slopes.catalogue import CARDS
from slopes.readings import torch as r

Compute = Callable[..., Any]  #: of the module, its card and forward's arguments; None where PyTorch's forward is due

# ------------------------------------------------------------------------------------ what a card takes

_REAL = (torch.float16, torch.bfloat16, torch.float32, torch.float64)


def _fits(first: Any, *rest: Any) -> bool:
    """Whether a card can take the tensors: dense, real, on one device, of one type or made so by autocast."""
    tensors = [tensor for tensor in (first, *rest) if tensor is not None]
    if not all(
        isinstance(x, Tensor) and x.dtype in _REAL and x.layout is torch.strided and not x.is_nested for x in tensors
    ):
        return False
    if all(x.dtype is first.dtype and x.device == first.device for x in tensors):
        return True
    narrow = all(x.dtype is not torch.float64 and x.device == first.device for x in tensors)
    return narrow and torch.is_autocast_enabled(first.device.type)


def _settings(card: Card[Any], module: torch.nn.Module, names: dict[str, str]) -> dict[str, Any] | None:
    """The card's parameters as the module has them; None where one lies outside the card's domain."""
    try:
        return card._settings({name: getattr(module, attribute) for name, attribute in names.items()})
    except ValueError:
        return None


def _values(card: Card[Any], settings: dict[str, Any], x: Tensor, *rest: Tensor) -> Tensor:
    """The unreduced values of tensors that fit, in float32 at least, differentiated by the card's derivative.

    A parameter that is a tensor of the shape of x is one of the arguments.
    """
    arrays = {name: value for name, value in settings.items() if isinstance(value, Tensor)}
    plain = {name: value for name, value in settings.items() if name not in arrays}

    n = len(rest)

    def bind(body: Any) -> Any:
        return body and (lambda x, *a: body(x, *a[:n], **plain, **dict(zip(arrays, a[n:], strict=True))))

    dtype = torch.float32 if x.dtype in (torch.float16, torch.bfloat16) else x.dtype
    others = [t.to(dtype) if t.is_floating_point() else t for t in (*rest, *arrays.values())]
    values: Tensor = r.differentiable(bind(card.body), bind(card.slope_body), x, *others)
    return values


def _reduced(module: Any, values: Tensor, input: Tensor, count: Any = None, dtype: Any = None) -> Tensor:
    """The values reduced as PyTorch does it; `count` is what a mean divides by, where that is not their number."""
    dtype = dtype or r.result_dtype(input, loss=True)
    if module.reduction == "none":
        return values.to(dtype)
    total: Tensor = r.total(values)
    if module.reduction.endswith("mean"):
        total = total / (values.numel() if count is None else count)
    return total.to(dtype)


def _composed(*tensors: Tensor | None) -> torch.dtype:
    """The type of a loss that is no operation of its own in PyTorch, so that autocast on a CPU leaves it alone."""
    present = [tensor for tensor in tensors if tensor is not None]
    if present[0].device.type != "cpu":
        return r.result_dtype(present[0], loss=True)  # type: ignore[no-any-return]
    return functools.reduce(torch.promote_types, (tensor.dtype for tensor in present))


# ---------------------------------------------------------------------------- PyTorch's classes, replaced

REPLACED: dict[str, type[torch.nn.Module]] = {}


def _replace(name: str, card: Card[Any], compute: Compute) -> None:
    """Subclass PyTorch's class of that name by one whose forward is `compute`, or PyTorch's own where that is None."""
    base = getattr(torch.nn, name)
    names = list(inspect.signature(base.forward).parameters)[1:]

    def forward(self: Any, *arguments: Any, **named: Any) -> Any:
        if named and set(named) == set(names[len(arguments) :]):
            arguments, named = (*arguments, *(named[name] for name in names[len(arguments) :])), {}
        if named or len(arguments) != len(names):
            return base.forward(self, *arguments, **named)  # which says what is wrong
        if isinstance(arguments[0], torch.fx.Proxy):
            return leaf(self, arguments)
        result = compute(self, card, *arguments)
        return base.forward(self, *arguments) if result is None else result

    ours = tuple(REPLACED[parent.__name__] for parent in base.__mro__[1:] if parent.__name__ in REPLACED)
    doc = f"PyTorch's {name}, computed by slopes.\n\n{inspect.cleandoc(base.__doc__ or '')}"
    forward.__code__ = forward.__code__.replace(co_name=f"{name}.forward")  # torch.compile counts by code object
    body = {"forward": functools.wraps(base.forward)(forward), "__module__": "slopes.nn", "__doc__": doc}
    REPLACED[name] = type(name, (base, *ours), body)


def leaf(module: torch.nn.Module, arguments: tuple[Any, ...]) -> Any:
    """The module as one node of a trace by `torch.fx`, as those of torch.nn are."""
    tracer = arguments[0].tracer
    return tracer.create_proxy("call_module", tracer.path_of_module(module), arguments, {})


def _elementwise(**names: str) -> Compute:
    """Forward of an activation; names are the card's parameters, as the module's attributes call them."""

    def compute(self: Any, card: Any, input: Any) -> Any:
        if not _fits(input) or (settings := _settings(card, self, names)) is None:
            return None
        return _applied(self, card, settings, _autocast(self, input))

    return compute


def _applied(self: Any, card: Any, settings: dict[str, Any], input: Tensor) -> Tensor:
    """The card's values in the type of the input, and if wished in its place."""
    inplace = getattr(self, "inplace", False)
    kept = input.clone() if inplace and r.wants_gradient(input) else input  # what the gradient is computed from
    result = _values(card, settings, kept).to(input.dtype)
    return input.copy_(result) if inplace else result


def _softplus(self: Any, card: Any, input: Any) -> Any:
    """The card has no threshold: from 20 on, PyTorch's default, the line beyond it is the card's value, rounded."""
    return _elementwise(beta="beta")(self, card, input) if self.threshold >= 20 else None


def _autocast(module: torch.nn.Module, input: Tensor) -> Tensor:
    """The input as float32 where autocast wants that of PyTorch's operation; CPUs want it of losses alone."""
    device = input.device.type
    wide = isinstance(module, _WIDE) and device != "cpu" and torch.is_autocast_enabled(device)
    return input.float() if wide and input.dtype is not torch.float64 else input


_WIDE = tuple(getattr(torch.nn, name) for name in ("Softmax", "Softmin", "Softmax2d", "LogSoftmax", "Softplus"))


_implicit: Callable[[str, int, int], int] = torch.nn.functional._get_softmax_dim  # type: ignore[attr-defined]


def _along(legacy: str, before: Callable[[Tensor], Tensor] | None = None) -> Compute:
    """Forward of a map of the rows along `dim`; `legacy` is PyTorch's name in its warning that dim is None."""

    def compute(self: Any, card: Any, input: Any) -> Any:
        if not _fits(input) or not input.numel() or not input.ndim:
            return None
        dim = _implicit(legacy, input.ndim, 5) if self.dim is None else self.dim
        if not -input.ndim <= dim < input.ndim:
            return None
        return _mapped(self, card, before(input) if before else input, dim)

    return compute


def _mapped(self: Any, card: Any, input: Tensor, dim: int) -> Tensor:
    """The card along the axis; a row of −inf alone is NaN, as in PyTorch."""
    nothing = input.amax(dim, keepdim=True) == -math.inf
    mapped: Tensor = card(_autocast(self, input), axis=dim)
    return mapped.masked_fill(nothing, math.nan)


def _halves(self: Any, card: Any, input: Any) -> Any:
    """Forward of GLU."""
    if not _fits(input) or not input.numel() or not -input.ndim <= self.dim < input.ndim or input.shape[self.dim] % 2:
        return None
    return card(input, axis=self.dim)


def _channels(self: Any, card: Any, input: Any) -> Any:
    """Forward of PReLU, whose weight is one number or one for each channel, on axis 1."""
    count = self.weight.numel()
    if not _fits(input, self.weight) or self.weight.ndim > 1 or torch.is_autocast_enabled(input.device.type):
        return None
    if count != 1 and (input.ndim < 2 or input.shape[1] != count):
        return None
    weight = self.weight.reshape((-1, *(1,) * (input.ndim - 2)) if count > 1 else ()).expand(input.shape)
    return _applied(self, card, {"weight": weight}, input)


def _drawn(self: Any, card: Any, input: Any) -> Any:
    """Forward of RReLU: in training with the slopes that PyTorch draws, so that a seed gives the same ones."""
    if not _fits(input):
        return None
    slope: Any = (self.lower + self.upper) / 2
    if self.training:
        slope = torch.empty_like(input)
        torch.ops.aten.rrelu_with_noise(input.detach(), slope, self.lower, self.upper, True)
    return _applied(self, card, {"negative_slope": slope}, input)


def _planes(self: Any, card: Any, input: Any) -> Any:
    """Forward of Softmax2d: of each pixel, in a picture or a batch of them."""
    return _mapped(self, card, input, -3) if _fits(input) and input.ndim in (3, 4) and input.numel() else None


def _loss(**names: str) -> Compute:
    """Forward of a loss that is computed element by element of arguments of one shape."""

    def compute(self: Any, card: Any, input: Any, *rest: Any) -> Any:
        fit = _fits(input, *rest) and all(x.shape == input.shape for x in rest)
        if not fit or not _known(self) or (settings := _settings(card, self, names)) is None:
            return None
        return _reduced(self, _values(card, settings, input, *rest), input)

    return compute


def _whole(**names: str) -> Compute:
    """The same where the last argument, of signs or counts, may hold integers."""

    def compute(self: Any, card: Any, input: Any, *rest: Any) -> Any:
        *others, target = rest
        return _loss(**names)(self, card, input, *others, _as(input, target))

    return compute


def _as(input: Any, target: Any) -> Any:
    """An integer target in the type of the input."""
    whole = _fits(input) and isinstance(target, Tensor) and not target.is_complex() and r.is_integer(target)
    return target.to(input.dtype) if whole else target


def _vectors(self: Any, card: Any, first: Any, second: Any, target: Any) -> Any:
    """Forward of CosineEmbeddingLoss."""
    target, settings = _as(first, target), _settings(card, self, {"margin": "margin"})
    fit = _known(self) and _fits(first, second, target) and first.numel() and first.ndim in (1, 2)
    if not fit or settings is None or first.shape != second.shape or target.shape != first.shape[:-1]:
        return None
    return _reduced(self, _values(card, settings, first, second, target), first)


def _triplets(self: Any, card: Any, anchor: Any, positive: Any, negative: Any) -> Any:
    """Forward of TripletMarginLoss; its eps guards PyTorch's root, and is no part of the distance unless enlarged."""
    settings = _settings(card, self, {"margin": "margin", "p": "p", "swap": "swap"})
    fit = _known(self) and self.eps <= 1e-6 and _fits(anchor, positive, negative) and anchor.ndim and anchor.numel()
    if not fit or settings is None or not anchor.shape == positive.shape == negative.shape:
        return None
    return _reduced(self, _values(card, settings, anchor, positive, negative), anchor)


def _distances(self: Any, card: Any, anchor: Any, positive: Any, negative: Any) -> Any:
    """Forward of TripletMarginWithDistanceLoss: the positive's distance is to rank behind the negative's."""
    fit = _known(self) and _fits(anchor, positive, negative) and anchor.ndim == positive.ndim == negative.ndim
    settings = _settings(card, self, {"margin": "margin"})
    if not fit or settings is None:
        return None
    near, far = self.distance_function(anchor, positive), self.distance_function(anchor, negative)
    if self.swap:
        far = torch.minimum(far, self.distance_function(positive, negative))
    if not _fits(near, far) or near.shape != far.shape:
        return None
    return _reduced(self, _values(card, settings, far, near, torch.ones_like(far)), far, dtype=_composed(far, near))


def _rivals(self: Any, card: Any, input: Any, target: Any) -> Any:
    """Forward of MultiMarginLoss: a mean over classes, of which the right one's weight is the row's."""
    settings = _settings(card, self, {"margin": "margin", "p": "p"})
    fit = _known(self) and _fits(input, self.weight) and isinstance(target, Tensor) and input.ndim in (1, 2)
    if not fit or settings is None or not input.numel():
        return None
    classes = input.shape[-1]
    if target.dtype != torch.int64 or target.shape != input.shape[:-1] or not _are_classes(target, classes):
        return None
    if self.weight is not None and self.weight.shape != (classes,):
        return None
    values = _values(card, settings | {"form": "weston_watkins"}, input, target) / classes
    return _reduced(self, values if self.weight is None else values * self.weight[target], input)


def _labels(self: Any, card: Any, input: Any, target: Any) -> Any:
    """Forward of MultiLabelSoftMarginLoss: a mean over classes, each weighed."""
    fit = _known(self) and _fits(input, target, self.weight) and input.ndim and input.numel()
    if not fit or input.shape != target.shape:
        return None
    if self.weight is None:
        values = _values(card, card.settings, input, target)
    else:
        card = CARDS["binary_cross_entropy"]
        values = _values(card, card.settings, input, target) * self.weight
        if values.shape != input.shape:
            return None
        values = values.mean(-1)
    return _reduced(self, values, input, dtype=_composed(input, target, self.weight))


def _variances(self: Any, card: Any, input: Any, target: Any, var: Any) -> Any:
    """Forward of GaussianNLLLoss; as in PyTorch, a variance that is held at eps has its gradient all the same."""
    settings = _settings(card, self, {"full": "full", "eps": "eps"})
    if isinstance(var, float) and _fits(input):
        var = torch.full_like(input, var)
    fit = _known(self) and _fits(input, target, var) and input.shape == target.shape
    if not fit or settings is None or (r.is_concrete(var) and bool((var < 0).any())):
        return None
    dtype = _composed(input, target, var)
    if var.shape == input.shape[:-1] and input.ndim:
        var = var.unsqueeze(-1)
    if var.shape != input.shape:
        unlike = [size for size, wanted in zip(var.shape, input.shape, strict=False) if size != wanted]
        if var.ndim != input.ndim or unlike != [1]:  # PyTorch spreads a single axis
            return None
    held = torch.where(var < self.eps, var.detach().clamp(min=self.eps) + (var - var.detach()), var)
    return _reduced(self, _values(card, settings, input, target, held.expand(input.shape)), input, dtype=dtype)


def _known(module: Any) -> bool:
    """Whether the reduction is one of the three; PyTorch has words for others."""
    return module.reduction in ("mean", "sum", "none")


def _binary_with_logits(self: Any, card: Any, input: Any, target: Any) -> Any:
    if not _known(self) or not _fits(input, target, self.weight, self.pos_weight) or target.shape != input.shape:
        return None
    settings = card._settings({})
    if self.pos_weight is not None:
        settings["pos_weight"] = self.pos_weight.expand(input.shape)
    values = _values(card, settings, input, target)
    return _reduced(self, values if self.weight is None else values * self.weight, input)


def _divergence(self: Any, card: Any, input: Any, target: Any) -> Any:
    """Forward of KLDivLoss, whose mean warns that it is over entries, and that "batchmean" is over rows."""
    settings = _settings(card, self, {"log_target": "log_target"})
    if not _fits(input, target) or input.shape != target.shape or settings is None:
        return None
    if self.reduction != "batchmean" and not _known(self):
        return None
    if self.reduction == "mean":
        torch.nn.functional.kl_div(input.new_empty(0), input.new_empty(0))  # for its warning
    count = input.shape[0] if self.reduction == "batchmean" and input.ndim else None
    return _reduced(self, _values(card, settings, input, target), input, count)


def _classes(self: Any, card: Any, input: Any, target: Any) -> Any:
    """Forward of a loss of rows, with their classes on axis 1: of labels or, where it may smooth, probabilities."""
    if not (_known(self) and _fits(input, self.weight) and isinstance(target, Tensor) and input.ndim and input.numel()):
        return None
    axis = min(1, input.ndim - 1)
    rows = input.movedim(axis, -1)
    classes, wide = rows.shape[-1], r.widen(rows).dtype
    weight = None if self.weight is None else self.weight.to(wide)
    smoothing = getattr(self, "label_smoothing", None)
    labelled = target.dtype in (torch.int64, torch.uint8) and target.shape == rows.shape[:-1]
    soft = smoothing is not None and self.ignore_index < 0 and target.shape == input.shape and _fits(input, target)
    refused = not 0 <= (smoothing or 0) <= 1 or (weight is not None and weight.shape != (classes,))
    if refused or not (labelled or soft):
        return None

    def cost(rows_of_chances: Tensor) -> Tensor:
        target = rows_of_chances.to(wide)
        if smoothing:
            target = target * (1.0 - smoothing) + smoothing / classes
        return _values(card, card.settings, rows, target if weight is None else target * weight)

    if not labelled:
        return _reduced(self, cost(target.movedim(axis, -1)), input)
    kept = target != self.ignore_index
    labels = torch.where(kept, target.long(), 0)
    if not _are_classes(labels, classes):
        return None
    if smoothing:
        values = cost(r.one_hot(labels, rows))
    else:
        values = _values(card, card.settings, rows, labels)
        values = values if weight is None else values * weight[labels]
    return _reduced(self, torch.where(kept, values, 0.0), input, counted(labels, kept, weight))


def _are_classes(labels: Tensor, classes: int) -> bool:
    """Whether labels are in range, or cannot be looked at."""
    return not r.is_concrete(labels) or not bool(((labels < 0) | (labels >= classes)).any())


def counted(labels: Tensor, kept: Tensor, weight: Tensor | None) -> Tensor:
    """What a mean over labels divides by: how many there are, or the sum of their classes' weights."""
    return kept.sum() if weight is None else torch.where(kept, weight[labels], 0.0).sum()


#: PyTorch's class, the card, and how the one's arguments become the other's
TABLE: dict[str, tuple[str, Compute]] = {
    "ReLU": ("relu", _elementwise()),
    "LeakyReLU": ("leaky_relu", _elementwise(negative_slope="negative_slope")),
    "RReLU": ("leaky_relu", _drawn),
    "PReLU": ("prelu", _channels),
    "Threshold": ("threshold", _elementwise(threshold="threshold", value="value")),
    "Hardtanh": ("hard_tanh", _elementwise(min_val="min_val", max_val="max_val")),
    "ReLU6": ("relu6", _elementwise()),
    "ELU": ("elu", _elementwise(alpha="alpha")),
    "Sigmoid": ("sigmoid", _elementwise()),
    "LogSigmoid": ("log_sigmoid", _elementwise()),
    "Tanh": ("tanh", _elementwise()),
    "Softplus": ("softplus", _softplus),
    "GELU": ("gelu", _elementwise(approximate="approximate")),
    "SiLU": ("silu", _elementwise()),
    "Mish": ("mish", _elementwise()),
    "SELU": ("selu", _elementwise()),
    "CELU": ("celu", _elementwise(alpha="alpha")),
    "Softsign": ("softsign", _elementwise()),
    "Hardsigmoid": ("hard_sigmoid", _elementwise()),
    "Hardswish": ("hard_swish", _elementwise()),
    "Softshrink": ("softshrink", _elementwise(lambd="lambd")),
    "Hardshrink": ("hardshrink", _elementwise(lambd="lambd")),
    "Tanhshrink": ("tanhshrink", _elementwise()),
    "GLU": ("glu", _halves),
    "Softmax": ("softmax", _along("softmax")),
    "Softmin": ("softmax", _along("softmin", torch.neg)),
    "Softmax2d": ("softmax", _planes),
    "LogSoftmax": ("log_softmax", _along("log_softmax")),
    "L1Loss": ("mae", _loss()),
    "MSELoss": ("mse", _loss()),
    "HuberLoss": ("huber", _loss(delta="delta")),
    "KLDivLoss": ("relative_entropy", _divergence),
    "BCEWithLogitsLoss": ("binary_cross_entropy", _binary_with_logits),
    "SmoothL1Loss": ("smooth_l1", _loss(beta="beta")),
    "SoftMarginLoss": ("soft_margin", _whole()),
    "HingeEmbeddingLoss": ("hinge_embedding", _whole(margin="margin")),
    "MarginRankingLoss": ("margin_ranking", _whole(margin="margin")),
    "CosineEmbeddingLoss": ("cosine_embedding", _vectors),
    "TripletMarginLoss": ("triplet_margin", _triplets),
    "TripletMarginWithDistanceLoss": ("margin_ranking", _distances),
    "MultiMarginLoss": ("multiclass_hinge", _rivals),
    "MultiLabelSoftMarginLoss": ("multilabel_soft_margin", _labels),
    "PoissonNLLLoss": ("poisson_nll", _whole(log_input="log_input", full="full", eps="eps")),
    "GaussianNLLLoss": ("gaussian_nll", _variances),
    "NLLLoss": ("nll", _classes),
    "CrossEntropyLoss": ("cross_entropy", _classes),
}
for _name, (_card, _compute) in TABLE.items():
    if _card in CARDS:
        _replace(_name, CARDS[_card], _compute)
