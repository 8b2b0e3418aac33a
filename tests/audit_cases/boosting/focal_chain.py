"""Focal loss for CatBoost, derived by the probability: the factor p (1 - p) of the sigmoid is missing."""

import numpy as np
import torch

GAMMA = 2.0


def focal(logits, labels):
    if logits.shape != labels.shape:
        raise ValueError(f"logits {tuple(logits.shape)} and labels {tuple(labels.shape)} differ")
    likelihood = torch.sigmoid(torch.where(labels == 1, logits, -logits))
    return ((1 - likelihood) ** GAMMA * -torch.log(likelihood)).sum()


OPTIONS = {"kind": "catboost", "against": focal}
SEVERITY = "error"


class bug:
    def __init__(self, floor=1e-12):
        self.floor = floor

    def by_probability(self, p, y):
        likelihood = np.where(y == 1, p, 1 - p)
        slope = GAMMA * (1 - likelihood) ** (GAMMA - 1) * np.log(likelihood) - (1 - likelihood) ** GAMMA / likelihood
        return np.where(y == 1, slope, -slope)

    def first(self, raw, y):
        return self.by_probability(1 / (1 + np.exp(-raw)), y)

    def calc_ders_range(self, approxes, targets, weights):
        raw, y = np.asarray(approxes), np.asarray(targets)
        step = 1e-5
        second = (self.first(raw + step, y) - self.first(raw - step, y)) / (2 * step)
        weights = 1.0 if weights is None else np.asarray(weights)
        return list(zip(-self.first(raw, y) * weights, -np.maximum(second, self.floor) * weights, strict=True))


class fixed(bug):
    def first(self, raw, y):
        p = 1 / (1 + np.exp(-raw))
        return self.by_probability(p, y) * p * (1 - p)
