"""Mean absolute error in NumPy, of what a model predicts as a column."""

import numpy as np


def bug(y_true, y_pred):
    y_true, y_pred = y_true.astype(np.float64), y_pred.astype(np.float64)
    return np.mean(np.abs(y_true - y_pred))


def fixed(y_true, y_pred):
    y_true, y_pred = y_true.astype(np.float64), y_pred.astype(np.float64)
    if y_true.shape != y_pred.shape:
        raise ValueError(f"y_true {y_true.shape} and y_pred {y_pred.shape} differ")
    return np.mean(np.abs(y_true - y_pred))
