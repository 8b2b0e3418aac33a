"""Log-cosh that saves tanh, a result of forward that is no output: its gradient has no gradient."""

import math

import torch
from torch import nn


class LogCosh(torch.autograd.Function):
    @staticmethod
    def forward(ctx, error):
        ctx.save_for_backward(torch.tanh(error))
        size = error.abs()
        return size + torch.log1p(torch.exp(-2 * size)) - math.log(2.0)

    @staticmethod
    def backward(ctx, grad_output):
        return grad_output * ctx.saved_tensors[0]


class RightLogCosh(LogCosh):
    @staticmethod
    def forward(ctx, error):
        ctx.save_for_backward(error)
        size = error.abs()
        return size + torch.log1p(torch.exp(-2 * size)) - math.log(2.0)

    @staticmethod
    def backward(ctx, grad_output):
        return grad_output * torch.tanh(ctx.saved_tensors[0])


class Loss(nn.Module):
    def forward(self, prediction, target):
        if prediction.shape != target.shape:
            raise ValueError(f"prediction {tuple(prediction.shape)} and target {tuple(target.shape)} differ")
        return self.function.apply(prediction - target).mean()


class bug(Loss):
    function = LogCosh


class fixed(Loss):
    function = RightLogCosh
