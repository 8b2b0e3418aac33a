"""Losses of numbers as people write them: functions of a notebook, in the names and the order of its author."""

import math

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F

READINGS = {
    "rmse": "regression of real numbers",
    "RMSLELoss": "regression of non-negative numbers",
    "mape": "regression of real numbers, target first",
    "smape_loss": "regression of real numbers, target first",
    "logCosh": "regression of real numbers",
    "huber_keras": "regression of real numbers, target first",
    "PinballLoss": "regression of real numbers",
    "wing": "regression of real numbers",
    "charbonnier": "regression of real numbers",
    "poisson_deviance": "regression of positive numbers",
    "poisson_of_rate": "regression of real numbers",
    "tweedie": "regression of positive numbers",
    "WeightedMSE": "regression of real numbers",
    "MaskedL1": "regression of real numbers",
    "relative_l2": "regression of real numbers",
    "nse": "regression of real numbers, target first",
    "expectile": "regression of real numbers",
    "rmse_np": "regression of real numbers, target first",
    "scale_invariant": "regression of positive numbers",
}
DECLARED = {
    "rmse": {"kind": "regression", "batch_level": True},
    "PinballLoss": {"kind": "regression", "elicits": "quantile 0.9"},
    "expectile": {"kind": "regression"},
    "relative_l2": {"kind": "regression", "batch_level": True},
    "nse": {"kind": "regression", "batch_level": True},
    "scale_invariant": {"kind": "regression", "batch_level": True},
}


def rmse(yhat, y):
    return torch.sqrt(torch.mean((yhat - y) ** 2) + 1e-6)


class RMSLELoss(nn.Module):
    """Root mean squared log error, for prices."""

    def __init__(self):
        super().__init__()
        self.mse = nn.MSELoss()

    def forward(self, pred, actual):
        return torch.sqrt(self.mse(torch.log1p(pred), torch.log1p(actual)) + 1e-8)


def mape(y_true, y_pred, epsilon=0.5):
    return 100.0 * torch.mean(torch.abs((y_true - y_pred) / torch.clamp(torch.abs(y_true), min=epsilon)))


def smape_loss(target, forecast):
    denominator = target.abs() + forecast.abs() + 0.1
    return (2 * (forecast - target).abs() / denominator).mean()


def logCosh(y_t, y_prime_t):
    ey_t = y_t - y_prime_t
    return torch.mean(ey_t + F.softplus(-2.0 * ey_t) - math.log(2.0))


def huber_keras(y_true, y_pred, clip_delta=1.0):
    error = y_true - y_pred
    cond = torch.abs(error) <= clip_delta
    squared_loss = 0.5 * torch.square(error)
    linear_loss = clip_delta * (torch.abs(error) - 0.5 * clip_delta)
    return torch.where(cond, squared_loss, linear_loss).mean()


class PinballLoss:
    def __init__(self, quantile: float = 0.9):
        self.quantile = quantile

    def __call__(self, forecast: torch.Tensor, actual: torch.Tensor) -> torch.Tensor:
        diff = actual - forecast
        return torch.maximum(self.quantile * diff, (self.quantile - 1) * diff).mean()


def wing(x, t, w=10.0, eps=2.0):
    d = (x - t).abs()
    C = w - w * math.log(1 + w / eps)
    return torch.where(d < w, w * torch.log(1 + d / eps), d - C).mean()


def charbonnier(sr, hr, eps: "small" = 1e-3):  # noqa: F821
    return torch.sqrt((sr - hr) ** 2 + eps**2).mean()


def poisson_deviance(rate, count):
    return (rate - count * torch.log(rate)).mean()


def poisson_of_rate(log_input, k):
    """Poisson negative log likelihood; log_input is the log of the rate."""
    return torch.mean(torch.exp(log_input) - k * log_input)


def tweedie(mu, y, p=1.5):
    a = y * torch.pow(mu, 1 - p) / (1 - p)
    b = torch.pow(mu, 2 - p) / (2 - p)
    return torch.mean(-a + b)


class WeightedMSE(nn.Module):
    def forward(self, output, target, weights):
        return (weights * (output - target) ** 2).sum() / weights.sum()


class MaskedL1(nn.Module):
    def forward(self, prediction, target, mask):
        mask = mask.to(prediction.dtype)
        return ((prediction - target).abs() * mask).sum() / mask.sum().clamp(min=1)


def relative_l2(u_pred, u_exact):
    return torch.norm(u_pred - u_exact) / torch.norm(u_exact)


def nse(observed, simulated):
    """1 - Nash-Sutcliffe efficiency."""
    return ((observed - simulated) ** 2).sum() / ((observed - observed.mean()) ** 2).sum()


def expectile(out, tgt, tau=0.7):
    e = tgt - out
    return torch.where(e > 0, tau * e**2, (1 - tau) * e**2).mean()


def rmse_np(actual, predicted):
    return np.sqrt(np.mean((np.asarray(actual) - np.asarray(predicted)) ** 2) + 1e-12)


def scale_invariant(depth_est, depth_gt, variance_focus=0.85):
    d = torch.log(depth_est) - torch.log(depth_gt)
    return torch.sqrt((d**2).mean() - variance_focus * (d.mean() ** 2) + 1e-6) * 10.0
