"""Losses as objectives of XGBoost, LightGBM and CatBoost, beside the objectives that these have."""

import inspect
import pickle

import numpy as np
import pytest

import slopes
from slopes import boosting
from slopes.boosting.derivatives import Derivatives

RNG = np.random.default_rng(0)
N = 1000
X = RNG.normal(size=(N, 4))
MEAN = X[:, 0] + 0.5 * X[:, 1] ** 2
NOISY = MEAN + RNG.normal(size=N)
YES = (NOISY > 0.7).astype(float)
COUNT = RNG.poisson(np.exp(0.4 * MEAN)).astype(float)
AMOUNT = RNG.gamma(2, np.exp(0.4 * MEAN) / 2) + 0.01
CLASS = np.digitize(NOISY, [0.0, 1.0]).astype(float)
WEIGHT = RNG.uniform(0.5, 2.0, size=N)


@slopes.loss("regression")
def cauchy(prediction, target):
    return slopes.ops.log1p((prediction - target) ** 2)


#: the losses of a row of logits
OF_CLASSES = [
    card for name, card in slopes.catalogue.CARDS.items()
    if name == card.name and card.family == "loss" and card.kind.takes_labels and card.kind.arguments[0].space.is_logit
]  # fmt: skip


def named(card):
    return card.name


# ------------------------------------------------------------------------------------- derivatives

TARGETS = {
    "mse": NOISY,
    "huber": NOISY,
    "log_cosh": NOISY,
    "smooth_l1": NOISY,
    "charbonnier": NOISY,
    "pseudo_huber": NOISY,
    "barron_general": NOISY,
    "mae": NOISY,
    "pinball": NOISY,
    "cauchy": NOISY,
    "binary_cross_entropy": YES,
    "sigmoid_focal": YES,
    "soft_margin": 2 * YES - 1,
    "squared_hinge": 2 * YES - 1,
    "hinge": 2 * YES - 1,
    "poisson_nll": AMOUNT,
    "negative_binomial_nll": AMOUNT,
    "gamma_deviance": AMOUNT,
    "tweedie_deviance": AMOUNT,
}


@pytest.mark.parametrize("name", TARGETS)
@pytest.mark.parametrize("rows", [4, 5000])
def test_the_derivative_at_nan_is_nan(name, rows):
    card = cauchy if name == "cauchy" else getattr(slopes, name)
    raw = np.zeros(rows)
    raw[1] = np.nan
    gradient, _ = boosting.xgboost(card).gradient_and_hessian(raw, np.resize(TARGETS[name], rows))
    assert (np.isnan(gradient) == np.isnan(raw)).all()


def autograd(card, raw, target):
    torch = pytest.importorskip("torch")
    z = torch.tensor(raw, requires_grad=True)
    (gradient,) = torch.autograd.grad(card(z, torch.tensor(target), reduction="sum"), z, create_graph=True)
    hessian = torch.zeros_like(z)
    if gradient.requires_grad:
        (hessian,) = torch.autograd.grad(gradient.sum(), z)
    return gradient.detach().numpy(), hessian.numpy()


@pytest.mark.parametrize("name", TARGETS)
def test_second_derivatives_are_those_of_double_backward(name):
    card = cauchy if name == "cauchy" else getattr(slopes, name)
    raw, target = RNG.normal(size=N), TARGETS[name]
    for mine, due in zip(Derivatives(card, None)(raw, target), autograd(card, raw, target), strict=True):
        np.testing.assert_allclose(mine, due, rtol=1e-7, atol=1e-13)


@pytest.mark.parametrize("name", TARGETS)
def test_kernels_compute_the_same(name):
    pytest.importorskip("numba")
    raw, target = np.tile(RNG.normal(size=N), 5), np.tile(TARGETS[name], 5)
    derivatives = Derivatives(cauchy if name == "cauchy" else getattr(slopes, name), 1.0)
    many = derivatives(raw, target)
    assert derivatives._kernel is not None
    for kernel, plain in zip(many, derivatives(raw[:N], target[:N]), strict=True):
        np.testing.assert_allclose(kernel[:N], plain, rtol=1e-12, atol=1e-14)
    assert pickle.loads(pickle.dumps(derivatives))(raw, target)[1].tolist() == many[1].tolist()


@slopes.loss("classification")
def surprise_without_derivative(prediction, target):
    return -slopes.ops.expected(slopes.ops.log_softmax(prediction), target)


@pytest.mark.parametrize("chosen", [*OF_CLASSES, surprise_without_derivative], ids=named)
def test_rows_have_the_diagonal(chosen):
    torch = pytest.importorskip("torch")
    raw, labels = RNG.normal(size=(5, 3)), np.array([0, 1, 2, 1, 0])
    gradient, hessian = Derivatives(chosen, None)(raw, labels)
    for row, label, first, second in zip(raw, labels, gradient, hessian, strict=True):

        def value(z, label=label):
            return chosen(z[None], torch.tensor([label]))

        z = torch.tensor(row)
        np.testing.assert_allclose(first, torch.func.grad(value)(z), rtol=1e-10)
        np.testing.assert_allclose(second, torch.func.hessian(value)(z).diagonal(), rtol=1e-8, atol=1e-14)


@pytest.mark.parametrize(
    "chosen",
    [
        *OF_CLASSES, slopes.cross_entropy.with_(z_loss=0.3), slopes.multiclass_hinge.with_(p=2),
        slopes.multiclass_hinge.with_(form="weston_watkins"), surprise_without_derivative,
    ],
    ids=named,
)  # fmt: skip
def test_a_row_has_all_of_the_hessian(chosen):
    torch = pytest.importorskip("torch")
    derivatives = Derivatives(chosen, None)
    for label in (0, 2):
        row = RNG.normal(size=4)
        gradient, hessian = derivatives.of_row(row, label)

        def value(z, label=label):
            return chosen(z[None], torch.tensor([label]))

        z = torch.tensor(row)
        np.testing.assert_allclose(gradient, torch.func.grad(value)(z), rtol=1e-10)
        np.testing.assert_allclose(hessian, torch.func.hessian(value)(z), rtol=1e-8, atol=1e-14)


def test_sums_are_objectives():
    """The terms have parameters."""
    terms = 0.5 * slopes.huber.with_(delta=0.3), 2.0 * slopes.log_cosh
    rows = slopes.cross_entropy, 0.3 * slopes.softmax_focal.with_(gamma=1.5)
    for (one, other), shape, target in ((terms, (N,), NOISY), (rows, (N, 3), CLASS)):  # by kernels, too
        raw = RNG.normal(size=shape)
        for count in (20, N):
            both, *each = (
                boosting.xgboost(loss, hessian="exact").gradient_and_hessian(raw[:count], target[:count])
                for loss in (one + other, one, other)
            )
            for came, *parts in zip(both, *each, strict=True):
                np.testing.assert_allclose(came, sum(parts), rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("chosen", [*OF_CLASSES, slopes.cross_entropy.with_(z_loss=0.3)], ids=named)
def test_kernels_of_rows_compute_the_same(chosen):
    pytest.importorskip("numba")
    derivatives = Derivatives(chosen, None)
    raw, labels = RNG.normal(size=(400, 5)), np.arange(400) % 5
    plain, plain_rows = (
        derivatives(raw, labels),
        [derivatives.of_row(x, y) for x, y in zip(raw[:5], labels, strict=False)],
    )
    assert derivatives._row_kernel is None
    compiled = derivatives(np.tile(raw, (3, 1)), np.tile(labels, 3))
    assert derivatives._row_kernel is not None
    for mine, due in zip(compiled, plain, strict=True):
        np.testing.assert_allclose(mine[:400], due, rtol=1e-12, atol=1e-15)
    for place, due in enumerate(plain_rows):
        for mine, each in zip(derivatives.of_row(raw[place], labels[place]), due, strict=True):
            np.testing.assert_allclose(mine, each, rtol=1e-12, atol=1e-15)
    again = pickle.loads(pickle.dumps(derivatives))
    assert again.of_row(raw[0], 1)[1].tolist() == derivatives.of_row(raw[0], 1)[1].tolist()


# -------------------------------------------------------------------------------------- objectives


def test_a_hessian_that_is_not_positive_follows_the_policy():
    raw, target = np.array([-3.0, 0.5, 3.0]), np.zeros(3)
    for policy, due in {
        "filled": [1, 1, 1],
        "floored": [1e-16, 1, 1e-16],
        "exact": [0, 1, 0],
        "constant": [1, 1, 1],
    }.items():
        objective = boosting.lightgbm(slopes.huber, hessian=policy)
        assert objective.gradient_and_hessian(raw, target)[1].tolist() == due
    twice = boosting.xgboost(slopes.half_mse, factor=2.0)
    gradient, hessian = twice.gradient_and_hessian(raw, target, np.array([1.0, 2.0, 3.0]))
    assert gradient.tolist() == [-3.0, 1.0, 9.0]
    assert hessian.tolist() == [2.0, 4.0, 6.0]


def test_a_matrix_follows_the_policy():
    """Of a convex loss it is full; of others, whose sums may have negative eigenvalues, its diagonal."""

    def second(card, raw, **options):
        return -np.array(boosting.catboost(card, **options).calc_ders_multi(np.array(raw), 1.0, 2.0)[1]) / 2

    raw = [0.3, -0.2, 1.0]
    p = slopes.softmax(raw)
    full = np.diag(p) - np.outer(p, p)
    for policy in ("filled", "floored", "exact"):
        np.testing.assert_allclose(second(slopes.cross_entropy, raw, hessian=policy), full, rtol=1e-12)
    np.testing.assert_allclose(second(slopes.cross_entropy, raw, factor=3.0), 3 * full, rtol=1e-12)
    assert second(slopes.cross_entropy, raw, hessian="constant").tolist() == np.eye(3).tolist()
    exact = second(slopes.softmax_focal, raw, hessian="exact")
    assert np.count_nonzero(exact) == 9
    assert second(slopes.softmax_focal, raw).tolist() == np.diag(np.diagonal(exact)).tolist()
    sure = [-800.0, 800.0, 0.0]
    assert second(slopes.cross_entropy, sure).tolist() == np.eye(3).tolist()
    assert second(slopes.cross_entropy, sure, hessian="floored").tolist() == (1e-16 * np.eye(3)).tolist()
    assert not second(slopes.cross_entropy, sure, hessian="exact").any()


def test_starts_are_the_best_constants():
    def start(card, target, weight=None):
        return boosting.xgboost(card).start(target, weight)

    share = np.average(YES, weights=WEIGHT)
    assert start(slopes.half_mse, NOISY) == pytest.approx(NOISY.mean())
    assert start(slopes.mae, NOISY[:999]) == pytest.approx(np.median(NOISY[:999]))
    assert start(slopes.binary_cross_entropy, YES, WEIGHT) == pytest.approx(np.log(share / (1 - share)))
    assert start(slopes.poisson_nll, COUNT) == pytest.approx(np.log(COUNT.mean()))
    assert start(slopes.half_mse, NOISY + 1e6) == pytest.approx(NOISY.mean() + 1e6)
    assert start(slopes.binary_cross_entropy, np.ones(5)) == 0.0
    np.testing.assert_allclose(start(slopes.cross_entropy, CLASS), np.log(np.bincount(CLASS.astype(int)) / N))
    with pytest.raises(ValueError, match="poisson_nll: target"):
        start(slopes.poisson_nll, -COUNT - 1)


def test_predictions_have_the_inverse_link():
    def predict(card, **options):
        return boosting.lightgbm(card, **options).predict([0.0, 2.0]).tolist()

    assert predict(slopes.mae) == [0.0, 2.0] == predict(slopes.hinge)
    assert predict(slopes.binary_cross_entropy) == [0.5, slopes.sigmoid(2.0)]
    assert predict(slopes.gamma_deviance) == [1.0, np.exp(2.0)]
    assert predict(slopes.cross_entropy) == slopes.softmax([0.0, 2.0]).tolist()
    assert predict(slopes.half_mse, inverse=np.square) == [0.0, 4.0]


def test_each_library_takes_the_same_arguments():
    signatures = [inspect.signature(each) for each in (boosting.catboost, boosting.lightgbm, boosting.xgboost)]
    assert [*signatures[0].parameters] == ["loss", "hessian", "factor", "inverse", "parameters"]
    assert signatures[1:] == signatures[:1] * 2


def test_refusals():
    with pytest.raises(TypeError, match=r"takes a loss of slopes, such as slopes.huber, got 3"):
        boosting.xgboost(3)
    with pytest.raises(ValueError, match="hessian must be one of filled, floored, exact, constant, got 'mean'"):
        boosting.xgboost(slopes.mae, hessian="mean")
    with pytest.raises(ValueError, match="factor must be > 0"):
        boosting.xgboost(slopes.mae, factor=0)
    for card in (slopes.dice, slopes.triplet_margin, slopes.giou, slopes.gaussian_nll):
        with pytest.raises(TypeError, match="row by row"):
            boosting.xgboost(card)
    for card in (slopes.categorical_cross_entropy, slopes.poisson_nll.with_(log_input=False)):
        with pytest.raises(TypeError, match="raw scores are any numbers"):
            boosting.xgboost(card)
    with pytest.raises(
        AttributeError, match=r"cross_entropy takes a row of raw scores; give CatBoost class_names=list"
    ):
        boosting.catboost(slopes.cross_entropy).calc_ders_range([0.0], [1.0], None)
    with pytest.raises(AttributeError, match="huber takes one raw score"):
        boosting.catboost(slopes.huber).calc_ders_multi([0.0, 1.0, 2.0], 1.0, 1.0)
    rows = boosting.xgboost(slopes.cross_entropy)
    for count in (2, 3000):  # by NumPy, by a kernel
        for label, message in (
            (3, "class from 0 to 2, got 3"), (10**9, "class from 0 to 2, got 1000000000"), (-1, "from 0, got -1"),
            (0.5, r"from 0, got 0\.5"), (np.nan, "from 0, got nan"), ("a", "from 0, got an array of dtype"),
        ):  # fmt: skip
            with pytest.raises(ValueError, match=message):
                rows.gradient_and_hessian(np.zeros((count, 3)), np.array([label] * count))
    for shape in ((2,), (3, 3)):
        with pytest.raises(ValueError, match=r"row of raw scores, one for each class, .* give the library num_class"):
            rows.gradient_and_hessian(np.zeros(shape), np.zeros(2))
    with pytest.raises(ValueError, match="the target must be a class from 0 to 2, got 3"):
        boosting.catboost(slopes.cross_entropy).calc_ders_multi(np.zeros(3), 3.0, 1.0)

    @slopes.loss("regression")
    def normal(prediction, target):
        return slopes.ops.ndtr(prediction - target, 1.0)

    @slopes.loss("classification")
    def normal_of_class(prediction, target):
        return slopes.ops.ndtr(-slopes.ops.expected(prediction, target), 1.0)

    message = r"boosting: normal{} has no Hessian: it uses slopes\.ops\.ndtr"
    with pytest.raises(TypeError, match=message.format("")):
        boosting.lightgbm(normal).gradient_and_hessian(np.zeros(3), np.zeros(3))
    with pytest.raises(TypeError, match=message.format("_of_class")):
        boosting.catboost(normal_of_class).calc_ders_multi(np.zeros(3), 2.0, 1.0)
    with pytest.raises(TypeError, match=message.format("_of_class")):
        boosting.xgboost(normal_of_class).gradient_and_hessian(np.zeros((2, 3)), np.array([0, 1]))


# ---------------------------------------------------------------------------------- beside the twins

ROUNDS = 50
LIGHTGBM = {"num_leaves": 7, "learning_rate": 0.1, "verbose": -1, "num_threads": 1, "seed": 0}


@pytest.mark.parametrize(
    ("twin", "chosen", "target", "options"),
    [
        ({"objective": "regression"}, slopes.half_mse, NOISY, {}),
        ({"objective": "binary"}, slopes.binary_cross_entropy, YES, {}),
        ({"objective": "poisson", "poisson_max_delta_step": 1e-15}, slopes.poisson_nll, COUNT, {}),
        ({"objective": "gamma"}, slopes.gamma_deviance, AMOUNT, {}),
        ({"objective": "tweedie"}, slopes.tweedie_deviance, COUNT, {}),
        ({"objective": "huber", "alpha": 0.8, "boost_from_average": False}, slopes.huber, NOISY, {"delta": 0.8}),
        ({"objective": "multiclass", "num_class": 3}, slopes.cross_entropy, CLASS, {"factor": 1.5}),
    ],
    ids=lambda value: value.get("objective", "") if isinstance(value, dict) else None,
)
def test_lightgbm(twin, chosen, target, options):
    lightgbm = pytest.importorskip("lightgbm")
    objective = boosting.lightgbm(chosen, **options)
    start = 0.0 if "boost_from_average" in twin else objective.init_score(target, WEIGHT)

    def train(**given):
        data = lightgbm.Dataset(X, target, weight=WEIGHT, **given.pop("data", {}))
        return lightgbm.train({**LIGHTGBM, **given}, data, ROUNDS).predict(X, raw_score=True)

    init = {"init_score": start} if np.ndim(start) else {}
    mine = start + train(data=init, **{**twin, "objective": objective})
    np.testing.assert_allclose(mine, train(**twin), rtol=0, atol=1e-6)


@pytest.mark.parametrize("chosen", [slopes.mae, slopes.pinball.with_(quantile=0.9), cauchy], ids=lambda card: card.name)
def test_losses_whose_hessian_vanishes_learn(chosen):
    lightgbm = pytest.importorskip("lightgbm")
    objective = boosting.lightgbm(chosen)
    model = lightgbm.LGBMRegressor(objective=objective, n_estimators=100, verbose=-1, num_leaves=7, n_jobs=1)
    start = objective.init_score(NOISY)
    raw = start + model.fit(X, NOISY, init_score=start).booster_.predict(X)
    assert objective.mean_loss(raw, NOISY) < 0.9 * objective.mean_loss(start, NOISY)


@pytest.mark.parametrize("chosen", [cauchy, slopes.barron_general.with_(alpha=-2.0)], ids=named)
def test_the_start_is_the_best_of_several_valleys(chosen):
    target = np.r_[np.full(30, -5.0), np.full(70, 15.0)] + RNG.normal(0, 0.3, 100)
    start = boosting.xgboost(chosen).start(target)
    assert start == pytest.approx(15, abs=0.2)
    costs = [float(chosen(np.full(100, score), target)) for score in np.linspace(14, 16, 201)]
    assert float(chosen(np.full(100, start), target)) <= min(costs)


@pytest.mark.parametrize(
    ("chosen", "target", "message"),
    [
        (
            slopes.binary_cross_entropy,
            [1.0, 2.0],
            r"binary_cross_entropy: target must be probabilities in \[0, 1\], got 2",
        ),
        (slopes.hinge, [0.0, 1.0], "hinge: target must be -1 or 1, got 0.0"),
        (slopes.poisson_nll, [-1.0, 1.0], "poisson_nll: target must be >= 0, got -1.0"),
        (slopes.gamma_deviance, [0.0, 1.0], "gamma_deviance: target must be > 0, got 0.0"),
        (slopes.huber, [np.nan, 1.0], "boosting: targets must be finite, got nan"),
    ],
)
def test_targets_that_the_loss_refuses(chosen, target, message):
    objective = boosting.xgboost(chosen)
    for call in (objective.gradient_and_hessian, objective.mean_loss):
        with pytest.raises(ValueError, match=message):
            call(np.zeros(2), np.array(target))
    with pytest.raises(ValueError, match=message):
        boosting.catboost(chosen).calc_ders_range(np.zeros(2), target, None)


@pytest.mark.parametrize(
    ("chosen", "junk"),
    [(slopes.binary_cross_entropy, 7.0), (slopes.hinge, 0.0), (slopes.huber, np.nan), (slopes.cross_entropy, -1.0)],
)
def test_a_weight_of_0_hides_a_target(chosen, junk):
    raw = RNG.normal(size=(4, 3)[: 1 + chosen.rowwise])
    target, weight = np.array([junk, 1.0, 1.0, 1.0]), np.array([0.0, 1.0, 2.0, 3.0])
    given, without = boosting.xgboost(chosen), boosting.xgboost(chosen)
    assert given.mean_loss(raw, target, weight) == without.mean_loss(raw[1:], target[1:], weight[1:])
    for found, due in zip(
        given.gradient_and_hessian(raw, target, weight),
        without.gradient_and_hessian(raw[1:], target[1:], weight[1:]),
        strict=True,
    ):
        np.testing.assert_array_equal(found, [0 * due[0], *due])
    if not chosen.rowwise:
        assert given.start(target, weight) == without.start(target[1:], weight[1:])
    with pytest.raises(ValueError, match=r"target must|finite|numbered from 0"):
        given.mean_loss(raw, target)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (([],), r"a start needs a row of targets, one at least, got shape \(0,\)"),
        ((3.0,), r"a start needs a row of targets, one at least, got shape \(\)"),
        (([0, 1, 2], [1.0, 1.0]), r"weights \(2,\) must have the shape of the targets, \(3,\)"),
        (([0, 1], [0.0, 0.0]), "weights must be finite and >= 0, and one of them > 0"),
        (([0, 1], [-1.0, 1.0]), "weights must be finite and >= 0"),
        (([0, 1], [np.nan, 1.0]), "weights must be finite and >= 0"),
    ],
)
def test_a_start_of_nothing_is_refused(given, message):
    for card in (slopes.huber, slopes.cross_entropy):
        with pytest.raises(ValueError, match=f"^boosting: {message}"):
            boosting.xgboost(card).start(*given)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"factor": "2"}, ValueError, "factor must be > 0, got '2'"),
        ({"factor": np.inf}, ValueError, "factor must be > 0, got inf; give a finite number"),
        (
            {"hessian": ["exact"]},
            ValueError,
            r"hessian must be one of filled, floored, exact, constant, got \['exact'\]",
        ),
        ({"inverse": 3}, TypeError, "inverse must be a function of raw scores, got 3"),
        (
            {"label_smoothing": 0.1},
            TypeError,
            "label_smoothing belongs to a call of cross_entropy, which boosting makes",
        ),
    ],
)
def test_options_of_an_objective(options, error, message):
    with pytest.raises(error, match=f"^boosting: {message}"):
        boosting.xgboost(slopes.cross_entropy, **options)


@pytest.mark.filterwarnings("ignore:The argument .eval_set. is deprecated")  # newer releases alone have another
def test_the_metric_stops_lightgbm_as_scikit_learn_has_it():
    lightgbm = pytest.importorskip("lightgbm")
    common = {"n_estimators": 200, "learning_rate": 0.5, "n_jobs": 1}
    objective = boosting.lightgbm(slopes.huber)
    model = lightgbm.LGBMRegressor(objective=objective, metric="None", verbose=-1, **common)
    stop = lightgbm.early_stopping(5, verbose=False)
    halves = slice(None, None, 2), slice(1, None, 2)
    (x, y, w), (held, truth, weight) = ((X[half], NOISY[half], WEIGHT[half]) for half in halves)
    model.fit(
        x, y, w, eval_set=[(held, truth)], eval_sample_weight=[weight], eval_metric=objective.metric, callbacks=[stop]
    )
    (told,) = model.evals_result_["valid_0"].values()
    assert model.best_iteration_ < 200
    raw = model.predict(held, raw_score=True)
    assert told[model.best_iteration_ - 1] == pytest.approx(slopes.huber(raw, truth, weight=weight), rel=1e-6)


@pytest.mark.packages
def test_the_metric_stops_xgboost_as_scikit_learn_has_it():
    xgboost = pytest.importorskip("xgboost")
    objective = boosting.xgboost(slopes.huber)
    model = xgboost.XGBRegressor(
        objective=objective, eval_metric=objective.metric, early_stopping_rounds=5, n_estimators=200, n_jobs=1,
    )  # fmt: skip
    model.fit(
        X[::2], NOISY[::2], eval_set=[(X[1::2], NOISY[1::2])], sample_weight_eval_set=[WEIGHT[1::2]], verbose=False
    )
    told = model.evals_result()["validation_0"]["metric"]
    assert model.best_iteration < 199
    raw = model.predict(X[1::2], output_margin=True)
    assert told[model.best_iteration] == pytest.approx(slopes.huber(raw, NOISY[1::2], weight=WEIGHT[1::2]), rel=1e-5)


def test_lightgbm_is_told_the_metric():
    lightgbm = pytest.importorskip("lightgbm")
    objective, told = boosting.lightgbm(slopes.half_mse), {}
    data = lightgbm.Dataset(X, NOISY, weight=WEIGHT, free_raw_data=False)
    booster = lightgbm.train(
        {**LIGHTGBM, "objective": objective, "metric": "None"}, data, 3, valid_sets=[data], feval=objective.metric,
        callbacks=[lightgbm.record_evaluation(told)],
    )  # fmt: skip
    ((values),) = told["training"].values()
    assert values[-1] == pytest.approx(slopes.half_mse(booster.predict(X), NOISY, weight=WEIGHT), rel=1e-6)


@pytest.mark.packages
@pytest.mark.parametrize(
    ("twin", "chosen", "target", "options"),
    [
        ({"objective": "reg:squarederror"}, slopes.half_mse, NOISY, {}),
        ({"objective": "binary:logistic"}, slopes.binary_cross_entropy, YES, {}),
        ({"objective": "count:poisson", "max_delta_step": 0}, slopes.poisson_nll, COUNT, {}),
        ({"objective": "reg:gamma"}, slopes.gamma_deviance, AMOUNT, {}),
        ({"objective": "reg:tweedie"}, slopes.tweedie_deviance, COUNT, {}),
        ({"objective": "reg:pseudohubererror", "base_score": 0.5}, slopes.pseudo_huber, NOISY, {}),
        ({"objective": "multi:softprob", "num_class": 3}, slopes.cross_entropy, CLASS, {"factor": 2.0}),
    ],
    ids=lambda value: value.get("objective", "") if isinstance(value, dict) else None,
)
def test_xgboost(twin, chosen, target, options):
    xgboost = pytest.importorskip("xgboost")
    common = {"max_depth": 3, "eta": 0.1, "nthread": 1, "seed": 0}
    data, objective = xgboost.DMatrix(X, target, weight=WEIGHT), boosting.xgboost(chosen, **options)
    due = xgboost.train({**common, **twin}, data, ROUNDS).predict(data, output_margin=True)
    given = {name: twin[name] for name in ("num_class",) if name in twin}
    start = twin.get("base_score", objective.start(target, WEIGHT))
    if np.ndim(start):
        data.set_base_margin(np.tile(start, (N, 1)))
    else:
        given["base_score"] = start
    told = {}
    mine = xgboost.train(
        {**common, **given, "disable_default_eval_metric": 1}, data, ROUNDS, obj=objective, evals=[(data, "data")],
        custom_metric=objective.metric, evals_result=told, verbose_eval=False,
    ).predict(data, output_margin=True)  # fmt: skip
    if np.ndim(start):  # each round adds float32 scores of three trees
        mine, due = (scores - scores.mean(axis=1, keepdims=True) for scores in (mine, due))
    np.testing.assert_allclose(mine, due, rtol=0, atol=2e-6 if np.ndim(start) else 1e-6)
    assert told["data"][chosen.name][-1] < told["data"][chosen.name][0]


@pytest.mark.packages
@pytest.mark.parametrize(
    ("twin", "chosen", "target", "options"),
    [
        ("RMSE", slopes.half_mse, NOISY, {}),
        ("Logloss", slopes.binary_cross_entropy, YES, {}),
        ("Poisson", slopes.poisson_nll, COUNT, {}),
        ("Tweedie:variance_power=1.5", slopes.tweedie_deviance, COUNT, {}),
        ("Huber:delta=0.8", slopes.huber, NOISY, {"delta": 0.8, "hessian": "exact"}),
    ],
)  # fmt: skip
@pytest.mark.filterwarnings("ignore:Can't optimze method:UserWarning", "ignore:Failed to import numba:UserWarning")
def test_catboost(twin, chosen, target, options):
    catboost = pytest.importorskip("catboost")
    common = {
        "iterations": ROUNDS, "depth": 3, "learning_rate": 0.1, "verbose": False, "random_seed": 0, "thread_count": 1,
        "leaf_estimation_method": "Newton", "leaf_estimation_iterations": 1, "bootstrap_type": "No",
        "boosting_type": "Plain", "allow_writing_files": False,
    }  # fmt: skip
    objective = boosting.catboost(chosen, **options)
    pool = catboost.Pool(X, target, weight=WEIGHT, baseline=np.full(N, objective.start(target, WEIGHT)))

    def train(**given):
        return catboost.CatBoost({**common, **given}).fit(pool).predict(X, prediction_type="RawFormulaVal")

    mine = train(loss_function=objective, eval_metric=objective.metric)
    np.testing.assert_allclose(mine, train(loss_function=twin), rtol=0, atol=1e-6)


CATBOOST = {
    "iterations": ROUNDS, "depth": 3, "learning_rate": 0.1, "verbose": False, "random_seed": 0, "thread_count": 1,
    "leaf_estimation_iterations": 1, "bootstrap_type": "No", "allow_writing_files": False,
}  # fmt: skip


@pytest.mark.packages
@pytest.mark.parametrize("method", ["Newton", "Gradient"])
@pytest.mark.parametrize("start", [False, True])
@pytest.mark.filterwarnings("ignore:Can't optimze method:UserWarning", "ignore:Failed to import numba:UserWarning")
def test_catboost_of_classes(method, start):
    """With the same start, scores equal those by MultiClass."""
    catboost = pytest.importorskip("catboost")
    rows = slice(200)  # CatBoost calls an objective for one row at a time
    objective = boosting.catboost(slopes.cross_entropy)
    row = objective.start(CLASS[rows], WEIGHT[rows])
    given = {"baseline": np.tile(row, (200, 1))} if start else {}
    pool = catboost.Pool(X[rows], CLASS[rows].astype(int), weight=WEIGHT[rows], **given)

    def train(**chosen):
        model = catboost.CatBoost({**CATBOOST, "leaf_estimation_method": method, **chosen}).fit(pool)
        return model.predict(X, prediction_type="RawFormulaVal"), model.get_best_score()["learn"]

    mine, told = train(loss_function=objective, eval_metric=objective.metric, class_names=[0, 1, 2])
    twin, due = train(loss_function="MultiClass")
    np.testing.assert_allclose(mine, twin, rtol=0, atol=1e-6)
    assert told["Metric"] == pytest.approx(due["MultiClass"], rel=1e-6)


@pytest.mark.packages
@pytest.mark.filterwarnings("ignore:Can't optimze method:UserWarning", "ignore:Failed to import numba:UserWarning")
def test_catboosts_classifier():
    catboost = pytest.importorskip("catboost")
    objective, rows = boosting.catboost(slopes.cross_entropy), slice(200)
    chosen = {"loss_function": objective, "eval_metric": objective.metric, "class_names": [0, 1, 2]}
    model = catboost.CatBoostClassifier(**CATBOOST, **chosen).fit(X[rows], CLASS[rows].astype(int))
    raw = model.predict(X, prediction_type="RawFormulaVal")
    np.testing.assert_allclose(model.predict_proba(X), objective.predict(raw), rtol=1e-6)
    assert model.predict(X).ravel().tolist() == raw.argmax(axis=1).tolist()
    with pytest.raises(catboost.CatBoostError, match="takes a row of raw scores"):
        catboost.CatBoost({**CATBOOST, **chosen, "class_names": [0, 1]}).fit(X[rows], YES[rows].astype(int))
