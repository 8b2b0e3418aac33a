"""Distillation by a kl_div that is given the student's probabilities instead of their logarithms."""

import torch.nn.functional as F
from torch import nn


class Distillation(nn.Module):
    def __init__(self, temperature=3.0):
        super().__init__()
        self.temperature = temperature

    def forward(self, student, teacher):
        if student.shape != teacher.shape:
            raise ValueError(f"student {tuple(student.shape)} and teacher {tuple(teacher.shape)} differ")
        target = F.softmax(teacher / self.temperature, dim=1)
        loss = F.kl_div(self.scores(student / self.temperature), target, reduction="batchmean")
        return loss * self.temperature**2


class bug(Distillation):
    def scores(self, student):
        return F.softmax(student, dim=1)


class fixed(Distillation):
    def scores(self, student):
        return F.log_softmax(student, dim=1)
