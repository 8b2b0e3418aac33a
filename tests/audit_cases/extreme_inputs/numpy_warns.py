"""The usual repair of sigmoid: np.where computes both formulas, so that the values are right and the log is full."""

import numpy as np
from scipy.special import expit

SEVERITY = "warning"


def bug(x):
    x = x.astype(np.float64)
    return np.where(x >= 0, 1 / (1 + np.exp(-x)), 1 - 1 / (1 + np.exp(x)))


def fixed(x):
    return expit(x.astype(np.float64))
