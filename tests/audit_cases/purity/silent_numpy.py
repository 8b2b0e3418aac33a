"""Softplus in NumPy that silences all overflows, those of other code too."""

import numpy as np

SEVERITY = "warning"


def bug(x):
    np.seterr(all="ignore")
    return np.logaddexp(0, x)


def fixed(x):
    with np.errstate(all="ignore"):
        return np.logaddexp(0, x)
