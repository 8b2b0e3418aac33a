"""Implementations of the primitives of `slopes.ops`, which documents them, one module for each kind of argument.

The modules also check, convert and round the arguments of cards and attach derivatives.
"""
