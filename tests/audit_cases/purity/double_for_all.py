"""A sum in double precision by the default dtype, in which all layers are made from then on."""

import torch
from torch import nn


class HeavyTail(nn.Module):
    def __init__(self, nu=3.0):
        super().__init__()
        self.nu = nu

    def forward(self, prediction, target):
        if prediction.shape != target.shape:
            raise ValueError(f"prediction {tuple(prediction.shape)} and target {tuple(target.shape)} differ")
        return torch.log1p((prediction - target) ** 2 / self.scale()).mean().to(prediction.dtype)


class bug(HeavyTail):
    def scale(self):
        torch.set_default_dtype(torch.float64)
        return torch.tensor(self.nu)


class fixed(HeavyTail):
    def scale(self):
        return torch.tensor(self.nu, dtype=torch.float64)


OPTIONS = {"bounded": True}
