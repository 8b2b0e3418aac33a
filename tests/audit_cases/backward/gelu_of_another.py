"""GELU forward with the derivative of its quick approximation, x times sigmoid(1.702 x)."""

import math

import torch


class Gelu(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return 0.5 * x * torch.erfc(-x / math.sqrt(2))

    @staticmethod
    def backward(ctx, grad_output):
        (x,) = ctx.saved_tensors
        s = torch.sigmoid(1.702 * x)
        return grad_output * (s + 1.702 * x * s * (1 - s))


class ExactGelu(Gelu):
    @staticmethod
    def backward(ctx, grad_output):
        (x,) = ctx.saved_tensors
        density = torch.exp(-0.5 * x**2) / math.sqrt(2 * math.pi)
        return grad_output * (0.5 * torch.erfc(-x / math.sqrt(2)) + x * density)


def bug(x):
    return Gelu.apply(x)


def fixed(x):
    return ExactGelu.apply(x)
