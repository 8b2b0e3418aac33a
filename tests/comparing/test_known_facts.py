"""What theory is sure of comes out when it is measured, by the example that readers run."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

pytest.importorskip("torch")
pytest.importorskip("sklearn")

EXAMPLE = Path(__file__).parents[2] / "examples" / "known_facts.py"


@pytest.fixture(scope="module")
def facts():
    spec = importlib.util.spec_from_file_location("known_facts", EXAMPLE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.FACTS


@pytest.mark.exhaustive
@pytest.mark.parametrize("name", ["vanishing-gradients", "forms-of-gelu"])
def test_it_comes_out(facts, name, tmp_path):
    measure, sure = facts[name]
    held, said = measure(tmp_path, workers=1, progress=False)
    assert sure
    assert held, said


def test_the_page_says_whether_focal_finds_more_of_a_rare_class(facts, tmp_path):
    measure, sure = facts["focal-for-the-rare"]
    held, said = measure(tmp_path, workers=1, progress=False, seeds=10, rates=(0.003, 0.01))
    assert not sure
    verdict = "better" if held else "worse" if ": worse" in said else "equal" if ": equal" in said else "undecided"
    page = (tmp_path / "report.html").read_text("utf-8")
    assert "recall" in page.lower()
    assert verdict in page
