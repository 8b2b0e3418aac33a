"""Losses of a residual r = prediction − target."""

from __future__ import annotations

from math import inf
from typing import Annotated

from slopes import ops
from slopes.card import loss
from slopes.domains import Interval, OpenUnitInterval, Positive
from slopes.facts import Paper
from slopes.ops import (
    absolute,
    clip,
    exp,
    expm1,
    just_above,
    log,
    log1p,
    log2,
    maximum,
    minimum,
    sign,
    sinh,
    sqrt,
    tanh,
    where,
)

BARRON = Paper("Barron", 2017, "A general and adaptive robust loss function", "arXiv:1701.03077")
LAI = Paper(
    "Lai, Huang, Ahuja, Yang", 2017,
    "Deep Laplacian pyramid networks for fast and accurate super-resolution", "arXiv:1704.03915",
)  # fmt: skip


# one value per entry
KERAS = "(target[..., None], prediction[..., None]"
SKLEARN = ".loss(target.ravel(), prediction.ravel()).reshape(target.shape)"
METRIC = "(target.reshape(1, -1), prediction.reshape(1, -1), multioutput='raw_values').reshape(target.shape)"


class OrMinusInfinity(Interval):
    """An interval, or −inf."""

    def contains(self, values):
        """Whether each number is −inf or in the interval."""
        return (values == -inf) | super().contains(values)


Shape = Annotated[float, OrMinusInfinity(high=2.0, closed=True)]


LARGE = 1e15  #: from here on a square's rounding does not count


def _growth(x):
    """(whether x is tiny, (exp(x) − 1) / x, exp(x) − 1)."""
    tiny, risen = absolute(x) < 1e-8, expm1(x)
    return tiny, where(tiny, 1 + x / 2 + x * x / 6, risen / where(tiny, 1.0, x)), risen


def _rounding_of_quotient(prediction, target, c):
    """((prediction − target) / c rounded, its exact value less that); both 0 for a large quotient."""
    near = (absolute(prediction) < LARGE) & (absolute(target) < LARGE) & (absolute(prediction - target) < LARGE * c)
    prediction, target = where(near, prediction, 0.0), where(near, target, 0.0)
    residual = prediction - target
    scaled = residual / c
    return scaled, (ops.fma(scaled, -c, residual) + ops.rounding_of_difference(prediction, target)) / c


def _rounding_of_square(prediction, target, b, c):
    """((prediction − target) / c)² / b less its rounded value; 0 for a large square."""
    scaled, lost = _rounding_of_quotient(prediction, target, c)
    share = scaled / b
    return ops.fma(scaled, share, -scaled * share) + scaled * (ops.fma(share, -b, scaled) / b) + 2 * share * lost


def _root(square, rest):
    """(sqrt(1 + y²), its relative error); `rest` is the error of 1 + y² from the rounding of y²."""
    whole = 1 + square
    root = sqrt(whole)
    lost = where(square < 1, (1 - whole) + square, (square - whole) + 1) + ops.fma(root, -root, whole)
    return root, (rest + ops.stop_gradient(lost / whole)) / 2


@loss(
    "regression", convex=True,
    same_as={
        "torch": "nn.functional.mse_loss(prediction, target, reduction='none')",
        "optax": "losses.squared_error(prediction, target)",
        "keras": f"losses.mean_squared_error{KERAS})",
        "sklearn": f"metrics.mean_squared_error{METRIC}",
    },
)  # fmt: skip
def mse(prediction, target):
    """Mean squared error: the squared residual; it elicits the mean.

    There is no factor of one half, unlike in `half_mse`.
    """
    return (prediction - target) ** 2


@mse.derivative
def _(prediction, target):
    return 2 * (prediction - target)


@loss(
    "regression", convex=True,
    same_as={
        "optax": "losses.l2_loss(prediction, target)",
        "sklearn": f"_loss.HalfSquaredError(){SKLEARN}",
    },
)  # fmt: skip
def half_mse(prediction, target):
    """Half the mean squared error, so that the slope is the residual.

    Optax calls it l2_loss, scikit-learn HalfSquaredError.
    """
    residual = prediction - target
    return 0.5 * residual * residual


@half_mse.derivative
def _(prediction, target):
    return prediction - target


@loss(
    "regression", convex=True, lipschitz=1.0, kinks=(0.0,),
    same_as={
        "torch": "nn.functional.l1_loss(prediction, target, reduction='none')",
        "keras": f"losses.mean_absolute_error{KERAS})",
        "sklearn": f"metrics.mean_absolute_error{METRIC}",
    },
)  # fmt: skip
def mae(prediction, target):
    """Mean absolute error: the size of the residual; it elicits the median and bears outliers.

    The slope at a residual of 0 is 0, as in PyTorch.
    """
    return absolute(prediction - target)


@mae.derivative
def _(prediction, target):
    return sign(prediction - target)


def scaled_residual(prediction, target, by):
    """(prediction − target) · by, even where the difference overflows."""
    residual = prediction - target
    return where(absolute(residual) == inf, prediction * by - target * by, residual * by)


@loss(
    "regression", convex=True,
    papers=(Paper("Huber", 1964, "Robust estimation of a location parameter", "doi:10.1214/aoms/1177703732"),),
    same_as={
        "torch": "nn.functional.huber_loss(prediction, target, reduction='none', delta=delta)",
        "scipy": "special.huber(delta, prediction - target)",
        "optax": "losses.huber_loss(prediction, target, delta=delta)",
        "keras": f"losses.huber{KERAS}, delta)",
        "sklearn": (f"_loss.HuberLoss(delta=delta){SKLEARN}", f"_loss.HuberLoss(){SKLEARN}"),
    },
)  # fmt: skip
def huber(prediction, target, *, delta: Positive = 1.0):
    """Huber loss: half the squared residual up to delta, linear beyond it.

    PyTorch's smooth_l1_loss is this over its beta.
    """
    residual = prediction - target
    size = absolute(residual)
    far = where(size == inf, absolute(scaled_residual(prediction, target, delta)), delta * (size - 0.5 * delta))
    return where(size <= delta, 0.5 * residual * residual, far)


@huber.derivative
def _(prediction, target, *, delta):
    return clip(prediction - target, -delta, delta)


@loss(
    "regression", convex=True, lipschitz=1.0,
    definition=lambda prediction, target: log((exp(prediction - target) + exp(target - prediction)) / 2),
    same_as={"optax": "losses.log_cosh(prediction, target)", "keras": f"losses.log_cosh{KERAS})"},
)  # fmt: skip
def log_cosh(prediction, target):
    """Logarithm of the hyperbolic cosine: a smooth mean absolute error, half the squared residual near 0.

    Below 1 it is log1p(2·sinh²(r/2)), as |r| − log 2 + log1p(exp(−2|r|)) cancels.
    """
    residual = prediction - target
    size, half = absolute(residual), sinh(clip(residual, -1.0, 1.0) / 2)
    return where(size < 1, log1p(2 * half * half), size + (log1p(exp(-2 * size)) - log2))


@log_cosh.derivative
def _(prediction, target):
    residual = prediction - target
    slope = tanh(residual)

    def form():  # 1 − tanh² magnifies the residual's rounding
        lost = where(absolute(residual) < 1e3, ops.rounding_of_difference(prediction, target), 0.0)
        return slope * ops.stop_gradient(1 - 2 * slope * lost)

    return ops.with_slope_of(slope, form)


@loss(
    "regression", convex=True, lipschitz=1.0,
    definition=lambda prediction, target, beta: where(
        absolute(prediction - target) < beta,
        (prediction - target) ** 2 / (2 * beta),
        absolute(prediction - target) - beta / 2,
    ),
    same_as={
        "torch": "nn.functional.smooth_l1_loss(prediction, target, reduction='none', beta=beta)",
        "optax": "losses.huber_loss(prediction, target, delta=beta) / beta",
        "keras": f"losses.huber{KERAS}, beta) / beta",
    },
)  # fmt: skip
def smooth_l1(prediction, target, *, beta: Positive = 1.0):
    """Smooth L1 loss: the size of the residual less half of beta; within beta a parabola.

    It is `huber` over its delta: the slope beyond beta is 1.
    """
    residual = prediction - target
    held = clip(residual, -beta, beta)
    return (residual - held / 2) * (held / beta)


@smooth_l1.derivative
def _(prediction, target, *, beta):
    return clip(prediction - target, -beta, beta) / beta


@loss(
    "regression", convex=True, lipschitz=0.5, kinks=(0.0,),
    papers=(Paper("Koenker, Bassett", 1978, "Regression quantiles", "doi:10.2307/1913643"),),
    same_as={"sklearn": f"_loss.PinballLoss(quantile=quantile){SKLEARN}"},
)  # fmt: skip
def pinball(prediction, target, *, quantile: OpenUnitInterval = 0.5):
    """Quantile loss: the size of the residual, times quantile where the prediction is low, else 1 − quantile.

    The slope at a residual of 0 is 0, as in `mae`, twice this loss at quantile 1/2.
    """
    return absolute(scaled_residual(prediction, target, where(prediction > target, 1 - quantile, quantile)))


@pinball.derivative
def _(prediction, target, *, quantile):
    residual = prediction - target
    return sign(residual) * where(residual > 0, 1 - quantile, quantile)


def _bent(u):
    """(u clamped to ±1e17, beyond which sqrt(1 + u²) is |u|; that root)."""
    held = clip(u, -1e17, 1e17)
    return held, sqrt(1 + held * held)


def _over_root(prediction, target, c):
    """u / sqrt(1 + u²) for u = (prediction − target) / c."""
    held, root = _bent((prediction - target) / c)

    def form():  # far out the slope of the quotient cancels, and falls with u³, so that roundings of u count thrice
        far = absolute(held) > 0.5
        divisor = where(far, held, 1.0)

        def curve():
            near, inverse = where(far, 0.0, held), 1 / divisor
            return where(far, sign(held) * (1 + inverse * inverse) ** -0.5, near * (1 + near * near) ** -0.5)

        scaled, lost = _rounding_of_quotient(prediction, target, c)
        of_inverse = where(far, ops.fma(1 / divisor, divisor, -1.0), 0.0)
        rest = -3 * scaled * (lost + scaled * of_inverse) / (1 + scaled * scaled)
        return curve() + curve() * ops.stop_gradient(rest)

    return ops.with_slope_of(held / root, form)


@loss(
    "regression", convex=True, lipschitz=1.0, minimum=1e-3, papers=(LAI,),
    definition=lambda prediction, target, eps: sqrt((prediction - target) ** 2 + eps**2),
    same_as={
        "kornia": (
            "eps * (1 + losses.charbonnier_loss(prediction / eps, target / eps))",
            "losses.charbonnier_loss(prediction, target)",
        ),
    },
)  # fmt: skip
def charbonnier(prediction, target, *, eps: Positive = 1e-3):
    """Charbonnier loss: the size of the residual, rounded off within eps; eps is its least value.

    No square overflows, and the value exceeds the size of the residual even in half types. Kornia's charbonnier_loss is
    `pseudo_huber`.
    """
    residual = prediction - target
    held, root = _bent(residual / eps)
    return maximum(eps + residual * (held / (1 + root)), just_above(absolute(residual)))


@charbonnier.derivative
def _(prediction, target, *, eps):
    return _over_root(prediction, target, eps)


@loss(
    "regression", convex=True, papers=(BARRON,),
    definition=lambda prediction, target, delta: delta**2 * (sqrt(1 + ((prediction - target) / delta) ** 2) - 1),
    same_as={
        "scipy": "special.pseudo_huber(delta, prediction - target)",
        "kornia": "delta**2 * losses.charbonnier_loss(prediction / delta, target / delta)",
    },
)  # fmt: skip
def pseudo_huber(prediction, target, *, delta: Positive = 1.0):
    """Pseudo-Huber loss: half the squared residual near 0, delta times its size far beyond delta, all smooth.

    No square overflows, and no 1 is subtracted from a root near 1.
    """
    residual = prediction - target
    u = residual / delta
    held, root = _bent(u)
    return scaled_residual(prediction, target, where(held == u, residual, delta * held) / (1 + root))


@pseudo_huber.derivative
def _(prediction, target, *, delta):
    return delta * _over_root(prediction, target, delta)


FAR = 2.0**56  #: from here on sqrt(1 + u²) is |u| to all digits


def _barron(prediction, target, alpha, c):
    """(alpha, b = 2 − alpha, y = x / f, y² / b, f, log(1 + y² / b), its relative rounding error).

    f is 1 unless x is huge. A power of 1 + y² / b magnifies that error.
    """
    a = where(alpha < -1e20, 0.0, alpha)  # that limit has its own formula
    b = where(alpha == 2, 1.0, 2 - a)  # any b gives the square
    residual = prediction - target
    scaled, farthest = residual / c, FAR * b**0.5
    held = clip(scaled, -farthest, farthest)
    square = held * (held / b)
    beyond = where(absolute(residual) == inf, prediction / FAR - target / FAR, residual / FAR)
    far = maximum(absolute(where(absolute(scaled) < farthest, 0.0, beyond / c / b**0.5)), 1.0)
    rest = ops.stop_gradient(_rounding_of_square(prediction, target, b, c) / (1 + square))
    return a, b, held, square, far, log1p(square) + rest, rest


@loss(
    "regression", convex=True, papers=(BARRON,),
    definition=lambda prediction, target, alpha, c: (
        (2 - alpha) / alpha * ((((prediction - target) / c) ** 2 / (2 - alpha) + 1) ** (alpha / 2) - 1)
    ),
    same_as={
        "scipy": "special.pseudo_huber(1.0, prediction - target)",
        "kornia": "losses.charbonnier_loss(prediction, target)",
    },
)  # fmt: skip
def barron_general(prediction, target, *, alpha: Shape = 1.0, c: Positive = 1.0):
    """Barron's loss: half the squared residual within c, and beyond it bent the more, the lower alpha.

    Alpha 2 gives the square, 1 pseudo-Huber, 0 Cauchy, −2 Geman-McClure and −inf (from −1e20 on) Welsch; gaps of the
    formula are limits. No square overflows.
    """
    a, b, _, square, far, log_square, rest = _barron(prediction, target, alpha, c)
    (root, lost), log_square = _root(square, rest), minimum(log_square + 2 * log(far), 1e4)
    z = a / 2 * log_square
    held, few = clip(z, -2.0, 2.0), clip((prediction - target) / c, -1e4, 1e4)
    tiny, growth, risen = _growth(held)
    risen = risen + (1 + risen) * ops.stop_gradient(ops.fma(log_square, a / 2, -z))  # z is rounded
    less = where(a < 1, a, 1.0)  # a finite power even where root · far overflows
    power = where(a < 1, (root**less * (1 + a * lost) - far**-less) * far**less, (root * far) ** a * (1 + a * lost) - 1)
    power = b / where(a == 0, 1.0, a) * where(a > 0, power, expm1(z))
    plain = b / 2 * log_square * growth  # z may be subnormal where this is not
    near = where((a > -1e-3) & (a < 1e-3), plain, where(tiny, plain, b / where(a == 0, 1.0, a) * risen))
    return where(alpha < -1e20, -expm1(-few * few / 2), where(held == z, near, power))


@barron_general.derivative
def _(prediction, target, *, alpha, c):
    a, _, held, square, far, log_square, _ = _barron(prediction, target, alpha, c)
    exponent, near = (a - 2) / 2, log_square < where(a < -2, 2.0, 0.5)
    deep = exponent * log_square < -60  # the power may be subnormal, its product with x not
    power = (1 + square) ** where(deep, exponent / 2, exponent)
    rest = where(deep, power, 1.0) * (1 + (a / 2 - (exponent + 1)) * log_square)  # the exponent is rounded
    power = where(near, exp(exponent * where(near, log_square, 0.0)), power)  # the log has more digits
    bent = held * power * where(near, 1.0, rest) * where(a > 0.5, far ** (a - 1), far**a / far)
    few = clip((prediction - target) / c, -1e4, 1e4)
    slope = where(alpha < -1e20, few * exp(-few * few / 2), bent) / c
    is_pseudo_huber = isinstance(alpha, (int, float)) and alpha == 1
    return ops.with_slope_of(slope, lambda: _over_root(prediction, target, c) / c) if is_pseudo_huber else slope


@loss(
    "regression", convex=True, kinks=(0.0,),
    same_as={
        "keras": (
            f"losses.mean_absolute_percentage_error{KERAS}) / 100",
            "losses.mean_absolute_percentage_error(target, prediction)",
        ),
        "sklearn": f"metrics.mean_absolute_percentage_error{METRIC}",
    },
)  # fmt: skip
def mape(prediction, target, *, eps: Positive = 1e-7):
    """Mean absolute percentage error, as a fraction: the size of the residual over the target's.

    A target smaller than eps counts as eps, as in Keras, which gives per cent.
    """
    residual, size = prediction - target, maximum(absolute(target), eps)
    far = absolute(residual) == inf
    return where(far, absolute(prediction / size - target / size), absolute(residual) / size)


@mape.derivative
def _(prediction, target, *, eps):
    return sign(prediction - target) / maximum(absolute(target), eps)


@loss(
    "regression", space="above -1", target="above -1",
    definition=lambda prediction, target: (log(1 + prediction) - log(1 + target)) ** 2,
    same_as={
        "keras": (
            "losses.mean_squared_error(ops.log1p(target[..., None]), ops.log1p(prediction[..., None]))",
            "losses.mean_squared_logarithmic_error(target, prediction)",
        ),
        "sklearn": f"metrics.mean_squared_log_error{METRIC}",
    },
)  # fmt: skip
def msle(prediction, target):
    """Mean squared logarithmic error: the squared difference of log(1 + prediction) and log(1 + target).

    One log, of the quotient, does not cancel. Numbers up to −1 are refused; Keras counts negatives as 0.
    """
    return _log_quotient(prediction, target) ** 2


@msle.derivative
def _(prediction, target):
    quotient = ops.with_slope_of(_log_quotient(prediction, target), lambda: log1p(prediction) - log1p(target))
    return where(prediction == inf, 0.0, 2 * quotient / (1 + prediction))


def _log_quotient(x, y):
    """log((1 + x) / (1 + y)), by two logs where the quotient may overflow."""
    r = x - y
    low, high, gap = where(r < 0, x, y), where(r < 0, y, x), where(r < 0, -r, r)
    far = gap / (1 + low) / (1 + low) == inf  # the quotient's slope overflows first
    size = where(far, log1p(high) - log1p(low), log1p(where(far, 0.0, gap) / (1 + low)))
    return where(r < 0, -size, size)
