"""Write the public names of cards, and the types of cards and modules for editors and type checkers.

python tools/make_stub.py
"""

from __future__ import annotations

import ast
import inspect
import pathlib
import re
import textwrap
from collections.abc import Callable, Iterable
from dataclasses import fields

import slopes
from slopes import catalogue
from slopes.card import Activation, Card, Gate, Loss, Map
from slopes.domains import Coefficients, Domain, OneOf, OrNone, RowOrNone
from slopes.facts import Claims
from slopes.kinds import KINDS, OPTIONS, SPACES

ROOT = pathlib.Path(__file__).parent.parent
INIT = ROOT / "src" / "slopes" / "__init__.py"
NAMES = "    # the cards of the catalogue, written by tools/make_stub.py"
STUB = ROOT / "src" / "slopes" / "__init__.pyi"
MODULES = ROOT / "src" / "slopes" / "nn" / "__init__.pyi"
HEADING = (
    "# ------------------------------------------------------------------- written by tools/make_stub.py\n# fmt: off\n"
)

#: sources of the docstrings of methods in the first part of the stub
DESCRIBED = {"_Elementwise": Activation, "_Rowwise": Map, "_OwnLoss": Loss}

#: types of the keywords that are no parameters, beside arrays and beside tensors
KEYWORDS = {
    "axis": ("int", "int"),
    "out": ("_Array | None", "None"),
    "weight": ("_Values | None", "Tensor | None"),
    "mask": ("_Values | None", "Tensor | None"),
    "class_weight": ("_Values | None", "Tensor | None"),
    "divisor": ("_ArrayParameter | None", "_TensorParameter | None"),
    "generator": ("np.random.Generator | None", "_TensorGenerator | None"),
    "ignore_index": ("int | None", "int | None"),
    "label_smoothing": ("float", "float"),
    "window": ("int", "int"),
    "sigma": ("float | None", "float | None"),
}


def renew_names(text: str) -> str:
    """Return the file with the public names, of which those of the cards are the catalogue's."""
    homes: dict[str, list[str]] = {}
    for name, card in catalogue.CARDS.items():
        homes.setdefault(card.body.__module__, []).append(name)
    head, _, rest = text.partition(NAMES)
    lines = [f'    "{home}": "{" ".join(names)}",' for home, names in homes.items()]
    return "\n".join([head + NAMES, *lines, rest[rest.index("}\n") :]])


def renew(stub: str) -> str:
    """Return the stub with its last part, and the docstrings of the decorators, as the code has them now."""
    head, heading, _ = stub.partition(HEADING)
    head = renew_docstrings(head)
    names: dict[str, str] = {}  # of the classes, by their text
    lines = words()
    for text, cards in shapes().items():
        names[text] = class_name(cards, set(names.values()))
        lines += ["", text.replace("@NAME@", names[text])]
    lines.append("")
    for name, card in catalogue.CARDS.items():
        lines += [f"{name}: {names[class_text(card)]}", f'"""{card.summary}"""']
    return head + heading + "\n".join([*lines, ""])


def renew_docstrings(head: str) -> str:
    """Return the head, with each docstring replaced by the one of the described function."""
    lines, places = head.split("\n"), []
    for owner in (tree := ast.parse(head), *(node for node in tree.body if isinstance(node, ast.ClassDef))):
        described = DESCRIBED.get(getattr(owner, "name", ""), slopes)
        for node in owner.body:
            if isinstance(node, ast.FunctionDef) and ast.get_docstring(node):
                places.append((node.body[0], getattr(described, node.name)))
    for place, source in sorted(places, key=lambda found: -found[0].lineno):
        text = docstring(inspect.getdoc(source) or "", place.col_offset)
        lines[place.lineno - 1 : place.end_lineno] = text
    return "\n".join(lines)


def docstring(text: str, indent: int) -> list[str]:
    """Return the lines of a docstring."""
    quoted = f'"""{text}\n"""' if "\n" in text else f'"""{text}"""'
    return textwrap.indent(quoted, " " * indent).split("\n")


def first_line(method: Callable[..., object]) -> str:
    """Return the docstring of a method's first line, as a line of a class in the stub."""
    return f'        """{(inspect.getdoc(method) or "").partition(chr(10))[0]}"""'


def renew_modules(stub: str) -> str:
    """Return the stub of slopes.nn with the modules that PyTorch lacks, as the code has them now."""
    from slopes.nn.cards import LACKED, make

    head, heading, _ = stub.partition(HEADING)
    lines = []
    for name, card in LACKED.items():
        arguments = inspect.signature(make(name)).parameters.values()
        given = [f"{a.name}: {module_type(card, a.name)} = {written(a.default)}" for a in arguments]
        lines += [
            f"class {name}(CardModule):",
            *(f"    {line}" for line in textwrap.wrap(f'"""{card.summary}"""', 116)),
            "",
            define("__init__", ["*"] * bool(given) + given, "None"),
            "",
        ]
    return head + heading + "\n".join(lines)


def module_type(card: Card, name: str) -> str:
    """Return the type of a module's constructor argument, under PyTorch's name."""
    if name in card.parameters:
        return one_type(card.parameters[name].domain, 1)
    ours = {"dim": "axis", "weight": "class_weight"}.get(name, name)
    return KEYWORDS[ours][1] if ours in KEYWORDS else one_type(OPTIONS[ours], 1)


def words() -> list[str]:
    """Return the types of the decorators' arguments."""
    two = [name for name, kind in KINDS.items() if [a.name for a in kind.arguments] == ["prediction", "target"]]
    others = [name for name in KINDS if name not in two]
    literals = {"_PairKind": two, "_OtherKind": others, "_Space": list(SPACES)}
    lines = [
        line
        for name, values in literals.items()
        for line in (f"{name}: TypeAlias = Literal[", *wrapped(map(written, values), 4), "]")
    ]
    return [*lines, "", "class _Claims(TypedDict, total=False):", *(f"    {f.name}: {f.type}" for f in fields(Claims))]


# ------------------------------------------------------------------------------------------- cards


def shapes() -> dict[str, list[Card]]:
    """The cards by the text of their class."""
    found: dict[str, list[Card]] = {}
    for card in dict.fromkeys(catalogue.CARDS.values()):
        found.setdefault(class_text(card), []).append(card)
    return found


def class_name(cards: list[Card], taken: set[str]) -> str:
    """Return the name of a card's class; a shared one is named after its arguments."""
    words = [cards[0].name]
    if len(cards) > 1:
        words = [cards[0].kind.name if isinstance(cards[0], Loss) else cards[0].family, *cards[0].parameters]
    name = "_" + "".join(word.capitalize() for word in re.split("[ _]", " ".join(words)))
    return name if name not in taken else name + cards[0].name.capitalize()


def class_text(card: Card) -> str:
    """The text of a card's class."""
    return loss_text(card) if isinstance(card, Loss) else activation_text(card)


def activation_text(card: Activation) -> str:
    """Return the class of an activation: its call, and the parameters that it binds."""
    bases = "_Rowwise, _GateCard" if isinstance(card, Gate) else "_Rowwise" if isinstance(card, Map) else "_Elementwise"
    numbers = [("_Number", 0, "np.float64"), ("_F", 0, "_F")] if bases == "_Elementwise" else []
    ways = [("_Arrays", 0, "_Array"), *numbers, ("Tensor", 1, "Tensor")]
    lines = [f"class @NAME@({bases}):"]
    for x, world, result in ways:
        lines += ["    @overload", define("__call__", [f"x: {x}", *keywords(card, world)], result)]
    return "\n".join([*lines, *with_(card)])


def loss_text(card: Loss) -> str:
    """The classes of a loss: how it and its methods are called, and the card."""
    names = [argument.name for argument in card.kind.arguments]
    ways = [
        ('Literal["mean", "sum"] = "mean"', 0, "_Mean_co"),
        ('Literal["none"]', 0, "_Each_co"),
        ('_Reduction = "mean"', 1, "_Tensors_co"),
    ]
    lines = ["class @NAME@Call(Protocol[_Mean_co, _Each_co, _Tensors_co]):"]
    for reduction, world, result in ways:
        arguments = [f"{name}: {('_Values', 'Tensor')[world]}" for name in names]
        given = keywords(card, world, reduction=reduction)
        lines += ["    @overload", define("__call__", [*arguments, *given], result)]
    return "\n".join(
        [
            *lines,
            "class @NAME@(@NAME@Call[_Floating, _Array, Tensor], Loss):",
            "    @property",
            "    def value_and_slope(self) -> @NAME@Call[_FloatingAndArray, _TwoArrays, _TwoTensors]:",
            first_line(Loss.value_and_slope),
            "    @property",
            "    def slope(self) -> @NAME@Call[_Array, _Array, Tensor]:",
            first_line(Loss.slope),
            *with_(card),
        ]
    )


def with_(card: Card) -> list[str]:
    """Return the method that binds parameters."""
    given = [
        f"{name}: {one_type(found.domain, 2)} = {written(found.default)}" for name, found in card.parameters.items()
    ]
    return [define("with_", ["*"] * bool(given) + given, "Self")]


def keywords(card: Card, world: int, **instead: str) -> list[str]:
    """The keywords of a call beside arrays (0) or tensors (1), and the star before them."""
    given = []
    for name, keyword in card.call_signature.parameters.items():
        if keyword.kind is not keyword.KEYWORD_ONLY:
            continue
        if name in instead:
            given.append(f"{name}: {instead[name]}")
        elif name in card.parameters:
            given.append(f"{name}: {one_type(card.parameters[name].domain, world)} = {written(keyword.default)}")
        elif name in KEYWORDS:
            given.append(f"{name}: {KEYWORDS[name][world]} = {written(keyword.default)}")
        else:
            given.append(f"{name}: {one_type(OPTIONS[name], world)} = {written(keyword.default)}")
    return ["*", *given] if given else []


def one_type(domain: Domain | None, world: int) -> str:
    """The type of a parameter, beside arrays (0), beside tensors (1), or anywhere (2)."""
    if isinstance(domain, OneOf):
        return "bool" if domain.values == (True, False) else literal(domain.values)
    if isinstance(domain, Coefficients):
        return ("_Arrays", "Tensor | Sequence[float]", "_Arrays | Tensor")[world]
    numbers = ("_ArrayParameter", "_TensorParameter", "_Parameter")[world]
    rows = " | Sequence[float]" * isinstance(domain, RowOrNone)
    return f"{numbers}{rows} | None" if isinstance(domain, OrNone) else numbers


def literal(values: Iterable[object]) -> str:
    """Return the type of one of a few values."""
    return f"Literal[{', '.join(map(written, values))}]"


def written(value: object) -> str:
    """Return a number, word or None as Python writes it."""
    return f'"{value}"' if isinstance(value, str) else repr(value)


def define(name: str, parameters: list[str], result: str) -> str:
    """A method of a class, on one line or wrapped."""
    line = f"    def {name}({', '.join(['self', *parameters])}) -> {result}: ..."
    if len(line) <= 120:
        return line
    return "\n".join([f"    def {name}(", *wrapped(["self", *parameters], 8), f"    ) -> {result}: ..."])


def wrapped(items: Iterable[str], indent: int) -> list[str]:
    """Return the items on as few lines as hold them."""
    lines: list[str] = []
    for item in items:
        if lines and len(lines[-1]) + len(item) < 118:
            lines[-1] += f" {item},"
        else:
            lines.append(" " * indent + f"{item},")
    return lines


if __name__ == "__main__":
    INIT.write_text(renew_names(INIT.read_text()))
    STUB.write_text(renew(STUB.read_text()))
    MODULES.write_text(renew_modules(MODULES.read_text()))
