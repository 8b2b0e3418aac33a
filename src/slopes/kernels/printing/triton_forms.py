"""The elementary functions of kernels as Triton source, made of the text of `slopes.kernels.arithmetic.elementary`.

So each form and each coefficient stands once. A quotient, a negation and a number are spelled as a GPU needs them.
"""

from __future__ import annotations

import ast
import copy
import math
import pathlib
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from slopes.kernels.arithmetic import coefficients

KERNELS = pathlib.Path(__file__).parents[1]
MODULE = KERNELS / "arithmetic" / "elementary.py"


class Number(NamedTuple):
    """A number in the dtype of an argument."""

    single: float
    double: float


class Polynomial(NamedTuple):
    """Coefficients, lowest degree first."""

    single: tuple[float, ...]
    double: tuple[float, ...]


@lru_cache
def names_in(module: str) -> tuple[str, ...]:
    """Names of the Triton functions of a module of `slopes.kernels.gpu`, which only Triton can import."""
    tree = ast.parse((KERNELS / "gpu" / f"{module}.py").read_text(encoding="utf-8"))
    functions = (node for node in tree.body if isinstance(node, ast.FunctionDef))
    return tuple(sorted(node.name for node in functions if "triton.jit" in map(ast.unparse, node.decorator_list)))


IS_SINGLE = "x.dtype == tl.float32"
SPELLED = {"abs": "tl.abs", "fma": "tl.fma", "where": "tl.where"}
#: functions with two forms: a block that has an entry far from 0 takes the second, too
PERIODIC = """
@triton.jit
def sin(x):
    value = sin_near(x)
    if any_beyond(x, NEAR(x)):
        value = tl.where(tl.abs(x) > NEAR(x), sin_far(x), value)
    return value

@triton.jit
def cos(x):
    value = cos_near(x)
    if any_beyond(x, NEAR(x)):
        value = tl.where(tl.abs(x) > NEAR(x), cos_far(x), value)
    return value

@triton.jit
def snake_slope(x, a=None):
    if a is None:
        angle, low = (x, x * 0.0)
    else:
        angle = a * x
        low = tl.fma(a, x, negated(angle))
    value = snake_slope_near(x, a)
    if any_beyond(angle, NEAR(x)):
        value = tl.where(tl.abs(angle) > NEAR(x), snake_slope_far(angle, low), value)
    return value
"""


def print_functions(names: Iterable[str], kind: str) -> str:
    """Source of functions and of all that they call, each after those; they use `tl` and functions of `gpu.machine`.

    The kind is "float32" or "float64", and "" for both.
    """
    known = _nodes()
    texts: dict[str, str] = {}

    def visit(name: str) -> None:
        if name in known and name not in texts:
            text = _spell(name, kind)
            for other in list_needed(text):
                visit(other)
            texts[name] = text

    for name in names:
        visit(name)
    return "".join(f"\n\n{text}\n" for text in texts.values())


def list_needed(text: str) -> list[str]:
    """Names that a source calls, in order."""
    called = (node.func for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Call))
    return sorted({function.id for function in called if isinstance(function, ast.Name)})


@lru_cache
def _nodes() -> dict[str, ast.FunctionDef | Number | Polynomial]:
    """Definitions by name."""
    tree, own = (ast.parse(text) for text in (MODULE.read_text(encoding="utf-8"), PERIODIC))
    known: dict[str, ast.FunctionDef | Number | Polynomial] = dict(_evaluate(tree))
    for node in [*tree.body, *own.body]:
        if isinstance(node, ast.FunctionDef) and node.name not in names_in("machine"):
            known[node.name] = node
    return known


@lru_cache
def _spell(name: str, kind: str) -> str:
    node = _nodes()[name]
    if isinstance(node, ast.FunctionDef):
        node = _Speller(kind).visit(copy.deepcopy(node))
        node.decorator_list = [ast.parse("triton.jit", mode="eval").body]
        return ast.unparse(ast.fix_missing_locations(node))
    head = f"@triton.jit\ndef {name}(x):\n"
    if isinstance(node, Number):
        return head + f"    return tl.full([], {spell(node.single)} if {IS_SINGLE} else {spell(node.double)}, x.dtype)"
    if kind:
        return head + _horner(node, kind, "    ") + "    return total"
    parts = [_horner(node, kind, "        ") for kind in ("float32", "float64")]
    return head + f"    if {IS_SINGLE}:\n{parts[0]}    else:\n{parts[1]}    return total"


def _evaluate(tree: ast.Module) -> Iterator[tuple[str, Any]]:
    """(name, value) of the module's constants."""
    namespace: dict[str, Any] = {
        "coefficients": coefficients, "math": math, "np": np, "Any": Any, "njit": lambda **options: None,
        "number": lambda single, double=None: Number(single, single if double is None else double),
        "polynomial": Polynomial, "negated_by_bit": lambda place: None,
    }  # fmt: skip
    for node in tree.body:
        if isinstance(node, (ast.Assign, ast.AnnAssign)):
            exec(compile(ast.Module([node], []), str(MODULE), "exec"), namespace)
    for name, value in namespace.items():
        if isinstance(value, (Number, Polynomial)):
            yield name, value


def _horner(polynomial: Polynomial, kind: str, indent: str) -> str:
    chosen = polynomial.single if kind == "float32" else polynomial.double
    *others, last = (f"tl.full([], {spell(number)}, tl.{kind})" for number in chosen)
    lines = [f"total = tl.fma({last}, x, {others[-1]})"]
    lines += [f"total = tl.fma(total, x, {number})" for number in others[-2::-1]]
    return "".join(f"{indent}{line}\n" for line in lines)


def spell(number: float) -> str:
    """A number as Triton source."""
    return repr(number) if math.isfinite(number) else f'float("{number}")'


class _Speller(ast.NodeTransformer):
    """A function of the module in Triton's spelling."""

    def __init__(self, kind: str) -> None:
        self._kind = kind

    def _number(self, node: ast.AST) -> float | None:
        """A call for a number that is the same in all of the dtypes."""
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            number = _nodes().get(node.func.id)
            if isinstance(number, Number):
                if self._kind:
                    return number.single if self._kind == "float32" else number.double
                if repr(number.single) == repr(number.double):
                    return number.single
        return None

    def _literal(self, node: ast.AST) -> ast.expr | None:
        """A number that gets its dtype from the other operand."""
        number = self._number(node)
        return ast.parse(spell(number), mode="eval").body if number is not None else None

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        self.generic_visit(node)
        node.body = _with_else(node.body)
        return node

    def visit_BinOp(self, node: ast.BinOp) -> ast.AST:
        left = self._literal(node.left) if self._number(node.right) is None else None
        right = self._literal(node.right)
        if isinstance(node.op, ast.Div):
            return _call("divided", self.visit(node.left), self.visit(node.right))
        node.left, node.right = left or self.visit(node.left), right or self.visit(node.right)
        return node

    def visit_Compare(self, node: ast.Compare) -> ast.AST:
        node.left = self.visit(node.left)
        node.comparators = [self._literal(side) or self.visit(side) for side in node.comparators]
        return node

    def visit_UnaryOp(self, node: ast.UnaryOp) -> ast.AST:
        if not isinstance(node.op, ast.USub) or isinstance(node.operand, ast.Constant):
            return self.generic_visit(node)
        number = self._number(node.operand)
        if number is not None:
            assert isinstance(node.operand, ast.Call)
            return self._full(-number, node.operand)
        return _call("negated", self.visit(node.operand))

    def visit_Call(self, node: ast.Call) -> ast.AST:
        number = self._number(node)
        if number is not None:
            return self._full(number, node)
        name = ast.unparse(node.func)
        return _call(SPELLED.get(name, name), *map(self.visit, node.args))

    def _full(self, number: float, node: ast.Call) -> ast.expr:
        dtype = f"tl.{self._kind}" if self._kind else f"{ast.unparse(node.args[0])}.dtype"
        return ast.parse(f"tl.full([], {spell(number)}, {dtype})", mode="eval").body


def _call(name: str, *arguments: ast.expr) -> ast.Call:
    return ast.Call(ast.parse(name, mode="eval").body, list(arguments), [])


def _with_else(statements: list[ast.stmt]) -> list[ast.stmt]:
    """Statements with those after a branch that returns as its other branch: Triton compiles all after a branch."""
    for place, statement in enumerate(statements):
        if isinstance(statement, ast.If):
            statement.body, statement.orelse = _with_else(statement.body), _with_else(statement.orelse)
            rest = statements[place + 1 :]
            if _returns(statement.body) and not statement.orelse and rest:
                statement.orelse = _with_else(rest)
                return statements[: place + 1]
    return statements


def _returns(statements: list[ast.stmt]) -> bool:
    last = statements[-1]
    if isinstance(last, ast.If):
        return bool(last.orelse) and _returns(last.body) and _returns(last.orelse)
    return isinstance(last, ast.Return)
