"""Implementations of the primitives of `slopes.ops`, one module for each kind of argument.

`numpy` and `torch` compute values, `exact` as many digits as asked, and `symbol` formulae; `trace` records programs
for kernels. Each module defines the names of `slopes.ops` and, for the cards, functions that check, convert and round
arguments and attach derivatives.
"""
