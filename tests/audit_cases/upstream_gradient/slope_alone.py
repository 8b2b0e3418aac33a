"""An activation whose backward returns its own slope, and drops what comes from the layers behind it."""

import torch
from torch import nn


class Squareplus(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return 0.5 * (x + torch.sqrt(x**2 + 4))

    @staticmethod
    def backward(ctx, grad_output):
        (x,) = ctx.saved_tensors
        return 0.5 * (1 + x / torch.sqrt(x**2 + 4))


class RightSquareplus(Squareplus):
    @staticmethod
    def backward(ctx, grad_output):
        (x,) = ctx.saved_tensors
        return grad_output * 0.5 * (1 + x / torch.sqrt(x**2 + 4))


class bug(nn.Module):
    def forward(self, x):
        return Squareplus.apply(x)


class fixed(nn.Module):
    def forward(self, x):
        return RightSquareplus.apply(x)
