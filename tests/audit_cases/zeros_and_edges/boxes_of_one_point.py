"""GIoU that divides 0 by 0 where both boxes are one point."""

import torch


def area(low, high):
    size = high - low
    return size[:, 0] * size[:, 1]


def in_single(boxes):
    return boxes.float() if boxes.dtype.itemsize < 4 else boxes


def parts(pred, target):
    """Intersection, union and the area of the box around both."""
    if pred.shape != target.shape:
        raise ValueError(f"pred {tuple(pred.shape)} and target {tuple(target.shape)} differ")
    low, high = torch.maximum(pred[:, :2], target[:, :2]), torch.minimum(pred[:, 2:], target[:, 2:])
    inter = area(low, torch.maximum(low, high))
    union = area(pred[:, :2], pred[:, 2:]) + area(target[:, :2], target[:, 2:]) - inter
    hull = area(torch.minimum(pred[:, :2], target[:, :2]), torch.maximum(pred[:, 2:], target[:, 2:]))
    return inter, union, hull


def giou_loss(pred, target, eps):
    inter, union, hull = parts(in_single(pred), in_single(target))
    return (1 - (inter + eps) / (union + eps) + (hull - union) / (hull + eps)).mean()


def bug(pred_boxes, target_boxes):
    return giou_loss(pred_boxes, target_boxes, 0.0)


def fixed(pred_boxes, target_boxes):
    return giou_loss(pred_boxes, target_boxes, 1e-7)
