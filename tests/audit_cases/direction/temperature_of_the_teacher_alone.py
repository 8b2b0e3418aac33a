"""Distillation that softens the teacher and leaves the student as it is: equal logits are not the best ones."""

import torch.nn.functional as F


def divergence(student_logits, teacher_logits, student_temperature, teacher_temperature):
    if student_logits.shape != teacher_logits.shape:
        raise ValueError(f"student {tuple(student_logits.shape)} and teacher {tuple(teacher_logits.shape)} differ")
    log_p = F.log_softmax(student_logits / student_temperature, dim=-1)
    log_q = F.log_softmax(teacher_logits / teacher_temperature, dim=-1)
    return F.kl_div(log_p, log_q, reduction="batchmean", log_target=True)


def bug(student_logits, teacher_logits, T=4.0):
    return divergence(student_logits, teacher_logits, 1.0, T) * T**2


def fixed(student_logits, teacher_logits, T=4.0):
    return divergence(student_logits, teacher_logits, T, T) * T**2
