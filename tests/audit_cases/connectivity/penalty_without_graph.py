"""The gradient penalty of a Wasserstein critic, without create_graph: it never reaches the critic."""

import torch
from torch import nn

_rows = torch.Generator().manual_seed(0)
_critic = nn.Sequential(nn.Linear(4, 8), nn.Softplus(), nn.Linear(8, 1))
OPTIONS = {
    "example": (torch.randn(8, 4, generator=_rows), torch.randn(8, 4, generator=_rows)),
    "roles": ("input", "input"),
    "call": lambda loss, batch: loss(_critic, *batch),
}


def _penalty(critic, real, fake, **options):
    between = (0.5 * real + 0.5 * fake).detach().requires_grad_()
    (slopes,) = torch.autograd.grad(critic(between).sum(), between, **options)
    return ((slopes.norm(dim=1) - 1) ** 2).mean()


def bug(critic, real, fake):
    return _penalty(critic, real, fake)


def fixed(critic, real, fake):
    return _penalty(critic, real, fake, create_graph=True)
