"""Charbonnier's loss: the backward divides by the square of what it should divide by."""

import torch
from torch import nn


class Charbonnier(torch.autograd.Function):
    @staticmethod
    def forward(ctx, error, eps):
        root = torch.sqrt(error**2 + eps**2)
        ctx.save_for_backward(error)
        ctx.eps = eps
        return root

    @staticmethod
    def backward(ctx, grad_output):
        (error,) = ctx.saved_tensors
        return grad_output * error / (error**2 + ctx.eps**2), None


class RightCharbonnier(Charbonnier):
    @staticmethod
    def backward(ctx, grad_output):
        (error,) = ctx.saved_tensors
        return grad_output * error / torch.sqrt(error**2 + ctx.eps**2), None


class Loss(nn.Module):
    def __init__(self, eps=0.1):
        super().__init__()
        self.eps = eps

    def forward(self, prediction, target):
        if prediction.shape != target.shape:
            raise ValueError(f"prediction {tuple(prediction.shape)} and target {tuple(target.shape)} differ")
        return self.function.apply(prediction - target, self.eps).mean()


class bug(Loss):
    function = Charbonnier


class fixed(Loss):
    function = RightCharbonnier
