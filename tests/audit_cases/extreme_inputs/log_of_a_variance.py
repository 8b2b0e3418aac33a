"""A head of mean and log variance: the log of the exponential is infinite where the log variance is large."""

import torch

_rows = torch.Generator().manual_seed(0)
OPTIONS = {"example": (torch.randn(8, 2, generator=_rows), torch.randn(8, generator=_rows))}


def bug(prediction, target):
    mean, log_variance = prediction.unbind(dim=-1)
    variance = torch.exp(log_variance)
    return 0.5 * (torch.log(variance) + (target - mean) ** 2 / variance).mean()


def fixed(prediction, target):
    mean, log_variance = prediction.unbind(dim=-1)
    return 0.5 * (log_variance + (target - mean) ** 2 * torch.exp(-log_variance)).mean()
