"""The tanh form of GELU, with a digit lost in its constant."""

import math

import torch

SEVERITY = "warning"


def gelu(x):
    return 0.5 * x * (1 + torch.tanh(math.sqrt(2 / math.pi) * (x + 0.04715 * x**3)))


def my_gelu(x):
    return 0.5 * x * (1 + torch.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))


bug, fixed = gelu, my_gelu
