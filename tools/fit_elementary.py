"""Fit the polynomials of `slopes.kernels`, and write them to src/slopes/kernels/arithmetic/coefficients.py.

Interpolation in Chebyshev points at 60 digits; coefficients are rounded to their dtype. Run with
``python tools/fit_elementary.py``.
"""

import pathlib
import sys
import textwrap

import mpmath
import numpy as np

mpmath.mp.dps = 60
WORDS = 19
HOME = pathlib.Path(__file__).parents[1]
HALF = mpmath.mpf(1) / 2
EIGHTH_TURN = mpmath.pi / 4 * mpmath.mpf("1.01")
HALF_LOG2 = mpmath.log(2) / 2 * mpmath.mpf("1.001")


def exp_tail(r):
    """(exp(r) − 1 − r) / r²."""
    return (mpmath.exp(r) - 1 - r) / r**2 if abs(r) > 1e-15 else mpmath.mpf(1) / 2 + r / 6


def exp_share(r):
    """(exp(r) − 1) / r."""
    return mpmath.expm1(r) / r if abs(r) > 1e-15 else 1 + r / 2


def log_tail(z):
    """(log((1 + s) / (1 − s)) − 2·s) / (s·z), where z = s²."""
    s = mpmath.sqrt(z)
    return (2 * mpmath.atanh(s) - 2 * s) / (s * z) if z > 1e-15 else mpmath.mpf(2) / 3 + z * 2 / 5


def log1p_share(d):
    """log(1 + e) / e, where e = 1/2 + d."""
    e = HALF + d
    return mpmath.log1p(e) / e if e > 1e-30 else mpmath.mpf(1)


def tanhshrink_tail(square):
    """((x − tanh(x)) / x³ − 1/3) / x², where x² is the square."""
    x = mpmath.sqrt(square)
    if square < 1e-15:
        return -mpmath.mpf(2) / 15 + square * 17 / 315
    return ((x - mpmath.tanh(x)) / x**3 - mpmath.mpf(1) / 3) / square


def erf_tail(square):
    """(erf(x) / x − 2/√π) / x², where x² is the square."""
    x, rise = mpmath.sqrt(square), 2 / mpmath.sqrt(mpmath.pi)
    return (mpmath.erf(x) / x - rise) / square if square > 1e-15 else rise * (square / 10 - mpmath.mpf(1) / 3)


def mills(v):
    """Φ(−a)·exp(a²/2)·(a + 4), where v = 1 − 8/(a + 4)."""
    a = 8 / (1 - v) - 4
    return mpmath.erfc(a / mpmath.sqrt(2)) / 2 * mpmath.exp(a * a / 2) * (a + 4)


def sin_tail(square):
    """(sin(r) − r) / r³, where r² is the square."""
    r = mpmath.sqrt(square)
    return (mpmath.sin(r) - r) / (r * square) if square > 1e-15 else -mpmath.mpf(1) / 6 + square / 120


def cos_tail(square):
    """(cos(r) − 1 + r²/2) / r⁴, where r² is the square."""
    if square < 1e-15:
        return mpmath.mpf(1) / 24 - square / 720
    return (mpmath.cos(mpmath.sqrt(square)) - 1 + square / 2) / square**2


def sin_squared_tail(square):
    """(sin(r)² − r²) / r⁴, where r² is the square."""
    if square < 1e-15:
        return -mpmath.mpf(1) / 3 + square * 2 / 45
    return (mpmath.sin(mpmath.sqrt(square)) ** 2 - square) / square**2


def tanh_share(square):
    """tanh(x) / x, where x² is the square."""
    x = mpmath.sqrt(square)
    return mpmath.tanh(x) / x if square > 1e-20 else mpmath.mpf(1)


def tanhshrink_share(square):
    """(x − tanh(x)) / x³, where x² is the square."""
    return mpmath.mpf(1) / 3 + square * tanhshrink_tail(square)


def sin_squared_share(square):
    """sin(r)² / r², where r² is the square."""
    return 1 + square * sin_squared_tail(square)


def fit(function, low, high, degree):
    """Return the coefficients of the polynomial through the Chebyshev points, lowest degree first."""
    count = degree + 1
    points = [mpmath.cos(mpmath.pi * (2 * k + 1) / (2 * count)) for k in range(count)]
    points = [(low + high) / 2 + (high - low) / 2 * point for point in points]
    matrix = mpmath.matrix([[point**power for power in range(count)] for point in points])
    return list(mpmath.lu_solve(matrix, mpmath.matrix([function(point) for point in points])))


#: name, comment, function, interval, degree in float32, degree in float64
FITS = [
    ("EXP", "(exp(r) − 1 − r) / r² for |r| up to log(2)/2", exp_tail, (-HALF_LOG2, HALF_LOG2), 5, 10),
    ("EXP_SHARE", "(exp(r) − 1) / r for the same, where 1 is added", exp_share, (-HALF_LOG2, HALF_LOG2), 5, 10),
    ("LOG", "(log((1 + s) / (1 − s)) − 2·s) / s³ in s² up to 0.0295", log_tail, (0, mpmath.mpf("0.0295")), 3, 7),
    ("LOG1P", "log(1 + e) / e in e − 1/2, for e from 0 to 1", log1p_share, (-HALF, HALF), 10, 22),
    ("TANHSHRINK", "((x − tanh(x)) / x³ − 1/3) / x² in x² up to 3/2", tanhshrink_tail, (0, HALF * 3), 7, 18),
    ("ERF", "(erf(x) / x − 2/√π) / x² in x² up to 9/16", erf_tail, (0, HALF * HALF * 9 / 4), 5, 11),
    ("MILLS", "Φ(−a)·exp(a²/2)·(a + 4) in 1 − 8/(a + 4), for a up to 54", mills, (-1, mpmath.mpf(25) / 29), 11, 23),
    ("SIN", "(sin(r) − r) / r³ in r² for |r| up to π/4 and a hundredth more", sin_tail, (0, EIGHTH_TURN**2), 3, 6),
    ("COS", "(cos(r) − 1 + r²/2) / r⁴ in r², likewise", cos_tail, (0, EIGHTH_TURN**2), 3, 6),
    ("SIN_SQUARED", "(sin(r)² − r²) / r⁴ in r², likewise", sin_squared_tail, (0, EIGHTH_TURN**2), 3, 7),
]  # fmt: skip

#: for half types: name, comment, function, interval, degree
COARSE = [
    ("EXPM1", "(exp(x) − 1) / x for |x| up to 1/4", exp_share, (-HALF / 2, HALF / 2), 4),
    ("EXPM1_LESS", "(exp(x) − 1 − x) / x² for |x| up to 1/2", exp_tail, (-HALF, HALF), 5),
    ("TANH", "tanh(x) / x in x² up to 1/5", tanh_share, (mpmath.mpf(0), mpmath.mpf(1) / 5), 3),
    ("TANHSHRINK", "(x − tanh(x)) / x³ in x² up to 9/16", tanhshrink_share, (mpmath.mpf(0), mpmath.mpf(9) / 16), 4),
    ("LOG1P", "log(1 + e) / e in e − 1/2, for e from 0 to 1", log1p_share, (-HALF, HALF), 7),
    ("MILLS", "Φ(−a)·exp(a²/2)·(a + 4) in 1 − 8/(a + 4), to 16", mills, (mpmath.mpf(-1), HALF + HALF / 5), 8),
    ("SIN_SQUARED", "sin(r)² / r² in r², likewise up to π/4", sin_squared_share, (0, EIGHTH_TURN**2), 3),
]  # fmt: skip


def table(name, numbers):
    """Return the lines of a tuple of numbers, given as text."""
    rows = textwrap.wrap(", ".join(numbers) + ",", 116)
    return [f"{name} = (", *(f"    {row}" for row in rows), ")  # fmt: skip"]


def parts(kind, round_to):
    """Return the lines of π/2 as a sum of numbers of a dtype, each the nearest to the rest."""
    rest, numbers = mpmath.pi / 2, []
    for _ in range(3):
        numbers.append(float(round_to(str(rest))))
        rest -= numbers[-1]
    return table(f"HALF_PI_{kind}", map(repr, numbers))


def text():
    """Return the module of coefficients."""
    lines = ['"""Polynomials, lowest degree first. Written by ``python tools/fit_elementary.py``."""', ""]
    for name, comment, function, (low, high), single, double in FITS:
        lines.append(f"# {comment}")
        for kind, degree, round_to in (("SINGLE", single, np.float32), ("DOUBLE", double, float)):
            exact = fit(function, low, high, degree)
            lines += table(f"{name}_{kind}", [repr(float(round_to(str(c)))) for c in exact])
            if name == "MILLS":
                start = round_to(str(exact[0]))
                lines.append(f"{name}_{kind}_LOW = {float(exact[0] - float(start))!r}  # of the first coefficient")
            points = mpmath.linspace(low, high, 400)
            error = max(abs(mpmath.polyval(exact[::-1], p) / function(p) - 1) for p in points)
            print(name, kind, degree, "relative error of the fit:", mpmath.nstr(error, 2), file=sys.stderr)
        lines.append("")
    for name, comment, function, (low, high), degree in COARSE:
        lines.append(f"# {comment}")
        exact = fit(function, low, high, degree)
        lines += [*table(f"{name}_COARSE", [repr(float(np.float32(str(c)))) for c in exact]), ""]
    lines.append(f"# the {64 * WORDS} bits of 1/π after its point, 64 in each")
    with mpmath.workprec(64 * WORDS + 64):
        bits = int(mpmath.floor(mpmath.ldexp(1 / mpmath.pi, 64 * WORDS)))
    words = [f"0x{bits >> 64 * (WORDS - 1 - place) & (1 << 64) - 1:016X}" for place in range(WORDS)]
    lines += table("INVERSE_OF_PI", words)
    lines += ["", "# π/2 as a sum of three numbers", *parts("SINGLE", np.float32), *parts("DOUBLE", float), ""]
    return "\n".join(lines)


if __name__ == "__main__":
    (HOME / "src" / "slopes" / "kernels" / "arithmetic" / "coefficients.py").write_text(text(), encoding="utf-8")
