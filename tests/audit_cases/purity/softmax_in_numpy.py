"""Softmax in NumPy that takes the largest number out of the caller's array."""

import numpy as np


def bug(x):
    x -= np.amax(x, axis=-1, keepdims=True)
    exps = np.exp(x.astype(np.float64))
    return exps / exps.sum(axis=-1, keepdims=True)


def fixed(x):
    x = x - np.amax(x, axis=-1, keepdims=True)
    exps = np.exp(x.astype(np.float64))
    return exps / exps.sum(axis=-1, keepdims=True)
