"""Distillation with labels: the cross-entropy is the teacher's own, so the labels teach the student nothing."""

import torch
import torch.nn.functional as F

_rows = torch.Generator().manual_seed(0)
OPTIONS = {
    "example": (torch.randn(8, 4, generator=_rows), torch.randn(8, 4, generator=_rows), torch.arange(8) % 4),
    "roles": ("logits", "teacher", "labels"),
}


def _divergence(student, teacher, temperature):
    shares = F.log_softmax(student / temperature, dim=-1), F.softmax(teacher / temperature, dim=-1)
    return F.kl_div(*shares, reduction="batchmean") * temperature**2


def bug(student, teacher, labels, temperature=2.0, alpha=0.5):
    soft = _divergence(student, teacher, temperature)
    return alpha * soft + (1 - alpha) * F.cross_entropy(teacher, labels)


def fixed(student, teacher, labels, temperature=2.0, alpha=0.5):
    soft = _divergence(student, teacher, temperature)
    return alpha * soft + (1 - alpha) * F.cross_entropy(student, labels)
