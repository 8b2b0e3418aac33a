"""How a primitive of `slopes.ops` is computed, one module per kind of argument.

`numpy` and `torch` give values; `exact` gives digits and `symbol` formulae. Each module defines the names of
`slopes.ops` and, for the cards, how arguments enter, are rounded, and carry derivatives. A compiled reading
takes its place beside them.
"""
