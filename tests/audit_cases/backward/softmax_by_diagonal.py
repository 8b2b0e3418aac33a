"""Softmax whose backward is that of sigmoid: p (1 - p), and nothing off the diagonal."""

import torch


class Softmax(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return torch.softmax(x, dim=-1)

    @staticmethod
    def backward(ctx, grad_output):
        p = torch.softmax(ctx.saved_tensors[0], dim=-1)
        return grad_output * p * (1 - p)


class RightSoftmax(Softmax):
    @staticmethod
    def backward(ctx, grad_output):
        p = torch.softmax(ctx.saved_tensors[0], dim=-1)
        return p * (grad_output - (grad_output * p).sum(dim=-1, keepdim=True))


def bug(x):
    return Softmax.apply(x)


def fixed(x):
    return RightSoftmax.apply(x)
