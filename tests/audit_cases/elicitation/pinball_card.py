"""A card of the pinball loss with its two weights swapped: fitted for the 0.9 quantile, it gives the 0.1 quantile."""

import slopes
from slopes.ops import absolute, where

OPTIONS = {"elicits": "quantile 0.9"}


@slopes.loss("regression")
def bug(prediction, target):
    """Pinball loss of the 0.9 quantile, as its author thinks."""
    return absolute(prediction - target) * where(prediction > target, 0.9, 0.1)


@slopes.loss("regression")
def fixed(prediction, target):
    """Pinball loss of the 0.9 quantile."""
    return absolute(prediction - target) * where(prediction > target, 0.1, 0.9)
