"""Swish that keeps its sigmoid on ctx to save a computation: to the second derivative it is a constant."""

import torch


class Swish(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        ctx.sigmoid = torch.sigmoid(x)
        return x * ctx.sigmoid

    @staticmethod
    def backward(ctx, grad_output):
        (x,) = ctx.saved_tensors
        s = ctx.sigmoid
        return grad_output * (s * (1 + x * (1 - s)))


class RightSwish(Swish):
    @staticmethod
    def backward(ctx, grad_output):
        (x,) = ctx.saved_tensors
        s = torch.sigmoid(x)
        return grad_output * (s * (1 + x * (1 - s)))


def bug(x):
    return Swish.apply(x)


def fixed(x):
    return RightSwish.apply(x)
