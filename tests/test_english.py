"""The words of the code: docstrings call things by nouns, as those of the libraries do that people like to read."""

import ast
import pathlib
import re

import slopes

SOURCE = pathlib.Path(slopes.__file__).parent
#: relative clauses without a noun of their own, and as many of them for each 1,000 words as there may be
CLAUSES = {
    r"\bwhat\b": 1.5,
    r"\b(?:at|by|for|from|in|of|on|to|with) which\b|\bthat of\b|\bthose of\b|\bthose that\b|\bthe ones? that\b": 1.0,
}


def docstrings(text):
    """Yield the docstrings of a module's source."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            yield ast.get_docstring(node) or ""


def test_docstrings_have_few_relative_clauses_without_a_noun():
    words = 0
    found = {clause: [] for clause in CLAUSES}
    for path in sorted(SOURCE.rglob("*.py")):
        for text in docstrings(path.read_text(encoding="utf-8")):
            words += len(text.split())
            for clause, places in found.items():
                places += [
                    f"{path.relative_to(SOURCE)}: {line}" for line in re.findall(rf"(?i)[^\n]*(?:{clause})[^\n]*", text)
                ]
    assert words > 10_000
    for clause, most in CLAUSES.items():
        assert 1000 * len(found[clause]) / words <= most, "\n".join(found[clause])
