"""The evidence lower bound of a variational autoencoder: the divergence sees a detached copy of the means."""

import torch
import torch.nn.functional as F

_rows = torch.Generator().manual_seed(0)


def _randn(*shape):
    return torch.randn(*shape, generator=_rows)


OPTIONS = {
    "example": {"reconstruction": _randn(8, 5), "x": _randn(8, 5), "mean": _randn(8, 2), "log_var": _randn(8, 2)},
    "roles": ("prediction", "target", "prediction", "prediction"),
}


def _elbo(reconstruction, x, mean, log_var):
    error = F.mse_loss(reconstruction, x, reduction="none").sum(-1)
    divergence = -0.5 * (1 + log_var - mean**2 - log_var.exp()).sum(-1)
    return (error + divergence).mean()


def bug(reconstruction, x, mean, log_var):
    return _elbo(reconstruction, x, mean.detach(), log_var)


def fixed(reconstruction, x, mean, log_var):
    return _elbo(reconstruction, x, mean, log_var)
