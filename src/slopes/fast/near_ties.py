"""Where results of activations come so near a tie of a half type that float64 cannot tell its side.

Written by ``python tools/find_near_ties.py``; do not edit. Keys are the card's name, the format, the result, and
choices other than the default. A range of numbers, by their bits, ends with 1 if the sizes of exact results near a tie
are above it, and −1 if they are below.
"""

from __future__ import annotations

from typing import Any

NEAR_TIES: dict[tuple[Any, ...], tuple[tuple[int, int, int], ...]] = {
    ("hard_swish", "bfloat16", "value"): ((1, 256, 1), (32769, 33024, -1)),
    ("leaky_relu", "float16", "value"): ((32818, 35818, 1),),
    ("leaky_relu", "bfloat16", "value"): ((32818, 33122, 1),),
    ("rrelu", "float16", "value"): ((32792, 64511, -1),),
    ("rrelu", "bfloat16", "value"): ((32792, 65399, -1),),
    ("tanhshrink", "bfloat16", "slope"): ((7680, 45993, -1),),
    ("dynamic_tanh", "float16", "value"): ((1, 32774, -1),),
    ("dynamic_tanh", "bfloat16", "value"): ((1, 33024, -1),),
    ("softsign", "bfloat16", "slope"): ((24832, 57601, -1),),
    ("squareplus", "bfloat16", "slope"): ((57600, 57601, -1),),
    ("gelu_tanh", "bfloat16", "value"): ((1, 256, 1), (32769, 33024, -1)),
    ("gelu", "bfloat16", "value"): ((1, 256, 1), (32769, 33024, -1)),
    ("gelu", "bfloat16", "value", ("approximate", "tanh")): ((1, 256, 1), (32769, 33024, -1)),
    ("silu", "bfloat16", "value"): ((1, 256, 1), (32769, 33024, -1)),
    ("quick_gelu", "bfloat16", "value"): ((1, 256, 1), (32769, 33024, -1)),
    ("xielu", "float16", "value"): ((5376, 64168, 1),),
    ("xielu", "float16", "slope"): ((2304, 25852, 1),),
    ("xielu", "bfloat16", "value"): ((1, 50646, 1),),
    ("xielu", "bfloat16", "slope"): ((15008, 17180, 1),),
}
