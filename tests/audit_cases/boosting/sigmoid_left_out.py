"""Log loss for XGBoost, of which the sigmoid is forgotten: preds are margins, not probabilities."""

import numpy as np

OPTIONS = {"kind": "xgboost", "against": "torch.nn.BCEWithLogitsLoss()"}


def bug(preds, dtrain):
    y = dtrain.get_label()
    grad = preds - y
    hess = preds * (1 - preds)
    return grad, hess


def fixed(preds, dtrain):
    y = dtrain.get_label()
    p = 1 / (1 + np.exp(-preds))
    grad, hess = p - y, np.maximum(p * (1 - p), 1e-16)
    if dtrain.get_weight().size:
        grad, hess = grad * dtrain.get_weight(), hess * dtrain.get_weight()
    return grad, hess
