"""The residual of a differential equation, u' = -u, by autograd without create_graph: u' is a constant to training."""

import torch
from torch import nn

_rows = torch.Generator().manual_seed(0)
_model = nn.Sequential(nn.Linear(1, 8), nn.Tanh(), nn.Linear(8, 1))
OPTIONS = {
    "example": (torch.rand(8, 1, generator=_rows),),
    "roles": ("input",),
    "call": lambda loss, batch: loss(_model, batch[0]),
}


def _slope(u, x, create_graph):
    return torch.autograd.grad(u.sum(), x, create_graph=create_graph)[0]


def bug(model, x):
    x = x.detach().requires_grad_()
    u = model(x)
    return (_slope(u, x, False) + u.detach()).square().mean()


def fixed(model, x):
    x = x.detach().requires_grad_()
    u = model(x)
    return (_slope(u, x, True) + u).square().mean()
