"""The last linear layer and its loss in one function, without the whole matrix of logits."""

from __future__ import annotations

import functools
import inspect
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from slopes import fast, kinds, ops
from slopes.activations.smooth import softcap as cap_softly
from slopes.card import Loss
from slopes.domains import Interval, Positive, plain, shown
from slopes.losses.classification import z_loss as square

BYTES = 2**25  #: of a chunk's logits by default
MULTIPLE = 64  #: divides the rows of a chunk: products of fewer rows take longer
ROWS_ON_GPU = 1024  #: of a chunk at least: each chunk reads the whole weight
CAP = Positive.__metadata__[0]  # type: ignore[attr-defined]
FACTOR = Interval(0.0, closed=True)


def linear_loss(
    features: Any, weight: Any, target: Any, *, loss: Loss, bias: Any = None, chunk: int | None = None,
    softcap: float | None = None, z_loss: float = 0.0, row_weight: Any = None, mask: Any = None,
    reduction: str = "mean", divisor: Any = None, **parameters: Any,
) -> Any:  # fmt: skip
    """Return ``loss(features @ weight.T + bias, target)``, computed for a chunk of rows at a time.

    Features have the shape (..., D), the weight (classes, D) and the bias (classes,), as in `torch.nn.Linear`. The loss
    is any card of rows of predictions and targets: ``slopes.cross_entropy``, or your own. The target has labels (...,)
    or rows (..., classes).

    A chunk's logits exist only while its loss and gradient are computed. A large vocabulary takes little memory: the
    gradients by features, weight and bias, and about 32 MB, 1024 rows on a GPU or `chunk` rows of logits. Masked and
    ignored rows are skipped.

    `softcap` bounds the logits as ``slopes.softcap`` does. `z_loss` times ``slopes.z_loss`` is added to a row's loss.
    `mask` and `row_weight` (a loss's `weight`) have the shape of the unreduced loss. Other keywords are the loss's own.
    Raises TypeError or ValueError for arguments that do not fit.
    """
    owner = "linear_loss"
    card = _compose(owner, loss, softcap, z_loss)
    if "axis" in parameters:
        raise TypeError(f"{owner}: takes no axis; the classes lie on the last one")
    if chunk is not None and (isinstance(chunk, bool) or not hasattr(chunk, "__index__") or chunk.__index__() < 1):
        raise ValueError(f"{owner}: chunk must be a number of rows >= 1, got {shown(chunk)}")
    reduction = plain(reduction)
    kinds.OPTIONS["reduction"].check(owner, "reduction", reduction)
    if divisor is not None and reduction != "mean":
        raise ValueError(f"{owner}: divisor replaces the mean's denominator; it does not go with {reduction!r}")
    given = {"features": features, "weight": weight, "target": target, "bias": bias}
    r = ops.reading(*(x for x in given.values() if x is not None))
    given |= {"row_weight": row_weight, "mask": mask}
    first = r.enter(features, f"{owner}: features")
    arrays: dict[str, Any] = {
        name: x if x is None else r.enter(x, f"{owner}: {name}", first) for name, x in given.items()
    }
    _check_shapes(owner, **arrays)
    x, matrix, vector = (arrays.pop(name) for name in ("features", "weight", "bias"))
    rows = LinearRows(r, card, tuple(x.shape[:-1]), reduction, divisor, parameters, chunk, **arrays)
    x = x.reshape(-1, x.shape[-1])
    with r.quiet():
        run = fast.find(x, "compute_linear_loss")
        if run is not None:
            return run(rows, x, matrix, vector)
        return rows.finish(x, *rows.compute_values(x, matrix, vector))


def _compose(owner: str, loss: Any, softcap: Any, z_loss: Any) -> Loss:
    names = ["prediction", "target"]
    fits = isinstance(loss, Loss) and loss.has_values and loss.rowwise and not loss.kind.batched
    if not fits or list(loss.kind.body) != names:
        raise TypeError(
            f"{owner}: loss must be a card of rows of predictions and targets, such as slopes.cross_entropy, "
            f"got {shown(loss)}"
        )
    softcap, z_loss = plain(softcap), plain(z_loss)
    for name, value, domain in (("softcap", softcap, CAP), ("z_loss", z_loss, FACTOR)):
        if value is not None:
            domain.check(owner, name, value)
    return loss if softcap is None and not z_loss else _composed(loss, softcap, float(z_loss))


@functools.lru_cache(maxsize=64)
def _composed(loss: Loss, softcap: float | None, z_loss: float) -> Loss:
    def capped(x: Any) -> Any:
        return x if softcap is None else cap_softly.body(x, cap=softcap)

    def counted(logits: Any, target: Any) -> Any:
        """The target, or rows that sum to 1 where it counts no rows."""
        return target if loss.kind.takes_labels else ops.top(logits)

    def body(prediction: Any, target: Any, **settings: Any) -> Any:
        logits = capped(prediction)
        value = loss.body(logits, target, **settings)
        return value + z_loss * square.body(logits, counted(logits, target)) if z_loss else value

    def slope(prediction: Any, target: Any, **settings: Any) -> Any:
        logits = capped(prediction)
        rows = loss.slope_body(logits, target, **settings)
        if z_loss:
            rows = rows + z_loss * square.slope_body(logits, counted(logits, target))
        return rows if softcap is None else rows * cap_softly.slope_body(prediction, cap=softcap)

    body.__signature__ = inspect.signature(loss.body, eval_str=True)  # type: ignore[attr-defined]
    body.__name__ = body.__qualname__ = loss._root.name
    body.__module__ = loss.__module__
    card = Loss(body, kind=loss.kind)
    if loss.slope_body is not None:
        card.derivative(slope)
    return card.with_(**loss.bound)


def _check_shapes(
    owner: str, *, features: Any, weight: Any, target: Any, bias: Any, row_weight: Any, mask: Any
) -> None:
    if weight.ndim != 2 or not features.ndim or features.shape[-1] != weight.shape[-1]:
        raise ValueError(
            f"{owner}: features {tuple(features.shape)} and weight {tuple(weight.shape)} must have the shapes (..., D) "
            "and (classes, D)"
        )
    classes, batch = weight.shape[0], tuple(features.shape[:-1])
    if not classes:
        raise ValueError(f"{owner}: weight {tuple(weight.shape)} has no classes")
    if bias is not None and tuple(bias.shape) != (classes,):
        raise ValueError(f"{owner}: bias {tuple(bias.shape)} must be ({classes},), one for each class")
    if tuple(target.shape) not in (batch, (*batch, classes)):
        raise ValueError(
            f"{owner}: target {tuple(target.shape)} must be labels {batch} or rows {(*batch, classes)} for features "
            f"{tuple(features.shape)}"
        )
    for name, array in (("row_weight", row_weight), ("mask", mask)):
        if array is not None and tuple(array.shape) != batch:
            raise ValueError(f"{owner}: {name} {tuple(array.shape)} must have the shape of the unreduced loss, {batch}")
    if mask is not None:
        kinds.check_mask(owner, mask)


@dataclass
class LinearRows:
    """The rows of a `linear_loss`, whose logits come chunk by chunk."""

    r: ModuleType
    card: Loss
    shape: tuple[int, ...]  #: of the unreduced loss
    reduction: str
    divisor: Any
    options: Mapping[str, Any]
    chunk: int | None
    target: Any
    row_weight: Any
    mask: Any
    dtype: Any = None  #: of the result, where the features have another

    def __post_init__(self) -> None:
        is_labels = self.target.ndim == len(self.shape)
        self.target = self.target.reshape(-1) if is_labels else self.target.reshape(-1, self.target.shape[-1])
        self.row_weight, self.mask = (x if x is None else x.reshape(-1) for x in (self.row_weight, self.mask))
        ignored = plain(self.options.get("ignore_index"))
        self.ignored = ignored if type(ignored) is int and is_labels and self.r.is_integer(self.target) else None

    @functools.cached_property
    def kept(self) -> Any:
        """Indices of the rows that count; None if all do, or if values cannot be read."""
        counts = self.mask
        if self.ignored is not None:
            known = self.r.labels(self.target) != self.ignored
            counts = known if counts is None else counts & known
        if counts is None or not self.r.is_concrete(counts) or bool(counts.all()):
            return None
        return self.r.arange(counts.shape[0], counts)[counts]

    def chunks(self, classes: int, itemsize: int) -> Iterator[Any]:
        """Yield slices or indices of rows: at least one chunk, so that wrong options raise."""
        count = self.target.shape[0] if self.kept is None else self.kept.shape[0]
        usual = max(BYTES // (classes * itemsize) // MULTIPLE, 1) * MULTIPLE
        if getattr(self.target, "is_cuda", False):
            usual = max(usual, ROWS_ON_GPU)
        step = usual if self.chunk is None else self.chunk
        for start in range(0, max(count, 1), step):
            rows = slice(start, min(start + step, count))
            yield rows if self.kept is None else self.kept[rows]

    def enter(self, logits: Any, rows: Any, *, wants_slope: bool) -> tuple[kinds.Batch, Any, Any]:
        """Return (unreduced batch, value, slope)."""
        target, weight, mask = (x if x is None else x[rows] for x in (self.target, self.row_weight, self.mask))
        options = dict(self.options)
        if self.kept is not None:
            mask = None
            options.pop("ignore_index", None)
        batch, value, slope = self.card._enter(
            self.r, (logits, target), reduction="none", weight=weight, mask=mask, divisor=None, options=options,
            wants_slope=wants_slope,
        )  # fmt: skip
        batch.dtype = batch.like.dtype
        return batch, value, slope

    def count(self, batch: kinds.Batch) -> Any:
        """Return the batch's part of a mean's denominator, else 0."""
        return batch.count() if self.reduction == "mean" and self.divisor is None else 0

    def compute_values(self, x: Any, weight: Any, bias: Any) -> tuple[Any, Any]:
        """Return (values of all rows, their count in the mean)."""
        r, count, parts = self.r, 0, []
        for rows in self.chunks(weight.shape[0], r.widen(x[:0]).dtype.itemsize):
            logits = ops.inner(x[rows], weight)
            batch, value, slope = self.enter(logits if bias is None else logits + bias, rows, wants_slope=False)
            if batch.kernel is not None:
                parts.append(fast.loss_by_kernel(batch))
            else:
                parts.append(r.narrow(batch.reduce(batch.values(value, slope)), batch.dtype))
            count = count + self.count(batch)
        return self.join(x, parts), count

    def join(self, x: Any, parts: list[Any]) -> Any:
        """Join chunks, with 0 for skipped rows."""
        values = functools.reduce(self.r.joined, parts)
        return values if self.kept is None else self.r.spread(values, self.kept, x.shape[0])

    def finish(self, x: Any, values: Any, count: Any) -> Any:
        """Reduce the loss."""
        dtype = self.result_dtype(x)
        if self.reduction == "none":
            return self.r.narrow(values.reshape(self.shape), dtype)
        return self.r.narrow(self.batch(x, values, count).reduce(values), dtype)

    def result_dtype(self, x: Any) -> Any:
        """Return the loss's dtype."""
        return self.r.result_dtype(x, loss=True) if self.dtype is None else self.dtype

    def batch(self, x: Any, values: Any, count: Any) -> kinds.Batch:
        """Return the batch of all rows' values, with the mean's divisor."""
        batch = kinds.Batch(self.r, "linear_loss", x, (), values, values.dtype)
        if self.reduction == "mean" and self.divisor is not None:
            batch.reduce_by(self.reduction, self.divisor)
        elif self.reduction == "mean":
            is_number = isinstance(count, (int, float))
            batch.divisor, batch.may_be_zero = (count or math.inf) if is_number else count, not is_number
        return batch
