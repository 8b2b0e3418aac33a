"""Record results of other libraries for every card that names them, in tests/data/peers.json.

For each library of a card's `same_as`: the expression that gives the card's number, the library's own default call
where that gives another one, what each gives at one small input, and the defaults of the function called. The tests
compare the cards with this record, so they need none of the libraries; tools/conventions.py makes a page of it.

Run ``python tools/peers.py`` where the libraries are installed, with Keras upon PyTorch; with names of cards it renews
these alone, and needs only their libraries. Where a library cannot be loaded, or does not give what the card says, it
tells so and writes nothing, unless asked with ``--partly`` for what it has; where an expression less its settings gives
another number, of which the card says nothing, it remarks on it.
"""

from __future__ import annotations

import ast
import inspect
import json
import pathlib
import re
import sys
import warnings
from collections.abc import Iterator
from functools import reduce
from importlib.metadata import version
from typing import Any

import numpy as np

from slopes.card import Card, Loss, Map
from slopes.catalogue import CARDS, find
from slopes.facts import Peer
from slopes.kinds import KINDS
from slopes.truth import libraries

RECORD = pathlib.Path(__file__).parent.parent / "tests" / "data" / "peers.json"
NUMBERS = [-3.0, -1.0, -0.25, 0.25, 1.0, 3.0]
ROWS = [[1.0, -2.0, 0.5, 3.0], [0.0, 1.0, -1.0, 2.0]]
REGIONS = {name: (2, 4, 3) for name in KINDS if "overlap" in name}
SHAPES = {**REGIONS, "embeddings": (6, 3), "boxes": (3, 4), "images": (1,)}  #: of a kind's first argument
DULL = ("inplace", "dtype", "name", "size_average", "reduce", "out")  #: parameters that change no number


# ----------------------------------------------------------------------------------------------- inputs


def shared_input(card: Card) -> tuple[str, list[Any]]:
    """Return the name and arrays of the input for a card; cards of one kind share it."""
    if not isinstance(card, Loss):
        return ("rows", [np.array(ROWS)]) if isinstance(card, Map) else ("numbers", [np.array(NUMBERS)])
    kind, spaces = card.kind, card.kind.spaces(card.settings)
    shape = SHAPES.get(kind.name, (4, 3) if kind.rowwise else (2, 3))
    drawn = kind.examples(card.settings).sample(np.random.default_rng(0), shape)
    name = f"{kind.name}: {', '.join(space.name for space in spaces)}"
    return name, [short(array, space.name) for array, space in zip(drawn, spaces, strict=True)]


def short(array: Any, space: str) -> Any:
    """The array with a decimal or two, still of its space."""
    if array.dtype.kind != "f":
        return array
    array = np.round(array, 1 if space in ("real", "logits") else 2)
    if space == "probabilities":
        array = np.clip(array, 0.01, 0.99)
    elif space == "positive":
        array = np.maximum(array, 0.01)
    elif space == "distributions":
        array = np.maximum(array, 0.01)
        largest = np.argmax(array, -1)[..., None]
        rest = np.round(np.take_along_axis(array, largest, -1) + 1 - array.sum(-1, keepdims=True), 2)
        np.put_along_axis(array, largest, rest, -1)
    return array


def mine(card: Card, arguments: list[Any]) -> Any:
    """The card's own values: of a loss one for each entry, row or region."""
    return card(*arguments, reduction="none") if isinstance(card, Loss) else card(*arguments)


# ------------------------------------------------------------------------------------------ the libraries


def evaluated(card: Card, library: str, expression: str, arguments: list[Any]) -> dict[str, Any]:
    """Return the expression in the library's namespace, with its result."""
    named = card._copy_with(same_as={library: Peer(expression)})
    value, _ = libraries.call(named, library, tuple(arguments))
    return {"call": expression, "dtype": str(value.dtype), "value": value.tolist()}


def function_of(library: str, expression: str) -> Any:
    """The library's function or class that an expression calls first of all, or None."""
    module = libraries.load(library)
    for call in calls(ast.parse(expression)):
        path = ast.unparse(call.func)
        if re.fullmatch(r"[A-Za-z_][\w.]*", path):
            found = reduce(lambda home, name: getattr(home, name, None), path.split("."), module)
            if callable(found):
                return found
    return None


def defaults(function: Any) -> dict[str, str]:
    """A function's parameters that have a default, as source; from the first line of its help if it is not Python."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        first = re.search(r"^\w+\((.*?)\) ?->", inspect.getdoc(function) or "", flags=re.M)
        found = re.findall(r"(\w+) ?= ?([^,\s]+)", first[1]) if first else []
    else:
        found = [(p.name, shown(p.default)) for p in parameters if p.default is not p.empty]
    return {name: value for name, value in found if name not in DULL}


def shown(default: Any) -> str:
    """A default as source."""
    return repr(getattr(default, "value", default))


# ------------------------------------------------------------------------------------------------- the record


def compare(card: Card, library: str, arguments: list[Any]) -> tuple[dict[str, Any], list[str]]:
    """Return the record of a library, and the errors in the card's statements about it."""
    peer, ours, wrong = card.same_as[library], mine(card, arguments), []
    entry: dict[str, Any] = {"same": evaluated(card, library, peer.same, arguments)}
    if not agrees(library, entry["same"], ours):
        wrong.append(f"{peer.same} gives {entry['same']['value']} where the card gives {ours.tolist()}")
    if peer.bare is not None:
        entry["bare"] = evaluated(card, library, peer.bare, arguments)
        if agrees(library, entry["bare"], ours):
            wrong.append(f"{peer.bare} gives the card's number: it need not be told apart")
    elif call := differing(card, library, arguments):
        print(f"{card.name}, {library}: perhaps state that {call} gives another number")
    entry["defaults"] = defaults(function_of(library, peer.bare or peer.same))
    return entry, wrong


def differing(card: Card, library: str, arguments: list[Any]) -> str | None:
    """The expression less settings of its own, where the library then gives another number."""
    for call in less_settings(card.same_as[library].same, card.settings):
        try:
            answer = evaluated(card, library, call, arguments)
        except Exception:  # it was no setting, but needed
            continue
        if not agrees(library, answer, mine(card, arguments)):
            return call
    return None


def less_settings(expression: str, names: Any) -> Iterator[str]:
    """The expression without its settings, and without each keyword of them."""
    tree = ast.parse(expression, mode="eval")
    keywords = [(call.keywords, keyword) for call in calls(tree) for keyword in call.keywords]
    others = [(call.args, argument) for call in calls(tree) for argument in call.args if is_setting(argument, names)]
    for dropped in ([*keywords, *others], *([keyword] for keyword in keywords)):
        kept = [(home, list(home)) for home, _ in dropped]
        for home, setting in dropped:
            home.remove(setting)
        yield ast.unparse(tree)
        for home, entries in kept:
            home[:] = entries


def calls(tree: ast.AST) -> list[ast.Call]:
    """The calls of an expression, outermost first."""
    return [node for node in ast.walk(tree) if isinstance(node, ast.Call)]


def is_setting(argument: ast.expr, names: Any) -> bool:
    """Whether a positional argument is a number, a text or a parameter of the card, and so no array."""
    return isinstance(argument, (ast.Constant, ast.UnaryOp)) or getattr(argument, "id", None) in names


def agrees(library: str, answer: dict[str, Any], ours: Any) -> bool:
    """Whether a recorded answer of a library is our result, or its mean."""
    return libraries.agrees(library, np.array(answer["value"], answer["dtype"]), ours)


def write() -> int:
    """Make the record, or renew the cards named on the command line; return how many comparisons failed."""
    named = [find(name) for name in sys.argv[1:] if not name.startswith("-")]
    old = json.loads(RECORD.read_text()) if named else {"versions": {}, "inputs": {}, "cards": {}}
    inputs, cards = old["inputs"], {name: entry for name, entry in old["cards"].items() if find(name) not in named}
    failed = []
    for card in named or set(CARDS.values()):
        name, arguments = shared_input(card)
        entries = {}
        for library in card.same_as:
            try:
                entries[library], wrong = compare(card, library, arguments)
            except Exception as error:  # whatever a library may raise
                wrong = [f"{type(error).__name__}: {error}"]
            failed += [f"{card.name}, {library}: {line}" for line in wrong]
        if entries:
            called = [argument.name for argument in card.kind.arguments] if isinstance(card, Loss) else ["x"]
            inputs[name] = dict(zip(called, (array.tolist() for array in arguments), strict=True))
            cards[card.name] = {"input": name, "libraries": entries}
    used = sorted({library for card in cards.values() for library in card["libraries"]})
    of_now = {
        library: version(libraries.PACKAGES.get(library, library)) for library in used if library not in old["versions"]
    }
    versions = dict(sorted({**old["versions"], **of_now}.items()))
    record = {"versions": versions, "inputs": dict(sorted(inputs.items())), "cards": dict(sorted(cards.items()))}
    for line in failed:
        print(line, file=sys.stderr)
    if not failed or "--partly" in sys.argv:
        RECORD.write_text(in_lines(record) + "\n")
    return len(failed)


def in_lines(value: Any, indent: str = "") -> str:
    """Format the record as JSON, with each list on one line."""
    if not isinstance(value, dict):
        return json.dumps(value, ensure_ascii=False)
    entries = [f"{indent} {json.dumps(key)}: {in_lines(entry, indent + ' ')}" for key, entry in value.items()]
    return "{\n" + ",\n".join(entries) + f"\n{indent}}}"


def lend_torchvision_its_operators() -> None:
    """Declare the two operators that torchvision wants at import and has only beside PyTorch's CUDA build."""
    import torch

    if not hasattr(torch.ops.torchvision, "nms"):
        declared = torch.library.Library("torchvision", "DEF")
        for operator in ("nms", "qnms"):
            declared.define(f"{operator}(Tensor boxes, Tensor scores, float threshold) -> Tensor")
        globals()["_declared"] = declared  # they go with the object


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    lend_torchvision_its_operators()
    sys.exit(bool(write()))
