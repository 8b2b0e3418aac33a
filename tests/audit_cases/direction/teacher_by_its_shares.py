"""Distillation written out: the teacher's share of each row is its logit's, not its probability's."""

import torch


def soft_cross_entropy(student, teacher_shares):
    return -(teacher_shares * torch.log_softmax(student, dim=-1)).sum(dim=-1).mean()


def check(student, teacher):
    if student.shape != teacher.shape:
        raise ValueError(f"student {tuple(student.shape)} and teacher {tuple(teacher.shape)} differ")


def bug(student, teacher):
    check(student, teacher)
    exponentials = torch.exp((teacher - teacher.amax(dim=-1, keepdim=True)) / 2)  # the student has no such division
    return soft_cross_entropy(student, exponentials / exponentials.sum(dim=-1, keepdim=True))


def fixed(student, teacher):
    check(student, teacher)
    exponentials = torch.exp(teacher - teacher.amax(dim=-1, keepdim=True))
    return soft_cross_entropy(student, exponentials / exponentials.sum(dim=-1, keepdim=True))
