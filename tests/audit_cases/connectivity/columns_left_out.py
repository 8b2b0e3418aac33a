"""A position and a size in one row: the sizes are rounded to pixels on their way, and have no gradient."""

import torch
from torch.nn import functional as F

OPTIONS = {"kind": "vectors"}


def position_and_size(prediction, target, sizes):
    if prediction.shape != target.shape:
        raise ValueError(f"prediction {tuple(prediction.shape)} and target {tuple(target.shape)} differ")
    return F.mse_loss(prediction[..., :2], target[..., :2]) + F.mse_loss(sizes, target[..., 2:])


def bug(prediction, target):
    sizes = torch.stack([prediction[..., 2].data, prediction[..., 3].data], dim=-1)
    return position_and_size(prediction, target, sizes)


def fixed(prediction, target):
    return position_and_size(prediction, target, prediction[..., 2:])
