"""Gradient and Hessian by the raw score: a loss's by autograd, an objective's by differences, and their comparison."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray

from slopes.auditing.subject import Subject
from slopes.kinds.spaces import Space

RTOL, CLASSES = 1e-5, 3
#: raw scores, off the kinks of most losses
RAW = np.round(0.013 + 0.97 * np.array([-20, -10, -5, -2, -1, -0.3, 0, 0.3, 1, 2, 5, 10, 20.0]), 3)
Numbers = NDArray[np.float64]
Derivatives = tuple[Numbers, Numbers]


@dataclass(frozen=True)
class Batch:
    """Raw scores, the targets of their rows, and weights if any."""

    raw: Numbers
    label: Numbers
    weight: Numbers | None = None

    def rows(self, *places: int) -> Batch:
        rows = list(places)
        return Batch(self.raw[rows], self.label[rows], None if self.weight is None else self.weight[rows])


def trial_batches(loss: Subject | None, by_class: bool | None, rng: np.random.Generator) -> list[Batch]:
    """Batches to try: a raw score per row, a row of scores each (`by_class`), or both if nothing decides."""
    labels = (0, 1) if loss is None else _labels(loss.form.spaces[1])
    plain = Batch(np.repeat(RAW, len(labels)), np.tile(np.asarray(labels, float), len(RAW)))
    rows = Batch(np.round(3 * rng.standard_normal((12, CLASSES)), 3), np.arange(12.0) % CLASSES)
    rows.raw[:2] *= 5
    if by_class is None and loss is not None:
        by_class = is_by_rows(loss)
    return [plain, rows] if by_class is None else [rows if by_class else plain]


def _labels(space: Space) -> tuple[float, ...]:
    """Labels of every size, or both of two."""
    if space.is_sign:
        return -1, 1
    if space.is_real:
        return -20, -1, 0, 0.5, 3, 20
    if space.is_count or space.is_positive:
        return (0, 0.5, 3, 20) if space.is_count else (0.5, 3, 20)
    return 0, 1


def is_by_rows(loss: Subject) -> bool:
    return loss.form.kind is not None and loss.form.kind.rowwise


def truth(loss: Subject, batch: Batch) -> Derivatives:
    """(gradient, Hessian's diagonal) of a loss by the raw score, row by row, by autograd in float64."""
    first, second = np.zeros_like(batch.raw), np.zeros_like(batch.raw)
    link = _link(loss)
    shape = (1, -1) if is_by_rows(loss) else (1,) * len(loss.form.shape)
    for place in range(len(batch.raw)):
        z = torch.tensor(batch.raw[place], dtype=torch.float64, requires_grad=True)
        prediction = link(z).reshape(shape)
        target = _target(loss, torch.tensor(batch.label[place], dtype=torch.float64), prediction)
        (gradient,) = torch.autograd.grad(loss.total(prediction, target), z, create_graph=True)
        diagonal = torch.zeros_like(gradient).reshape(-1)
        for entry, slope in enumerate(gradient.reshape(-1)):
            if slope.requires_grad:
                diagonal[entry] = torch.autograd.grad(slope, z, retain_graph=True)[0].reshape(-1)[entry]
        first[place], second[place] = gradient.detach().numpy(), diagonal.reshape(z.shape).numpy()
    return first, second


def _link(loss: Subject) -> Callable[[torch.Tensor], torch.Tensor]:
    if loss.space.is_probability:
        return (lambda z: torch.softmax(z, -1)) if is_by_rows(loss) else torch.sigmoid
    if loss.space.is_log_probability and is_by_rows(loss):
        return lambda z: torch.log_softmax(z, -1)
    return torch.exp if loss.space.is_positive and not is_by_rows(loss) else torch.clone


def _target(loss: Subject, label: torch.Tensor, prediction: torch.Tensor) -> torch.Tensor:
    if not is_by_rows(loss):
        return label.reshape(prediction.shape).to(torch.int64 if loss.form.target == "whole" else label.dtype)
    label = label.long().reshape(1)
    if loss.form.target == "rows" or len(loss.draw()[1].shape) == len(loss.form.shape):
        return torch.nn.functional.one_hot(label, CLASSES).to(prediction.dtype)
    return label


def differences(derivatives: Callable[[Batch], Derivatives], batch: Batch, step: float = 1e-3) -> Numbers:
    """Derivative of the gradient, entry by entry, by fourth-order differences."""
    slopes = np.zeros_like(batch.raw)
    for column in [...] if batch.raw.ndim == 1 else [(slice(None), column) for column in range(batch.raw.shape[1])]:
        for steps, weight in ((-2, 1), (-1, -8), (1, 8), (2, -1)):
            raw = batch.raw.copy()
            raw[column] += steps * step
            slopes[column] += weight * derivatives(replace(batch, raw=raw))[0][column]
    return slopes / (12 * step)


def is_close(x: Numbers, y: Numbers) -> bool:
    """Whether arrays are equal within RTOL, or differ by too little for any framework's float32."""
    with np.errstate(invalid="ignore"):
        return bool(np.allclose(x, y, rtol=RTOL, atol=1e-7 * max(1.0, float(np.abs(y).max()))))


def ratio(x: Numbers, y: Numbers) -> float | None:
    """c if x = c · y and y is not 0; else None."""
    size = float((y * y).sum())
    if size == 0:
        return None
    factor = float((x * y).sum()) / size
    return factor if factor and is_close(x / factor, y) else None


def worst_row(x: Numbers, y: Numbers) -> int:
    return int(np.argmax(np.abs(x - y).reshape(len(x), -1).max(axis=-1)))
