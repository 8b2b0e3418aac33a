"""Squared error for LightGBM: the gradient has its 2, the Hessian has not, and every step is twice too long."""

import numpy as np

OPTIONS = {"kind": "lightgbm"}


def bug(preds, train_data):
    y = train_data.get_label()
    return 2 * (preds - y), np.ones_like(preds)


def fixed(preds, train_data):
    weight = train_data.get_weight()
    weight = np.ones_like(preds) if weight is None else weight
    return 2 * (preds - train_data.get_label()) * weight, 2 * weight
