"""Likelihoods of numbers under the predicted distribution."""

from __future__ import annotations

from math import inf
from typing import Annotated

from slopes import ops
from slopes.card import loss
from slopes.domains import Flag, Interval, NonNegative, Positive
from slopes.facts import Paper
from slopes.losses.regression import SKLEARN
from slopes.ops import (
    Constant,
    absolute,
    erf,
    exp,
    expm1,
    log,
    log1p,
    log2,
    maximum,
    minimum,
    pi,
    product,
    ratio,
    sigmoid,
    sign,
    softplus,
    sqrt,
    sqrt2,
    where,
    xlogy,
)

AMINI = Paper("Amini, Schwarting, Soleimany, Rus", 2019, "Deep evidential regression", "arXiv:1910.02600")

HALF_LOG_PI = Constant("log(pi)/2", 0.5723649429247001, 5.132975581353913e-18)
HALF_LOG_2PI = Constant("log(2*pi)/2", 0.9189385332046728, -3.8782941580672414e-17)
TWICE_DENSITY = Constant("sqrt(2/pi)", 0.7978845608028654, -4.98465440455546e-17)
INVERSE_ROOT_PI = Constant("1/sqrt(pi)", 0.5641895835477563, 7.66772980658294e-18)
CENTRE = Constant("(sqrt(2)-1)/sqrt(2*pi)", 0.1652473031463236, 4.8354262137313275e-18)


def _near_one(prediction, target):
    """(where exp(prediction) and target are near 1, prediction and exp(prediction) − target there)."""
    near = (absolute(prediction) < 0.5) & (target < 4)
    held = where(near, prediction, 0.0)
    return near, held, expm1(held) - (where(near, target, 1.0) - 1)


def _log_quotient(a, b):
    """log(a / b) for positive numbers, also where the quotient overflows or loses digits."""
    quotient = a / b
    is_ordinary = (quotient > 1e-30) & (quotient < 1e30)
    return where(is_ordinary, log(where(is_ordinary, quotient, 1.0)), log(a) - log(b))


@loss(
    "regression", target="non-negative", minimum=None, convex=True,
    definition=lambda f, y, **_: exp(f) - y * f,
    same_as={
        "torch": (
            "nn.functional.poisson_nll_loss(prediction, target, log_input=log_input, full=full, eps=eps,"
            " reduction='none')"
        ),
        "keras": (
            "losses.poisson(target[..., None], ops.exp(prediction[..., None]) - 1e-7) + 1e-7",
            "losses.poisson(target, prediction)",
        ),
        "sklearn": f"_loss.HalfPoissonLoss(){SKLEARN}",
    },
)  # fmt: skip
def poisson_nll(prediction, target, *, log_input: Flag = True, full: Flag = False, eps: NonNegative = 1e-8):
    """Poisson likelihood: how unlikely a count is if the prediction is the log of its rate.

    With log_input=False the prediction is the rate, as in Keras; eps is added to it in the log. Full adds Stirling's
    approximation of log(target!) above 1, as in PyTorch.
    """
    rate = exp(prediction) if log_input else prediction
    if log_input:
        value = where(rate == inf, rate, rate - ops.scaled(prediction, target))  # neither ∞ − ∞ nor 0 · ∞
    else:
        value = rate - xlogy(target, rate + eps)
    if full:
        many = where(target > 1, target, 1.0)
        known = where(rate == inf, 0.0, prediction if log_input else log(where(target > 1, rate + eps, 1.0)))
        size = log(many)
        stirling = many * (size - 1 - known) + (size / 2 + HALF_LOG_2PI)  # two products might overflow
        value = where(target > 1, rate + stirling, value)
    return value


@poisson_nll.derivative
def _(prediction, target, *, log_input, full, eps):
    if log_input:
        near, _, excess = _near_one(prediction, target)
        return where(near, excess, exp(prediction) - target)
    near = (target < 2 * prediction) & (prediction < 2 * target)
    lack = where(near, prediction - target + eps, 0.0) / where(near, prediction + eps, 1.0)
    return where(near, lack, 1 - ratio(target, prediction + eps))


@loss(
    "regression", target="non-negative", minimum=None, convex=True,
    papers=(
        Paper("Hilbe", 2011, "Negative Binomial Regression", "doi:10.1017/CBO9780511973420"),
    ),
    definition=lambda f, y, dispersion: (y + 1 / dispersion) * log(1 + dispersion * exp(f)) - y * (f + log(dispersion)),
)  # fmt: skip
def negative_binomial_nll(prediction, target, *, dispersion: Positive = 1.0):
    """Negative binomial likelihood: how unlikely a count of large variance is if the prediction is the log of its rate.

    The variance is rate + dispersion · rate²; towards a dispersion of 0 this is `poisson_nll`. Terms of target and
    dispersion alone are left out. Both other terms are positive, so that nothing cancels.
    """
    odds, low = _odds(prediction, dispersion)
    success, failure = softplus(-odds) - low * sigmoid(-odds), softplus(odds) + low * sigmoid(odds)
    return failure / dispersion + ops.scaled(success, target)


@negative_binomial_nll.derivative
def _(prediction, target, *, dispersion):
    near, held, excess = _near_one(prediction, target)
    odds, low = _odds(prediction, dispersion)
    far = sigmoid(odds, low=low) / dispersion - sigmoid(-odds, times=target, low=-low)
    return where(near, excess / (1 + dispersion * exp(held)), far)


def _odds(prediction, dispersion):
    """(log of the rate times the dispersion, its rounding error)."""
    shift = -log(dispersion)
    odds = prediction - shift
    held = where(absolute(odds) < 1e4, prediction, 0.0)  # beyond, the error does not count
    return odds, ops.stop_gradient(ops.rounding_of_difference(held, shift))


@loss(
    "variance", minimum=None, convex=True,
    papers=(
        Paper("Nix, Weigend", 1994, "Estimating the mean and variance of the target probability distribution",
              "doi:10.1109/ICNN.1994.374138"),
    ),
    definition=lambda prediction, target, variance, full, eps: (
        (log(maximum(variance, eps)) + (prediction - target) ** 2 / maximum(variance, eps)) / 2
    ),
    same_as={
        "torch": (
            "nn.functional.gaussian_nll_loss(prediction, target, variance, full=full, eps=eps, reduction='none')"
        )
    },
)  # fmt: skip
def gaussian_nll(prediction, target, variance, *, full: Flag = False, eps: Positive = 1e-6):
    """Gaussian likelihood: how unlikely the target is for that mean and variance.

    A variance below eps counts as eps, without a gradient (PyTorch's has one). Full adds half of log(2π).
    """
    variance = maximum(variance, eps)
    half = prediction / 2 - target / 2  # the difference, or twice the result, may overflow
    value = log(variance) / 2 + _residual_over(prediction, target, variance) * half
    return value + HALF_LOG_2PI if full else value


def _residual_over(prediction, target, size):
    """(prediction − target) / size, even where the difference overflows."""
    residual = prediction - target
    far = absolute(residual) == inf
    return where(far, prediction, residual) / size - where(far, target, 0.0) / size


@gaussian_nll.derivative
def _(prediction, target, variance, *, full, eps):
    return _residual_over(prediction, target, maximum(variance, eps))


@loss(
    "variance", minimum=None,
    papers=(
        Paper("Gneiting, Raftery, Westveld, Goldman", 2005, "Calibrated probabilistic forecasting using ensemble model"
              " output statistics and minimum CRPS estimation", "doi:10.1175/MWR2904.1"),
    ),
    definition=lambda prediction, target, variance: _crps((target - prediction) / sqrt(variance)) * sqrt(variance),
)  # fmt: skip
def crps_gaussian(prediction, target, variance):
    """Continuous ranked probability score: how far a normal distribution is from the target, in the target's units.

    Far from the target it grows like `mae`, where `gaussian_nll` grows like `mse`; near a variance of 0 it is `mae`.
    The value is the one at the target, and two terms that vanish there, so that nothing cancels.
    """
    spread, residual = _root_of_twice(variance), prediction - target
    is_far = absolute(residual) > 30 * spread  # a quotient's slope may overflow there, beside a slope of 0
    x = where(is_far, 0.0, residual) / where(is_far, 1.0, spread)
    side, rest = where(is_far, sign(residual), erf(x)), where(is_far, -1.0, expm1(-x * x))
    return residual * side + spread * (CENTRE + INVERSE_ROOT_PI * rest)


@crps_gaussian.derivative
def _(prediction, target, variance):
    return erf(_residual_over(prediction, target, _root_of_twice(variance)))


def _root_of_twice(variance):
    """√(2 · variance), rounded once."""
    twice = 2 * variance
    large = twice == inf
    return where(large, 2 * sqrt(where(large, variance / 2, 1.0)), sqrt(where(large, 1.0, twice)))


def _crps(z):
    return z * erf(z / sqrt2) + TWICE_DENSITY * exp(-z * z / 2) - INVERSE_ROOT_PI


@loss(
    "evidence", minimum=None, papers=(AMINI,),
    definition=lambda f, y, evidence, shape, scale: (
        log(pi / evidence) / 2 + ops.lgamma(shape) - ops.lgamma((2 * shape + 1) / 2)
        + log((y - f) ** 2 * evidence + 2 * scale * (1 + evidence)) * (2 * shape + 1) / 2
        - shape * log(2 * scale * (1 + evidence))
    ),
)  # fmt: skip
def evidential_nll(prediction, target, evidence, shape, scale):
    """Evidential likelihood: how unlikely the target is for a normal distribution of uncertain mean and variance.

    The mean is as uncertain as one of `evidence` samples; the variance has an inverse gamma distribution of shape and
    scale, so the likelihood is Student's. The paper adds a penalty: ``evidential_nll + 0.01 * evidential_penalty``.
    Logarithms that would cancel are taken of quotients, of gamma functions, too.
    """
    spread, root = _spread(evidence, scale), sqrt(shape)
    x = absolute(_residual_over(prediction, target, spread))
    near, far = where(x > 1, 0.0, x), where(x > 1, x, inf)
    half = where(x > 1, absolute(prediction / 2 - target / 2), spread / 2)  # the residual may overflow
    size = _log_quotient(half, root) + log2
    distance = where(x == inf, _log_quotient(half, spread / 2), log(where(x > 1, far, 1.0)))
    bent = log1p(near**2) + log1p((1 / far) ** 2)
    return size + HALF_LOG_PI + ops.lgamma_ratio(shape) + bent / 2 + shape * (bent + 2 * distance)


@evidential_nll.derivative
def _(prediction, target, evidence, shape, scale):
    spread = _spread(evidence, scale)
    x = _residual_over(prediction, target, spread)
    x = where(4 * ((shape + 0.5) / spread / spread) == inf, ops.stop_gradient(x), x)  # a second slope overflows
    is_far = absolute(x) > 1
    near, far = where(is_far, 0.0, x), where(is_far, x, inf)
    half = where(is_far, prediction / 2 - target / 2, inf)
    return where(
        is_far, (shape + 0.5) / half / (1 + (1 / far) ** 2), 2 * ((shape + 0.5) * near / (1 + near**2) / spread)
    )


def _spread(evidence, scale):
    """Size of a residual that doubles the argument of Student's logarithm."""
    less, more = minimum(evidence, 1.0), maximum(evidence, 1.0)  # each form has a slope that cancels at the other's
    return sqrt2 * sqrt(scale) * where(evidence > 1, sqrt(1 + 1 / more), 1 / sqrt(less / (1 + less)))


@loss(
    "evidence", convex=True, papers=(AMINI,),
    definition=lambda f, y, evidence, shape, scale: absolute(f - y) * (2 * evidence + shape),
)  # fmt: skip
def evidential_penalty(prediction, target, evidence, shape, scale):
    """Evidential penalty: the size of the residual times all evidence, which is twice the mean's plus the shape.

    It is the regulariser of `evidential_nll`; the scale does not count.
    """
    return 8 * (absolute(prediction / 2 - target / 2) * _trust(evidence, shape))


@evidential_penalty.derivative
def _(prediction, target, evidence, shape, scale):
    return 4 * (sign(prediction / 2 - target / 2) * _trust(evidence, shape))


def _trust(evidence, shape):
    """A quarter of 2 · evidence + shape, which may overflow."""
    return evidence / 2 + shape / 4


@loss(
    "regression", target="positive", minimum=None, convex=True,
    definition=lambda f, y: f + y * exp(-f),
    same_as={"sklearn": f"_loss.HalfGammaLoss(){SKLEARN}"},
)  # fmt: skip
def gamma_deviance(prediction, target):
    """Half the gamma deviance: how far off, in proportion, a positive target is if the prediction is its log.

    Terms of the target alone are left out, as in scikit-learn: the least value is 1 + log(target).
    """
    return maximum(prediction, -1e4) + _times_exp(target, -prediction)  # not −∞ + ∞


@gamma_deviance.derivative
def _(prediction, target):
    near, held, excess = _near_one(prediction, target)
    close = ops.with_slope_of(excess * exp(-held), lambda: -_times_exp(where(near, target, 1.0), -held))
    return where(near, close, 1 - _times_exp(target, -prediction))


def _times_exp(times, x):
    """times · exp(x), also where the exponential overflows."""
    half = exp(x / 2)
    return times * half * half


@loss(
    "regression", target="non-negative", minimum=None, convex=True,
    definition=lambda f, y, power: exp((2 - power) * f) / (2 - power) - y * exp((1 - power) * f) / (1 - power),
    same_as={"sklearn": f"_loss.HalfTweedieLoss(power=power){SKLEARN}"},
)  # fmt: skip
def tweedie_deviance(prediction, target, *, power: Annotated[float, Interval(1.0, 2.0)] = 1.5):
    """Half the Tweedie deviance of amounts that are often 0, such as claims, if the prediction is their log.

    Terms of the target alone are left out, as in scikit-learn. Power 1 would be `poisson_nll`, 2 `gamma_deviance`, but
    for terms without bound.
    """
    high, low = _tweedie(prediction, target, power)
    return high / (2 - power) + low / (power - 1)


@tweedie_deviance.derivative
def _(prediction, target, *, power):
    near, held, excess = _near_one(prediction, target)
    high, low = _tweedie(prediction, target, power)
    return where(near, excess * exp((1 - power) * held), high - low)


def _tweedie(prediction, target, power):
    """(exp((2 − power) · prediction), target · exp((1 − power) · prediction)) from unrounded exponents."""
    high, low = (2 - power) * prediction, (1 - power) * prediction
    high_rest = ops.stop_gradient(product(prediction, 2 - power)[1])
    low_rest = ops.stop_gradient(product(-prediction, power - 1)[1])
    low = where((target == 0) & (low > 80), 0.0, low)  # 0 · ∞ would be NaN
    return exp(high) * (1 + high_rest), _times_exp(target, low) * (1 + low_rest)


@loss(
    "zero inflation", minimum=None,
    papers=(
        Paper(
            "Lambert", 1992, "Zero-inflated Poisson regression, with an application to defects in manufacturing",
            "doi:10.2307/1269547",
        ),
    ),
    definition=lambda f, y, z: where(
        y > 0, log(1 + exp(z)) + exp(f) - y * f, -log((exp(z) + exp(-exp(f))) / (1 + exp(z)))
    ),
)  # fmt: skip
def zero_inflated_poisson_nll(prediction, target, zero_logit):
    """Zero-inflated Poisson likelihood: how unlikely a count is where a share of cases is 0 and the rest is Poisson.

    The prediction is the log of the rate, and the sigmoid of `zero_logit` the share; at −∞ it is `poisson_nll`, since
    terms of the target alone are left out. Nothing cancels where a 0 is nearly certain, and a rate in an exponent has
    further digits.
    """
    cost, is_zero = softplus(zero_logit), target <= 0
    is_endless = is_zero & (exp(prediction) == inf)  # then the share alone gives a 0
    rate = exp(where(is_endless, 0.0, prediction))
    counted = sigmoid(-zero_logit, times=-expm1(-rate))  # the probability of no 0
    is_likely = counted < 0.5
    sum_ = where(rate == inf, inf, zero_logit + rate)
    unlikely = cost + where(sum_ < 0, rate - softplus(sum_), -softplus(-sum_) - zero_logit)
    zero = where(is_likely, -log1p(-where(is_likely, counted, 0.0)), unlikely)
    count = cost + where(rate == inf, rate, rate - ops.scaled(where(is_zero, 0.0, prediction), target))
    return where(is_zero, where(is_endless, softplus(-zero_logit), zero), count)


@zero_inflated_poisson_nll.derivative
def _(prediction, target, zero_logit):
    near, _, excess = _near_one(prediction, target)
    count = where(near, excess, exp(where(target <= 0, 0.0, prediction)) - target)
    far = prediction > 100  # then only a rate beside an infinite logit counts
    rate, low = ops.exp_parts(where(far | (target > 0), 0.0, prediction))
    shift = where(absolute(zero_logit) < 1e5, -zero_logit, 0.0)  # beyond, rounding errors do not count
    rest = ops.stop_gradient(ops.rounding_of_difference(shift, where(rate < 1e5, rate, 0.0)) - low)
    zero = sigmoid(-zero_logit - rate, times=rate, low=rest)
    most = ops.stop_gradient(exp(prediction))
    return where(target <= 0, where(far, where(zero_logit <= -most, most, 0.0), zero), count)
