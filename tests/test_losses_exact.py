"""Values and slopes of the losses against their definitions, over the whole range and away from the defaults."""

import numpy as np
import pytest
import scipy.special

pytest.importorskip("mpmath")
import definitions
import slopes
from helpers import mark_exhaustive


def sample(name):
    """Arguments of ordinary size, as the definitions take them: labels as rows, regions as probabilities."""
    card, rng = getattr(slopes, name), np.random.default_rng(0)
    arguments = list(card.kind.examples(card.settings).sample(rng, (4, 4 if card.kind.name == "boxes" else 3)))
    if card.kind.name == "classification":
        arguments[1] = np.eye(3)[arguments[1]]
    return arguments if card.rowwise else [x.reshape(-1) for x in arguments]


@pytest.mark.parametrize(
    "name", [name for name in (*definitions.DEFINITIONS, *definitions.ROWS) if name not in definitions.REGIONS]
)
def test_definitions_are_those_of_the_cards_at_ordinary_arguments(name):
    arguments = sample(name)
    value, slope = getattr(slopes, name).value_and_slope(*arguments, reduction="none")
    np.testing.assert_allclose(value, definitions.values(name, *arguments).astype(float), rtol=1e-12, atol=1e-15)
    exact = definitions.slopes(name, *arguments).astype(float)
    np.testing.assert_allclose(np.where(exact == exact, slope, np.nan), exact, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("name", definitions.REGIONS)
def test_definitions_of_regions_are_those_of_the_cards(name):
    p, t = scipy.special.expit(np.random.default_rng(0).standard_normal((2, 4, 5)))
    value = getattr(slopes, name)(
        p[..., None], t[..., None], mode="multilabel", from_probabilities=True, reduction="none"
    )
    np.testing.assert_allclose(value[:, 0], definitions.values(name, p, t, 1 + 0 * p).astype(float), rtol=1e-12)


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("margin_softmax", {"form": "cosface", "margin": 0.3, "scale": 8.0}),
        ("margin_softmax", {"margin": 1.4, "scale": 3.0}),
        ("multiclass_hinge", {"form": "weston_watkins", "margin": 4.0}),
        ("multiclass_hinge", {"margin": 4.0, "p": 2}),
        ("multiclass_hinge", {"form": "weston_watkins", "p": 2}),
        ("multilabel_margin", {"margin": 5.0}),
        ("triplet_margin", {"p": 1.0, "margin": 20.0}),
        ("triplet_margin", {"p": 3.5, "margin": 20.0}),
        ("triplet_margin", {"swap": True, "margin": 20.0}),
    ],
)
def test_slopes_at_other_parameters_are_those_of_the_definition(name, parameters):
    arguments = sample(name)
    if name in ("margin_softmax", "multiclass_hinge"):  # soft targets reach every class
        arguments[1] = scipy.special.softmax(np.random.default_rng(1).standard_normal((4, 3)), axis=-1)
    slope = getattr(slopes, name).slope(*arguments, reduction="none", **parameters)
    exact = definitions.slopes(name, *arguments, **parameters).astype(float)
    assert np.isfinite(exact).mean() > 0.5
    np.testing.assert_allclose(np.where(exact == exact, slope, np.nan), exact, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("name", ["info_nce", "supcon"])
def test_slopes_of_a_batch_are_those_of_the_definition(name):
    rng = np.random.default_rng(0)
    vectors, labels = rng.standard_normal((6, 3)), np.array([0, 1, 0, 0, 1, 2])  # the last has no positive
    weight = rng.uniform(0.5, 2, 6)
    card = getattr(slopes, name).with_(temperature=0.5)
    slope = card.slope(vectors, labels, weight=weight, reduction="sum")
    exact = definitions.slopes_of_batch(
        getattr(definitions, name), vectors, labels, weight * (labels < 2), temperature=0.5
    )
    np.testing.assert_allclose(slope, exact.astype(float), rtol=1e-12, atol=1e-15)


NEAR = np.random.default_rng(2).standard_normal((3, 6))
APART = np.random.default_rng(3).standard_normal((3, 6))


@pytest.mark.parametrize(
    ("name", "arguments", "parameters", "allowed"),
    [
        *(
            (name, ([1e-20, -1e-9, 1e-3, 0.25], [1.0, 1.0, 1.0, 1.5]), parameters, 4.0)
            for name, parameters in (
                ("poisson_nll", {}),
                ("negative_binomial_nll", {"dispersion": 0.25}),
                ("gamma_deviance", {}),
                ("tweedie_deviance", {}),
                ("tweedie_deviance", {"power": 1.9}),
            )
        ),
        ("relative_entropy", ([-1e6, -1e8, -300.0], [-740.0, -735.0, -744.0]), {"log_target": True}, 4.0),
        ("poisson_nll", ([1 + 1e-5, 2.0], [1.0, 2.0]), {"log_input": False}, 4.0),
        ("poisson_nll", ([60.0, 2.0, -3.0, 1e3], [1e37, 5.0, 0.5, 1e38]), {"full": True}, 8.0),
    ],
)
def test_digits_that_are_easily_lost(name, arguments, parameters, allowed):
    for dtype in (np.float64, np.float32):
        held = [np.asarray(x, dtype) for x in arguments]
        card = getattr(slopes, name)
        value, slope = card.value_and_slope(*held, reduction="none", **parameters)
        assert definitions.ulps(value, definitions.values(name, *held, **parameters), dtype).max() <= allowed
        assert definitions.ulps(slope, definitions.slopes(name, *held, **parameters), dtype).max() <= allowed


@pytest.mark.parametrize("temperature", mark_exhaustive([10.0, 1.0, 2.0]))
@pytest.mark.parametrize("gap", mark_exhaustive([1e-12, 1e-6, 1e-3, 0.1, 1.0, 10.0], every=2))
def test_a_student_near_its_teacher_keeps_the_digits_of_the_difference(gap, temperature):
    torch = pytest.importorskip("torch")
    for dtype in (np.float64, np.float32):
        rows = [np.concatenate([size * x for size in (0.1, 1, 10)]).astype(dtype) for x in (NEAR, NEAR + gap * APART)]
        exact_value = definitions.values("distillation", *rows, temperature=temperature)
        exact_slope = definitions.slopes("distillation", *rows, temperature=temperature)
        for arguments in (rows, [torch.from_numpy(x) for x in rows]):
            results = slopes.distillation.value_and_slope(*arguments, reduction="none", temperature=temperature)
            value, slope = map(np.asarray, results)
            assert definitions.ulps(value, exact_value, dtype).max() <= 8
            part = abs(slope) / np.maximum(abs(slope).max(-1, keepdims=True), np.finfo(dtype).tiny)
            assert (definitions.ulps(slope, exact_slope, dtype) * part).max() <= 4


def test_a_student_is_compared_with_its_teacher_everywhere():
    torch = pytest.importorskip("torch")
    inf, q = np.inf, 1 / (1 + np.exp(10.0))
    rows = [
        ([0.0, -1e4, -1e3], [0.0, -10.0, -1e3], q * (1e4 - 10) - np.log1p(np.exp(-10.0)), [q, -q, 0.0]),
        ([0.0, 0.0, 0.0], [0.0, 0.0, 0.0], 0.0, [0.0, 0.0, 0.0]),
        ([-inf, 0.0, 0.0], [-inf, 0.0, 0.0], 0.0, [0.0, 0.0, 0.0]),
        ([-inf, -inf, -inf], [-inf, -inf, -inf], 0.0, [0.0, 0.0, 0.0]),
        ([1e19, 0.0, 1.0], [1e19, 1e18, 1.0], 0.0, [0.0, 0.0, 0.0]),
        ([1e4, 0.0, 0.0], [0.0, 1e4, 0.0], 1e4, [1.0, -1.0, 0.0]),
        ([1e19, 0.0, 0.0], [0.0, 1e19, 0.0], 1e19, [1.0, -1.0, 0.0]),
        ([inf, 0.0, 0.0], [inf, 3.0, 0.0], 0.0, [0.0, 0.0, 0.0]),
        ([0.0, 0.0, 0.0], [-inf, 0.0, 0.0], np.log(1.5), [1 / 3, -1 / 6, -1 / 6]),
        ([0.0, 0.0, 0.0], [-800.0, 0.0, 0.0], np.log(1.5), [1 / 3, -1 / 6, -1 / 6]),
        ([-30.0, 0.0, 0.0], [-800.0, 0.0, 0.0], np.log1p(np.exp(-30) / 2), np.exp(-30) * np.array([0.5, -0.25, -0.25])),
    ]  # fmt: skip
    student, teacher, value, slope = (torch.tensor(np.array(x)) for x in zip(*rows, strict=True))
    loss = slopes.distillation.with_(temperature=1.0)
    for dtype in (torch.float64, torch.float32):
        z = student.to(dtype).requires_grad_()
        own = loss(z, teacher.to(dtype), reduction="none")
        (gradient,) = torch.autograd.grad(own.sum(), z, create_graph=True)
        near = {"rtol": 1e-6, "atol": 0.0, "check_dtype": False}
        torch.testing.assert_close(own, value, **near)
        torch.testing.assert_close(gradient, slope, rtol=1e-6, atol=1e-20, check_dtype=False)
        (second,) = torch.autograd.grad(gradient[:, 0].sum(), z)
        share = student.nan_to_num(-inf, 1e300, -inf).softmax(-1).nan_to_num(0.0)
        torch.testing.assert_close(
            second, torch.eye(3)[0] * share[:, :1] - share[:, :1] * share, rtol=1e-5, atol=1e-20, check_dtype=False
        )
        a, b = (x.detach().to(dtype, copy=True).requires_grad_() for x in (z, teacher))
        loss(a, b, reduction="sum").backward()
        torch.testing.assert_close(a.grad, slope, rtol=1e-5, atol=1e-20, check_dtype=False)
        assert b.grad.isfinite().all()


def test_logits_that_overflow_when_divided_by_a_temperature_are_compared():
    torch = pytest.importorskip("torch")
    loss = slopes.distillation.with_(temperature=0.5)
    for dtype in (torch.float64, torch.float32):
        most = torch.finfo(dtype).max
        rows = [
            ([most, most, 0.0], [most, most, 0.0], 0.0, [0.0, 0.0, 0.0]),
            ([most, 0.0, most], [most, -most, 0.0], np.log(2.0), [-0.5, 0.0, 0.5]),
            ([-most, 0.0, 0.0], [-most, 0.0, most], np.log(2.0), [0.0, 0.5, -0.5]),
        ]
        student, teacher, value, slope = (torch.tensor(x, dtype=dtype) for x in zip(*rows, strict=True))
        given = student.requires_grad_(), teacher.requires_grad_()
        for arguments in (given, (given[0], teacher.detach())):
            own = loss(*arguments, reduction="none")
            torch.testing.assert_close(own, value / 4)
            (gradient,) = torch.autograd.grad(own.sum(), student, retain_graph=True)
            torch.testing.assert_close(gradient, slope / 2)
        assert torch.autograd.grad(loss(*given, reduction="sum"), teacher)[0].isfinite().all()
        results = loss.value_and_slope(*(x.detach().numpy() for x in given), reduction="none")
        np.testing.assert_allclose(results[0], value / 4, rtol=1e-6)
        np.testing.assert_allclose(results[1], slope / 2, rtol=1e-6)


@pytest.mark.parametrize("clip", [0.05, 0.5, 0.9, 1e-3])
def test_a_no_just_above_the_clip_keeps_its_digits(clip):
    """The exponent 4 makes up to 4 units of the one rounding of an exponential."""
    torch = pytest.importorskip("torch")
    gap = np.concatenate([np.logspace(-14, 1.5, 40), [0.23773746, 2.75e-3]])
    for dtype in (np.float64, np.float32):
        z = (np.log(clip / (1 - clip)) + gap).astype(dtype)
        arguments = z, np.zeros_like(z)
        exact = [f("asymmetric", *arguments, clip=clip) for f in (definitions.values, definitions.slopes)]
        for given in (arguments, [torch.from_numpy(x) for x in arguments]):
            results = slopes.asymmetric.value_and_slope(*given, reduction="none", clip=clip)
            for result, wanted in zip(results, exact, strict=True):
                assert definitions.ulps(np.asarray(result), wanted, dtype).max() <= 6


def test_a_clip_that_is_an_array_or_a_tensor_counts_as_numbers():
    torch = pytest.importorskip("torch")
    z, target, clip = np.linspace(-4, 4, 9), np.zeros(9), np.linspace(0, 1, 9)
    numbers = [slopes.asymmetric.value_and_slope(x, 0.0, clip=c) for x, c in zip(z, clip, strict=True)]
    for given in ((z, target, clip), [torch.from_numpy(x) for x in (z, target, clip)]):
        results = slopes.asymmetric.value_and_slope(*given[:2], clip=given[2], reduction="none")
        np.testing.assert_allclose(np.stack(results, -1), numbers, rtol=1e-13)
    tensor = slopes.asymmetric(torch.from_numpy(z), torch.from_numpy(target), clip=torch.tensor(0.3), reduction="none")
    for c in (0.3, np.array(0.3), np.float64(0.3)):
        own = slopes.asymmetric(z, target, clip=c, reduction="none")
        np.testing.assert_allclose(own, tensor, rtol=1e-6)


@pytest.mark.parametrize("gamma", [0.0, 0.5, 2.0, 5.0])
def test_a_focal_loss_keeps_its_digits_at_any_exponent(gamma):
    """Slopes are held in units of the terms that cancel in them; gamma multiplies the one rounding of an exponential."""
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(0)
    z = np.concatenate([rng.uniform(-6, 6, 20), rng.uniform(-60, 60, 20), [47.0, -47.0, 0.7156]])
    y = np.concatenate([rng.uniform(0, 1, 30), rng.choice([0.0, 1.0], 10), [1.0, 0.0, 0.04263]])
    for dtype in (np.float64, np.float32):
        arguments = z.astype(dtype), y.astype(dtype)
        exact_value = definitions.values("sigmoid_focal", *arguments, gamma=gamma)
        exact_slope = definitions.slopes("sigmoid_focal", *arguments, gamma=gamma)
        logit, share = (x.astype(float) for x in arguments)
        wrong = (1 - share) * scipy.special.expit(logit) + share * scipy.special.expit(-logit)
        for given in (arguments, [torch.from_numpy(x) for x in arguments]):
            value, slope = map(np.asarray, slopes.sigmoid_focal.value_and_slope(*given, reduction="none", gamma=gamma))
            assert definitions.ulps(value, exact_value, dtype).max() <= 4.5
            errors = definitions.ulps(slope, exact_slope, dtype) * np.minimum(1, abs(slope) / wrong ** (gamma + 1))
            assert errors.max() <= 8


@pytest.mark.parametrize("c", mark_exhaustive([0.25, 1.0]))
@pytest.mark.parametrize("alpha", [1.0, 0.5, 1.5, 0.0, -0.25, -2.0, -2.5, -10.0, -100.0, -1e3, -1e5])
def test_barrons_loss_keeps_its_digits_at_any_alpha(alpha, c):
    """A slope may err besides by the effect of 2 units in the residual, which is divided twice before the power."""
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(0)
    residual = np.concatenate([rng.uniform(-6, 6, 30), rng.uniform(-1, 1, 40) * 10 ** rng.uniform(-6, 6, 40)])
    for dtype in (np.float64, np.float32):
        arguments = residual.astype(dtype), np.zeros_like(residual, dtype)
        settings = {"alpha": alpha, "c": c}
        exact = [f("barron_general", *arguments, **settings) for f in (definitions.values, definitions.slopes)]
        square = (arguments[0].astype(float) / c) ** 2
        condition = 1 + (2 - alpha) * square / (2 - alpha + square)
        for given in (arguments, [torch.from_numpy(x) for x in arguments]):
            results = slopes.barron_general.value_and_slope(*given, reduction="none", **settings)
            value, slope = (definitions.ulps(np.asarray(x), y, dtype) for x, y in zip(results, exact, strict=True))
            assert value.max() <= 5
            assert (slope / (4 + 2 * condition)).max() <= 1


def test_barrons_loss_keeps_its_digits_at_fractional_alphas():
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(0)
    first, second = rng.uniform(-1, 1, (2, 400)) * 10 ** rng.uniform(-3, 1, 400)
    first[:4], second[:4] = [-3.8479477322216953, 0.04094915, -4e17, 3e21], [4.782470701014642, 0.0, 0.0, 0.0]
    first[4:6], second[4:6] = [-0.2599975315809335, -1.4297371216752413], [-0.10165383525575099, -2.9250003573009042]
    for alpha in (0.7, 0.1, -0.7):
        for dtype in (np.float64, np.float32):
            arguments, held = (first.astype(dtype), second.astype(dtype)), float(dtype(alpha))
            exact = [f("barron_general", *arguments, alpha=held) for f in (definitions.values, definitions.slopes)]
            for given in (arguments, [torch.from_numpy(x) for x in arguments]):
                results = slopes.barron_general.value_and_slope(*given, reduction="none", alpha=held)
                for result, wanted in zip(results, exact, strict=True):
                    assert definitions.ulps(np.asarray(result), wanted, dtype).max() <= 4


def test_logs_of_far_numbers_do_not_cancel():
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(0)
    large, small = 10 ** rng.uniform(0, 308, 60), 10 ** rng.uniform(-8, 200, 60)
    edges = np.array([[3e168, 1.9e202], [1e308, -1 + 1e-15], [-1 + 1e-15, 1e308], [1e300, 1e-300], [1e30, 0.0]]).T
    arguments = np.concatenate([large, small, edges[0]]), np.concatenate([small, large, edges[1]])
    exact = [f("msle", *arguments) for f in (definitions.values, definitions.slopes)]
    tensors = [torch.from_numpy(x).requires_grad_() for x in arguments]
    for given in (arguments, tensors):
        results = slopes.msle.value_and_slope(*(x.detach() if given is tensors else x for x in given), reduction="none")
        for result, wanted in zip(results, exact, strict=True):
            assert definitions.ulps(np.asarray(result), wanted, np.float64).max() <= 4
    slopes.msle(*tensors, reduction="sum").backward()
    assert all(x.grad.isfinite().all() for x in tensors)


LARGEST = [1.5e308, 1.5e308, -1.7e308, 1e300], [-1.5e308, 1.0, 1.7e308, -1e10]


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("mape", {}),
        ("pinball", {}),
        ("pinball", {"quantile": 0.9}),
        ("huber", {"delta": 1e-3}),
        ("pseudo_huber", {"delta": 1e-3}),
        *(("barron_general", {"alpha": alpha}) for alpha in (0.0, 0.1, 1.9, -0.01, -2.0)),
        ("barron_general", {"alpha": 1.0, "c": 1e3}),
        ("barron_general", {"alpha": 1.9, "c": 1e150}),
    ],
)
def test_a_result_is_finite_though_the_residual_is_not(name, parameters):
    value, slope = getattr(slopes, name).value_and_slope(*map(np.array, LARGEST), reduction="none", **parameters)
    assert definitions.ulps(value, definitions.values(name, *LARGEST, **parameters), np.float64).max() <= 4
    assert definitions.ulps(slope, definitions.slopes(name, *LARGEST, **parameters), np.float64).max() <= 4


def test_a_likelihood_is_finite_though_the_residual_is_not():
    torch = pytest.importorskip("torch")
    for dtype, eps in ((np.float64, 1e-6), (np.float64, 3.3), (np.float32, 1e-6)):
        most = float(np.finfo(dtype).max)
        root, nearly = 2.0 ** (np.finfo(dtype).maxexp // 2), most / 1.5
        arguments = [
            np.array(x, dtype)
            for x in (
                [most, -nearly, nearly, root, 3.0, most, most],
                [-most, nearly, 1.0, -root, -1.0, -most, most],
                [root * 1e9, root, nearly, eps, 7.0, most, 1e-4],
            )
        ]
        exact = [f("gaussian_nll", *arguments, eps=eps) for f in (definitions.values, definitions.slopes)]
        tensors = [torch.from_numpy(x).requires_grad_() for x in arguments]
        for given in (arguments, [x.detach() for x in tensors]):
            results = slopes.gaussian_nll.value_and_slope(*given, reduction="none", eps=eps)
            for result, wanted in zip(results, exact, strict=True):
                assert definitions.ulps(np.asarray(result), wanted, dtype).max() <= 4
        slopes.gaussian_nll(*tensors, eps=eps, reduction="none")[[0, 2, 4, 5, 6]].sum().backward()
        assert all(x.grad.isfinite().all() for x in tensors)


@pytest.mark.parametrize(
    ("name", "parameters", "target"),
    [
        ("sigmoid_focal", {"gamma": 42.0}, 0.0),
        ("sigmoid_focal", {"gamma": 42.0}, 0.25),
        ("asymmetric", {"gamma_neg": 42.0}, 0.0),
        ("asymmetric", {"gamma_neg": 42.0, "clip": 0.0}, 0.0),
        ("asymmetric", {"gamma_pos": 42.0}, 1.0),
    ],
)
def test_a_large_exponent_keeps_its_digits_at_a_logit_near_0(name, parameters, target):
    """There the power moves less than the logit, so that its last digits are no excuse."""
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(0)
    z = rng.choice([-1, 1], 60) * 10 ** rng.uniform(-9, -2, 60)
    for dtype in (np.float64, np.float32):
        arguments = z.astype(dtype), np.full_like(z, target, dtype)
        exact = [f(name, *arguments, **parameters) for f in (definitions.values, definitions.slopes)]
        for given in (arguments, [torch.from_numpy(x) for x in arguments]):
            results = getattr(slopes, name).value_and_slope(*given, reduction="none", **parameters)
            for result, wanted in zip(results, exact, strict=True):
                assert definitions.ulps(np.asarray(result), wanted, dtype).max() <= 5


def test_a_focal_loss_does_not_underflow_before_its_cost_has_joined():
    torch = pytest.importorskip("torch")
    z, target = np.array([1.8446743e19, 9e18, -3e15], np.float32), np.array([0.91247064, 0.9125, 0.085], np.float32)
    exact = definitions.values("sigmoid_focal", z, target, gamma=42.0)
    value = slopes.sigmoid_focal(torch.from_numpy(z), torch.from_numpy(target), gamma=42.0, reduction="none")
    assert definitions.ulps(value.numpy(), exact, np.float32).max() <= 4


def test_a_focal_loss_tells_an_almost_certain_target_from_a_certain_one():
    arguments = np.array([-50.0, 60.0, -30.0]), np.array([1e-19, 1 - 2.0**-53, 1e-25])
    exact = [f("sigmoid_focal", *arguments) for f in (definitions.values, definitions.slopes)]
    results = slopes.sigmoid_focal.value_and_slope(*arguments, reduction="none")
    for result, wanted in zip(results, exact, strict=True):
        assert definitions.ulps(result, wanted, np.float64).max() <= 4


@pytest.mark.parametrize("delta", mark_exhaustive([3.3, 0.7, 1.0]))
def test_pseudo_huber_is_within_four_at_any_delta(delta):
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(0)
    first = np.concatenate([rng.uniform(-6, 6, 1500), rng.standard_normal(300) * 10 ** rng.uniform(-8, 20, 300)])
    second = rng.uniform(-1, 1, first.size)
    first[0], second[0] = -1.9845840654456572, 0.10418336507757098
    for dtype in (np.float64, np.float32):
        held = float(dtype(delta))
        arguments = first.astype(dtype), second.astype(dtype)
        exact = [f("pseudo_huber", *arguments, delta=held) for f in (definitions.values, definitions.slopes)]
        for given in (arguments, [torch.from_numpy(x) for x in arguments]):
            results = slopes.pseudo_huber.value_and_slope(*given, reduction="none", delta=held)
            for result, wanted in zip(results, exact, strict=True):
                assert definitions.ulps(np.asarray(result), wanted, dtype).max() <= 4


@pytest.mark.parametrize("power", [1.1, 1.93])
def test_large_exponents_of_tweedie_are_not_rounded(power):
    rng = np.random.default_rng(0)
    arguments = rng.uniform(-700, 700, 60), 10 ** rng.uniform(-300, 300, 60)
    value, slope = slopes.tweedie_deviance.value_and_slope(*arguments, reduction="none", power=power)
    exact = (f("tweedie_deviance", *arguments, power=power) for f in (definitions.values, definitions.slopes))
    for came, wanted in zip((value, slope), exact, strict=True):
        assert definitions.ulps(came, wanted, np.float64).max() <= 5


@pytest.mark.parametrize(("name", "steepness"), [("jaccard", 0.5), ("tversky", 0.25), ("dice", 0.25)])
def test_slopes_of_regions_whose_union_is_subnormal(name, steepness):
    torch, card = pytest.importorskip("torch"), getattr(slopes, name)
    slope = card.slope(torch.tensor([[[-90.0, 0.0]]]), torch.tensor([[1]]))
    small = steepness * np.exp(-90.0)
    np.testing.assert_allclose(slope, [[[small, -small]]], rtol=1e-5)
    small = steepness * np.exp(-720.0)
    np.testing.assert_allclose(card.slope([[[-720.0, 0.0]]], [[1]]), [[[small, -small]]], rtol=1e-8)


@pytest.mark.parametrize("name", definitions.REGIONS)
def test_slopes_of_an_empty_mask_are_finite(name):
    torch = pytest.importorskip("torch")
    logits, mask = torch.full((1, 64, 64, 1), -103.0), torch.zeros(1, 64, 64, 1)
    assert torch.isfinite(getattr(slopes, name).slope(logits, mask, mode="multilabel")).all()
