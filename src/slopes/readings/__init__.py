"""Implementations of the primitives of `slopes.ops`, which documents them, one module for each kind of argument.

They also check, convert and round arguments and attach derivatives.
"""
