"""Fit the polynomial of the Mills ratio that `slopes.readings` evaluate, and print it.

Chebyshev interpolation at 60 digits of (x + 1.25) · Φ(−x) · exp(x²/2), in u = (x − 4)/(x + 4), for x in [0, 39]. Run
with ``python tools/fit_mills.py``; it also prints the largest relative error.
"""

import mpmath

mpmath.mp.dps = 60
CENTRE, OFFSET = 4, mpmath.mpf(5) / 4
DEGREE, LARGEST = 24, 39


def target(u):
    """The fitted function of u."""
    x = CENTRE * (1 + u) / (1 - u)
    return (x + OFFSET) * mpmath.erfc(x / mpmath.sqrt(2)) / 2 * mpmath.exp(x * x / 2)


low, high = mpmath.mpf(-1), mpmath.mpf(LARGEST - CENTRE) / (LARGEST + CENTRE)
count = DEGREE + 1
points = [mpmath.cos(mpmath.pi * (2 * k + 1) / (2 * count)) for k in range(count)]
nodes = [(low + high) / 2 + (high - low) / 2 * point for point in points]
matrix = mpmath.matrix([[node**power for power in range(count)] for node in nodes])
coefficients = list(mpmath.lu_solve(matrix, mpmath.matrix([target(node) for node in nodes])))

error = max(abs(mpmath.polyval(coefficients[::-1], u) / target(u) - 1) for u in mpmath.linspace(low, high, 1001))
print("MILLS = (")
for coefficient in coefficients:
    print(f"    {float(str(coefficient))!r},")
print(")")
print("MILLS_LOW =", float(coefficients[0] - mpmath.mpf(float(str(coefficients[0])))))
print("# largest relative error of the fit:", mpmath.nstr(error, 3))
