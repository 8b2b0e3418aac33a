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
