"""The pinball loss with its two sides changed over: it gives the other quantile."""

import torch

OPTIONS = {"elicits": "quantile 0.9"}
Q = 0.9


def error(pred, target):
    if pred.shape != target.shape:
        raise ValueError(f"pred {tuple(pred.shape)} and target {tuple(target.shape)} differ")
    return target - pred


def bug(pred, target):
    e = error(pred, target)
    return torch.max((Q - 1) * -e, Q * -e).mean()


def fixed(pred, target):
    e = error(pred, target)
    return torch.max((Q - 1) * e, Q * e).mean()
