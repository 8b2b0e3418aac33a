"""Two tasks, weighed by learned uncertainty: the logs of the variances are in a list, so parameters() has none."""

import torch
import torch.nn.functional as F
from torch import nn

SEVERITY = "warning"
_rows = torch.Generator().manual_seed(0)


def _randn(*shape):
    return torch.randn(*shape, generator=_rows)


OPTIONS = {
    "example": (_randn(8), _randn(8), _randn(8, 3), _randn(8, 3)),
    "roles": ("prediction", "target", "prediction", "target"),
}


class _TwoTasks(nn.Module):
    def forward(self, depth, depth_target, normal, normal_target):
        losses = F.mse_loss(depth, depth_target), F.mse_loss(normal, normal_target)
        return sum(torch.exp(-s) * loss + s for s, loss in zip(self.log_variances, losses, strict=True))


class bug(_TwoTasks):
    def __init__(self):
        super().__init__()
        self.log_variances = [torch.zeros((), requires_grad=True) for _ in range(2)]


class fixed(_TwoTasks):
    def __init__(self):
        super().__init__()
        self.log_variances = nn.ParameterList([nn.Parameter(torch.zeros(())) for _ in range(2)])
