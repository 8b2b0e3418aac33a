"""Results of a diagnosis as data."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from slopes.diagnosing.origin import Origin

HALF = {"float16": (65504.0, 2.0**-24), "bfloat16": (3.3895313892515355e38, 2.0**-133)}  #: largest, least above 0
PERCENTILES = (1, 25, 50, 75, 99)


@dataclass(frozen=True)
class Layer:
    """An activation of a model; all shares lie between 0 and 1."""

    name: str  #: place in the model, and kind
    units: int  #: features, or channels of pictures
    samples: int  #: values per unit; every pixel of a picture counts
    mean: float  #: of the outputs, like the next four
    std: float
    least: float
    most: float
    percentiles: tuple[float, ...]  #: 1, 25, 50, 75 and 99 %, of up to 1,024 outputs a batch
    dead: float  #: share of dead units (`slopes.models.units`)
    saturated: float
    flat: float  #: share of slopes under `units.FLAT`
    off: float  #: share of outputs under `units.FLAT` with such a slope
    gradient: float  #: norm of the loss's gradient by the output, root mean square over batches; NaN without one
    lost: dict[str, float]  #: by half type, share of outputs that become inf or 0
    gradients_lost: dict[str, float]  #: the same of gradients

    @property
    def dead_interval(self) -> tuple[float, float]:
        """Wilson's 95 % interval of `dead`, which takes the units for a sample of such units."""
        return wilson(self.dead, self.units)


@dataclass(frozen=True)
class Weights:
    """Weights and biases of a module: means over batches."""

    name: str
    norm: float  #: the latest
    gradient: float  #: norm of the gradient; NaN without one
    update: float  #: norm of a step over norm of the weights; NaN without a step
    fastest: float = math.nan  #: largest update so far
    followed: bool = False  #: whether autograd follows its forward, for weights that want a gradient


@dataclass(frozen=True)
class Finding:
    """A problem that hinders training, with the usual repair."""

    kind: str  #: dead, saturated, vanishing, exploding, detached, not finite, update, range, inputs, softmax or labels
    layer: str
    message: str
    repair: str

    def __str__(self) -> str:
        return f"{self.layer}: {self.message}: {self.repair}"


@dataclass(frozen=True)
class Measurements:
    layers: list[Layer]  #: activations, as they first ran
    weights: list[Weights]  #: modules with weights, as they first ran
    samples: int  #: number of the model's inputs
    wanted: int
    steps: tuple[int, int] | None = None  #: first and last step that a `Watcher` recorded
    begun: bool = False  #: whether the model is known to have been trained before
    idle: int = 0  #: steps since the first look, if all weights are as they were then
    losses: tuple[float, ...] = ()  #: of one batch, in the first steps of a trial
    mistakes: list[Finding] = field(default_factory=list)  #: in the code around the model
    origin: Origin | None = None  #: of inf or NaN, if a batch had any and it was sought


def wilson(share: float, count: int) -> tuple[float, float]:
    """95 % interval of a share."""
    z = 1.959963984540054
    middle = (share + z**2 / (2 * count)) / (1 + z**2 / count)
    half = z * math.sqrt(share * (1 - share) / count + z**2 / (4 * count**2)) / (1 + z**2 / count)
    return max(middle - half, 0.0), min(middle + half, 1.0)


def ratio(sizes: Sequence[float]) -> float:
    """Last over first size that is not NaN; NaN without two, or if both are 0."""
    there = [size for size in sizes if not math.isnan(size)]
    if len(there) < 2 or not (there[0] or there[-1]):
        return math.nan
    return there[-1] / there[0] if there[0] else math.inf


def percent(share: float) -> str:
    """Only an exact 0 or 1 is 0 % or 100 %."""
    if 0 < share < 0.005:
        return "<1 %"
    return ">99 %" if 0.995 <= share < 1 else f"{100 * share:.0f} %"
