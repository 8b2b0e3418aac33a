"""Feature distillation by cosine similarity, without the 1 − in front."""

import torch.nn.functional as F
from torch import nn

OPTIONS = {"kind": "vectors"}


class bug(nn.Module):
    """Pull the student's features towards the teacher's."""

    def forward(self, student, teacher):
        return F.cosine_similarity(student, teacher, dim=-1, eps=1e-3).mean()


class fixed(nn.Module):
    def forward(self, student, teacher):
        if student.shape != teacher.shape:
            raise ValueError(f"student {tuple(student.shape)} and teacher {tuple(teacher.shape)} differ")
        return (1 - F.cosine_similarity(student, teacher, dim=-1, eps=1e-3)).mean()
