"""Curves of a study's activations and losses, and of their slopes."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from slopes.card import Card, Loss
from slopes.comparing.report import scales
from slopes.comparing.report.panels import LEFT, RIGHT, TOP, WIDTH, Group, Number, Panel, bottom, path
from slopes.comparing.results import Results

Line = tuple[Any, Any, Any]  #: x, value, slope


def activation_curves(study: Results) -> list[Group]:
    job = study.plan.job
    found = [_tried(_activation_lines, activation) for activation in job.activations]
    finite = [y[np.isfinite(y)] for lines, _ in found for _, *both in lines for y in both]
    low = min(max(min((float(y.min()) for y in finite if y.size), default=0.0), -2.0), -0.5) - 0.1
    high = max(min(max((float(y.max()) for y in finite if y.size), default=0.0), 3.0), 1.0) + 0.1
    panels = []
    for name, activation, (lines, trouble) in zip(study.plan.names["activation"], job.activations, found, strict=True):
        panel = Panel(name, note=trouble or getattr(activation, "summary", ""), describes=trouble)
        _draw_function(panel, lines, -4.0, 4.0, low, high)
        if lines:
            x, value, _ = lines[0]
            panel.describes = f"{name}(0) = {float(value[np.abs(x).argmin()]):.3g}"
        panels.append(panel)
    ticks = [(_across(-4.0, 4.0)(t), _signed(t)) for t in (-4, 0, 4)]
    heights = _height(low, high)
    yticks = [(heights(t), _signed(t)) for t in range(math.ceil(low), math.floor(high) + 1)]
    return [Group(panels, "activations", xticks=ticks, yticks=yticks)]


def loss_curves(study: Results) -> list[Group]:
    """Each loss has its own axes, as units differ."""
    panels = []
    for colour, (name, loss) in enumerate(zip(study.plan.names["loss"], study.plan.job.losses, strict=True)):
        curve, trouble = _tried(_loss_curve, loss)
        summary = getattr(loss, "summary", "")
        panel = Panel(name, colour=colour, note=f"{trouble or curve.axis}. {summary}".strip(), describes=trouble)
        if not trouble:
            lines = [(line.x, line.value, line.broken_slope()) for line in curve.lines]
            first, last = (float(end) for end in np.round(lines[0][0][[0, -1]], 2))
            shown = np.concatenate([y[np.isfinite(y)] for _, *both in lines for y in both])
            low, high = (float(q) for q in np.quantile(shown, (0.01, 0.99))) if shown.size else (0.0, 1.0)
            low, high = min(low, 0.0), max(high, low + 1e-6)
            margin = 0.05 * (high - low)
            _draw_function(panel, lines, first, last, low - margin, high + margin)
            across, heights = _across(first, last), _height(low - margin, high + margin)
            panel.xticks = [(across(t), _signed(t)) for t in (first, (first + last) / 2, last)]
            panel.yticks = [(heights(t), _signed(t)) for t in scales.round_numbers(low, high, 5)]
            panel.describes = f"{name} against {curve.axis}"
        panels.append(panel)
    return [Group(panels, "losses")]


def _tried(sample: Callable[[Any], Any], function: Any) -> tuple[Any, str]:
    """(samples, "") or (nothing, reason), as a user's function may fail."""
    try:
        return sample(function), ""
    except Exception as error:
        return [], str(error) if isinstance(error, _NoCurveError) else "it cannot be drawn"


class _NoCurveError(Exception):
    pass


def _activation_lines(activation: Any) -> list[Line]:
    if isinstance(activation, Card):
        from slopes.plotting.samples import curve

        return [(line.x, line.value, line.broken_slope()) for line in curve(activation).lines]
    import torch

    from slopes.models.replacing import module_of

    module = module_of(activation).eval()
    x = torch.linspace(-4, 4, 401).requires_grad_()
    value = module(x)
    (slope,) = torch.autograd.grad(value.sum(), x)
    if value.shape != x.shape or not torch.allclose(module(x[:1]), value[:1]):
        raise _NoCurveError("It mixes the entries of its input, so that no curve shows it")
    return [(x.detach().numpy(), value.detach().numpy(), slope.numpy())]


def _loss_curve(loss: Any) -> Any:
    from slopes.plotting.samples import curve

    if not isinstance(loss, Loss):
        raise _NoCurveError("It is trained as it is, and no card tells its arguments")
    if not loss.kind.has_curve:
        raise _NoCurveError("It compares the entries of a batch, so that no curve shows it")
    return curve(loss)


def _draw_function(panel: Panel, lines: Sequence[Line], first: float, last: float, low: float, high: float) -> None:
    across, heights = _across(first, last), _height(low, high)
    for x, value, slope in lines:
        for kind, numbers in (("slope", slope), ("value", value)):
            points = ((across(a), heights(b) if math.isfinite(b) else None) for a, b in zip(x, numbers, strict=True))
            panel.shapes.append((kind, path(_straightened(list(points)))))


def _straightened(points: list[tuple[float, Number]]) -> list[tuple[float, Number]]:
    """Drop points within a tenth of a unit of the line between kept neighbours."""
    kept, passed = points[:1], []
    for point, after in pairwise(points[1:]):
        passed.append(point)
        if len(passed) > 30 or not _straight(kept[-1], after, passed):
            kept.append(point)
            passed = []
    return kept + points[-1:]


def _straight(start: tuple[float, Number], end: tuple[float, Number], between: list[tuple[float, Number]]) -> bool:
    (x0, y0), (x1, y1) = start, end
    if y0 is None or y1 is None or x0 == x1:
        return False
    return all(y is not None and abs(y0 + (y1 - y0) * (x - x0) / (x1 - x0) - y) < 0.1 for x, y in between)


def _across(first: float, last: float) -> Callable[[float], float]:
    return lambda x: LEFT + (x - first) / (last - first) * (WIDTH - RIGHT - LEFT)


def _height(low: float, high: float) -> Callable[[float], float]:
    """Vertical scale that reaches beyond the panel, which clips it."""
    far = 9 * (high - low)
    return lambda y: bottom() - (min(max(y, low - far), high + far) - low) / (high - low) * (bottom() - TOP)


def _signed(value: float) -> str:
    return f"{value + 0.0:.4g}".replace("-", "−")
