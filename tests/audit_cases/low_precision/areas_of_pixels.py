"""IoU of boxes in pixels: their areas pass 65504, the end of float16."""

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


SEVERITY = "warning"
OPTIONS = {"kind": "boxes"}


def iou_loss(pred, target):
    inter, union, _ = parts(pred, target)
    return 1 - (inter + 1e-3) / (union + 1e-3)


def bug(pred, target):
    return iou_loss(pred, target).mean()


def fixed(pred, target):
    return iou_loss(in_single(pred), in_single(target)).mean()
