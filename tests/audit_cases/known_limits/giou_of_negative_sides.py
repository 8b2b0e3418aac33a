"""GIoU whose intersection has an area where boxes are apart in both directions: two negative sides."""

import torch


def area(low, high):
    size = high - low
    return size[:, 0] * size[:, 1]


def in_single(boxes):
    return boxes.float() if boxes.dtype.itemsize < 4 else boxes


def parts(pred, target, clamp):
    """Intersection, union and the area of the box around both."""
    if pred.shape != target.shape:
        raise ValueError(f"pred {tuple(pred.shape)} and target {tuple(target.shape)} differ")
    low, high = torch.maximum(pred[:, :2], target[:, :2]), torch.minimum(pred[:, 2:], target[:, 2:])
    inter = area(low, clamp(low, high))
    union = area(pred[:, :2], pred[:, 2:]) + area(target[:, :2], target[:, 2:]) - inter
    hull = area(torch.minimum(pred[:, :2], target[:, :2]), torch.maximum(pred[:, 2:], target[:, 2:]))
    return inter, union, hull


def loss(pred, target, clamp):
    inter, union, hull = parts(in_single(pred), in_single(target), clamp)
    return (1 - (inter + 1e-7) / (union + 1e-7) + (hull - union) / (hull + 1e-7)).mean()


def giou_loss(pred, target):
    return loss(pred, target, lambda low, high: high)


def repaired_giou_loss(pred, target):
    return loss(pred, target, torch.maximum)


SEVERITY = "warning"
bug, fixed = giou_loss, repaired_giou_loss
