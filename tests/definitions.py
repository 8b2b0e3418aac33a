"""The losses as their papers define them, in mpmath: an oracle that shares no code with the package.

`values` and `slopes` evaluate a definition with rising precision until two results agree. A slope is the difference
quotient of the definition, so no derivative is written down here. Arguments are lines of numbers, or for losses of
rows a batch of rows; parameters have the names and defaults of the cards.
"""

import functools
import math

import mpmath
import numpy as np

m = mpmath.MPContext()  # a context of our own: the user's precision stays as it is
mpf = m.mpf
DIGITS = 25  #: how many digits of a result are right
PRECISIONS = (60, 120, 240, 480, 960, 1920)
ZERO = 900  #: digits of working precision at which a result of 0 is believed

DEFINITIONS = {}  #: the definition of each element-wise loss, by the name of its card
ROWS = {}  #: the definition of each loss of rows: of one row of every argument


def element(definition):
    DEFINITIONS[definition.__name__] = definition
    return definition


def row(definition):
    ROWS[definition.__name__] = definition
    return definition


# ------------------------------------------------------------------------------------------- regression


@element
def mse(p, t):
    return (p - t) ** 2


@element
def half_mse(p, t):
    return (p - t) ** 2 / 2


@element
def mae(p, t):
    return abs(p - t)


@element
def huber(p, t, delta=1.0):
    size = abs(p - t)
    return size**2 / 2 if size <= delta else delta * (size - mpf(delta) / 2)


@element
def log_cosh(p, t):
    return m.log((m.exp(p - t) + m.exp(t - p)) / 2)


@element
def smooth_l1(p, t, beta=1.0):
    size = abs(p - t)
    return size**2 / (2 * mpf(beta)) if size < beta else size - mpf(beta) / 2


@element
def pinball(p, t, quantile=0.5):
    return (t - p) * mpf(quantile) if p < t else (p - t) * (1 - mpf(quantile))


@element
def charbonnier(p, t, eps=1e-3):
    return m.sqrt((p - t) ** 2 + mpf(eps) ** 2)


@element
def pseudo_huber(p, t, delta=1.0):
    return mpf(delta) ** 2 * (m.sqrt(1 + ((p - t) / mpf(delta)) ** 2) - 1)


@element
def barron_general(p, t, alpha=1.0, c=1.0):
    square = ((p - t) / mpf(c)) ** 2
    if alpha == 2:
        return square / 2
    if alpha == 0:
        return m.log(square / 2 + 1)
    if alpha < -1e20:  # the card takes so low an alpha for −inf
        return 1 - m.exp(-square / 2)
    a = mpf(alpha)
    return abs(a - 2) / a * ((square / abs(a - 2) + 1) ** (a / 2) - 1)


@element
def mape(p, t, eps=1e-7):
    return abs(p - t) / max(abs(t), mpf(eps))


@element
def msle(p, t):
    return (m.log(1 + p) - m.log(1 + t)) ** 2


# ------------------------------------------------------------------------------------------ likelihoods


@element
def poisson_nll(p, t, log_input=True, full=False, eps=1e-8):
    value = m.exp(p) - t * p if log_input else p - (t * m.log(p + mpf(eps)) if t else 0)
    if full and t > 1:
        value += t * m.log(t) - t + m.log(2 * m.pi * t) / 2
    return value


@element
def negative_binomial_nll(p, t, dispersion=1.0):
    a = mpf(dispersion)
    return (t + 1 / a) * m.log(1 + a * m.exp(p)) - t * (p + m.log(a))


@element
def zero_inflated_poisson_nll(p, t, zero_logit):
    if t:
        return m.log(1 + m.exp(zero_logit)) + m.exp(p) - t * p
    return m.log(1 + m.exp(zero_logit)) - m.log(m.exp(zero_logit) + m.exp(-m.exp(p)))


@element
def gaussian_nll(p, t, variance, full=False, eps=1e-6):
    variance = max(variance, mpf(eps))
    value = (m.log(variance) + (p - t) ** 2 / variance) / 2
    return value + m.log(2 * m.pi) / 2 if full else value


@element
def crps_gaussian(p, t, variance):
    z = (t - p) / m.sqrt(variance)
    return m.sqrt(variance) * (z * (2 * m.ncdf(z) - 1) + 2 * m.npdf(z) - 1 / m.sqrt(m.pi))


@element
def evidential_nll(p, t, evidence, shape, scale):
    spread = 2 * scale * (1 + evidence)
    likelihood = m.log(m.pi / evidence) / 2 - shape * m.log(spread) + m.loggamma(shape) - m.loggamma(shape + mpf(0.5))
    return likelihood + (shape + mpf(0.5)) * m.log((t - p) ** 2 * evidence + spread)


@element
def evidential_penalty(p, t, evidence, shape, scale):
    return abs(t - p) * (2 * evidence + shape)


@element
def gamma_deviance(p, t):
    return p + t * m.exp(-p)


@element
def tweedie_deviance(p, t, power=1.5):
    q = mpf(power)
    return m.exp((2 - q) * p) / (2 - q) - t * m.exp((1 - q) * p) / (1 - q)


# ------------------------------------------------------------------------------------------ preferences


@element
def dpo(chosen, rejected, reference_chosen, reference_rejected, beta=0.1):
    return m.log(1 + m.exp(-mpf(beta) * (chosen - rejected - reference_chosen + reference_rejected)))


@element
def ipo(chosen, rejected, reference_chosen, reference_rejected, beta=0.1):
    return (chosen - rejected - reference_chosen + reference_rejected - 1 / (2 * mpf(beta))) ** 2


@element
def simpo(chosen, rejected, beta=2.0, gamma=0.5):
    return m.log(1 + m.exp(mpf(gamma) - mpf(beta) * (chosen - rejected)))


@element
def orpo(chosen, rejected, beta=0.1):
    odds = [m.exp(x) / (1 - m.exp(x)) for x in (chosen, rejected)]
    return mpf(beta) * m.log(1 + odds[1] / odds[0]) - chosen


@element
def kto(p, q, t, beta=0.1, kl=0.0, desirable=1.0, undesirable=1.0):
    return (mpf(desirable) if t > 0 else mpf(undesirable)) * chance(-t * mpf(beta) * (p - q - mpf(kl)))


@element
def ppo_clip(p, q, advantage, eps_low=0.2, eps_high=0.2):
    ratio = m.exp(p - q)
    held = min(max(ratio, 1 - mpf(eps_low)), 1 + mpf(eps_high))
    return -min(ratio * advantage, held * advantage)


# ---------------------------------------------------------------------------------------------- margins


@element
def hinge(p, t):
    return max(1 - t * p, mpf(0))


@element
def squared_hinge(p, t):
    return hinge(p, t) ** 2


@element
def soft_margin(p, t):
    return m.log(1 + m.exp(-t * p))


@element
def hinge_embedding(p, t, margin=1.0):
    return p if t > 0 else max(mpf(margin) - p, mpf(0))


@element
def margin_ranking(first, second, t, margin=0.0):
    return max(mpf(margin) - t * (first - second), mpf(0))


# --------------------------------------------------------------------------------------- classification


def chance(z):
    """The logistic function."""
    return 1 / (1 + m.exp(-z))


def surprise(z):
    """−log of the chance of a yes."""
    return m.log(1 + m.exp(-z))


@element
def binary_cross_entropy(p, t, from_probabilities=False, base=m.e, pos_weight=1.0):
    if from_probabilities:
        yes, no = -m.log(p) if t else 0, -m.log(1 - p) if t != 1 else 0
    else:
        yes, no = surprise(p), surprise(-p)
    return (mpf(pos_weight) * t * yes + (1 - t) * no) / m.log(base)


@element
def sigmoid_focal(p, t, gamma=2.0, alpha=None):
    balance = 1 if alpha is None else mpf(alpha) * t + (1 - mpf(alpha)) * (1 - t)
    wrong = t * chance(-p) + (1 - t) * chance(p)
    return balance * wrong ** mpf(gamma) * (t * surprise(p) + (1 - t) * surprise(-p))


@element
def asymmetric(p, t, gamma_neg=4.0, gamma_pos=1.0, clip=0.05):
    yes = chance(-p) ** mpf(gamma_pos) * surprise(p)
    above = max(chance(p) - mpf(clip), mpf(0))
    right = chance(-p) if clip == 0 else 1 - above
    return t * yes - (1 - t) * above ** mpf(gamma_neg) * m.log(right)


@element
def relative_entropy(p, t, log_target=False):
    if log_target:
        return m.exp(t) * (t - p)
    return t * (m.log(t) - p) if t else mpf(0)


def softmax(row):
    most = max(row)
    powers = [m.exp(x - most) for x in row]
    return [power / m.fsum(powers) for power in powers]


@row
def categorical_cross_entropy(p, t, base=m.e):
    return -m.fsum(share * m.log(x) for x, share in zip(p, t, strict=True) if share) / m.log(base)


@row
def cross_entropy(p, t, from_probabilities=False, base=m.e):
    return categorical_cross_entropy(p if from_probabilities else softmax(p), t, base)


@row
def z_loss(p, t):
    """The share of targets that sum to 1 only nearly is kept."""
    return m.fsum(t) * m.log(m.fsum(m.exp(x) for x in p)) ** 2


@row
def nll(p, t):
    return -m.fsum(x * share for x, share in zip(p, t, strict=True))


@row
def poly1(p, t, epsilon=2.0):
    return m.fsum(share * (mpf(epsilon) * (1 - x) - m.log(x)) for x, share in zip(softmax(p), t, strict=True) if share)


@row
def generalized_cross_entropy(p, t, q=0.7):
    return m.fsum(share * (1 - x ** mpf(q)) / mpf(q) for x, share in zip(softmax(p), t, strict=True) if share)


@row
def symmetric_cross_entropy(p, t, alpha=0.1, beta=1.0, floor=1e-4):
    backward = -m.fsum(x * m.log(max(share, mpf(floor))) for x, share in zip(softmax(p), t, strict=True))
    return mpf(alpha) * cross_entropy(p, t) + mpf(beta) * backward


@row
def logit_adjusted(p, t, prior=1.0, tau=1.0):
    return cross_entropy([x + mpf(tau) * m.log(mpf(prior)) for x in p], t)


@row
def siglip(p, t):
    every = m.fsum(surprise(-x) for x in p)
    return m.fsum(share * (surprise(x) + every - surprise(-x)) for x, share in zip(p, t, strict=True))


@row
def multi_quantile(p, t, quantiles=None):
    given = [quantiles] * len(p) if isinstance(quantiles, (int, float)) else quantiles
    levels = map(mpf, given) if given else [(k + mpf(1) / 2) / len(p) for k in range(len(p))]
    return m.fsum((q * (t - x) if x < t else (1 - q) * (x - t)) for x, q in zip(p, levels, strict=True)) / len(p)


@row
def crps_ensemble(p, t, fair=False):
    apart = m.fsum(abs(x - other) for x in p for other in p)
    return m.fsum(abs(x - t) for x in p) / len(p) - apart / (2 * len(p) * (len(p) - fair))


@row
def coral(p, t):
    return m.fsum(surprise(sign * x) for x, sign in zip(p, t, strict=True) if sign)


corn = coral


@row
def ordinal_logistic(p, t):
    """The chance of a grade: the chance that it or a higher one is right, less the chance that a higher one is."""
    above = [1 / (1 + m.exp(-x)) for x in p]
    least = above[list(t).index(1)] if 1 in t else 1
    return -m.log(least - (above[list(t).index(-1)] if -1 in t else 0))


@row
def softmax_focal(p, t, gamma=2.0):
    return -m.fsum(share * (1 - x) ** mpf(gamma) * m.log(x) for x, share in zip(softmax(p), t, strict=True) if share)


@row
def kl_div(p, t, from_probabilities=False):
    p = p if from_probabilities else softmax(p)
    return m.fsum(share * m.log(share / x) for x, share in zip(p, t, strict=True) if share)


@row
def js_divergence(p, t, beta=0.5):
    beta, p = mpf(beta), softmax(p)
    mixture = [beta * share + (1 - beta) * x for x, share in zip(p, t, strict=True)]
    return beta * kl_div(mixture, t, True) + (1 - beta) * kl_div(mixture, p, True)


@row
def distillation(p, t, temperature=2.0):
    heat = mpf(temperature)
    return heat**2 * kl_div([x / heat for x in p], softmax([x / heat for x in t]))


@row
def multilabel_soft_margin(p, t):
    return m.fsum(binary_cross_entropy(x, share) for x, share in zip(p, t, strict=True)) / len(p)


# ------------------------------------------------------------------------------------------- embeddings


def norm(x, p=2.0):
    return m.fsum(abs(entry) ** mpf(p) for entry in x) ** (1 / mpf(p)) if any(x) else mpf(0)


def less(x, y):
    return [a - b for a, b in zip(x, y, strict=True)]


@row
def cosine(p, t):
    if not any(p) or not any(t):
        return mpf(1)
    return 1 - m.fsum(a * b for a, b in zip(p, t, strict=True)) / (norm(p) * norm(t))


@row
def center(p, t):
    return m.fsum((a - b) ** 2 for a, b in zip(p, t, strict=True)) / 2


@row
def cosine_embedding(first, second, t, margin=0.0):
    apart = cosine(first, second)
    return apart if t > 0 else max(1 - apart - mpf(margin), mpf(0))


@row
def contrastive_pair(first, second, t, margin=1.0):
    distance = norm(less(first, second))
    return (distance if t > 0 else max(mpf(margin) - distance, mpf(0))) ** 2 / 2


@row
def triplet_margin(anchor, positive, negative, margin=1.0, p=2.0, swap=False):
    far = norm(less(anchor, negative), p)
    if swap:
        far = min(far, norm(less(positive, negative), p))
    return max(norm(less(anchor, positive), p) - far + mpf(margin), mpf(0))


# ------------------------------------------------------------------------------- margins between classes


@row
def margin_softmax(cosines, t, margin=0.5, scale=64.0, form="arcface"):
    margin, scale = mpf(margin), mpf(scale)
    cost = mpf(0)
    for right, share in enumerate(t):
        angle = m.acos(cosines[right])
        wide = m.cos(angle + margin) if angle + margin < m.pi else cosines[right] - margin * m.sin(margin)
        powers = [m.exp(scale * x) for place, x in enumerate(cosines) if place != right]
        own = scale * (wide if form == "arcface" else cosines[right] - margin)
        cost += share * m.log(1 + m.fsum(powers) / m.exp(own))
    return cost


@row
def multiclass_hinge(z, t, form="crammer_singer", margin=1.0, p=1):
    cost = mpf(0)
    for right, share in enumerate(t):
        lacks = [max(mpf(margin) + x - z[right], mpf(0)) ** p for place, x in enumerate(z) if place != right]
        cost += share * (max(lacks) if form == "crammer_singer" else m.fsum(lacks))
    return cost


@row
def multilabel_margin(z, t, margin=1.0):
    classes = range(len(z))
    pairs = [(i, j) for i in classes for j in classes if i != j]
    return m.fsum(t[i] * (1 - t[j]) * max(mpf(margin) - z[i] + z[j], mpf(0)) for i, j in pairs) / len(z)


# ------------------------------------------------------------------------------------------------ boxes


def area(x1, y1, x2, y2):
    return max(x2 - x1, mpf(0)) * max(y2 - y1, mpf(0))


def iou_union_hull(p, t):
    """The IoU of two boxes, their union, and the box around both."""
    both = area(max(p[0], t[0]), max(p[1], t[1]), min(p[2], t[2]), min(p[3], t[3]))
    union = area(*p) + area(*t) - both
    return both / union, union, [min(p[0], t[0]), min(p[1], t[1]), max(p[2], t[2]), max(p[3], t[3])]


@row
def giou(p, t):
    iou, union, hull = iou_union_hull(p, t)
    return 1 - iou + (area(*hull) - union) / area(*hull)


@row
def diou(p, t):
    iou, _, (x1, y1, x2, y2) = iou_union_hull(p, t)
    apart = (p[0] + p[2] - t[0] - t[2]) ** 2 + (p[1] + p[3] - t[1] - t[3]) ** 2
    return 1 - iou + apart / 4 / ((x2 - x1) ** 2 + (y2 - y1) ** 2)


@row
def ciou(p, t):
    iou, turns = iou_union_hull(p, t)[0], [m.atan((b[2] - b[0]) / (b[3] - b[1])) for b in (p, t)]
    aspect = 4 / m.pi**2 * (turns[1] - turns[0]) ** 2
    return diou(p, t) + aspect**2 / (1 - iou + aspect)


# ------------------------------------------------------------------------------- batches of embeddings
# of all vectors at once: the sum of the values of the anchors, each times its factor


def anchors(vectors, labels):
    """For each vector the similarities (cosines) to its positives and to its negatives."""
    for place, (x, label) in enumerate(zip(vectors, labels, strict=True)):
        others = [
            (1 - cosine(x, y), other) for k, (y, other) in enumerate(zip(vectors, labels, strict=True)) if k != place
        ]
        yield [c for c, other in others if other == label], [c for c, other in others if other != label]


def info_nce(vectors, labels, factors, temperature=0.07):
    total = mpf(0)
    for factor, (positives, negatives) in zip(factors, anchors(vectors, labels), strict=True):
        rivals = m.fsum(m.exp(c / mpf(temperature)) for c in negatives)
        costs = [m.log(1 + rivals / m.exp(c / mpf(temperature))) for c in positives]
        total += factor * m.fsum(costs) / max(len(costs), 1)
    return total


def supcon(vectors, labels, factors, temperature=0.1):
    total = mpf(0)
    for factor, (positives, negatives) in zip(factors, anchors(vectors, labels), strict=True):
        rivals = m.fsum(m.exp(c / mpf(temperature)) for c in positives + negatives)
        costs = [m.log(rivals / m.exp(c / mpf(temperature))) for c in positives]
        total += factor * m.fsum(costs) / max(len(costs), 1)
    return total


def slopes_of_batch(definition, vectors, labels, factors, **parameters):
    """The exact slopes of a loss of a batch by its vectors, in their shape."""

    def total(*entries):
        with m.workdps(2 * m.dps):
            rows = np.array(entries, dtype=object).reshape(np.shape(vectors)).tolist()
            return definition(rows, list(labels), [mpf(float(factor)) for factor in factors], **parameters)

    flat = [mpf(float(entry)) for entry in np.ravel(vectors)]
    results = [_slope_at(lambda x, k=k: total(*flat[:k], x, *flat[k + 1 :]), flat[k], flat) for k in range(len(flat))]
    return np.array(results, dtype=object).reshape(np.shape(vectors))


# ---------------------------------------------------------------------------------------------- overlap
# of one region: its pixels' probabilities, which are in it, and their weights


@row
def dice(p, t, w, smooth=0.0, squared=False):
    part = m.fsum(c * a * b for a, b, c in zip(p, t, w, strict=True))
    power = 2 if squared else 1
    whole = m.fsum(c * (a**power + b**power) for a, b, c in zip(p, t, w, strict=True))
    return 1 - (2 * part + mpf(smooth)) / (whole + mpf(smooth)) if whole + smooth else mpf(0)


@row
def tversky(p, t, w, alpha=0.5, beta=0.5):
    right = m.fsum(c * a * b for a, b, c in zip(p, t, w, strict=True))
    claimed = m.fsum(c * a * (1 - b) for a, b, c in zip(p, t, w, strict=True))
    missed = m.fsum(c * (1 - a) * b for a, b, c in zip(p, t, w, strict=True))
    whole = right + mpf(alpha) * claimed + mpf(beta) * missed
    return 1 - right / whole if whole else mpf(0)


@row
def jaccard(p, t, w):
    return tversky(p, t, w, 1.0, 1.0)


@row
def focal_tversky(p, t, w, gamma=0.75, alpha=0.3, beta=0.7):
    return tversky(p, t, w, alpha, beta) ** mpf(gamma)


REGIONS = ("dice", "tversky", "jaccard", "focal_tversky")  #: the losses of rows whose rows are regions


# ------------------------------------------------------------------------------------ how it is evaluated


def values(name, *arguments, **parameters):
    """The exact values: an object array of mpmath numbers, one for each element or row."""
    return _each(_value, name, arguments, parameters)


def slopes(name, *arguments, **parameters):
    """The exact slopes by the first argument, in its shape; NaN at a kink."""
    return _each(_slope, name, arguments, parameters)


def _each(compute, name, arguments, parameters):
    definition = functools.partial(ROWS[name] if name in ROWS else DEFINITIONS[name], **parameters)
    lines = [np.asarray(x) for x in arguments]
    results = [compute(definition, [_number(x[place]) for x in lines]) for place in range(len(lines[0]))]
    shape = lines[0].shape if compute is _slope else lines[0].shape[:1]
    return np.array(results, dtype=object).reshape(shape)


def _number(x):
    return [_number(entry) for entry in x] if np.ndim(x) else mpf(float(x))


def _settle(compute):
    """compute(digits) with rising precision until two results agree to DIGITS digits; NaN without an end."""
    before = None
    for digits in PRECISIONS:
        with m.workdps(digits):
            now = compute(digits)
            if before is not None and _agree(before, now, digits):
                return now
        before = now
    return mpf("nan")


def _agree(before, now, digits):
    if now != now or before != before:
        return now != now and before != before
    if abs(now) < mpf(10) ** -400 and abs(before) < mpf(10) ** -400:
        return now != 0 or digits > ZERO
    return abs(now - before) <= abs(now) * mpf(10) ** -DIGITS


def _value(definition, arguments):
    return _settle(lambda digits: mpf(definition(*arguments)))


def _slope(definition, arguments):
    first, *rest = arguments
    if not isinstance(first, list):
        return _slope_at(lambda x: definition(x, *rest), first, arguments)
    return [
        _slope_at(lambda x, k=k: definition([*first[:k], x, *first[k + 1 :]], *rest), first[k], arguments)
        for k in range(len(first))
    ]


def _slope_at(function, x, arguments):
    """The central difference quotient; NaN where those to the left and to the right do not approach one another."""
    gaps = []
    flat = [entry for argument in arguments for entry in (argument if isinstance(argument, list) else [argument])]
    most = max((m.mag(entry) for entry in flat if entry), default=0)

    def quotient(digits):
        step = (min(abs(x), mpf(1)) if x else mpf(1)) * mpf(10) ** -(digits // 3)
        with m.workdps(digits + int((max(most, 0) - m.mag(step)) * 0.302) + 5):
            left, here, right = function(x - step), function(x), function(x + step)
            gaps.append(abs((right - here) - (here - left)) / step)
            return (right - left) / (2 * step)

    slope = _settle(quotient)
    return mpf("nan") if len(gaps) > 1 and gaps[-1] > gaps[-2] / 2 > 0 else slope


# ------------------------------------------------------------------------------------ how far off a result is


def ulps(came, exact, dtype):
    """The error of each entry in units in the last place of the exact result; inf where only one is finite."""
    info = np.finfo(dtype)
    most = mpf(float(info.max)) * (1 + mpf(float(info.eps)) / 4)  # what is nearer to the largest number than to 2^emax

    def error(result, wanted):
        if wanted != wanted:
            return 0.0
        if abs(wanted) > most:
            return 0.0 if abs(result) >= info.max and (result > 0) == (wanted > 0) else math.inf
        if not math.isfinite(result):
            return math.inf
        unit = mpf(2) ** max(m.mag(wanted) - info.nmant - 1, info.minexp - info.nmant)
        return float(abs(mpf(float(result)) - wanted) / unit)

    flat = [error(a, b) for a, b in zip(np.ravel(came).tolist(), np.ravel(exact), strict=True)]
    return np.array(flat).reshape(np.shape(exact))
