"""A cross-entropy whose values for each row come in a column, against which weights of rows are broadcast."""

import torch

SEVERITY = "warning"


def reduced(loss, reduction):
    return loss if reduction == "none" else loss.sum() if reduction == "sum" else loss.mean()


def column(logits, labels):
    return -torch.log_softmax(logits, dim=-1).gather(-1, labels.unsqueeze(-1))


def check(logits, labels):
    if labels.shape != logits.shape[:-1]:
        raise ValueError(f"logits {tuple(logits.shape)} and labels {tuple(labels.shape)} do not fit")


def bug(logits, labels, reduction="mean"):
    check(logits, labels)
    return reduced(column(logits, labels), reduction)


def fixed(logits, labels, reduction="mean"):
    check(logits, labels)
    return reduced(column(logits, labels).squeeze(-1), reduction)
