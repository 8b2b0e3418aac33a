"""Expected sales from an absolute error, in NumPy: skewed sales are forecast at their median."""

import numpy as np

OPTIONS = {"elicits": "mean"}


def bug(forecast, sales):
    if forecast.shape != sales.shape:
        raise ValueError(f"forecast {forecast.shape} and sales {sales.shape} differ")
    return np.mean(np.abs(forecast - sales))


def fixed(forecast, sales):
    if forecast.shape != sales.shape:
        raise ValueError(f"forecast {forecast.shape} and sales {sales.shape} differ")
    return np.mean((forecast - sales) ** 2)
