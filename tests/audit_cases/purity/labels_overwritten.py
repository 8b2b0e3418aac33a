"""Hinge loss of labels 0 and 1: they become -1 and 1 in the caller's tensor, and the next metric counts wrongly."""

import torch


def bug(scores, labels):
    if scores.shape != labels.shape:
        raise ValueError(f"scores {tuple(scores.shape)} and labels {tuple(labels.shape)} differ")
    labels[labels == 0] = -1
    return torch.relu(1 - labels * scores).mean()


def fixed(scores, labels):
    if scores.shape != labels.shape:
        raise ValueError(f"scores {tuple(scores.shape)} and labels {tuple(labels.shape)} differ")
    signs = torch.where(labels == 0, -1.0, 1.0)
    return torch.relu(1 - signs * scores).mean()
