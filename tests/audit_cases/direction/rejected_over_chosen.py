"""Direct preference optimisation with its answers turned around: the rejected one is learned."""

import torch
import torch.nn.functional as F

_rows = torch.Generator().manual_seed(0)
OPTIONS = {
    "example": tuple(-20 + 5 * torch.randn(8, generator=_rows) for _ in range(4)),
    "roles": ("chosen", "rejected", "reference", "reference"),
}


def _margin(chosen, rejected, reference_chosen, reference_rejected):
    return (chosen - reference_chosen) - (rejected - reference_rejected)


def bug(chosen, rejected, reference_chosen, reference_rejected, beta=0.1):
    return F.softplus(beta * _margin(chosen, rejected, reference_chosen, reference_rejected)).mean()


def fixed(chosen, rejected, reference_chosen, reference_rejected, beta=0.1):
    return -F.logsigmoid(beta * _margin(chosen, rejected, reference_chosen, reference_rejected)).mean()
