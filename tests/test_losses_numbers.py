"""Losses of numbers, of margins and of likelihoods: what other libraries give, limits, kinks and extremes."""

import math

import numpy as np
import pytest
import scipy.special

torch = pytest.importorskip("torch")
import torch.nn.functional as F  # noqa: E402

import slopes  # noqa: E402
from slopes.losses.likelihood import (  # noqa: E402
    crps_gaussian,
    evidential_nll,
    evidential_penalty,
    gamma_deviance,
    gaussian_nll,
    negative_binomial_nll,
    poisson_nll,
    tweedie_deviance,
    zero_inflated_poisson_nll,
)
from slopes.losses.margin import (  # noqa: E402
    hinge,
    hinge_embedding,
    margin_ranking,
    multiclass_hinge,
    multilabel_margin,
    multilabel_soft_margin,
    soft_margin,
    squared_hinge,
)
from slopes.losses.regression import (  # noqa: E402
    barron_general,
    charbonnier,
    half_mse,
    huber,
    mae,
    mape,
    msle,
    pinball,
    pseudo_huber,
    smooth_l1,
)
from slopes.ops import lgamma_ratio  # noqa: E402

P, T = [2.5, 0.3, -1.0, 4.0], [1.0, 0.5, -3.0, 4.2]
LOG_RATE, COUNT, AMOUNT = [0.5, -1.0, 2.0, 0.0], [1.0, 0.0, 5.0, 2.0], [1.0, 0.2, 5.0, 2.0]
MARGIN, SIGN = [-2.0, 0.5, 3.0, -1.0], [-1.0, 1.0, -1.0, 1.0]
SCORES, LABELS = (
    np.array([[2.0, 1.5, -1.0], [0.5, 1.0, 3.0], [-1.0, 2.0, 0.5], [-3.0, -2.0, -5.0]]),
    np.array([0, 1, 2, 0]),
)
ROWS = np.eye(3)[LABELS]


def each(loss, *arguments, **options):
    return loss(*arguments, reduction="none", **options)


@pytest.mark.parametrize(
    ("mine", "theirs"),
    [  # recorded from Keras 3.15.1, Optax 0.2.8, scikit-learn 1.9.1 and kornia 0.9.0
        pytest.param(each(half_mse, P, T), [1.125, 0.02, 2.0, 0.02], id="optax l2_loss, sklearn HalfSquaredError"),
        pytest.param(each(smooth_l1, P, T, beta=2.0), [0.5625, 0.01, 1.0, 0.01], id="optax huber_loss(delta=2) / 2"),
        pytest.param(each(pinball, P, T, quantile=0.3), [1.05, 0.06, 1.4, 0.06], id="sklearn PinballLoss"),
        pytest.param(pinball.slope(P, T, quantile=0.3, reduction="sum"), [0.7, -0.3, 0.7, -0.3], id="sklearn PinballLoss.gradient"),
        pytest.param(100 * each(mape, P, T), [150.0, 40.0, 66.66666667, 4.761904762], id="keras mean_absolute_percentage_error"),
        pytest.param(100 * mape([1.0], [0.0]), 1e9, id="keras mean_absolute_percentage_error of a target of 0"),
        pytest.param(mape(P, T), 0.6535714285714285, id="sklearn mean_absolute_percentage_error"),
        pytest.param(each(msle, np.abs(P), np.abs(T)), [0.31316990, 0.02047787, 0.48045301, 0.001538253], id="keras mean_squared_logarithmic_error"),
        pytest.param(msle([-0.5], [1.0]), 1.9218120556728056, id="sklearn mean_squared_log_error (Keras: 0.48045)"),
        pytest.param(each(pseudo_huber, P, T), [0.8027756377319946, 0.01980390271855697, 1.2360679774997898, 0.019803902718557], id="kornia charbonnier_loss"),
        pytest.param(each(barron_general, P, T), [0.8027756377319946, 0.01980390271855697, 1.2360679774997898, 0.019803902718557], id="kornia charbonnier_loss, of barron"),
        pytest.param(each(barron_general, P, T, alpha=0.0), [0.7537718023763802, 0.01980262729617972, 1.0986122886681098, 0.01980262729617975], id="kornia cauchy_loss"),
        pytest.param(each(barron_general, P, T, alpha=-2.0), [0.72, 0.0198019801980198, 1.0, 0.0198019801980198], id="kornia geman_mcclure_loss"),
        pytest.param(each(barron_general, P, T, alpha=-math.inf), [0.6753475326416503, 0.0198013266932447, 0.8646647167633873, 0.0198013266932447], id="kornia welsch_loss"),
        pytest.param(each(hinge, MARGIN, SIGN), [0.0, 0.5, 4.0, 2.0], id="optax hinge_loss, keras hinge"),
        pytest.param(each(squared_hinge, MARGIN, SIGN), [0.0, 0.25, 16.0, 4.0], id="keras squared_hinge"),
        pytest.param(each(multiclass_hinge, SCORES, LABELS), [0.5, 3.0, 2.5, 2.0], id="optax multiclass_hinge_loss (Keras: 4 in the last)"),
        pytest.param(multiclass_hinge(SCORES, LABELS), 2.0, id="sklearn hinge_loss"),
        pytest.param(each(poisson_nll, LOG_RATE, COUNT), [1.1487212707001282, 0.36787944117144233, -2.6109439010693496, 1.0], id="sklearn HalfPoissonLoss"),
        pytest.param(each(poisson_nll, np.exp(LOG_RATE), COUNT, log_input=False, eps=1e-7), [1.14872122, 0.36787944, -2.61094397, 0.9999998], id="keras poisson"),
        pytest.param(each(gamma_deviance, LOG_RATE, AMOUNT), [1.1065306597126334, -0.4563436343081909, 2.6766764161830636, 2.0], id="sklearn HalfGammaLoss"),
        pytest.param(each(tweedie_deviance, LOG_RATE, COUNT), [4.125652399518293, 1.2130613194252668, 9.115358068632514, 6.0], id="sklearn HalfTweedieLoss"),
        pytest.param(tweedie_deviance.slope(LOG_RATE, COUNT, power=1.2, reduction="sum"), [0.5869872796053107, 0.44932896411722156, 1.601432194216918, -1.0], id="sklearn HalfTweedieLoss.gradient"),
    ],
)  # fmt: skip
def test_what_other_libraries_give(mine, theirs, request):
    single = "keras" in request.node.name  # its means go through float32
    np.testing.assert_allclose(mine, theirs, rtol=1e-5 if single else 1e-9)


@pytest.mark.parametrize("dispersion", [0.2, 1.0, 4.0])
def test_the_negative_binomial_likelihood_is_scipys_but_for_terms_of_the_target(dispersion):
    stats, special = pytest.importorskip("scipy.stats"), pytest.importorskip("scipy.special")
    count, size = np.array([0.0, 1.0, 3.0, 7.0]), 1 / dispersion
    choices = special.gammaln(count + size) - special.gammaln(count + 1) - special.gammaln(size)
    likelihood = stats.nbinom.logpmf(count, size, 1 / (1 + dispersion * np.exp(LOG_RATE)))
    mine = each(negative_binomial_nll, LOG_RATE, count, dispersion=dispersion)
    np.testing.assert_allclose(mine, choices - likelihood, rtol=1e-12)


def test_the_zero_inflated_likelihood_is_scipys_but_for_terms_of_the_target():
    stats, special = pytest.importorskip("scipy.stats"), pytest.importorskip("scipy.special")
    count, logit = np.array([0.0, 0.0, 3.0, 7.0]), np.array([-1.5, 2.0, 0.5, -3.0])
    share = special.expit(logit)
    chance = (1 - share) * stats.poisson.pmf(count, np.exp(LOG_RATE)) + share * (count == 0)
    mine = each(zero_inflated_poisson_nll, LOG_RATE, count, logit)
    np.testing.assert_allclose(mine, -np.log(chance) - special.gammaln(count + 1), rtol=1e-12)
    certain = np.full(4, -np.inf)
    np.testing.assert_array_equal(
        each(zero_inflated_poisson_nll, LOG_RATE, count, certain), each(poisson_nll, LOG_RATE, count)
    )
    for rate in (800.0, np.inf):  # its exponential is infinite
        far = np.full(4, rate)
        assert list(each(zero_inflated_poisson_nll, far, np.zeros(4), logit)) == pytest.approx(list(-np.log(share)))
        assert not zero_inflated_poisson_nll.slope(far, np.zeros(4), logit).any()
        assert np.isinf(zero_inflated_poisson_nll.slope(far, np.zeros(4), certain)).all()


@pytest.mark.parametrize(("make", "most"), [(np.asarray, 2.0**-60), (lambda x: torch.tensor(x).float(), 2.0**-45)])
def test_exponentials_have_further_digits(make, most):
    mpmath = pytest.importorskip("mpmath")
    x = make(np.concatenate([np.linspace(-9.9, 9.9, 500), [0.0, 1e-9, 6.625]]))
    high, low = (np.asarray(part, np.float64) for part in slopes.ops.exp_parts(x))
    with mpmath.workdps(40):
        for number, one, other in zip(np.asarray(x, np.float64), high, low, strict=True):
            exact = mpmath.exp(mpmath.mpf(number))
            assert abs(mpmath.mpf(one) + mpmath.mpf(other) - exact) <= most * exact
    assert not slopes.ops.exp_parts(make(np.array([10.0, 80.0, -80.0])))[1].any()


def test_all_gradients_of_the_zero_inflated_likelihood_keep_their_digits():
    """By autograd through the body, by both arguments that are learned, where a 0 is likely and where it is not."""
    mpmath = pytest.importorskip("mpmath")
    rng = np.random.default_rng(0)
    rates, logits = rng.uniform(-8, 4.5, 300), np.concatenate([rng.normal(0, 3, 150), rng.normal(0, 30, 150)])
    logits[:20] = -np.exp(rates[:20])  # where both causes of a 0 are equally likely
    leaves = [torch.tensor(x, requires_grad=True) for x in (rates, logits)]
    zero = torch.zeros(300, dtype=torch.float64)
    body = zero_inflated_poisson_nll.body(leaves[0], zero, leaves[1])
    by_rate, by_logit = (x.numpy() for x in torch.autograd.grad(body.sum(), leaves))
    with mpmath.workdps(200):
        for place in range(300):
            rate, logit = mpmath.exp(mpmath.mpf(rates[place])), mpmath.mpf(logits[place])
            one, both = 1 / (1 + mpmath.exp(-logit)), 1 / (1 + mpmath.exp(-logit - rate))
            assert by_logit[place] == pytest.approx(
                float(one - both), rel=1e-14 * max(1, abs(logits[place])), abs=1e-300
            )
            assert by_rate[place] == pytest.approx(float(rate * (1 - both)), rel=5e-14, abs=1e-300)


def lists_of_classes(rows):
    """Rows of 0 and 1 as PyTorch's multilabel_margin_loss takes them: the classes, then −1."""
    found = [torch.nonzero(row)[:, 0].tolist() for row in rows]
    return torch.tensor([classes + [-1] * (rows.shape[1] - len(classes)) for classes in found])


@pytest.mark.parametrize(
    ("mine", "theirs"),
    [
        (lambda x, y: smooth_l1(x, y, beta=0.3), lambda x, y: F.smooth_l1_loss(x, y, beta=0.3)),
        (lambda x, y: smooth_l1(x, y, beta=0.3) * 0.3, lambda x, y: F.huber_loss(x, y, delta=0.3)),
        (lambda x, y: soft_margin(x, y.sign()), lambda x, y: F.soft_margin_loss(x, y.sign())),
        (lambda x, y: hinge_embedding(x, y.sign(), margin=0.7), lambda x, y: F.hinge_embedding_loss(x, y.sign(), margin=0.7)),
        (lambda x, y: margin_ranking(x, y, -x.detach().sign(), margin=0.4), lambda x, y: F.margin_ranking_loss(x, y, -x.detach().sign(), margin=0.4)),
        (lambda x, y: multiclass_hinge(x, y.argmax(-1), form="weston_watkins") / 5, lambda x, y: F.multi_margin_loss(x, y.argmax(-1))),
        (lambda x, y: multiclass_hinge(x, y.argmax(-1), form="weston_watkins", p=2, margin=0.6) / 5, lambda x, y: F.multi_margin_loss(x, y.argmax(-1), p=2, margin=0.6)),
        (lambda x, y: multiclass_hinge(x, y.argmax(-1), form="weston_watkins", class_weight=torch.arange(5.0), reduction="sum") / 5, lambda x, y: F.multi_margin_loss(x, y.argmax(-1), weight=torch.arange(5.0, dtype=x.dtype), reduction="sum")),
        (lambda x, y: multilabel_margin(x, (y > 0).double()), lambda x, y: F.multilabel_margin_loss(x, lists_of_classes(y > 0))),
        (lambda x, y: multilabel_soft_margin(x, y.sigmoid()), lambda x, y: F.multilabel_soft_margin_loss(x, y.sigmoid())),
        (lambda x, y: poisson_nll(x, y.exp(), full=True), lambda x, y: F.poisson_nll_loss(x, y.exp(), full=True)),
        (lambda x, y: poisson_nll(x.exp(), y.exp(), log_input=False), lambda x, y: F.poisson_nll_loss(x.exp(), y.exp(), log_input=False)),
        (lambda x, y: gaussian_nll(x, y, y.exp(), full=True), lambda x, y: F.gaussian_nll_loss(x, y, y.exp(), full=True)),
        (lambda x, y: gaussian_nll(y, y.flip(0), x.exp()), lambda x, y: F.gaussian_nll_loss(y, y.flip(0), x.exp())),
    ],
)  # fmt: skip
def test_values_and_gradients_are_those_of_pytorch(mine, theirs):
    x, y = torch.from_numpy(np.random.default_rng(0).standard_normal((2, 40, 5)))
    leaves = [x.clone().requires_grad_(), x.clone().requires_grad_()]
    values = [loss(leaf, y) for loss, leaf in zip((mine, theirs), leaves, strict=True)]
    torch.testing.assert_close(*values, rtol=1e-12, atol=1e-14)
    torch.testing.assert_close(
        *(torch.autograd.grad(value, leaf)[0] for value, leaf in zip(values, leaves, strict=True)),
        rtol=1e-10, atol=1e-14,
    )  # fmt: skip


def test_pseudo_huber_and_half_mse_are_those_of_scipy():
    r = np.concatenate([np.logspace(-6, 6, 49), -np.logspace(-6, 6, 49)])
    for delta in (0.1, 1.0, 30.0):
        mine = each(pseudo_huber, r, np.zeros_like(r), delta=delta)
        np.testing.assert_allclose(mine, scipy.special.pseudo_huber(delta, r), rtol=1e-10)
    np.testing.assert_allclose(each(half_mse, r, 0 * r), scipy.special.huber(1e7, r), rtol=1e-15)


EXTREMES = [0.0, 1e-160, -1e-30, 1e-8, 0.5, -1.0, 1.0, 3.0, -90.0, 700.0, -800.0, 1e10, -1e18, 1e30, 3e38, -3e38]
full = torch.full_like
ELEMENTWISE = {
    "half_mse": lambda x: half_mse(x, full(x, 0), reduction="none"),
    "smooth_l1": lambda x: smooth_l1(x, full(x, 0), reduction="none"),
    "pinball": lambda x: pinball(x, full(x, 0), reduction="none"),
    "charbonnier": lambda x: charbonnier(x, full(x, 0), reduction="none"),
    "pseudo_huber": lambda x: pseudo_huber(x, full(x, 0), reduction="none"),
    **{
        f"barron {alpha}": lambda x, alpha=alpha: barron_general(x, full(x, 0), alpha=alpha, reduction="none")
        for alpha in (2.0, 1.0, 0.5, 1e-9, 0.0, -1e-9, -2.0, -1e6, -math.inf)
    },
    "mape": lambda x: mape(x, full(x, 0), reduction="none"),
    "msle": lambda x: msle(x.abs(), full(x, 0), reduction="none"),
    "hinge": lambda x: hinge(x, full(x, 1), reduction="none"),
    "squared_hinge": lambda x: squared_hinge(x, full(x, -1), reduction="none"),
    "soft_margin": lambda x: soft_margin(x, full(x, 1), reduction="none"),
    "hinge_embedding": lambda x: hinge_embedding(x, full(x, -1), reduction="none"),
    "margin_ranking": lambda x: margin_ranking(x, full(x, 0), full(x, -1), reduction="none"),
    "poisson_nll": lambda x: poisson_nll(x, full(x, 5), reduction="none"),
    "poisson_nll of 0": lambda x: poisson_nll(x, full(x, 0), reduction="none", full=True),
    "gaussian_nll": lambda x: gaussian_nll(x, full(x, 0), full(x, 1e-9), reduction="none"),
    "gamma_deviance": lambda x: gamma_deviance(x, full(x, 3), reduction="none"),
    "tweedie_deviance": lambda x: tweedie_deviance(x, full(x, 3), reduction="none"),
    "tweedie_deviance of 0": lambda x: tweedie_deviance(x, full(x, 0), reduction="none"),
    "multiclass_hinge": lambda x: multiclass_hinge(x[:, None] * torch.tensor([1.0, 0.0, 1.0]), torch.arange(len(x)) % 3, reduction="none"),
    "multiclass_hinge of rows": lambda x: multiclass_hinge(x[:, None] * torch.tensor([1.0, 0.0]), full(torch.stack([x, x], -1), 0.5), p=2, reduction="none"),
    "multilabel_margin": lambda x: multilabel_margin(x[:, None] * torch.tensor([1.0, 0.0]), full(torch.stack([x, x], -1), 0.0) + torch.tensor([0.0, 1.0]), reduction="none"),
    "multilabel_soft_margin": lambda x: multilabel_soft_margin(torch.stack([x, -x], -1), full(torch.stack([x, x], -1), 0.0), reduction="none"),
}  # fmt: skip


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("name", ELEMENTWISE)
def test_no_nan_up_to_the_second_derivative(name, dtype):
    """By the card's derivative, and by plain autograd through the body, which forward mode takes."""
    function, x = ELEMENTWISE[name], torch.tensor(EXTREMES, dtype=dtype).requires_grad_()
    value = function(x)
    (slope,) = torch.autograd.grad(value.sum(), x, create_graph=True)
    _, forward = torch.func.jvp(function, (x.detach(),), (torch.ones_like(x),))
    assert not value.isnan().any()
    assert not slope.isnan().any()
    assert not forward.isnan().any()
    finite = value.isfinite() & slope.isfinite()  # beyond the range of the type a second derivative may be 0 · inf
    if slope.requires_grad:
        assert not torch.autograd.grad(slope.sum(), x)[0][finite].isnan().any()
    ones = torch.ones_like(x)
    _, bent = torch.func.jvp(lambda x: torch.func.jvp(function, (x,), (ones,))[1], (x.detach(),), (ones,))
    assert not bent[finite].isnan().any()


def test_second_derivatives_at_the_bottom():
    zero = torch.zeros(1, dtype=torch.float64)
    for loss, curvature in (
        (half_mse, 1), (smooth_l1, 1), (charbonnier, 1e3), (pseudo_huber, 1), (msle, 2),
        *((barron_general.with_(alpha=alpha), 1) for alpha in (2.0, 1.0, 0.0, -2.0, -math.inf)),
    ):  # fmt: skip
        total = lambda x, loss=loss: loss(x, zero, reduction="sum")  # noqa: E731
        for hessian in (torch.func.hessian, lambda f: torch.func.jacfwd(torch.func.jacfwd(f))):
            assert hessian(total)(zero).item() == pytest.approx(curvature, rel=1e-12)


def test_soft_margin_does_not_overflow_as_pytorch_does():
    x, y = torch.tensor([-100.0], requires_grad=True), torch.ones(1)
    theirs, mine = F.soft_margin_loss(x, y), soft_margin(x, y)
    assert theirs.isinf()
    assert torch.autograd.grad(theirs, x)[0].isnan()
    assert mine == 100
    assert torch.autograd.grad(mine, x)[0] == -1


def test_hinges_have_the_double_backward_that_pytorch_lacks():
    x = torch.from_numpy(np.random.default_rng(0).standard_normal((4, 3))).requires_grad_()
    labels, rows = torch.tensor([0, 2, 1, 1]), torch.tensor([[1, 0, 1], [0, 0, 1], [1, 1, 0], [0, 1, 0]]).double()
    (slope,) = torch.autograd.grad(F.multi_margin_loss(x, labels), x, create_graph=True)
    with pytest.raises(RuntimeError, match="not implemented"):
        torch.autograd.grad(slope.sum(), x)
    for form in ("crammer_singer", "weston_watkins"):
        for p in (1, 2):
            for target in (labels, rows / rows.sum(-1, keepdim=True)):
                function = lambda x, t=target, **o: multiclass_hinge(x, t, **o)  # noqa: E731
                assert torch.autograd.gradgradcheck(lambda x, f=form, p=p, call=function: call(x, form=f, p=p), x)
    assert torch.autograd.gradgradcheck(lambda x: multilabel_margin(x, rows) ** 2, x)


def test_robust_losses_reach_far_out_where_kornia_overflows():
    x, zero = np.array([1e30, -1e30], np.float32), np.zeros(2, np.float32)
    for alpha, value, slope in ((1.0, 1e30, 1.0), (0.0, 2 * math.log(1e30) - math.log(2), 2e-30), (-2.0, 2.0, 0.0)):
        for given in ((x, zero), (torch.from_numpy(x), torch.from_numpy(zero))):
            came = barron_general.value_and_slope(*given, alpha=alpha, reduction="none")
            np.testing.assert_allclose(came[0], [value, value], rtol=1e-6)
            np.testing.assert_allclose(came[1], [slope, -slope], rtol=1e-6)
    assert charbonnier(x, zero) == pseudo_huber(x, zero) == np.float32(1e30)


def test_barron_goes_through_its_limits_without_a_jump():
    r = np.array([-30.0, -1.0, 1e-9, 0.3, 2.0, 500.0])
    named = {2.0: r * r / 2, 1.0: np.hypot(r, 1) - 1, 0.0: np.log1p(r * r / 2), -math.inf: -np.expm1(-r * r / 2)}
    named[1.0] = each(pseudo_huber, r, 0 * r)
    for alpha, wanted in named.items():
        np.testing.assert_allclose(each(barron_general, r, 0 * r, alpha=alpha), wanted, rtol=1e-14)
        np.testing.assert_allclose(each(barron_general, 3 * r, 0 * r, alpha=alpha, c=3.0), wanted, rtol=1e-14)
    for near, limit in ((1e-12, 0.0), (-1e-12, 0.0), (2 - 1e-12, 2.0), (-1e15, -math.inf), (-1e19, -1e21)):
        for result in (each, lambda card, *given, **options: card.slope(*given, reduction="sum", **options)):
            arguments = barron_general, r, 0 * r
            np.testing.assert_allclose(
                result(*arguments, alpha=near), result(*arguments, alpha=limit), rtol=1e-9, atol=1e-300
            )
    for alpha in (2.5, math.inf, math.nan):
        with pytest.raises(ValueError, match="barron_general: alpha must be <= 2"):
            barron_general(r, r, alpha=alpha)


@pytest.mark.parametrize("alpha", [1.7, 1.0, 0.3, 0.0, -2.0, -9.0])
def test_barron_learns_its_shape(alpha):
    r = torch.tensor([-3.0, 0.1, 0.0, 40.0], dtype=torch.float64)
    learnt = [torch.tensor(value, dtype=torch.float64, requires_grad=True) for value in (alpha, 1.3)]
    assert torch.autograd.gradcheck(lambda a, c: barron_general(r, 0 * r, alpha=a, c=c, reduction="none"), learnt)


def test_relations():
    for q in (0.5, 0.1):
        both = each(pinball, P, T, quantile=q) + each(pinball, P, T, quantile=1 - q)
        np.testing.assert_allclose(both, each(mae, P, T), rtol=1e-15)
    np.testing.assert_allclose(3 * each(smooth_l1, P, T, beta=3.0), each(huber, P, T, delta=3.0), rtol=1e-15)
    np.testing.assert_allclose(
        each(charbonnier, P, T, eps=2.0) - 2, each(pseudo_huber, P, T, delta=2.0) / 2, rtol=1e-12
    )
    mean = (each(multiclass_hinge, SCORES, LABELS) + each(multiclass_hinge, SCORES, 0 * LABELS)) / 2
    first = np.eye(3)[0 * LABELS]
    np.testing.assert_allclose(each(multiclass_hinge, SCORES, (ROWS + first) / 2), mean, rtol=1e-15)
    for form in ("crammer_singer", "weston_watkins"):
        for p in (1, 2):
            labels, rows = (each(multiclass_hinge, SCORES, t, form=form, p=p) for t in (LABELS, ROWS))
            np.testing.assert_array_equal(labels, rows)


@pytest.mark.parametrize(
    ("slope", "wanted"),
    [
        (lambda x: hinge(x, torch.ones(1)), 0),  # as Optax; PyTorch has none
        (lambda x: hinge_embedding(x, -torch.ones(1)), -1),  # as PyTorch up to 2.13, whose clamp changed then
        (lambda x: margin_ranking(x, torch.ones(1), torch.ones(1)), -1),  # the same
        (lambda x: multiclass_hinge(torch.cat([x + 1, x.detach()])[None], torch.tensor([0])), 0),
        (lambda x: pinball(x, torch.ones(1), quantile=0.9), 0),
    ],
)  # fmt: skip
def test_slopes_at_kinks(slope, wanted):
    x = torch.ones(1, requires_grad=True)
    assert torch.autograd.grad(slope(x), x)[0].item() == wanted
    assert torch.func.grad(slope)(x.detach()).item() == wanted
    assert torch.func.jvp(slope, (x.detach(),), (torch.ones(1),))[1].item() == wanted  # through the body


@pytest.mark.parametrize(("mean", "target", "variance"), [(0.3, -0.5, 2.0), (1.0, 1.0, 0.04), (-2.0, 7.0, 1.5)])
def test_crps_is_the_integral_of_squared_differences_of_distributions(mean, target, variance):
    from scipy.integrate import quad
    from scipy.stats import norm

    distribution = norm(mean, variance**0.5)
    below, _ = quad(lambda y: distribution.cdf(y) ** 2, -40, target, points=[mean], epsabs=1e-12)
    above, _ = quad(lambda y: distribution.sf(y) ** 2, target, 40, points=[mean], epsabs=1e-12)
    assert crps_gaussian(mean, target, variance) == pytest.approx(below + above, rel=1e-9)


def test_crps_is_a_mean_absolute_error_near_a_variance_of_0_and_far_out():
    x, y = np.array([1e200, 3.0, -1e308, 2.0]), np.array([-1e200, 1.0, 0.0, 2.0])
    assert (crps_gaussian(x, y, np.full(4, 5e-324), reduction="none")[:3] == np.abs(x - y)[:3]).all()
    wide = crps_gaussian(2.0, 2.0, 1e308)
    assert wide == pytest.approx(1e154 * (2**0.5 - 1) / np.pi**0.5)
    assert crps_gaussian.slope([1e308], [-1e308], [1e308]) == [1.0]


def test_crps_teaches_mean_and_variance():
    rng = np.random.default_rng(0)
    target = torch.tensor(rng.normal(3.0, 2.0, 20000))
    mean, log_variance = (torch.zeros((), dtype=torch.float64, requires_grad=True) for _ in range(2))
    optimizer = torch.optim.LBFGS([mean, log_variance], max_iter=60)

    def closure():
        optimizer.zero_grad()
        loss = crps_gaussian(mean.expand_as(target), target, log_variance.exp().expand_as(target))
        loss.backward()
        return loss

    optimizer.step(closure)
    assert mean.item() == pytest.approx(3.0, abs=0.05)
    assert log_variance.exp().item() == pytest.approx(4.0, rel=0.04)


def test_evidential_losses_are_the_likelihood_of_student_and_a_penalty():
    from scipy.stats import t as student

    rng = np.random.default_rng(0)
    mean, target = 3 * rng.standard_normal((2, 50))
    evidence, shape, scale = np.exp(rng.standard_normal((3, 50)))
    spread = np.sqrt(scale * (1 + evidence) / (evidence * shape))
    likelihood = -student.logpdf(target, 2 * shape, mean, spread)
    ours = evidential_nll(mean, target, evidence, shape, scale, reduction="none")
    np.testing.assert_allclose(ours, likelihood, rtol=1e-12, atol=1e-13)
    penalty = evidential_penalty(mean, target, evidence, shape, scale, reduction="none")
    np.testing.assert_allclose(penalty, abs(mean - target) * (2 * evidence + shape), rtol=1e-14)
    both = (evidential_nll + 0.01 * evidential_penalty)(mean, target, evidence, shape, scale)
    assert both == pytest.approx(ours.mean() + 0.01 * penalty.mean())


def test_evidential_has_gradients_by_all_that_a_model_predicts():
    pytest.importorskip("mpmath")
    from definitions import evidential_nll as formula
    from definitions import m

    def slope(place, given):
        return m.diff(lambda x: formula(*given[:place], x, *given[place + 1 :]), given[place])

    rng = np.random.default_rng(1)
    drawn = [*(3 * rng.standard_normal((2, 40))), *np.exp(4 * rng.standard_normal((3, 40)))]
    tensors = [torch.tensor(x, requires_grad=place != 1) for place, x in enumerate(drawn)]
    evidential_nll(*tensors, reduction="sum").backward()
    with m.workdps(40):
        for place in (0, 2, 3, 4):
            exact = [float(slope(place, list(map(m.mpf, given)))) for given in zip(*drawn, strict=True)]
            np.testing.assert_allclose(tensors[place].grad, exact, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("x", [1e-300, 1e-9, 0.3, 0.999999, 1.0, 1.5, 9.7, 123.4, 1e5, 1e150, 1e308])
def test_a_quotient_of_gamma_functions_keeps_its_digits(x):
    mpmath = pytest.importorskip("mpmath")
    with mpmath.workdps(700):
        exact = mpmath.loggamma(mpmath.mpf(x)) - mpmath.loggamma(mpmath.mpf(x) + 0.5) + mpmath.log(mpmath.mpf(x)) / 2
    with np.errstate(over="ignore"):
        ours = lgamma_ratio(np.array(x)), lgamma_ratio(torch.tensor(x, dtype=torch.float64))
    for came in ours:
        assert float(came) == pytest.approx(float(exact), rel=5e-16)


def test_a_variance_below_eps_has_no_gradient():
    variance = torch.tensor([1e-12, 0.5], dtype=torch.float64, requires_grad=True)
    one, zero = torch.ones(2, dtype=torch.float64), torch.zeros(2, dtype=torch.float64)
    theirs = F.gaussian_nll_loss(one, zero, variance, reduction="sum")
    mine = gaussian_nll(one, zero, variance, reduction="sum")
    assert mine == theirs
    assert torch.autograd.grad(theirs, variance)[0].tolist() == pytest.approx([-5e11, -1])
    assert torch.autograd.grad(mine, variance)[0].tolist() == [0, -1]
    with pytest.raises(ValueError, match="gaussian_nll: variance must be > 0, got 0"):
        gaussian_nll([1.0], [1.0], [0.0])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: msle([-1.0], [0.0]), r"msle: prediction must be > -1, got -1\.0"),
        (lambda: msle([0.0], [-2.0]), r"msle: target must be > -1, got -2\.0"),
        (lambda: poisson_nll([0.0], [-1.0]), r"poisson_nll: target must be >= 0, got -1\.0"),
        (lambda: poisson_nll([0.0], [1.0], log_input=False), r"poisson_nll: prediction must be > 0, got 0\.0"),
        (lambda: gamma_deviance([0.0], [0.0]), r"gamma_deviance: target must be > 0, got 0\.0"),
        (lambda: tweedie_deviance([0.0], [0.0], power=2.0), "tweedie_deviance: power must be > 1 and < 2, got 2.0"),
        (lambda: hinge([0.0], [0.0]), r"hinge: target must be -1 or 1, got 0\.0; with zero_one=True it may be 0 or 1$"),
        (lambda: margin_ranking([0.0], [1.0], [0]), r"must be -1 or 1, got 0\.0; with zero_one=True it may be 0 or 1$"),
        (lambda: slopes.kto([0.0], [1.0], [0]), r"kto: target must be -1 or 1, got 0\.0; with zero_one=True it may"),
        (lambda: slopes.cosine_embedding([[0.0]], [[1.0]], [0]), r"got 0\.0; with zero_one=True it may be 0 or 1$"),
    ],
)
def test_what_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_zero_one_targets_are_taken_for_signs_on_request():
    for loss in (hinge, squared_hinge, soft_margin):
        mine = each(loss, MARGIN, (np.array(SIGN) + 1) / 2, zero_one=True)
        np.testing.assert_array_equal(mine, each(loss, MARGIN, SIGN))


def test_msle_keeps_its_digits_where_the_logs_cancel():
    x, y = 1e8, 1e8 + 1e-4
    exact = math.log1p((x - y) / (1 + y)) ** 2
    assert msle([x], [y]) == pytest.approx(exact, rel=1e-14, abs=0)
    assert msle([-1 + 2**-50], [1e200]) == pytest.approx((math.log(1e200) + 50 * math.log(2)) ** 2, rel=1e-14)
