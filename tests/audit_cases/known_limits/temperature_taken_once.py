"""A soft cross-entropy with the temperature as its factor, where its square belongs."""

import torch
from torch import nn

SEVERITY = "warning"


class SoftCrossEntropy(nn.Module):
    power = 2

    def __init__(self, T=2.0):
        super().__init__()
        self.T = T

    def forward(self, student, teacher):
        if student.shape != teacher.shape:
            raise ValueError(f"student {tuple(student.shape)} and teacher {tuple(teacher.shape)} differ")
        log_p = torch.log_softmax(student / self.T, dim=-1)
        return -(torch.softmax(teacher / self.T, dim=-1) * log_p).sum(dim=-1).mean() * self.T**self.power


class bug(SoftCrossEntropy):
    power = 1


fixed = SoftCrossEntropy
