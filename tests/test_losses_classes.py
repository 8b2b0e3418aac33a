"""Losses of a class, a yes or a distribution: peers' numbers, and derivatives where others have NaN or 0."""

import math

import numpy as np
import pytest

import slopes
from slopes.losses.classification import cross_entropy, margin_softmax, nll, poly1
from slopes.losses.divergence import distillation, js_divergence, kl_div, relative_entropy
from slopes.losses.embedding import siglip
from slopes.losses.focal import asymmetric, sigmoid_focal, softmax_focal

torch = pytest.importorskip("torch")
F = torch.nn.functional

Z, YES, SOFT = [-2.0, 0.5, 3.0, -1.0], [0.0, 1.0, 0.0, 1.0], [0.2, 1.0, 0.3, 0.9]
ROWS, LABELS = [[2.0, 1.5, -1.0], [0.5, 1.0, 3.0], [-1.0, 2.0, 0.5]], [0, 1, 2]
COSINES = [[0.6, -0.2, 0.1], [-0.95, 0.1, 0.2], [0.5, 0.75, -0.3]]
DEGREES = math.radians(28.6)


def softmax(rows):
    powers = np.exp(rows)
    return powers / powers.sum(-1, keepdims=True)


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        # torchvision 0.28.0, alpha=-1; the same of Optax 0.2.8, Keras 3.15.1, MONAI 1.6.1, smp 0.6.0
        (lambda: sigmoid_focal(Z, YES, reduction="none"), [0.00180356284, 0.0675734905, 2.76628044, 0.701868303]),
        # torchvision 0.28.0 and kornia 0.9.0 at their defaults, Keras 3.15.1 with apply_class_balancing
        (lambda: sigmoid_focal(Z, YES, alpha=0.25, reduction="none"), [0.00135267213, 0.0168933726, 2.07471033, 0.175467076]),
        # torchvision 0.28.0, alpha=-1
        (lambda: sigmoid_focal(Z, SOFT, reduction="none"), [0.0388472747, 0.0675734905, 0.996517742, 0.569038175]),
        # kornia 0.9.0 with alpha=None, smp 0.6.0
        (lambda: softmax_focal(ROWS, LABELS, reduction="none"), [0.079229251, 1.73547826, 1.1843458]),
        # kornia 0.9.0 and MONAI 1.6.1: the mean is over rows and classes
        (lambda: softmax_focal(ROWS, LABELS) / 3, 0.333228146),
        # Keras 3.15.1: 0.25 for every class
        (lambda: softmax_focal(ROWS, LABELS, class_weight=[0.25] * 3, reduction="none"), [0.0198073127, 0.433869566, 0.296086451]),
        # Optax 0.2.8, timm 1.0.31
        (lambda: poly1(ROWS, LABELS, reduction="none"), [1.29709911, 3.97440285, 3.39073051]),
        # timm 1.0.31, in float32
        (lambda: asymmetric(Z, YES, reduction="none"), [1.64475375e-06, 0.178983316, 1.54539061, 0.960071206]),
        # Keras 3.15.1 and Optax 0.2.8
        (lambda: kl_div(ROWS, softmax(ROWS[::-1]), reduction="none"), [0.801681991, 0.0, 1.31977664]),
        # kornia 0.9.0
        (lambda: js_divergence(ROWS, softmax(ROWS[::-1]), reduction="none"), [0.216591396, 0.0, 0.216591396]),
        # pytorch_metric_learning 2.9.0, ArcFaceLoss(margin=28.6), its second row beyond the angle of π − margin
        (lambda: margin_softmax(COSINES, [0, 0, 1], margin=DEGREES, scale=4.0, reduction="none"), [0.738082065, 6.07110978, 1.08489764]),
        # pytorch_metric_learning 2.9.0, CosFaceLoss()
        (lambda: margin_softmax(COSINES, [0, 0, 1], margin=0.35, scale=4.0, form="cosface", reduction="none"), [0.538894262, 6.51449811, 0.937126064]),
    ],
)  # fmt: skip
def test_numbers_of_peers(ours, theirs):
    np.testing.assert_allclose(ours(), theirs, rtol=2e-6, atol=1e-12)


LOGITS, TARGET = torch.tensor(ROWS, dtype=torch.float64), torch.tensor(LABELS)
OTHER = torch.tensor(softmax(ROWS[::-1]))
EYE, SHARES = torch.eye(3, dtype=torch.float64), torch.tensor([0.1, 0.2, 0.7], dtype=torch.float64)
ZS, YS = torch.tensor(Z, dtype=torch.float64), torch.tensor(SOFT, dtype=torch.float64)


@pytest.mark.parametrize(
    ("first", "ours", "theirs"),
    [
        (LOGITS.log_softmax(-1), lambda x: nll(x, TARGET), lambda x: F.nll_loss(x, TARGET)),
        (LOGITS, lambda x: softmax_focal(x, TARGET, gamma=0.0), lambda x: F.cross_entropy(x, TARGET)),
        (LOGITS, lambda x: softmax_focal(x, OTHER, gamma=0.0), lambda x: F.cross_entropy(x, OTHER)),
        (LOGITS, lambda x: poly1(x, OTHER, epsilon=0.0), lambda x: F.cross_entropy(x, OTHER)),
        (LOGITS, lambda x: poly1(x, TARGET), lambda x: F.cross_entropy(x, TARGET) + 2 * (1 - x.softmax(-1).diag()).mean()),
        (ZS, lambda x: sigmoid_focal(x, YS, gamma=0.0), lambda x: F.binary_cross_entropy_with_logits(x, YS)),
        (ZS, lambda x: asymmetric(x, YS, gamma_neg=0.0, gamma_pos=0.0, clip=0.0), lambda x: F.binary_cross_entropy_with_logits(x, YS)),
        (LOGITS, lambda x: kl_div(x, OTHER), lambda x: F.kl_div(x.log_softmax(-1), OTHER, reduction="batchmean")),
        (LOGITS.softmax(-1), lambda x: kl_div(x, OTHER, from_probabilities=True), lambda x: F.kl_div(x.log(), OTHER, reduction="batchmean")),
        (LOGITS.log_softmax(-1), lambda x: relative_entropy(x, OTHER, reduction="sum"), lambda x: F.kl_div(x, OTHER, reduction="sum")),
        (LOGITS.log_softmax(-1), lambda x: relative_entropy(x, OTHER.log(), log_target=True, reduction="sum"), lambda x: F.kl_div(x, OTHER.log(), log_target=True, reduction="sum")),
        (LOGITS, lambda x: distillation(x, LOGITS.flip(0), temperature=3.0), lambda x: 9 * F.kl_div((x / 3).log_softmax(-1), (LOGITS.flip(0) / 3).softmax(-1), reduction="batchmean")),
        (LOGITS, lambda x: margin_softmax(x / 4, TARGET, margin=0.0, scale=4.0), lambda x: F.cross_entropy(x, TARGET)),
        (LOGITS, lambda x: margin_softmax(x / 4, TARGET, scale=4.0), lambda x: F.cross_entropy(x + torch.diag(4 * ((x.diag() / 4).acos() + 0.5).cos() - x.diag()), TARGET)),
        # open_clip's code
        (LOGITS, lambda x: siglip(x, TARGET), lambda x: -F.logsigmoid((2 * EYE - 1) * x).sum() / 3),
        (LOGITS, lambda x: siglip(x, OTHER), lambda x: F.binary_cross_entropy_with_logits(x, OTHER, reduction="sum") / 3),
        (LOGITS, lambda x: siglip(x, TARGET, class_weight=SHARES), lambda x: -(SHARES @ F.logsigmoid((2 * EYE - 1) * x)).sum()),
    ],
)  # fmt: skip
def test_values_and_slopes_of_pytorch(first, ours, theirs):
    """Once with the card's derivative, once by plain autograd, which forward mode takes."""
    x = first.clone().requires_grad_()
    wanted = theirs(x)
    (slope,) = torch.autograd.grad(wanted, x)
    value = ours(x)
    torch.testing.assert_close(value, wanted, rtol=1e-12, atol=1e-14)
    torch.testing.assert_close(torch.autograd.grad(value, x)[0], slope, rtol=1e-11, atol=1e-14)
    torch.testing.assert_close(torch.func.jacfwd(ours)(first), slope, rtol=1e-11, atol=1e-14)


SURE = [0.0, 20.0, -20.0, 40.0, -40.0, 95.0, -95.0, 400.0, -400.0, 1e4, -1e4]
PAIRS = {
    "sigmoid_focal": lambda z, y: sigmoid_focal(z, y, gamma=0.5, reduction="none"),
    "sigmoid_focal gamma 2": lambda z, y: sigmoid_focal(z, y, alpha=0.25, reduction="none"),
    "asymmetric": lambda z, y: asymmetric(z, y, reduction="none"),
    "asymmetric gamma 0.5": lambda z, y: asymmetric(z, y, gamma_neg=0.5, gamma_pos=0.5, reduction="none"),
    "asymmetric clip 0": lambda z, y: asymmetric(z, y, gamma_neg=0.5, clip=0.0, reduction="none"),
    "asymmetric clip of a tensor": lambda z, y: asymmetric(z, y, clip=torch.zeros((), dtype=z.dtype), reduction="none"),
    "softmax_focal": lambda z, y: softmax_focal(_rows(z), y.long(), gamma=0.5, reduction="none"),
    "softmax_focal of rows": lambda z, y: softmax_focal(_rows(z), _chances(y), gamma=0.5, reduction="none"),
    "poly1": lambda z, y: poly1(_rows(z), y.long(), reduction="none"),
    "kl_div": lambda z, y: kl_div(_rows(z), _chances(y), reduction="none"),
    "js_divergence": lambda z, y: js_divergence(_rows(z), _chances(y), reduction="none"),
    "distillation": lambda z, y: distillation(_rows(z), 1e4 * _chances(y), reduction="none"),
}


def _rows(z):
    return torch.stack([torch.zeros_like(z), z], dim=-1)


def _chances(y):
    return torch.stack([1 - y, y], dim=-1)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("name", PAIRS)
def test_no_nan_however_sure(name, dtype):
    """Of value, slope and second slope, by the card's derivative and by plain autograd."""
    loss = PAIRS[name]
    for target in (0.0, 1.0):
        z = torch.tensor(SURE, dtype=dtype, requires_grad=True)
        y = torch.full_like(z, target)
        value = loss(z, y)
        (slope,) = torch.autograd.grad(value.sum(), z, create_graph=True)
        (second,) = torch.autograd.grad(slope.sum(), z)
        forward = torch.func.jvp(lambda z: loss(z, y), (z.detach(),), (torch.ones_like(z),))[1]  # noqa: B023
        twice = torch.func.hessian(lambda z: loss(z, y).sum())(z.detach())  # noqa: B023
        for result in (value, slope, second, forward, twice):
            assert result.isfinite().all(), f"{name} at target {target}: {result}"
        torch.testing.assert_close(slope, forward, rtol=1e-5, atol=1e-40)  # of subnormals few digits are left
        assert value.dtype == dtype


@pytest.mark.parametrize("steep", [sigmoid_focal, softmax_focal, asymmetric, poly1])
def test_what_is_surely_wrong_still_learns(steep):
    """No probability is clipped: Keras has 16.118 and a slope of 0 here, timm's asymmetric loss a slope of 0."""
    for z in (-20.0, -200.0, -1e4):
        arguments = ([z], [1.0]) if not steep.rowwise else ([[z, 0.0]], [0])
        value, slope = steep.value_and_slope(*arguments, reduction="sum")
        assert -z - 1e-6 <= value <= -z + 2.0 + 1e-6
        assert np.ravel(slope)[0] == pytest.approx(-1, abs=1e-6)
    assert nll([[-1e4, 0.0]], [0]) == 1e4
    assert nll([[-np.inf, 0.0]], [0]) == np.inf
    assert kl_div([[0.0, 1.0]], [[1.0, 0.0]], from_probabilities=True) == np.inf


def test_focal_slope_where_peers_have_nan():
    """At gamma 0.5 and a right logit of 20 and more torchvision, smp and Keras give NaN in float32."""
    z = torch.tensor([20.0, 30.0, 60.0], requires_grad=True)
    sigmoid_focal(z, torch.ones(3), gamma=0.5, reduction="sum").backward()
    np.testing.assert_allclose(z.grad, -1.5 * np.exp(-1.5 * np.array([20.0, 30.0, 60.0])), rtol=1e-5)
    rows = torch.tensor([[20.0, 0.0], [30.0, 0.0]], requires_grad=True)
    softmax_focal(rows, torch.zeros(2, dtype=torch.int64), gamma=0.5, reduction="sum").backward()
    np.testing.assert_allclose(rows.grad[:, 0], -1.5 * np.exp(-1.5 * np.array([20.0, 30.0])), rtol=1e-5)
    np.testing.assert_allclose(rows.grad[:, 1], 1.5 * np.exp(-1.5 * np.array([20.0, 30.0])), rtol=1e-5)


WITHOUT = {
    "softmax_focal": lambda x, t: softmax_focal(x, t),
    "poly1": lambda x, t: poly1(x, t),
    "kl_div": lambda x, t: kl_div(x, t),
    "js_divergence": lambda x, t: js_divergence(x, t),
    "distillation": lambda x, t: distillation(x, t.log()),
    "relative_entropy": lambda x, t: relative_entropy(x, t, reduction="sum"),
    "relative_entropy of logs": lambda x, t: relative_entropy(x, t.log(), log_target=True, reduction="sum"),
    "nll": lambda x, t: nll(x, t),
}


@pytest.mark.parametrize("name", WITHOUT)
def test_an_impossible_class_that_never_comes_changes_nothing(name):
    loss = WITHOUT[name]
    without = OTHER.clone(), LOGITS
    column = torch.zeros(3, 1, dtype=torch.float64)
    target, x = torch.cat([without[0], column], -1), torch.cat([without[1], column - math.inf], -1)
    torch.testing.assert_close(loss(x, target), loss(without[1], without[0]), rtol=1e-14, atol=0)
    whole, part = x.clone().requires_grad_(), without[1].clone().requires_grad_()
    for leaf, rows in ((whole, target), (part, without[0])):
        (leaf.slope,) = torch.autograd.grad(loss(leaf, rows), leaf, create_graph=True)
        squares = leaf.slope[:, :3].square() + 0 * leaf[:, :3]  # of a constant slope, too
        (leaf.second,) = torch.autograd.grad(squares.sum(), leaf)
        leaf.plain = torch.func.jacfwd(lambda x: loss(x, rows))(leaf.detach())  # noqa: B023
    for result in ("slope", "second", "plain"):
        came, wanted = getattr(whole, result), getattr(part, result)
        torch.testing.assert_close(came[:, :3], wanted, rtol=1e-12, atol=1e-15)
        assert came[:, 3].abs().max() == 0


@pytest.mark.parametrize("gamma", [0.0, 0.5, 2.0])
@pytest.mark.parametrize("row", [[3.0, -math.inf, -math.inf], [3.0]])
def test_the_only_possible_class_costs_nothing(gamma, row):
    x = torch.tensor([row], requires_grad=True)
    value = softmax_focal(x, torch.tensor([0]), gamma=gamma)
    (slope,) = torch.autograd.grad(value, x, create_graph=True)
    forward = torch.func.jacfwd(lambda x: softmax_focal(x, torch.tensor([0]), gamma=gamma))(x.detach())
    second = torch.func.hessian(lambda x: softmax_focal(x, torch.tensor([0]), gamma=gamma))(x.detach())
    for result in (value, slope, forward, second):
        assert (result == 0).all()


def test_relative_entropy_of_a_target_of_zero():
    """PyTorch has NaN for a log of −inf."""
    for prediction in (-math.inf, -1.0):
        x = torch.tensor([prediction], requires_grad=True)
        for loss in (
            relative_entropy(x, torch.tensor([0.0])),
            relative_entropy(x, torch.tensor([-math.inf]), log_target=True),
        ):
            assert loss == 0
            assert torch.autograd.grad(loss, x)[0] == 0
    assert relative_entropy([-math.inf], [0.5]) == math.inf
    with pytest.raises(ValueError, match=r"target must be >= 0, got -1\.0"):
        relative_entropy([-1.0], [-1.0])


def test_double_precision_stays():
    """MONAI's focal loss, timm's asymmetric loss and its PolyLoss give float32 for float64."""
    for loss in (sigmoid_focal, asymmetric):
        assert loss(ZS, YS.round()).dtype == torch.float64
    exactly = (1 - 1 / (1 + math.exp(-0.7))) ** 2 * math.log1p(math.exp(-0.7))
    assert float(sigmoid_focal(ZS.new_tensor([0.7]), YS.new_tensor([1.0]))) == pytest.approx(exactly, rel=1e-15)


def test_focal_losses_agree_on_two_classes():
    z, yes = np.array([-800.0, -3.0, 0.0, 0.4, 3.0, 50.0, 800.0]), np.array([0, 1, 0, 1, 1, 1, 0])
    for gamma in (0.0, 0.5, 2.0, 5.0):
        binary = sigmoid_focal.value_and_slope(z, yes, gamma=gamma, reduction="none")
        rows = softmax_focal.value_and_slope(np.stack([0 * z, z], -1), yes, gamma=gamma, reduction="none")
        np.testing.assert_allclose(rows[0], binary[0], rtol=1e-13)
        np.testing.assert_allclose(rows[1][:, 1], binary[1], rtol=1e-13)


def test_focal_alpha():
    for target, share in ((1.0, 0.3), (0.0, 0.7)):
        plain = sigmoid_focal.value_and_slope([0.4], [target])
        weighed = sigmoid_focal.value_and_slope([0.4], [target], alpha=0.3)
        np.testing.assert_allclose(weighed[0], share * plain[0], rtol=1e-15)
        np.testing.assert_allclose(weighed[1], share * plain[1], rtol=1e-15)
    for wrong in (-1, 1.5, "off"):
        with pytest.raises(ValueError, match="sigmoid_focal: alpha must be None or >= 0 and <= 1, got"):
            sigmoid_focal([0.4], [1.0], alpha=wrong)


def test_margin_softmax():
    with pytest.raises(ValueError, match=r"margin must be >= 0 and <= 1\.5708, got 28\.6"):  # degrees
        margin_softmax.with_(margin=28.6)
    ends = torch.tensor([[1.0, -1.0, 0.0], [-1.0, 1.0, 0.0]], dtype=torch.float64, requires_grad=True)
    labels = torch.tensor([0, 0])
    (slope,) = torch.autograd.grad(margin_softmax(ends, labels, scale=1.0), ends, create_graph=True)
    assert slope.isfinite().all()
    assert torch.autograd.grad(slope.square().sum(), ends)[0].isfinite().all()
    # it falls as the right cosine rises, beyond the angle of π − margin too
    right = np.linspace(-1, 1, 2001)
    values = margin_softmax(np.stack([right, 0 * right], -1), np.zeros(2001, int), reduction="none")
    assert (np.diff(values) < 0).all()
    # the weight of a class weighs its rows and leaves the margin as it is
    each = margin_softmax(COSINES, [0, 0, 1], reduction="none")
    weighed = margin_softmax(COSINES, [0, 0, 1], class_weight=[2.0, 0.5, 1.0], reduction="none")
    np.testing.assert_allclose(weighed, each * [2.0, 2.0, 0.5], rtol=1e-15)


def test_js_divergence_is_bounded_and_symmetric():
    rng = np.random.default_rng(0)
    first, second = softmax(5 * rng.standard_normal((20, 4))), softmax(5 * rng.standard_normal((20, 4)))
    forth = js_divergence(np.log(first), second, reduction="none")
    np.testing.assert_allclose(forth, js_divergence(np.log(second), first, reduction="none"), rtol=1e-12)
    assert (forth < math.log(2)).all()
    assert js_divergence([[1e4, -1e4]], [[0.0, 1.0]]) == math.log(2)
    # Liger's and TRL's: beta is the target's share
    mixture = 0.2 * second + 0.8 * first
    parts = 0.2 * second * np.log(second / mixture) + 0.8 * first * np.log(first / mixture)
    np.testing.assert_allclose(
        js_divergence(np.log(first), second, beta=0.2, reduction="none"), parts.sum(-1), rtol=1e-11
    )


def test_distillation_slopes_keep_their_size():
    hot = distillation.slope([[1.0, 2.0, 4.0]], [[3.0, 1.0, 0.0]], temperature=1e4)
    hotter = distillation.slope([[1.0, 2.0, 4.0]], [[3.0, 1.0, 0.0]], temperature=2e4)
    np.testing.assert_allclose(hot, hotter, rtol=1e-3, atol=1e-15)  # the middle one is 0
    assert distillation(ROWS, ROWS) == 0


def test_kl_div_is_cross_entropy_less_the_entropy():
    entropy = -(OTHER * OTHER.log()).sum(-1).mean()
    torch.testing.assert_close(kl_div(LOGITS, OTHER), cross_entropy(LOGITS, OTHER) - entropy, rtol=1e-12, atol=0)


def test_logits_are_adjusted_by_the_prior_of_each_class():
    """Whatever the axis of the classes; a common factor of the priors changes nothing."""
    rng = np.random.default_rng(0)
    logits, labels, counts = rng.standard_normal((4, 3, 2)), rng.integers(0, 3, (4, 2)), np.array([900.0, 90.0, 10.0])
    shifted = logits + 1.5 * np.log(counts)[:, None]
    wanted = slopes.cross_entropy.value_and_slope(shifted, labels, axis=1, reduction="none")
    for prior in (counts, counts / 1000):
        came = slopes.logit_adjusted.value_and_slope(logits, labels, prior=prior, tau=1.5, axis=1, reduction="none")
        for mine, theirs in zip(came, wanted, strict=True):
            np.testing.assert_allclose(mine, theirs, rtol=1e-12, atol=1e-15)
    given = [torch.from_numpy(x) for x in (logits, labels, counts)]
    came = slopes.logit_adjusted(*given[:2], prior=given[2], tau=1.5, axis=1, reduction="none")
    np.testing.assert_allclose(came.numpy(), wanted[0], rtol=1e-12)
    with pytest.raises(ValueError, match=r"logit_adjusted: prior must be > 0, got 0\.0 in an array"):
        slopes.logit_adjusted(logits, labels, prior=np.array([1.0, 0.0, 1.0]), axis=1)
    for shape in ((4,), (3, 1), (4, 3, 2)):
        with pytest.raises(ValueError, match=r"prior must be one number, or an array of shape \(3,\), got an array"):
            slopes.logit_adjusted(logits, labels, prior=np.ones(shape), axis=1)


@pytest.mark.parametrize("form", ["arcface", "cosface"])
def test_each_class_has_its_margin(form):
    rng = np.random.default_rng(0)
    cosines, margins = rng.uniform(-1, 1, (30, 3)), np.array([0.1, 0.5, 1.2])
    labels = rng.integers(0, 3, 30)
    came = margin_softmax.value_and_slope(cosines, labels, margin=margins, scale=8.0, form=form, reduction="none")
    for label, margin in enumerate(margins):
        mine = labels == label
        one = margin_softmax.value_and_slope(
            cosines[mine], labels[mine], margin=margin, scale=8.0, form=form, reduction="none"
        )
        np.testing.assert_allclose(came[0][mine], one[0], rtol=1e-14)
        np.testing.assert_allclose(came[1][mine], one[1], rtol=1e-14)
    rows = np.eye(3)[labels]
    np.testing.assert_allclose(
        margin_softmax.slope(cosines, rows, margin=margins, scale=8.0, form=form, reduction="none"), came[1], rtol=1e-12
    )


@pytest.mark.parametrize(
    ("name", "parameter", "others"),
    [
        ("symmetric_cross_entropy", "alpha", ()), ("poly1", "epsilon", ()), ("softmax_focal", "gamma", ()),
        ("distillation", "temperature", (np.ones((4, 3)),)), ("multilabel_margin", "margin", (np.eye(3)[[0, 1, 2, 0]],)),
        ("cosine_embedding", "margin", (np.ones((4, 3)), np.ones(4))),
        ("triplet_margin", "margin", (np.ones((4, 3)), np.zeros((4, 3)))),
    ],
)  # fmt: skip
def test_a_parameter_is_one_number_for_all_rows(name, parameter, others):
    """An array would be taken along the entries of a row, whose slopes count on one number."""
    card, prediction = getattr(slopes, name), np.arange(12.0).reshape(4, 3) / 10
    given = prediction, *(others or (np.array([0, 1, 2, 0]),))
    assert card(*given, **{parameter: np.array([0.5])}) == card(*given, **{parameter: 0.5})
    for shape in ((3,), (4,), (4, 1), (4, 3)):
        for numbers in (np.full(shape, 0.5), torch.full(shape, 0.5)):
            arguments = given if isinstance(numbers, np.ndarray) else tuple(map(torch.from_numpy, given))
            with pytest.raises(ValueError, match=rf"{name}: {parameter} must be one number for all rows, got an array"):
                card(*arguments, **{parameter: numbers})
