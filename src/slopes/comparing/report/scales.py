"""Formats of a metric's numbers, and axes for them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from slopes.comparing.metrics import Metric

SHARES = (0.0, 0.5, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.999)
NEAREST = 5e-4  #: least distance to 1 on a stretched axis
WIDE = 6  #: times the median distance from the best value, from which on an axis is folded
FAR = 1000  #: times it, at which an axis ends: a number of a diverged run means nothing


@dataclass(frozen=True)
class Numbers:
    metric: Metric
    digits: int  #: after the decimal point
    unit: str = ""  #: in running text

    @classmethod
    def of(cls, metric: Metric, values: Iterable[float], unit: str = "") -> Numbers:
        """Choose one digit for per cent, otherwise digits for three significant ones in the median."""
        if metric.percent:
            return cls(metric, 1, " %")
        sizes = [abs(value) for value in values if value and math.isfinite(value)]
        digits = 2 - math.floor(math.log10(float(np.median(sizes)))) if sizes else 2
        return cls(metric, min(max(digits, 0), 6), f" {unit}" if unit and metric.in_units else "")

    @property
    def heading(self) -> str:
        return f"{self.metric.label}{', ' + self.unit.strip() if self.unit else ''}"

    def bare(self, value: float | None, more: int = 0) -> str:
        """Format a value without its unit."""
        if value is None or math.isnan(value):
            return "–"
        value = 100 * value if self.metric.percent else value
        written = f"{abs(value):.3g}" if abs(value) >= 1e6 else f"{abs(value):.{self.digits + more}f}"
        return f"−{written}" if value < 0 and written.strip("0.") else written

    def full(self, value: float | None) -> str:
        return self.bare(value) + self.unit

    def signed(self, value: float | None) -> str:
        """Format a difference, to one digit more than values."""
        written = self.bare(value, 1)
        return f"+{written}" if written[0] not in "−–" and written.strip("0.") else written

    def gap(self, difference: float) -> str:
        """Format the size of a difference, for running text."""
        return self.bare(abs(difference), 1) + self._step

    @property
    def margin(self) -> str:
        return f"{(100 if self.metric.percent else 1) * self.metric.margin:.3g}{self._step}"

    @property
    def _step(self) -> str:
        return " points" if self.metric.percent else self.unit

    def interval(self, low: float | None, high: float | None, sign: bool = False) -> str:
        if low is None or high is None:
            return "–"
        write = self.signed if sign else self.bare
        return f"{write(low)} to {write(high)}"


@dataclass(frozen=True)
class Axis:
    """Scale from values to positions between 0 and 1, clipped."""

    #: "linear"; "log"; "stretched", where equal steps divide the distance to 1 by equal factors; or "symlog", where
    #: equal steps multiply the distance to the `centre`, once that is above the `unit`
    kind: str
    low: float  #: ends, as values of `place`
    high: float
    ticks: tuple[tuple[float, str], ...]  #: (value, label)
    centre: float = 0.0
    unit: float = 1.0

    def at(self, value: float) -> float:
        return min(max((self.place(value) - self.low) / (self.high - self.low), 0.0), 1.0)

    def beyond(self, value: float) -> bool:
        return not self.low - 1e-9 <= self.place(value) <= self.high + 1e-9

    def place(self, value: float) -> float:
        """Position on the axis without ends."""
        if self.kind == "stretched":
            return _stretch(value)
        if self.kind == "log":
            return math.log10(value) if value > 0 else -math.inf
        if self.kind == "symlog":
            distance = (value - self.centre) / self.unit
            return math.copysign(math.log1p(abs(distance)), distance)
        return value

    def value(self, place: float) -> float:
        """Inverse of `place`, for "symlog"."""
        return self.centre + math.copysign(self.unit * math.expm1(abs(place)), place)


def _stretch(share: float) -> float:
    return -float(np.log10(max(1 - share, NEAREST)))


def of_metric(metric: Metric, values: Iterable[float], gap: float = 0.11) -> Axis:
    """Axis with ticks at least `gap` of its length apart.

    It is stretched for fractions near 1, and folded if some values are far from the best. Values of another order, as
    a diverged run has, are left out.
    """
    finite = [value for value in values if math.isfinite(value)] or [0.0, 1.0]
    if metric.percent:
        finite = [min(max(value, 0.0), 1.0) for value in finite]
        if metric.higher and max(finite) > 0.9:
            return _stretched(finite, gap)
    else:
        best = max(finite) if metric.higher else min(finite)
        finite = _near(finite, best, FAR)
        if len(_near(finite, best, WIDE)) < len(finite):
            return _folded(finite, best, gap)
    low, high = min(finite), max(finite)
    margin = 0.04 * (high - low) or 0.05 * abs(high) or 0.5
    low, high = low - margin, high + margin
    if metric.percent or (low < 0 <= min(finite)):
        low = max(low, 0.0)
    return linear(low, high, gap, percent=metric.percent)


def of_differences(metric: Metric, values: Iterable[float], gap: float = 0.11) -> Axis:
    """Axis that includes 0 and the region of practical equality."""
    finite = [value for value in values if math.isfinite(value)]
    shown = [0.0, 1.3 * metric.margin, -1.3 * metric.margin, *(_near(finite, 0.0, FAR) if finite else [])]
    if finite and len(_near(shown[3:], 0.0, WIDE)) < len(shown) - 3:
        return _folded(shown, 0.0, gap, percent=metric.percent, points=True)
    low, high = min(shown), max(shown)
    margin = 0.04 * (high - low) or 0.5
    return linear(low - margin, high + margin, gap, percent=metric.percent, points=True)


def _near(values: Sequence[float], best: float, times: float) -> list[float]:
    """Drop values so many times farther from the best than most."""
    reach = times * float(np.median(np.abs(np.subtract(values, best))))
    near = [value for value in values if abs(value - best) <= reach]
    return near if reach > 0 and len(near) < len(values) else list(values)


def _folded(values: Sequence[float], centre: float, gap: float, *, percent: bool = False, points: bool = False) -> Axis:
    """Axis that is linear around the centre and logarithmic far off."""
    distances = np.abs(np.subtract(values, centre))
    unit = float(np.median(distances[distances > 0]))
    bare = Axis("symlog", 0.0, 1.0, (), centre, unit)
    low, high = bare.place(min(values)), bare.place(max(values))
    margin = 0.04 * (high - low)
    low, high = low - margin, high + margin
    ticks: list[tuple[float, str]] = []
    steps = max(round(0.8 / gap), 2)
    edges = [low + (high - low) * i / steps for i in range(steps + 1)]
    factor = 100.0 if percent else 1.0
    for start, end in pairwise(edges):
        tick = _roundest(factor * bare.value(start), factor * bare.value(end))
        near = ticks and bare.place(tick / factor) - bare.place(ticks[-1][0]) < gap * (high - low)
        if near and tick == 0:
            ticks.pop()
        if not near or tick == 0:
            ticks.append((tick / factor, f"{_sign(tick) if points else ''}{_short(tick)}"))
    return Axis("symlog", low, high, tuple(ticks), centre, unit)


def _roundest(low: float, high: float) -> float:
    """Number with the fewest digits in an interval."""
    if low <= 0 <= high:
        return 0.0
    return min(round_numbers(low, high, 4), key=lambda number: len(f"{number:.10g}".strip("-0.").rstrip("0")))


def linear(low: float, high: float, gap: float = 0.11, *, percent: bool = False, points: bool = False) -> Axis:
    factor = 100.0 if percent else 1.0
    ticks = round_numbers(factor * low, factor * high, max(round(0.7 / gap), 2))
    unit = " %" if percent and not points else ""
    labels = [(tick / factor, f"{_sign(tick) if points else ''}{_short(tick)}{unit}") for tick in ticks]
    return Axis("linear", low, high, tuple(labels))


def _sign(value: float) -> str:
    return "+" if value > 0 else ""


def _short(value: float) -> str:
    return f"{value + 0.0:.10g}".replace("-", "−")


def _stretched(shares: Sequence[float], gap: float) -> Axis:
    places = [_stretch(share) for share in shares]
    margin = 0.04 * (max(places) - min(places) or 1.0)
    low, high = max(min(places) - margin, 0.0), max(places) + margin
    ticks: list[tuple[float, str]] = []
    for share in SHARES:
        at = (_stretch(share) - low) / (high - low)
        taken = [(_stretch(tick) - low) / (high - low) for tick, _ in ticks]
        if 0 <= at <= 1 and all(abs(at - other) >= gap for other in taken):
            ticks.append((share, f"{_short(100 * share)} %"))
    if len(ticks) < 2:  # the axis lies between two of `SHARES`
        found = round_numbers(100 * _share(low), 100 * _share(high), 4)
        ticks = [(tick / 100, f"{_short(tick)} %") for tick in found]
    return Axis("stretched", low, high, tuple(ticks))


def _share(at: float) -> float:
    return 1 - math.pow(10, -at)


def logarithmic(values: Iterable[float]) -> Axis:
    """Log axis with ticks at powers of ten; below two decades at 1, 2 and 5; below one at round numbers."""
    exponents = [math.log10(value) for value in values if value > 0 and math.isfinite(value)] or [0.0]
    low, high = min(exponents), max(exponents)
    margin = max(0.05 * (high - low), 0.05)
    low, high = max(low - margin, -308.0), min(high + margin, 308.0)
    first, last = math.floor(low), math.ceil(high)
    if high - low < 1:
        ticks = [(value, f"{value:.4g}") for value in round_numbers(10.0**low, 10.0**high, 6)]
    elif high - low < 2:
        found = [float(f"{factor}e{power}") for power in range(first, last) for factor in (1, 2, 5)]
        ticks = [(value, f"{value:.4g}" if -5 < math.log10(value) < 5 else f"{value:.0e}") for value in found]
    else:
        step = math.ceil((last - first) / 4)
        ticks = [(10.0**power, power_of_ten(power)) for power in range(first, last + 1, step)]
    return Axis("log", low, high, tuple((value, label) for value, label in ticks if low <= math.log10(value) <= high))


def power_of_ten(exponent: int) -> str:
    """Format a power of ten: 10⁻³, 1, 10, 10²."""
    digits = str(exponent).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))
    return f"10{digits}" if exponent not in (0, 1) else ("1", "10")[exponent]


def round_numbers(low: float, high: float, steps: int = 4) -> list[float]:
    raw = (high - low) / steps
    size = 10.0 ** math.floor(math.log10(raw))
    step = next(size * factor for factor in (1, 2, 5, 10) if size * factor >= raw * (1 - 1e-9))
    return [float(f"{i * step:.12g}") for i in range(math.ceil(low / step), math.floor(high / step) + 1)]
