"""Gated activations: one half of a row, the gate, opens the other.

As in papers and libraries, `glu` has its gate last, the others first.
"""

from __future__ import annotations

from typing import Annotated

from slopes import ops
from slopes.activations.rectifiers import relu
from slopes.activations.smooth import gelu, gelu_slope, silu, silu_slope, tanh_gate
from slopes.card import activation
from slopes.domains import OneOf
from slopes.facts import Paper
from slopes.ops import exp, maximum, ndtr, where

DAUPHIN = Paper(
    "Dauphin, Fan, Auli, Grangier", 2016, "Language modeling with gated convolutional networks", "arXiv:1612.08083"
)
SHAZEER = Paper("Shazeer", 2020, "GLU variants improve transformer", "arXiv:2002.05202")


def _through(tail, gate, value):
    """tail(gate)·gate·value without underflow or overflow on the way."""
    shut, opened = where(gate < 0, gate, 0.0), where(gate < 0, 0.0, gate)
    return where(gate < 0, tail(shut, times=ops.double(shut) * value), tail(opened, times=opened) * value)


@activation(
    kind="gate", gate="last", definition=lambda gate, value: value / (1 + exp(-gate)),
    papers=(DAUPHIN,),
    same_as={"torch": "nn.functional.glu(x, -1)", "jax": "nn.glu(x, -1)", "keras": "activations.glu(x)"},
)  # fmt: skip
def glu(gate, value):
    """Gated linear unit: the value times the sigmoid of the gate, the last half of the row.

    The product is rounded once, as in silu.
    """
    return ops.sigmoid(gate, times=value)


@glu.derivative
def _(gate, value):
    return ops.sigmoid_slope(gate, times=value), ops.sigmoid(gate)


@activation(
    kind="gate", gate="first", definition=lambda gate, value: gate / (1 + exp(-gate)) * value,
    papers=(SHAZEER,), same_as={"torch": "nn.functional.silu(x.chunk(2, -1)[0]) * x.chunk(2, -1)[1]"},
)  # fmt: skip
def swiglu(gate, value):
    """Swish-gated linear unit: the value times the silu of the gate, the first half of the row.

    With ``gate="last"`` the gate is last, as in PyTorch's glu.
    """
    return _through(ops.sigmoid, gate, value)


@swiglu.derivative
def _(gate, value):
    return silu_slope(gate, value), silu.body(gate, beta=1.0)


@activation(
    kind="gate", gate="first", definition=lambda gate, value, approximate: gate * ndtr(gate) * value,
    papers=(SHAZEER,), same_as={"torch": "nn.functional.gelu(x.chunk(2, -1)[0]) * x.chunk(2, -1)[1]"},
)  # fmt: skip
def geglu(gate, value, *, approximate: Annotated[str, OneOf(("none", "tanh"))] = "none"):
    """GELU-gated linear unit: the value times the gelu of the gate, the first half of the row.

    Liger-Kernel's is the tanh form.
    """
    return _through(ndtr if approximate == "none" else tanh_gate, gate, value)


@geglu.derivative
def _(gate, value, *, approximate):
    return gelu_slope(gate, value, approximate), gelu.body(gate, approximate=approximate)


@activation(
    kind="gate", gate="first", definition=lambda gate, value: maximum(gate, 0) * value, kinks=(0.0,),
    papers=(SHAZEER,), same_as={"torch": "nn.functional.relu(x.chunk(2, -1)[0]) * x.chunk(2, -1)[1]"},
)  # fmt: skip
def reglu(gate, value):
    """Rectified gated linear unit: the value times the gate where that is positive, else 0; the gate comes first.

    The slope at a gate of 0 is 0, as in relu.
    """
    return relu.body(gate) * value


@reglu.derivative
def _(gate, value):
    return relu.slope_body(gate) * value, relu.body(gate)
