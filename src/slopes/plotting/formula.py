"""A card's formula as one line of text and as MathML."""

from __future__ import annotations

from typing import Any

from sympy import Integer
from sympy.printing.mathml import MathMLPresentationPrinter
from sympy.printing.str import StrPrinter

from slopes.card import Card


def text(card: Card) -> str:
    """Formula in one line, as in "x·(1 + erf(x/√2))/2"."""
    line = str(_Text().doprint(card.formula))
    for plain, fine in FINE.items():
        line = line.replace(plain, fine)
    return line


def mathml(card: Card) -> str:
    return print_mathml(card.formula)


def print_mathml(expression: Any) -> str:
    whole = expression.replace(lambda e: e.is_Float and float(e).is_integer(), Integer)  # 1.0 is 1
    inner = _MathML().doprint(whole)
    for printed, fine in ((r"\hat{y}", "ŷ"), ("<mo>-</mo>", "<mo>−</mo>"), ("&ExponentialE;", "e"), ("delta_j", "ΔJ")):
        inner = inner.replace(printed, fine)
    return f'<math display="block">{inner}</math>'


class _Text(StrPrinter):  # type: ignore[misc]
    def _print_Piecewise(self, expr: Any) -> str:
        *cases, (last, _) = expr.args
        spelt = [f"{self._print(value)} if {self._print(condition)}" for value, condition in cases]
        return ", ".join([*spelt, f"else {self._print(last)}"])

    def _print_Sum(self, expr: Any) -> str:
        return f"Σ[{expr.limits[0][0]}] {self.parenthesize(expr.function, 50)}"

    def _print_Abs(self, expr: Any) -> str:
        return f"|{self._print(expr.args[0])}|"

    def _print_Max(self, expr: Any) -> str:
        return f"max({', '.join(self._print(argument) for argument in expr.args)})"

    def _print_Min(self, expr: Any) -> str:
        return f"min({', '.join(self._print(argument) for argument in expr.args)})"

    def _print_Symbol(self, expr: Any) -> str:
        return str(GREEK.get(expr.name, expr.name))

    def _print_Pow(self, expr: Any, rational: bool = False) -> str:
        written: str = super()._print_Pow(expr, rational=rational)
        return f"√{expr.base}" if written == f"sqrt({expr.base})" and expr.base.is_Integer else written


class _MathML(MathMLPresentationPrinter):  # type: ignore[misc]
    def __init__(self) -> None:
        super().__init__({"ln_notation": False})

    def doprint(self, expr: Any) -> str:
        return str(self._print(expr).toxml())

    def mathml_tag(self, e: Any) -> str:
        """Operator's text; SymPy does not escape it."""
        return str(super().mathml_tag(e)).replace("<", "&lt;")

    def _print_Piecewise(self, expr: Any) -> Any:
        table = self.dom.createElement("mtable")
        # A brace stretches only in a font for mathematics.
        table.setAttribute("style", "border-left: .12rem solid; border-radius: .6rem 0 0 .6rem")
        for value, condition in expr.args:
            line = self.dom.createElement("mtr")
            for content in (self._print(value), self._condition(condition)):
                cell = self.dom.createElement("mtd")
                cell.setAttribute("style", "text-align: left; padding: .2rem .5rem")
                cell.appendChild(content)
                line.appendChild(cell)
            table.appendChild(line)
        return table

    def _condition(self, condition: Any) -> Any:
        row, word = self.dom.createElement("mrow"), self.dom.createElement("mtext")
        holds = condition == True  # noqa: E712
        word.appendChild(self.dom.createTextNode("otherwise" if holds else "if\u00a0"))
        row.appendChild(word)
        if not holds:
            row.appendChild(self._print(condition))
        return row

    def _print_Function(self, e: Any) -> Any:
        name = NORMAL.get(type(e).__name__)
        if name is None:
            return super()._print_Function(e)
        row, letter = self.dom.createElement("mrow"), self.dom.createElement("mi")
        letter.appendChild(self.dom.createTextNode(name))
        row.appendChild(letter)
        row.appendChild(self._print(e.args))
        return row

    def _print_Symbol(self, sym: Any, style: str = "plain") -> Any:
        if "_" not in sym.name:
            return super()._print_Symbol(sym, style)
        name = self.dom.createElement("mi")  # SymPy would read the text after an underscore as an index
        name.appendChild(self.dom.createTextNode(sym.name))
        return name


FINE = {
    r"\hat{y}": "ŷ", "Delta_J": "ΔJ", "[i]": "ᵢ", "[j]": "ⱼ", "**2": "²", "**3": "³", "**": "^", "*": "·", "-": "−",
    ">=": "≥", "<=": "≤",
}  # fmt: skip
NORMAL = {"Phi": "Φ", "phi": "φ"}  #: distribution and density of the standard normal; SymPy writes phi for both
GREEK = {
    "alpha": "α", "beta": "β", "gamma": "γ", "delta": "δ", "epsilon": "ε", "theta": "θ", "kappa": "κ",
    "lambda": "λ", "lambd": "λ", "mu": "μ", "rho": "ρ", "sigma": "σ", "tau": "τ", "phi": "φ", "omega": "ω",
}  # fmt: skip
