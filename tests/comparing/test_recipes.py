"""The recipes of the documents run."""

import functools
import pathlib
import re

import pytest

pytest.importorskip("torch")
pytest.importorskip("sklearn")

import slopes
import slopes.comparing
from slopes.comparing import Study

TEXT = (pathlib.Path(__file__).parents[2] / "docs/compare/recipes.md").read_text()
RECIPES = {
    part.partition("\n")[0]: "\n".join(re.findall(r"^```python\n(.*?)^```", part, flags=re.S | re.M))
    for part in re.split(r"^## ", TEXT, flags=re.M)[1:]
}  #: code of all blocks of a part, by its title


@pytest.mark.parametrize("title", RECIPES)
def test_a_recipe_runs(title, tmp_path, monkeypatch):
    """With one seed, one epoch and one rate."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(Study, "report", lambda study: None)
    quick = {"seeds": 1, "epochs": 1, "rates": [0.01], "progress": False, "workers": 1}

    def compare(*given, **options):
        return original(*given, **quick | options | {"epochs": min(options.get("epochs", 1), 2)})

    original = slopes.compare
    monkeypatch.setattr(slopes, "compare", compare)
    on_one_worker = functools.partial(slopes.comparing.compare_tasks, workers=1, progress=False)
    monkeypatch.setattr(slopes.comparing, "compare_tasks", on_one_worker)
    exec(RECIPES[title], {"__name__": "recipe"})


def test_each_part_of_the_page_has_a_recipe():
    assert all(RECIPES.values())
    assert "\n".join(RECIPES.values()).count("\n") > 200
