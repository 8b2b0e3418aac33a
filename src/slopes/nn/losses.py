"""Forwards of PyTorch's losses: the card, and PyTorch's conventions."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from slopes.catalogue import CARDS
from slopes.fast import tensors as fast
from slopes.nn.common import (
    Compute,
    composed,
    fits,
    reduced,
    run_fast,
    settings_of,
    values_of,
    with_contiguous_gradient,
)
from slopes.readings import torch as r


def _known(module: Any) -> bool:
    """Whether the reduction is one of three; PyTorch knows more names."""
    return module.reduction in ("mean", "sum", "none")


def _loss(*names: str) -> Compute:
    def compute(self: Any, card: Any, input: Any, *rest: Any) -> Any:
        if isinstance(input, Tensor):
            result = run_fast(fast.run_loss, self, names, (float, int, bool), card, self.reduction, (input, *rest))
            if result is not None:
                return result
        fit = fits(input, *rest) and all(x.shape == input.shape for x in rest)
        if not fit or not _known(self) or (settings := settings_of(card, self, input, *names)) is None:
            return None
        return reduced(self, values_of(card, settings, input, *rest), input)

    return compute


def _whole(*names: str) -> Compute:
    """An element-wise loss whose target, signs or counts, may be integers."""

    def compute(self: Any, card: Any, input: Any, *rest: Any) -> Any:
        *others, target = rest
        return _loss(*names)(self, card, input, *others, _as(input, target))

    return compute


def _as(input: Any, target: Any) -> Any:
    whole = fits(input) and isinstance(target, Tensor) and not target.is_complex() and r.is_integer(target)
    return target.to(input.dtype) if whole else target


def _hinges(self: Any, card: Any, input: Any, target: Any) -> Any:
    """HingeEmbeddingLoss; PyTorch adds both losses where a target is neither 1 nor −1."""
    target, settings = _as(input, target), settings_of(card, self, input, "margin")
    if not _known(self) or not fits(input, target) or target.shape != input.shape or settings is None:
        return None
    other = _is_no_sign(target)
    if other is None:
        return reduced(self, values_of(card, settings, input, target), input)
    near, far = (values_of(card, settings, input, torch.full_like(target, sign)) for sign in (1, -1))
    return reduced(self, torch.where(target == 1, near, torch.where(other, near + far, far)), input)


def _is_no_sign(target: Tensor) -> Tensor | None:
    """Mask of targets other than 1 and −1, if any."""
    other = target.abs() != 1
    return None if r.is_concrete(target) and not bool(other.any()) else other


def _vectors(self: Any, card: Any, first: Any, second: Any, target: Any) -> Any:
    """CosineEmbeddingLoss: 0 where a target is neither 1 nor −1, as in PyTorch."""
    target, settings = _as(first, target), settings_of(card, self, first, "margin")
    fit = _known(self) and fits(first, second, target) and first.numel() and first.ndim in (1, 2)
    if not fit or settings is None or first.shape != second.shape or target.shape != first.shape[:-1]:
        return None
    other = _is_no_sign(target)
    if other is None:
        return reduced(self, values_of(card, settings, first, second, target), first)
    values = values_of(card, settings, first, second, torch.where(other, 1.0, target))
    return reduced(self, torch.where(other, 0.0, values), first)


def _triplets(self: Any, card: Any, anchor: Any, positive: Any, negative: Any) -> Any:
    """TripletMarginLoss; its default eps only guards PyTorch's root, and is left out."""
    settings = settings_of(card, self, anchor, "margin", "p", "swap")
    fit = _known(self) and self.eps <= 1e-6 and fits(anchor, positive, negative) and anchor.ndim and anchor.numel()
    if not fit or settings is None or not anchor.shape == positive.shape == negative.shape:
        return None
    return reduced(self, values_of(card, settings, anchor, positive, negative), anchor)


def _distances(self: Any, card: Any, anchor: Any, positive: Any, negative: Any) -> Any:
    """TripletMarginWithDistanceLoss: the positive's distance ranks behind."""
    fit = _known(self) and fits(anchor, positive, negative) and anchor.ndim == positive.ndim == negative.ndim
    settings = settings_of(card, self, anchor, "margin")
    if not fit or settings is None:
        return None
    near, far = self.distance_function(anchor, positive), self.distance_function(anchor, negative)
    if self.swap:
        far = torch.minimum(far, self.distance_function(positive, negative))
    if not fits(near, far) or near.shape != far.shape:
        return None
    return reduced(self, values_of(card, settings, far, near, torch.ones_like(far)), far, dtype=composed(far, near))


def _rivals(self: Any, card: Any, input: Any, target: Any) -> Any:
    """MultiMarginLoss: a mean over classes, times the right class's weight."""
    settings = settings_of(card, self, input, "margin", "p")
    fit = _known(self) and fits(input, self.weight) and isinstance(target, Tensor) and input.ndim in (1, 2)
    if not fit or settings is None or not input.numel():
        return None
    classes = input.shape[-1]
    if target.dtype != torch.int64 or target.shape != input.shape[:-1] or not _are_classes(target, classes):
        return None
    if self.weight is not None and self.weight.shape != (classes,):
        return None
    values = values_of(card, settings | {"form": "weston_watkins"}, input, target) / classes
    return reduced(self, values if self.weight is None else values * self.weight[target], input)


def _labels(self: Any, card: Any, input: Any, target: Any) -> Any:
    """MultiLabelSoftMarginLoss: a mean over classes, each weighted."""
    fit = _known(self) and fits(input, target, self.weight) and input.ndim and input.numel()
    if not fit or input.shape != target.shape:
        return None
    if self.weight is None:
        values = values_of(card, card.settings, input, target)
    else:
        card = CARDS["binary_cross_entropy"]
        values = values_of(card, card.settings, input, target) * self.weight
        if values.shape != input.shape:
            return None
        values = values.mean(-1)
    return reduced(self, values, input, dtype=composed(input, target, self.weight))


PAIRS = 2**24  #: more pairs need too much memory; PyTorch stores none


def _lists(self: Any, card: Any, input: Any, target: Any) -> Any:
    """MultiLabelMarginLoss; a target lists classes, perhaps twice, up to the first −1."""
    fit = _known(self) and fits(input) and isinstance(target, Tensor) and target.dtype is torch.int64
    if not fit or input.ndim not in (1, 2) or target.shape != input.shape or not input.numel():
        return None
    classes = input.shape[-1]
    if input.numel() * classes > PAIRS or not _are_classes(target + 1, classes + 1):
        return None
    listed = (target < 0).cumsum(-1) == 0
    often = torch.zeros_like(r.widen(input.detach()))
    often = often.scatter_add(-1, torch.where(listed, target, 0), listed.to(often.dtype))
    return reduced(self, values_of(card, card.settings, input, often), input)


def _variances(self: Any, card: Any, input: Any, target: Any, var: Any) -> Any:
    """GaussianNLLLoss; a variance clipped at eps has a gradient, as in PyTorch."""
    settings = settings_of(card, self, input, "full", "eps")
    if isinstance(var, float) and fits(input):
        var = torch.full_like(input, var)
    fit = _known(self) and fits(input, target, var) and input.shape == target.shape
    if not fit or settings is None or (r.is_concrete(var) and bool((var < 0).any())):
        return None
    dtype = composed(input, target, var)
    if var.shape == input.shape[:-1] and input.ndim:
        var = var.unsqueeze(-1)
    if var.shape != input.shape and not _has_one_axis_of_1(var, input):
        return None
    held = torch.where(var < self.eps, var.detach().clamp(min=self.eps) + (var - var.detach()), var)
    return reduced(self, values_of(card, settings, input, target, held.expand(input.shape)), input, dtype=dtype)


def _has_one_axis_of_1(var: Tensor, input: Tensor) -> bool:
    """Whether a single axis is to be broadcast, which PyTorch does."""
    unlike = [size for size, wanted in zip(var.shape, input.shape, strict=False) if size != wanted]
    return var.ndim == input.ndim and unlike == [1]


def _binary(self: Any, card: Any, input: Any, target: Any) -> Any:
    """BCELoss: a certain error costs 100 and has a slope of 1e12, as in PyTorch."""
    if not _known(self) or not fits(input, target, self.weight) or target.shape != input.shape:
        return None
    if self.weight is not None and not _spreads(self.weight, input):
        return None
    outside = any(r.is_concrete(x) and not bool(((x >= 0) & (x <= 1)).all()) for x in (input, target))
    if outside or (input.device.type != "cpu" and r.autocasts(input)):
        return None
    settings = card._settings({"from_probabilities": True})

    def cost(answer: float) -> Tensor:
        def of(body: Any) -> Any:
            return lambda p: body(p, torch.full_like(p, answer), **settings)

        value, slope = of(card.body), of(card.slope_body)
        costs: Tensor = r.differentiable(lambda p: _held(value, p, 100.0), lambda p: _held(slope, p, 1e12), input)
        return costs

    target = r.widen(target)
    values = target * cost(1.0) + (1 - target) * cost(0.0)
    return reduced(self, values if self.weight is None else values * self.weight, input)


def _held(function: Any, x: Tensor, most: float) -> Tensor:
    """function(x), clipped to ±most and constant beyond."""
    outer = function(r.stop_gradient(x)).clamp(-most, most)
    beyond = outer.abs() == most
    return torch.where(beyond, outer, function(torch.where(beyond, 0.5, x)))


def _spreads(weight: Tensor, input: Tensor) -> bool:
    sizes = zip(reversed(weight.shape), reversed(input.shape), strict=False)
    return weight.ndim <= input.ndim and all(size in (1, wanted) for size, wanted in sizes)


def _with_logits_fast(self: Any, card: Any, input: Tensor, target: Any) -> Tensor | None:
    pos_weight, weight = self.pos_weight, self.weight
    parameters: tuple[tuple[str, float], ...] = ()
    counting: dict[str, Any] = {}
    if pos_weight is not None:
        if type(pos_weight) is not Tensor or not _spreads(pos_weight, input) or not r.is_concrete(pos_weight):
            return None
        if pos_weight.numel() == 1:
            parameters = (("pos_weight", pos_weight.item()),)
        else:
            counting["entries"] = {"pos_weight": pos_weight.expand(input.shape)}
    if weight is not None:
        if type(weight) is not Tensor or not _spreads(weight, input) or not r.is_concrete(weight):
            return None
        if bool((weight == 0).any()):
            return None  # PyTorch multiplies an infinite value by 0, which is NaN
        counting |= {"weight": weight.expand(input.shape)}
        counting |= {"divisor": input.numel()} if self.reduction == "mean" else {}
    return fast.run_loss(card, self.reduction, (input, target), parameters, **counting)


def _binary_with_logits(self: Any, card: Any, input: Any, target: Any) -> Any:
    if isinstance(input, Tensor):
        result = _with_logits_fast(self, card, input, target)
        if result is not None:
            return result
    if not _known(self) or not fits(input, target, self.weight, self.pos_weight) or target.shape != input.shape:
        return None
    settings = card._settings({})
    if self.pos_weight is not None:
        settings["pos_weight"] = self.pos_weight.expand(input.shape)
    values = values_of(card, settings, input, target)
    return reduced(self, values if self.weight is None else values * self.weight, input)


def _divergence(self: Any, card: Any, input: Any, target: Any) -> Any:
    """KLDivLoss: "mean" is over entries, with PyTorch's warning, "batchmean" over rows."""
    settings = settings_of(card, self, input, "log_target")
    if not fits(input, target) or input.shape != target.shape or settings is None:
        return None
    if self.reduction != "batchmean" and not _known(self):
        return None
    if self.reduction == "mean":
        torch.nn.functional.kl_div(input.new_empty(0), input.new_empty(0))  # for its warning
    count = input.shape[0] if self.reduction == "batchmean" and input.ndim else None
    if self.reduction != "batchmean" or count:
        reduction = "mean" if count else self.reduction
        parameters = (("log_target", bool(self.log_target)),)
        divisor = count or (input.numel() if reduction == "mean" else None)
        result = fast.run_loss(card, reduction, (input, target), parameters, divisor=divisor)
        if result is not None:
            return result
    return reduced(self, values_of(card, settings, input, target), input, count)


def _classes(self: Any, card: Any, input: Any, target: Any) -> Any:
    """A loss of rows, with classes on axis 1, for labels or, if it may smooth, probabilities."""
    is_usual = isinstance(input, Tensor) and self.weight is None and not getattr(self, "label_smoothing", 0)
    is_large = fast.has_many_entries(input)
    result = None
    if is_usual and is_large:
        result = fast.run_loss_of_labels(card, self.reduction, input, target, (), self.ignore_index)
    if result is not None:
        return result
    kernel = _kernel_of_rows(self, card, input, target) if is_large else None
    if kernel is None and is_usual and _known(self):
        result = fast.run_nll(input, target, self.reduction, self.ignore_index, card is CARDS["nll"])
    if result is not None:
        return result
    return _loss_of_classes(self, card, kernel, input, target)


def _loss_of_classes(self: Any, card: Any, kernel: Any, input: Any, target: Any) -> Any:
    if not _known(self) or not fits(input, self.weight) or not isinstance(target, Tensor):
        return None
    if not input.ndim or not input.numel():
        return None
    axis = min(1, input.ndim - 1)
    rows = with_contiguous_gradient(input).movedim(axis, -1)
    smoothing: float | None = getattr(self, "label_smoothing", None)
    if self.weight is not None and self.weight.shape != rows.shape[-1:]:
        return None
    if not 0 <= (smoothing or 0.0) <= 1:
        return None
    if target.dtype in (torch.int64, torch.uint8) and target.shape == rows.shape[:-1]:
        return _loss_of_labels(self, card, kernel, rows, target, input, smoothing)
    if smoothing is None or self.ignore_index >= 0 or not _are_chances(target, input):
        return None
    return _loss_of_rows(self, card, kernel, rows, _smooth(self, target.movedim(axis, -1), rows, smoothing), input)


def _are_chances(target: Tensor, input: Tensor) -> bool:
    return target.shape == input.shape and fits(input, target)


def _smooth(self: Any, chances: Tensor, rows: Tensor, smoothing: float | None) -> Tensor:
    wide = r.widen(rows).dtype
    target = chances.to(wide)
    if smoothing:
        target = target * (1.0 - smoothing) + smoothing / rows.shape[-1]
    return target if self.weight is None else target * self.weight.to(wide)


def _loss_of_labels(
    self: Any, card: Any, kernel: Any, rows: Tensor, target: Tensor, input: Tensor, smoothing: float | None
) -> Any:
    classes, weight = rows.shape[-1], None if self.weight is None else self.weight.to(r.widen(rows).dtype)
    if kernel is not None and weight is None and _are_all_kept(target, classes, self.ignore_index):
        return _loss_of_rows(self, card, kernel, rows, target.long(), input)
    kept = target != self.ignore_index
    labels = torch.where(kept, target.long(), 0)
    if not _are_classes(labels, classes):
        return None
    count = counted(labels, kept, weight)
    if smoothing and (kernel is None or weight is not None):
        chances = _smooth(self, r.one_hot(labels, rows), rows, smoothing)
        return _loss_of_rows(self, card, kernel, rows, chances, input, None, kept, count)
    scale = None if weight is None else weight[labels]
    return _loss_of_rows(self, card, kernel, rows, labels, input, scale, kept, count)


def _kernel_of_rows(self: Any, card: Any, input: Tensor, target: Any) -> Any:
    if not isinstance(target, Tensor) or not input.ndim:
        return None
    smoothing = getattr(self, "label_smoothing", None) or 0.0
    labelled = target.ndim < input.ndim and not (smoothing and self.weight is not None)
    if not (isinstance(smoothing, (int, float)) and 0 <= smoothing <= 1):
        return None
    smoothing = float(smoothing) if labelled else 0.0
    axis = min(1, input.ndim - 1)
    return fast.find_row_kernel(card, card.settings, input, axis, labelled, smoothing, (target, self.weight), False)


def _loss_of_rows(
    self: Any, card: Any, kernel: Any, rows: Tensor, target: Tensor, input: Tensor,
    scale: Tensor | None = None, kept: Tensor | None = None, count: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """The loss of rows: values times `scale` where `kept`, reduced."""

    def finish(values: Tensor) -> Tensor:
        values = values if scale is None else values * scale
        return reduced(self, values if kept is None else torch.where(kept, values, 0.0), input, count)

    if kernel is None:
        return finish(values_of(card, card.settings, rows, target))
    cotangent = None
    if self.reduction != "none":
        ones: dict[str, Any] = {"dtype": r.widen(rows).dtype, "device": rows.device}
        cotangent = torch.ones(rows.shape[:-1], **ones) if scale is None else scale
        if self.reduction == "mean":
            cotangent = cotangent / (cotangent.numel() if count is None else count)
        cotangent = cotangent if kept is None else torch.where(kept, cotangent, 0.0)
    return fast.compute_loss(kernel, fast.Reduction(finish, cotangent, kept), rows, target)


def _are_classes(labels: Tensor, classes: int) -> bool:
    """Whether labels are in range, or cannot be read."""
    return not r.is_concrete(labels) or not bool(((labels < 0) | (labels >= classes)).any())


def _are_all_kept(labels: Tensor, classes: int, ignored: int) -> bool:
    if not labels.numel() or not labels.is_cpu or 0 <= ignored < classes:
        return False
    least, largest = torch.aminmax(labels)
    return int(least) >= 0 and int(largest) < classes


def counted(labels: Tensor, kept: Tensor, weight: Tensor | None) -> Tensor:
    """Divisor of a mean over labels: their number or weights."""
    return kept.sum() if weight is None else torch.where(kept, weight[labels], 0.0).sum()


LOSSES: dict[str, tuple[str, Compute]] = {
    "L1Loss": ("mae", _loss()),
    "MSELoss": ("mse", _loss()),
    "HuberLoss": ("huber", _loss("delta")),
    "KLDivLoss": ("relative_entropy", _divergence),
    "BCELoss": ("binary_cross_entropy", _binary),
    "BCEWithLogitsLoss": ("binary_cross_entropy", _binary_with_logits),
    "SmoothL1Loss": ("smooth_l1", _loss("beta")),
    "SoftMarginLoss": ("soft_margin", _whole()),
    "HingeEmbeddingLoss": ("hinge_embedding", _hinges),
    "MarginRankingLoss": ("margin_ranking", _whole("margin")),
    "CosineEmbeddingLoss": ("cosine_embedding", _vectors),
    "TripletMarginLoss": ("triplet_margin", _triplets),
    "TripletMarginWithDistanceLoss": ("margin_ranking", _distances),
    "MultiMarginLoss": ("multiclass_hinge", _rivals),
    "MultiLabelMarginLoss": ("multilabel_margin", _lists),
    "MultiLabelSoftMarginLoss": ("multilabel_soft_margin", _labels),
    "PoissonNLLLoss": ("poisson_nll", _whole("log_input", "full", "eps")),
    "GaussianNLLLoss": ("gaussian_nll", _variances),
    "NLLLoss": ("nll", _classes),
    "NLLLoss2d": ("nll", _classes),
    "CrossEntropyLoss": ("cross_entropy", _classes),
}
