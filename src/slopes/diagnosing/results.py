"""Results of a diagnosis as data: a row per activation and per module with weights, and findings."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

HALF = {"float16": (65504.0, 2.0**-24), "bfloat16": (3.3895313892515355e38, 2.0**-133)}  #: largest, least above 0
PERCENTILES = (1, 25, 50, 75, 99)


@dataclass(frozen=True)
class Layer:
    """One activation of a model, over its samples. All shares lie between 0 and 1."""

    name: str  #: place in the model, and kind
    units: int  #: features, or channels of pictures
    samples: int  #: values per unit; every pixel of a picture counts
    mean: float  #: of the outputs, like the next four
    std: float
    least: float
    most: float
    percentiles: tuple[float, ...]  #: 1, 25, 50, 75 and 99 %, of up to 1,024 outputs a batch
    dead: float  #: share of dead units (`slopes.models.units`)
    saturated: float  #: share of saturated units
    flat: float  #: share of slopes under 1e-3
    off: float  #: share of outputs under 1e-3 with such a slope
    gradient: float  #: root mean square over batches of the norm of the loss's gradient by the output; NaN without one
    lost: dict[str, float]  #: by half type, the share of outputs (of those for percentiles) that become inf or 0
    gradients_lost: dict[str, float]  #: the same for the gradients by them

    @property
    def dead_interval(self) -> tuple[float, float]:
        """Wilson's 95 % interval of the share of dead units, which takes the units for a sample of such units."""
        from scipy.stats import binomtest

        interval = binomtest(round(self.dead * self.units), self.units).proportion_ci(method="wilson")
        return float(interval.low), float(interval.high)


@dataclass(frozen=True)
class Weights:
    """Weights of one module with their biases: means over batches."""

    name: str
    norm: float
    gradient: float  #: norm of the loss's gradient by them; NaN without one
    update: float  #: norm of an optimizer's step over norm of the weights; NaN without a step


@dataclass(frozen=True)
class Finding:
    """A problem that hinders training, in words, with the usual repair."""

    kind: str  #: dead, saturated, vanishing, exploding, not finite, update or range
    layer: str
    what: str
    repair: str

    def __str__(self) -> str:
        return f"{self.layer}: {self.what}: {self.repair}"


@dataclass(frozen=True)
class Measurements:
    """Numbers of a model's layers, over the inputs that it got."""

    layers: list[Layer]  #: activations, as they first ran
    weights: list[Weights]  #: modules with weights, as they first ran
    samples: int  #: number of the model's inputs
    wanted: int  #: wanted number of inputs
    steps: tuple[int, int] | None = None  #: first and last step that a `Watcher` recorded


def ratio(sizes: Sequence[float]) -> float:
    """Last over first size that is not NaN; NaN without two, or if both are 0."""
    there = [size for size in sizes if not math.isnan(size)]
    if len(there) < 2 or not (there[0] or there[-1]):
        return math.nan
    return there[-1] / there[0] if there[0] else math.inf


def percent(share: float) -> str:
    """Format a share in percent; only an exact 0 or 1 is 0 % or 100 %."""
    if 0 < share < 0.005:
        return "<1 %"
    return ">99 %" if 0.995 <= share < 1 else f"{100 * share:.0f} %"
