"""Implementations of the primitives of `slopes.ops`, one module for each kind of argument.

`numpy` and `torch` compute values, `exact` any number of digits, and `symbol` formulae; `trace` records programs for
kernels. Each module defines the names of `slopes.ops` and, for the cards, functions that check, convert and round
arguments and attach derivatives.
"""
