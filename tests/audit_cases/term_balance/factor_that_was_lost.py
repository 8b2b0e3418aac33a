"""An elastic loss in NumPy, said to be half absolute and half squared: one half has lost its factor."""

import numpy as np

L1_SHARE = 0.5


def absolute(y_true, y_pred):
    return L1_SHARE * np.mean(np.abs(y_true - y_pred))


def squared(y_true, y_pred):
    return (1 - L1_SHARE) * np.mean((y_true - y_pred) ** 2)


OPTIONS = {"kind": "regression", "terms": {"absolute": absolute, "squared": squared}}


def bug(y_true, y_pred):
    if y_true.shape != y_pred.shape:
        raise ValueError(f"y_true {y_true.shape} and y_pred {y_pred.shape} differ")
    return absolute(y_true, y_pred) + np.mean((y_true - y_pred) ** 2)


def fixed(y_true, y_pred):
    if y_true.shape != y_pred.shape:
        raise ValueError(f"y_true {y_true.shape} and y_pred {y_pred.shape} differ")
    return absolute(y_true, y_pred) + squared(y_true, y_pred)
