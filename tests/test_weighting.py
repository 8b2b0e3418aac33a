"""Weights of classes: the authors' numbers, limits, digits, arrays of each library and refusals."""

from fractions import Fraction

import numpy as np
import pytest

import slopes
from slopes import class_balanced_weights

COUNTS = np.array([5000, 500, 20, 1])


@pytest.mark.parametrize("beta", [0.0, 0.3, 0.9, 0.999, 0.9999, 1 - 2.0**-40])
def test_weights_are_inverse_effective_numbers(beta):
    exact = [1 / float((1 - Fraction(beta) ** int(n)) / (1 - Fraction(beta))) for n in COUNTS]
    weights = class_balanced_weights(COUNTS, beta=beta)
    np.testing.assert_allclose(weights, 4 * np.array(exact) / sum(exact), rtol=1e-14)
    assert weights.sum() == pytest.approx(4, rel=1e-15)


def test_limits():
    np.testing.assert_array_equal(class_balanced_weights(COUNTS, beta=0), np.ones(4))
    inverse = 1 / COUNTS
    np.testing.assert_allclose(class_balanced_weights(COUNTS, beta=1 - 1e-12), 4 * inverse / inverse.sum(), rtol=1e-8)


def test_they_are_weights_of_a_loss():
    logits, labels = np.random.default_rng(0).standard_normal((6, 4)), np.array([0, 0, 0, 1, 2, 3])
    weights = class_balanced_weights([3, 1, 1, 1])
    each = slopes.cross_entropy(logits, labels, reduction="none")
    expected = np.average(each, weights=weights[labels])
    assert slopes.cross_entropy(logits, labels, class_weight=weights) == pytest.approx(expected, rel=1e-14)


def test_arrays_keep_their_library():
    torch = pytest.importorskip("torch")
    weights = class_balanced_weights(torch.tensor(COUNTS))
    assert weights.dtype == torch.float32
    np.testing.assert_allclose(weights, class_balanced_weights(COUNTS), rtol=1e-6)
    assert class_balanced_weights(torch.tensor([3.0, 5.0], dtype=torch.float64)).dtype == torch.float64
    assert class_balanced_weights(COUNTS.astype(np.float32)).dtype == np.float32


@pytest.mark.parametrize(
    ("counts", "beta", "error", "message"),
    [
        ([3, 0], 0.9, ValueError, "a count must be > 0 and finite, got 0"),
        ([3, -1], 0.9, ValueError, "a count must be > 0 and finite, got -1"),
        ([3.0, np.inf], 0.9, ValueError, "a count must be > 0 and finite, got inf"),
        ([3.0, np.nan], 0.9, ValueError, "a count must be > 0 and finite, got nan"),
        ([], 0.9, ValueError, r"counts must be a row with a number for each class, got shape \(0,\)"),
        (5, 0.9, ValueError, r"counts must be a row with a number for each class, got shape \(\)"),
        ([[3, 4]], 0.9, ValueError, r"counts must be a row .* got shape \(1, 2\)"),
        (["many"], 0.9, TypeError, "counts"),
        ([3, 4], 1.0, ValueError, "beta must be a number >= 0 and < 1, got 1.0"),
        ([3, 4], -0.1, ValueError, "beta must be a number >= 0 and < 1, got -0.1"),
        ([3, 4], "0.9", ValueError, "beta must be a number >= 0 and < 1, got '0.9'"),
        ([3, 4], np.nan, ValueError, "beta must be a number >= 0 and < 1, got nan"),
    ],
)
def test_refusals(counts, beta, error, message):
    with pytest.raises(error, match=f"^class_balanced_weights: {message}"):
        class_balanced_weights(counts, beta=beta)
