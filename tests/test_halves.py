"""Every finite float16 and bfloat16, value and slope: the nearest number of the format to the exact result."""

import numpy as np
import pytest

import slopes
from slopes.card import Map
from slopes.catalogue import ACTIVATIONS

pytest.importorskip("flint")
mpmath = pytest.importorskip("mpmath")
torch = pytest.importorskip("torch")

ELEMENTWISE = [card for card in dict.fromkeys(ACTIVATIONS.values()) if not isinstance(card, Map)]
FORMATS = {"float16": (torch.float16, 11, -24), "bfloat16": (torch.bfloat16, 8, -133)}  #: dtype, digits, least exponent
DOUBT = 8e-16  #: relative error of float64, generously
DIGITS = 100  #: of exact results; x/2 + x²/4 is not x/2 for the least bfloat16 either
#: inputs of both formats and results whose exact result is so near a tie that float64, or float32, gives the tie
NEAR_TIES = {"leaky_relu": 24, "rrelu": 1520, "xielu": 340, "silu": 128, "gelu": 128, "gelu_tanh": 128, "quick_gelu": 128,
             "hard_swish": 128}  # fmt: skip
FEW = 16  #: inputs that torch, which computes in float32, rounds twice


def inputs(form):
    x = torch.arange(-(2**15), 2**15, dtype=torch.int16).view(FORMATS[form][0])
    return x[torch.isfinite(x)]


def rounded(form, values):
    """Round float64 numbers to the format, once, as float64 numbers."""
    _, digits, least = FORMATS[form]
    with np.errstate(all="ignore"):
        unit = np.maximum(np.frexp(values)[1] - digits, least)
        made = np.ldexp(np.rint(np.ldexp(values, -unit)), unit)
        return np.where(abs(made) > float(torch.finfo(FORMATS[form][0]).max), np.copysign(np.inf, made), made)


def nearest(card, form, result):
    """Return the right results: by float64 where its error cannot matter, else by Arb."""
    x = inputs(form).double().numpy()
    with np.errstate(all="ignore"):
        values = card(x) if result == "value" else card.slope(x)
        reach = DOUBT * abs(values) + 5e-324
        low, high = (rounded(form, values + side * reach) for side in (-1, 1))
    right = rounded(form, values)
    (open_,) = np.nonzero((low != high) & np.isfinite(values))
    oracle = slopes.exact(card, DIGITS)
    exact = (oracle if result == "value" else oracle.slope)(x[open_]) if open_.size else []
    with mpmath.workdps(2 * DIGITS):
        for place, value in zip(open_, exact, strict=True):
            tie = (mpmath.mpf(low[place]) + mpmath.mpf(high[place])) / 2
            if mpmath.isinf(tie) or abs(value - tie) <= abs(tie) * mpmath.mpf(10) ** (10 - DIGITS):
                right[place] = rounded(form, np.float64(value))
            else:
                right[place] = low[place] if value < tie else high[place]
    return right


def count_wrong(came, right):
    return int(np.sum((came != right) & ~(np.isnan(came) & np.isnan(right))))


@pytest.mark.sampled(start=0)
@pytest.mark.parametrize("form", FORMATS)
def test_all_half_numbers_are_rounded_right(activation, form):
    if isinstance(activation, Map):
        pytest.skip("a function of rows")
    x = inputs(form)
    for result, compute in (("value", activation), ("slope", activation.slope)):
        right, near = nearest(activation, form, result), NEAR_TIES.get(activation.name, 0)
        assert count_wrong(compute(x).double().numpy(), right) <= near + FEW, result
        if form == "float16":
            with np.errstate(all="ignore"):
                assert count_wrong(compute(x.numpy()).astype(float), right) <= near, result


def test_numbers_are_rounded_to_formats_once():
    assert rounded("float16", np.array([1 + 2**-11, 1 + 3 * 2**-11, 65520.0, 2.0**-25, 1.1 * 2.0**-25])).tolist() == [
        1, 1 + 2**-9, np.inf, 0, 2.0**-24
    ]  # fmt: skip
    assert rounded("bfloat16", np.array([1 + 2**-8, 1.5 * 2.0**-133])).tolist() == [1, 2.0**-132]
    few = np.array([0.1, -3e-8, 5e4, 7e-5])
    assert np.array_equal(rounded("float16", few), few.astype(np.float16).astype(float))
