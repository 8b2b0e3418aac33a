"""Objectives of XGBoost, LightGBM and CatBoost: what is told of each fault, and of none of the sound ones."""

import numpy as np
import pytest

pytest.importorskip("torch")

import slopes
from evidence import kept_evidence
from slopes.kinds import KINDS

BCE, MSE = "torch.nn.BCEWithLogitsLoss()", "torch.nn.MSELoss()"


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def weights(data, like):
    given = data.get_weight()
    return np.ones(len(like)) if given is None or not len(given) else given


def log_loss(raw, data):
    p, w = sigmoid(raw), weights(data, raw)
    return (p - data.get_label()) * w, p * (1 - p) * w


def log_loss_floored(raw, data):
    p, w = sigmoid(raw), weights(data, raw)
    return (p - data.get_label()) * w, np.maximum(p * (1 - p), 1e-6) * w


def half_square(y_true, y_pred):
    return y_pred - y_true, np.ones_like(y_pred)


def square_weighted(y_true, y_pred, weight=None):
    weight = 1 if weight is None else weight
    return 2 * (y_pred - y_true) * weight, 2 * weight * np.ones_like(y_pred)


def absolute(y_true, y_pred):
    return np.sign(y_pred - y_true), np.ones_like(y_pred)


def absolute_zero(y_true, y_pred):
    return np.sign(y_pred - y_true), np.zeros_like(y_pred)


def log_cosh(y_true, y_pred):
    slope = np.tanh(y_pred - y_true)
    return slope, 1 - slope**2


def welsch(y_true, y_pred):
    x = y_pred - y_true
    return x * np.exp(-(x**2) / 2), np.exp(-(x**2) / 2)


def welsch_negative(y_true, y_pred):
    x = y_pred - y_true
    return x * np.exp(-(x**2) / 2), (1 - x**2) * np.exp(-(x**2) / 2)


def welsch_loss(prediction, target):
    return (1 - (-((prediction - target) ** 2) / 2).exp()).mean()


def softmax(raw):
    p = np.exp(raw - raw.max(axis=1, keepdims=True))
    return p / p.sum(axis=1, keepdims=True)


def of_classes(y_true, y_pred):
    p = softmax(y_pred)
    return p - np.eye(p.shape[1])[y_true.astype(int)], p.shape[1] / (p.shape[1] - 1) * p * (1 - p)


def of_classes_flat(raw, data):
    gradient, hessian = of_classes(data.get_label(), raw)
    w = weights(data, raw)[:, None]
    return (gradient * w).reshape(-1, 1), (hessian * w).reshape(-1, 1)


class MultiClass:
    """CatBoost's of several classes, one row at a time."""

    sign = -1

    def calc_ders_multi(self, approx, target, weight):
        p = softmax(np.asarray(approx)[None])[0]
        gradient = p - np.eye(len(p))[int(target)]
        return list(self.sign * weight * gradient), (self.sign * weight * (np.diag(p) - np.outer(p, p))).tolist()


class LogLoss:
    def calc_ders_range(self, approxes, targets, weights):
        p = sigmoid(np.asarray(approxes))
        w = 1.0 if weights is None else np.asarray(weights)
        return list(zip((np.asarray(targets) - p) * w, -p * (1 - p) * w, strict=True))


SOUND = [
    ("xgboost", log_loss, BCE), ("xgboost", log_loss, None), ("xgboost", log_loss, slopes.binary_cross_entropy),
    ("lightgbm", log_loss, "torch.nn.BCELoss()"), ("xgboost", log_loss_floored, BCE),
    ("xgboost", log_loss_floored, None), ("lightgbm", half_square, MSE), ("lightgbm", half_square, slopes.half_mse),
    ("xgboost", square_weighted, MSE), ("lightgbm", square_weighted, "torch.nn.MSELoss(reduction=sum)"),
    ("xgboost", absolute, slopes.mae), ("lightgbm", absolute, None), ("xgboost", absolute_zero, slopes.mae),
    ("xgboost", log_cosh, slopes.log_cosh), ("lightgbm", welsch, welsch_loss), ("lightgbm", welsch, None),
    ("lightgbm", of_classes, "torch.nn.CrossEntropyLoss()"), ("lightgbm", of_classes, slopes.cross_entropy),
    ("lightgbm", of_classes, None), ("xgboost", of_classes_flat, "cross_entropy"),
    ("catboost", MultiClass, slopes.cross_entropy), ("catboost", MultiClass(), None), ("catboost", LogLoss, BCE),
    ("catboost", LogLoss, None), ("catboost", slopes.boosting.catboost(slopes.cross_entropy), slopes.cross_entropy),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "objective", "against"), SOUND)
def test_sound_objectives_raise_no_alarm(kind, objective, against):
    report = slopes.audit(objective, kind=kind, against=against)
    assert report.ok, str(report)
    assert report.ran == ["boosting"]


def sign_turned(y_true, y_pred):
    return y_true - y_pred, np.ones_like(y_pred)


def hessian_turned(raw, data):
    gradient, hessian = log_loss(raw, data)
    return gradient, -hessian


def half_weighted(raw, data):
    p = sigmoid(raw)
    return (p - data.get_label()) * weights(data, raw), p * (1 - p)


def unweighted(raw, data):
    p = sigmoid(raw)
    return p - data.get_label(), p * (1 - p)


def data_first(data, raw):
    return log_loss(raw, data)


def averaged(raw, data):
    gradient, hessian = log_loss(raw, data)
    return gradient.mean(), hessian.mean()


def gradient_alone(y_true, y_pred):
    return y_pred - y_true


def overflowing(raw, data):
    p = np.exp(50 * raw) / (1 + np.exp(50 * raw))
    return p - data.get_label(), p * (1 - p)


def transposed(y_true, y_pred):
    gradient, hessian = of_classes(y_true, y_pred)
    return gradient.T, hessian.T


def broken(raw, data):
    return raw - data.labels, raw


class Upright(MultiClass):
    sign = 1


PLANTED = [
    ("xgboost", sign_turned, MSE, "error", "wrong sign: xgboost minimises"),
    ("lightgbm", sign_turned, None, "error", "runs away from the target"),
    ("xgboost", hessian_turned, BCE, "error", "Hessian has the wrong sign"),
    ("xgboost", hessian_turned, None, "error", "Hessian has the wrong sign"),
    ("lightgbm", welsch_negative, welsch_loss, "warning", "negative where the loss curves downwards"),
    ("xgboost", half_weighted, BCE, "error", "the Hessian is not multiplied by the weights"),
    ("lightgbm", unweighted, BCE, "note", "ignores the weights of rows"),
    ("xgboost", data_first, BCE, "error", "takes the data set first"),
    ("xgboost", averaged, BCE, "error", "gradient of shape ()"),
    ("lightgbm", gradient_alone, MSE, "error", "ndarray instead of the gradient and the Hessian"),
    ("xgboost", overflowing, None, "error", "gradient is nan at a raw score of 19"),
    ("lightgbm", transposed, "cross_entropy", "error", "shape (3, 12) where the raw scores have (12, 3)"),
    ("xgboost", broken, BCE, "error", "has no attribute 'labels'"),
    ("catboost", Upright, "cross_entropy", "error", "wrong sign: CatBoost maximises"),
    ("lightgbm", log_loss, MSE, "error", "the gradient is not that of torch.nn.MSELoss()"),
    ("xgboost", absolute_zero, slopes.mae, "note", "Hessian is 0 everywhere"),
    ("lightgbm", half_square, MSE, "note", "belong to 0.5 times torch.nn.MSELoss()"),
]


@pytest.mark.parametrize(("kind", "objective", "against", "severity", "told"), PLANTED)
def test_what_is_told_of_each_fault(kind, objective, against, severity, told, capsys):
    with kept_evidence() as evidence:
        report = slopes.audit(objective, kind=kind, against=against)
    (finding,) = [f for f in report.findings if f.severity == severity]
    assert finding.check == "boosting"
    assert told in finding.message, str(report)
    assert "training" in finding.message
    evidence.confirm(finding)
    with np.errstate(all="ignore"):
        exec(finding.reproduce, {})
    assert capsys.readouterr().out


def test_the_truth_is_the_derivative_of_the_loss():
    """The reference itself: log loss has p - y and p (1 - p), whichever space the loss is told in."""
    from slopes.auditing.boosting import loss_of
    from slopes.auditing.boosting.derivatives import Batch, truth

    for name in (BCE, "torch.nn.BCELoss()", "binary_cross_entropy"):
        loss = loss_of(name, {}, 0)
        batch = Batch(np.array([-3.0, 0.5, 12.0]), np.array([1.0, 0.0, 1.0]))
        gradient, hessian = truth(loss, batch)
        p = sigmoid(batch.raw)
        np.testing.assert_allclose(gradient, p - batch.label, rtol=1e-8)
        np.testing.assert_allclose(hessian, p * (1 - p), rtol=1e-8)


def test_what_is_no_objective_is_refused():
    with pytest.raises(TypeError, match="calc_ders_range or calc_ders_multi for catboost, got function"):
        slopes.audit(log_loss, kind="catboost")
    with pytest.raises(TypeError, match="audit takes a function for xgboost, got int"):
        slopes.audit(3, kind="xgboost")
    with pytest.raises(TypeError, match="must be a loss of predictions and targets, row by row"):
        slopes.audit(log_loss, kind="xgboost", against=slopes.triplet_margin)
    with pytest.raises(ValueError, match="did you mean 'xgboost'"):
        slopes.audit(log_loss, kind="xgbost")
    assert not set(KINDS) & {"xgboost", "lightgbm", "catboost"}


def test_xgboost_takes_what_passes():
    """Ten rounds with an objective that passes are those of the built-in one."""
    xgboost = pytest.importorskip("xgboost", reason="xgboost is not installed")
    rng = np.random.default_rng(0)
    x = rng.normal(size=(200, 3))
    data = xgboost.DMatrix(x, label=(x[:, 0] > 0).astype(float))
    own = xgboost.train({"base_score": 0, "max_depth": 3}, data, 10, obj=log_loss)  # of a raw score
    twin = xgboost.train({"base_score": 0.5, "max_depth": 3, "objective": "binary:logistic"}, data, 10)
    np.testing.assert_allclose(sigmoid(own.predict(data, output_margin=True)), twin.predict(data), atol=1e-5)


def test_lightgbm_takes_what_passes():
    """The same of LightGBM, from equal initial scores."""
    lightgbm = pytest.importorskip("lightgbm", reason="lightgbm is not installed")
    rng = np.random.default_rng(0)
    x = rng.normal(size=(200, 3))
    y = (x[:, 0] > 0).astype(float)
    settings = {"verbosity": -1, "boost_from_average": False}
    own = lightgbm.train({**settings, "objective": log_loss}, lightgbm.Dataset(x, y), 10)
    twin = lightgbm.train({**settings, "objective": "binary"}, lightgbm.Dataset(x, y), 10)
    np.testing.assert_allclose(sigmoid(own.predict(x)), twin.predict(x), atol=1e-5)
