"""GIoU that is cut at 0, so that boxes apart have no gradient towards one another."""

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


class GIoULoss(torch.nn.Module):
    def forward(self, pred, target):
        inter, union, hull = parts(in_single(pred), in_single(target))
        giou = (inter + 1e-7) / (union + 1e-7) - (hull - union) / (hull + 1e-7)
        return 1 - self.limited(giou).mean()

    def limited(self, giou):
        return giou


class CutGIoULoss(GIoULoss):
    def limited(self, giou):
        return giou.clamp(min=0)


bug, fixed = CutGIoULoss, GIoULoss
