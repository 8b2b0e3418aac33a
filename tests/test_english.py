"""The words of the code: docstrings and messages call things by nouns, as good libraries do."""

import ast
import inspect
import pathlib
import re

import pytest

import slopes

SOURCE = pathlib.Path(slopes.__file__).parent
#: relative clauses without a noun of their own
CLAUSES = (
    r"\bwhat\b",
    r"\b(?:at|by|for|from|in|of|on|to|with) which\b|\bthat of\b|\bthose of\b|\bthose that\b|\bthe ones? that\b",
)


def docstrings(tree):
    """Yield the docstrings of a module."""
    for node in ast.walk(tree):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            yield ast.get_docstring(node) or ""


def messages(tree):
    """Yield the strings of four words or more that are no docstrings, also the parts of an f-string."""
    known = {inspect.cleandoc(text) for text in docstrings(tree)}
    for node in ast.walk(tree):
        text = node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""
        if len(text.split()) >= 4 and inspect.cleandoc(text) not in known:
            yield text


@pytest.mark.parametrize(("strings", "most_by_clause"), [(docstrings, (1.5, 1.0)), (messages, (3.2, 1.6))])
def test_strings_have_few_relative_clauses_without_a_noun(strings, most_by_clause):
    """Count clauses for each 1,000 words."""
    words = 0
    found = {clause: [] for clause in CLAUSES}
    for path in sorted(SOURCE.rglob("*.py")):
        for text in strings(ast.parse(path.read_text(encoding="utf-8"))):
            words += len(text.split())
            for line in text.splitlines():
                for clause, places in found.items():
                    if re.search(clause, line, re.IGNORECASE):
                        places.append(f"{path.relative_to(SOURCE)}: {line}")
    assert words > 10_000
    for clause, most in zip(CLAUSES, most_by_clause, strict=True):
        assert 1000 * len(found[clause]) / words <= most, "\n".join(found[clause])


def test_names_are_nouns():
    """A variable called `what` says nothing of its value."""
    for path in sorted(SOURCE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            assert "what" not in (getattr(node, name, None) for name in ("id", "arg", "attr")), f"{path}:{node.lineno}"
