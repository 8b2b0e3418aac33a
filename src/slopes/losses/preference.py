"""Losses of answers that people prefer, and of tokens that earned a reward, for language models."""

from __future__ import annotations

from math import inf

from slopes import ops
from slopes.card import loss
from slopes.domains import NonNegative, Positive, Real, UnitInterval
from slopes.facts import Paper
from slopes.ops import (
    clip,
    decay,
    exp,
    expm1,
    log,
    log1p,
    maximum,
    minimum,
    nonzero,
    sigmoid,
    sigmoid_slope,
    softplus,
    stop_gradient,
    where,
)

RAFAILOV = Paper(
    "Rafailov et al.", 2023, "Direct preference optimization: your language model is secretly a reward model",
    "arXiv:2305.18290",
)  # fmt: skip
AZAR = Paper(
    "Azar et al.", 2023, "A general theoretical paradigm to understand learning from human preferences",
    "arXiv:2310.12036",
)  # fmt: skip
MENG = Paper(
    "Meng, Xia, Chen", 2024, "SimPO: simple preference optimization with a reference-free reward", "arXiv:2405.14734"
)
HONG = Paper(
    "Hong, Lee, Thorne", 2024, "ORPO: monolithic preference optimization without reference model", "arXiv:2403.07691"
)
ETHAYARAJH = Paper(
    "Ethayarajh et al.", 2024, "KTO: model alignment as prospect theoretic optimization", "arXiv:2402.01306"
)
SCHULMAN = Paper("Schulman et al.", 2017, "Proximal policy optimization algorithms", "arXiv:1707.06347")
SHAO = Paper(
    "Shao et al.", 2024, "DeepSeekMath: pushing the limits of mathematical reasoning in open language models",
    "arXiv:2402.03300",
)  # fmt: skip
YU = Paper("Yu et al.", 2025, "DAPO: an open-source LLM reinforcement learning system at scale", "arXiv:2503.14476")
FAR = 1e4  #: from here on exponentials are 0 or infinite, and rounding errors do not count


def _difference(x, y):
    """(x − y, its rounding error, 0 where it is infinite)."""
    difference = x - y
    is_finite = (difference < inf) & (difference > -inf)
    return difference, stop_gradient(where(is_finite, ops.rounding_of_difference(x, y), 0.0))


def _times(x, low, factor):
    """(factor · x, its rounding error and factor · low); 0 for a huge x."""
    product = factor * x
    near = (product < FAR) & (product > -FAR)
    x, low = where(near, x, 0.0), where(near, low, 0.0)
    return product, stop_gradient(ops.fma(x, factor, -where(near, product, 0.0)) + factor * low)


def _lead(chosen, rejected, reference_chosen, reference_rejected):
    """(an eighth of the lead of the chosen answer, less the lead that the reference gives it; its rounding error)."""
    parts = [ops.double(x) / 8 for x in (chosen, reference_chosen, rejected, reference_rejected)]  # no sum overflows
    (own, own_low), (other, other_low) = _difference(*parts[:2]), _difference(*parts[2:])
    lead, low = _difference(own, other)
    return _difference(lead, (other_low - own_low) - low)


def _surprise(high, low):
    """−log of the sigmoid of high + low."""
    return softplus(-high) - low * sigmoid(-high)


@loss(
    "preference", minimum=None, papers=(RAFAILOV,),
    definition=lambda a, b, c, d, beta: log(1 + exp(-beta * ((a - c) - (b - d)))),
)  # fmt: skip
def dpo(chosen, rejected, reference_chosen, reference_rejected, *, beta: Positive = 0.1):
    """DPO: the surprise, −log of a sigmoid, at beta times the lead of the preferred answer beyond the reference's.

    Arguments are log-likelihoods of whole answers, sums over their tokens, as in the authors' code and in TRL. The
    differences are not rounded.
    """
    lead, low = _lead(chosen, rejected, reference_chosen, reference_rejected)
    return _surprise(*_times(lead, low, 8 * beta))


@dpo.derivative
def _(chosen, rejected, reference_chosen, reference_rejected, *, beta):
    lead, low = _lead(chosen, rejected, reference_chosen, reference_rejected)
    high, low = _times(lead, low, 8 * beta)
    return sigmoid(-high, times=-beta, low=-low)


@loss(
    "preference", minimum=None, papers=(AZAR,),
    definition=lambda a, b, c, d, beta: ((a - c) - (b - d) - 1 / (2 * beta)) ** 2,
)  # fmt: skip
def ipo(chosen, rejected, reference_chosen, reference_rejected, *, beta: Positive = 0.1):
    """IPO: the squared difference of 1 / (2·beta) and the lead of the preferred answer beyond the reference's.

    Arguments are log-likelihoods of answers: TRL gives means over tokens, as the authors do, and calls the paper's tau
    beta.
    """
    return _off(chosen, rejected, reference_chosen, reference_rejected, beta) ** 2


@ipo.derivative
def _(chosen, rejected, reference_chosen, reference_rejected, *, beta):
    return 2 * _off(chosen, rejected, reference_chosen, reference_rejected, beta)


def _off(chosen, rejected, reference_chosen, reference_rejected, beta):
    """The lead less 1 / (2·beta), rounded once."""
    lead, low = _lead(chosen, rejected, reference_chosen, reference_rejected)
    aim, aim_low = ops.inverse(16 * beta)
    rest, rest_low = _difference(lead, aim)
    return 8 * (rest + (rest_low + (low - aim_low)))


@loss(
    "preference alone", minimum=None, papers=(MENG,),
    definition=lambda a, b, beta, gamma: log(1 + exp(gamma - beta * (a - b))),
)  # fmt: skip
def simpo(chosen, rejected, *, beta: Positive = 2.0, gamma: Real = 0.5):
    """SimPO: the surprise, −log of a sigmoid, at beta times the lead of the preferred answer, less a margin gamma.

    Arguments are mean log-likelihoods of the tokens of an answer; there is no reference. The defaults come from the
    authors' code, which gives gamma over beta, 0.25.
    """
    return _surprise(*_beyond(chosen, rejected, beta, gamma))


@simpo.derivative
def _(chosen, rejected, *, beta, gamma):
    high, low = _beyond(chosen, rejected, beta, gamma)
    return sigmoid(-high, times=-beta, low=-low)


def _beyond(chosen, rejected, beta, gamma):
    lead, low = _difference(ops.double(chosen) / 8, ops.double(rejected) / 8)
    high, low = _times(lead, low, 8 * beta)
    high, rounded = _difference(high, gamma)
    return high, low + where((high < FAR) & (high > -FAR), rounded, 0.0)


@loss(
    "likelihoods of answers", minimum=None, papers=(HONG,),
    definition=lambda a, b, beta: beta * log(1 + exp(b - a) * (1 - exp(a)) / (1 - exp(b))) - a,
)  # fmt: skip
def orpo(chosen, rejected, *, beta: Positive = 0.1):
    """ORPO: minus the log-likelihood of the preferred answer, plus beta times the surprise at its odds over the other.

    Arguments are mean log-likelihoods of the tokens of an answer; there is no reference. Beta is the paper's lambda.
    In TRL the first term is the mean over all tokens of a batch, prompts included, so that long answers count more.
    """
    chosen, rejected, failure, other = _with_failures(chosen, rejected)
    gap, low = _difference(rejected, chosen)
    behind, power = gap > 0, exp(where(gap > 0, -gap, gap))  # which never overflows
    times = failure / nonzero(other)
    surprise = where(behind, gap, 0.0) + log1p(where(behind, power + (times - 1), power * (1 + low) * times))
    return beta * where(behind & (other == 0), inf, surprise) - chosen


@orpo.derivative
def _(chosen, rejected, *, beta):
    chosen, rejected, failure, other = _with_failures(chosen, rejected)
    gap, low = _difference(chosen, rejected)
    ahead = gap > 0
    power = exp(where(ahead, -gap, gap)) * (1 + where(ahead, -low, low))
    part, whole = where(ahead, power, 1.0), where(ahead, failure * power + other, failure + power * other)
    return -1 - beta * ops.safe_divide(part, ops.stop_gradient_if_tiny(whole, whole))


def _with_failures(chosen, rejected):
    """(both log-likelihoods in float64, 1 less both likelihoods)."""
    chosen, rejected = ops.double(chosen), ops.double(rejected)
    return chosen, rejected, 0.0 - expm1(chosen), 0.0 - expm1(rejected)  # not −0


@loss(
    "judged answers", minimum=None, papers=(ETHAYARAJH,),
    definition=lambda p, q, t, beta, kl, desirable, undesirable: (
        where(t > 0, desirable, undesirable) / (1 + exp(t * beta * (p - q - kl)))
    ),
)  # fmt: skip
def kto(
    prediction, reference, target, *, beta: Positive = 0.1, kl: NonNegative = 0.0, desirable: Positive = 1.0,
    undesirable: Positive = 1.0,
):  # fmt: skip
    """KTO: a sigmoid of how far a good answer's lead over the reference is below kl, or a bad one's above it.

    Arguments are log-likelihoods of whole answers, sums over their tokens, and 1 for a good answer, −1 for a bad one.
    `kl` estimates the divergence from the reference: the mean lead of answers behind prompts that are not theirs,
    clamped and detached, ``lead.mean().detach().clamp(min=0)``, as in the authors' code and in TRL. `desirable` and
    `undesirable` weigh good and bad answers; the mean does not divide by them.
    """
    high, low = _beyond_kl(prediction, reference, beta, kl)
    return sigmoid(-target * high, times=where(target > 0, desirable, undesirable), low=-target * low)


@kto.derivative
def _(prediction, reference, target, *, beta, kl, desirable, undesirable):
    high, low = _beyond_kl(prediction, reference, beta, kl)
    return sigmoid_slope(high, times=-target * beta * where(target > 0, desirable, undesirable), low=low)


def _beyond_kl(prediction, reference, beta, kl):
    """(beta times how far the prediction leads the reference beyond kl, its rounding error)."""
    lead, low = _difference(ops.double(prediction), ops.double(reference))
    rest, rest_low = _difference(lead, kl)
    return _times(rest, rest_low + low, beta)


@loss(
    "tokens of a policy", minimum=None, papers=(SCHULMAN, SHAO, YU),
    definition=lambda p, q, a, eps_low, eps_high: maximum(
        -a * exp(p - q), -a * clip(exp(p - q), 1 - eps_low, 1 + eps_high)
    ),
)  # fmt: skip
def ppo_clip(prediction, reference, advantage, *, eps_low: UnitInterval = 0.2, eps_high: Positive = 0.2):
    """PPO's clipped objective, negated: the advantage times how much likelier a token has become, within bounds.

    Arguments are log-likelihoods of tokens under the policy and under the one that drew them, and advantages. The mean
    is over tokens, as in DAPO, whose eps_high is 0.28. It is over sequences with ``normalizer="sequence"``, of the mean
    of each one's tokens, as in GRPO, and with "batch" of their sum; `divisor` replaces the number, as by Dr. GRPO's
    constant. Beyond a bound there is no slope.
    """
    gap, low, free = _ratio(prediction, reference, advantage, eps_low, eps_high)
    held = where(free, 0.0, advantage) * where(advantage > 0, 1 + eps_high, 1 - eps_low)
    return -_grown(gap, low, where(free, advantage, 0.0)) - held


@ppo_clip.derivative
def _(prediction, reference, advantage, *, eps_low, eps_high):
    gap, low, free = _ratio(prediction, reference, advantage, eps_low, eps_high)
    return -_grown(gap, low, where(free, advantage, 0.0))


def _ratio(prediction, reference, advantage, eps_low, eps_high):
    """(log of the ratio of likelihoods, its rounding error, whether no bound holds the ratio)."""
    gap, low = _difference(ops.double(prediction), ops.double(reference))
    low = where((gap < FAR) & (gap > -FAR), low, 0.0)
    ratio, is_good = exp(gap), advantage > 0
    is_held = (is_good & (ratio >= 1 + eps_high)) | (~is_good & (ratio <= 1 - eps_low))
    return gap, low, ~is_held


def _grown(gap, low, times):
    """times · exp(gap + low), rounded once."""
    times = ops.double(times)
    times = times + times * low
    half = exp(where(times == 0, 0.0, minimum(maximum(gap, 0.0), 1e4)) / 2)
    return where(gap < 0, decay(minimum(gap, 0.0), times=times), times * half * half)
