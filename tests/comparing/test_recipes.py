"""The recipes of the documents run."""

import pathlib
import re

import pytest

pytest.importorskip("torch")
pytest.importorskip("sklearn")

import slopes  # noqa: F401
from slopes.comparing import Study

TEXT = (pathlib.Path(__file__).parents[2] / "docs/compare/recipes.md").read_text()
RECIPES = dict(re.findall(r"^## (.+?)\n.*?```python\n(.*?)```", TEXT, flags=re.S | re.M))


@pytest.mark.parametrize("title", RECIPES)
def test_a_recipe_runs(title, tmp_path, monkeypatch):
    """With one seed, one epoch and one rate."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(Study, "report", lambda study: None)
    quick = "slopes.compare(seeds=1, rates=[0.01], progress=False, workers=1, "
    code = re.sub(r"epochs=\d+", "epochs=2", RECIPES[title]).replace("slopes.compare(", quick)
    exec(code if "epochs=" in code else code.replace("seeds=1, ", "seeds=1, epochs=1, "), {"__name__": "recipe"})


def test_each_part_of_the_page_has_a_recipe():
    assert list(RECIPES) == re.findall(r"^## (.+)$", TEXT, flags=re.M)
