"""Distillation by a kl_div whose mean is taken over classes, too."""

import torch.nn.functional as F

SEVERITY = "warning"


def distilled(student, teacher, tau, reduction):
    if student.shape != teacher.shape:
        raise ValueError(f"student {tuple(student.shape)} and teacher {tuple(teacher.shape)} differ")
    log_p = F.log_softmax(student / tau, dim=-1)
    return F.kl_div(log_p, F.softmax(teacher / tau, dim=-1), reduction=reduction) * tau**2


def bug(student, teacher, tau=2.0):
    return distilled(student, teacher, tau, "mean")


def fixed(student, teacher, tau=2.0):
    return distilled(student, teacher, tau, "batchmean")
