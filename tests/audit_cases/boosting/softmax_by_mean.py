"""Cross-entropy of three classes for XGBoost, averaged as a loss of PyTorch is: no leaf reaches min_child_weight."""

import numpy as np

OPTIONS = {"kind": "xgboost", "against": "torch.nn.CrossEntropyLoss()"}


def bug(y_true, y_pred):
    grad, hess = fixed(y_true, y_pred)
    return grad / len(y_true), hess / len(y_true)


def fixed(y_true, y_pred):
    p = np.exp(y_pred - y_pred.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    grad = p.copy()
    grad[np.arange(len(y_true)), y_true.astype(int)] -= 1
    return grad, 2 * p * (1 - p)
