"""Sensor readings with gaps, which are NaN: the mask multiplies what is NaN already."""

import torch

SEVERITY = "warning"


def bug(prediction, target, mask):
    if not prediction.shape == target.shape == mask.shape:
        raise ValueError("prediction, target and mask must have one shape")
    error = (prediction - target).abs() * mask
    return error.sum() / mask.sum().clamp(min=1)


def fixed(prediction, target, mask):
    if not prediction.shape == target.shape == mask.shape:
        raise ValueError("prediction, target and mask must have one shape")
    error = torch.where(mask, prediction - target, 0.0).abs()
    return error.sum() / mask.sum().clamp(min=1)
