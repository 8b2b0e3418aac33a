"""Activations as people write them: modules with parameters, lambdas, closures, gates, own backward passes."""

import functools
import math

import torch
import torch.nn as nn
import torch.nn.functional as F

READINGS = dict.fromkeys(
    ("Swish", "mish", "gelu_new", "GEGLU", "snake", "softmax_T", "StarReLU", "squared_relu", "h_swish", "SiLUFunction",
     "softclip", "SERF", "AconC", "leaky", "quick_gelu", "swiglu", "Sine", "shifted_softplus"),
    "activation",
)  # fmt: skip
DECLARED = {}


class Swish(nn.Module):
    def __init__(self, beta=1.0):
        super().__init__()
        self.beta = nn.Parameter(torch.tensor(beta))

    def forward(self, x):
        return x * torch.sigmoid(self.beta * x)


mish = lambda x: x * torch.tanh(F.softplus(x))  # noqa: E731


def gelu_new(x):
    """OpenAI's."""
    return 0.5 * x * (1.0 + torch.tanh(math.sqrt(2.0 / math.pi) * (x + 0.044715 * torch.pow(x, 3.0))))


class GEGLU(nn.Module):
    def forward(self, x):
        x, gates = x.chunk(2, dim=-1)
        return x * F.gelu(gates)


def snake(x, alpha=1.0):
    return x + torch.sin(alpha * x) ** 2 / alpha


def softmax_T(logits, T=2.0):
    return torch.softmax(logits / T, dim=-1)


class StarReLU(nn.Module):
    """s * relu(x)² + b"""

    def __init__(self, scale_value=0.8944, bias_value=-0.4472):
        super().__init__()
        self.scale = nn.Parameter(scale_value * torch.ones(1))
        self.bias = nn.Parameter(bias_value * torch.ones(1))

    def forward(self, hidden_states):
        return self.scale * F.relu(hidden_states) ** 2 + self.bias


def squared_relu(input: torch.Tensor, inplace: bool = False) -> torch.Tensor:
    return torch.square(F.relu(input))


class h_swish(nn.Module):
    def __init__(self, inplace=False):
        super().__init__()
        self.relu6 = nn.ReLU6(inplace)

    def forward(self, x):
        return x * self.relu6(x + 3) / 6


class _SiLU(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x * torch.sigmoid(x)

    @staticmethod
    def backward(ctx, grad):
        (x,) = ctx.saved_tensors
        s = torch.sigmoid(x)
        return grad * s * (1 + x * (1 - s))


SiLUFunction = _SiLU.apply


def soft_clip_at(limit):
    def softclip(x):
        return limit * torch.tanh(x / limit)

    return softclip


softclip = soft_clip_at(30.0)


class SERF(nn.Module):
    def forward(self, x):
        return x * torch.erf(F.softplus(x))


class AconC(nn.Module):
    def __init__(self, width=8):
        super().__init__()
        self.p1 = nn.Parameter(torch.full((1,), 1.2))
        self.p2 = nn.Parameter(torch.full((1,), -0.1))
        self.beta = nn.Parameter(torch.ones(1))

    def forward(self, x):
        d = (self.p1 - self.p2) * x
        return d * torch.sigmoid(self.beta * d) + self.p2 * x


leaky = functools.partial(F.leaky_relu, negative_slope=0.2)


class quick_gelu:
    def __call__(self, x):
        return x * torch.sigmoid(1.702 * x)


def swiglu(x):
    a, b = x.chunk(2, -1)
    return F.silu(a) * b


class Sine(nn.Module):
    def __init__(self, w0=30.0):
        super().__init__()
        self.w0 = w0

    def forward(self, x):
        return torch.sin(self.w0 * x)


def shifted_softplus(x):
    return F.softplus(x) - math.log(2.0)
