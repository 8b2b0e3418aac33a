"""GEGLU that takes GELU of both halves of a row, where one is to pass as it is."""

import torch.nn.functional as F
from torch import nn

SEVERITY = "warning"


class GEGLU(nn.Module):
    def forward(self, x):
        value, gate = x.chunk(2, dim=-1)
        return self.passed(value) * F.gelu(gate)

    def passed(self, value):
        return value


class GEGLUActivation(GEGLU):
    def passed(self, value):
        return F.gelu(value)


bug, fixed = GEGLUActivation, GEGLU
