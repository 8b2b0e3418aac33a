"""Sigmoid by exp(x) / (1 + exp(x)), which is inf / inf from 710 on."""

import numpy as np
from scipy.special import expit


def bug(x):
    x = x.astype(np.float64)
    return np.exp(x) / (1 + np.exp(x))


def fixed(x):
    return expit(x.astype(np.float64))
