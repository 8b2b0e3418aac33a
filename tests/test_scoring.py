"""Losses as scorers of scikit-learn."""

import pickle

import numpy as np
import pytest

pytest.importorskip("sklearn")

from sklearn.dummy import DummyRegressor
from sklearn.metrics import mean_pinball_loss
from sklearn.model_selection import cross_val_score

import slopes

X, Y = np.zeros((6, 1)), np.array([1.0, 2.0, 3.0, 4.0, 5.0, 20.0])


def test_the_truth_is_not_the_prediction():
    """The pinball loss differs when they change places, as make_scorer(slopes.pinball) would have it."""
    low = DummyRegressor(strategy="constant", constant=0.0).fit(X, Y)
    score = slopes.scorer(slopes.pinball, quantile=0.9)(low, X, Y)
    assert score == pytest.approx(-mean_pinball_loss(Y, low.predict(X), alpha=0.9))
    assert score != pytest.approx(-slopes.pinball(Y, low.predict(X), quantile=0.9))


def test_weights_and_cross_validation():
    scorer = pickle.loads(pickle.dumps(slopes.scorer(slopes.mae)))
    mean = DummyRegressor().fit(X, Y)
    assert scorer(mean, X, Y, sample_weight=[0, 0, 0, 0, 0, 1]) == pytest.approx(-abs(20 - Y.mean()))
    assert (cross_val_score(DummyRegressor(), X, Y, scoring=scorer, cv=3) < 0).all()


@pytest.mark.parametrize("chosen", [slopes.cross_entropy, slopes.poisson_nll, slopes.giou, slopes.hinge])
def test_losses_of_other_predictions_are_refused(chosen):
    with pytest.raises(TypeError, match=f"{chosen.name} takes prediction"):
        slopes.scorer(chosen)


def test_only_losses_score():
    with pytest.raises(TypeError, match=r"takes a loss of slopes, as in slopes.scorer\(slopes.pinball\), got 3"):
        slopes.scorer(3)


def test_a_weight_of_a_sample_is_for_all_of_its_outputs():
    rng = np.random.default_rng(0)
    x, y, weight = rng.normal(size=(20, 2)), rng.normal(size=(20, 3)), rng.uniform(0.5, 2, 20)
    model = DummyRegressor().fit(x, y)
    due = -(weight[:, None] * (model.predict(x) - y) ** 2).sum() / (3 * weight.sum())
    assert slopes.scorer(slopes.mse)(model, x, y, sample_weight=weight) == pytest.approx(due, rel=1e-12)


def test_a_keyword_of_a_call_is_no_parameter():
    with pytest.raises(TypeError, match=r"^scorer: reduction belongs to a call of mse, which scorer makes by itself"):
        slopes.scorer(slopes.mse, reduction="sum")
