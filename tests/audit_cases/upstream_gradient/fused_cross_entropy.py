"""Cross-entropy that computes its gradient in forward to save memory, and hands it on as it is."""

import torch
from torch import nn


class Fused(torch.autograd.Function):
    @staticmethod
    def forward(ctx, logits, labels):
        log_p = torch.log_softmax(logits, dim=-1)
        rows = torch.arange(len(logits))
        gradient = log_p.exp()
        gradient[rows, labels] -= 1
        ctx.save_for_backward(gradient / len(logits))
        return -log_p[rows, labels].mean()

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, grad_output):
        return ctx.saved_tensors[0], None


class RightFused(Fused):
    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, grad_output):
        return grad_output * ctx.saved_tensors[0], None


class Loss(nn.Module):
    def forward(self, logits, labels):
        if labels.shape != logits.shape[:1]:
            raise ValueError(f"labels must be {tuple(logits.shape[:1])}, got {tuple(labels.shape)}")
        return self.function.apply(logits, labels)


class bug(Loss):
    function = Fused


class fixed(Loss):
    function = RightFused
