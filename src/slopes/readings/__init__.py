"""Implementations of the primitives of `slopes.ops`, which documents them, one module for each kind of argument.

`numpy` and `torch` compute values, `exact` any number of digits, `symbol` formulae; `trace` records programs for
kernels. The modules also check, convert and round the arguments of cards and attach derivatives.
"""
