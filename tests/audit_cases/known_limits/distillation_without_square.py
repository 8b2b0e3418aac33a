"""Distillation whose gradient falls with the square of the temperature."""

import torch.nn.functional as F

SEVERITY = "warning"


def softened(student_logits, teacher_logits, temperature):
    if student_logits.shape != teacher_logits.shape:
        raise ValueError(f"student {tuple(student_logits.shape)} and teacher {tuple(teacher_logits.shape)} differ")
    log_p = F.log_softmax(student_logits / temperature, dim=-1)
    return F.kl_div(log_p, F.softmax(teacher_logits / temperature, dim=-1), reduction="batchmean")


def bug(student_logits, teacher_logits, temperature=4.0):
    return softened(student_logits, teacher_logits, temperature)


def fixed(student_logits, teacher_logits, temperature=4.0):
    return softened(student_logits, teacher_logits, temperature) * temperature**2
