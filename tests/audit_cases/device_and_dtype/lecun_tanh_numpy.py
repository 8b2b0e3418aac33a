"""LeCun's tanh in NumPy: the scale is a scalar of float64, which makes float32 arrays float64."""

import numpy as np

SEVERITY = "note"
SCALE = np.sqrt(3)


def bug(x, scale=SCALE):
    if not isinstance(x, np.ndarray):
        raise TypeError(f"expected an array, got {type(x).__name__}")
    return scale * np.tanh(2 / 3 * x)


def fixed(x):
    return bug(x, float(SCALE))
