"""The recipes of the documents run."""

import functools
import pathlib
import re
import shlex

import pytest

pytest.importorskip("torch")
pytest.importorskip("sklearn")
pytest.importorskip("click")

from click.testing import CliRunner

import slopes
import slopes.comparing
from slopes.cli import main
from slopes.comparing import Study

ROOT = pathlib.Path(__file__).parents[2]
TEXT = (ROOT / "docs/compare/recipes.md").read_text()
FIRST = (ROOT / "docs/compare/README.md").read_text()
RECIPES = {
    part.partition("\n")[0]: "\n".join(re.findall(r"^```python\n(.*?)^```", part, flags=re.S | re.M))
    for part in re.split(r"^## ", TEXT, flags=re.M)[1:]
}  #: code of all blocks of a part, by its title
QUICK = {"seeds": 1, "epochs": 1, "rates": [0.01], "progress": False, "workers": 1}


@pytest.mark.parametrize("title", RECIPES)
def test_a_recipe_runs(title, tmp_path, monkeypatch, capsys):
    """With one seed, one epoch and one rate, and a page where one is asked for; it prints the lines behind "# >"."""
    monkeypatch.chdir(tmp_path)
    report = Study.report
    monkeypatch.setattr(Study, "report", lambda study, path=None: path and report(study, path))

    def compare(*given, **options):
        return original(*given, **QUICK | options | {"epochs": min(options.get("epochs", 1), 2)})

    original = slopes.compare
    monkeypatch.setattr(slopes, "compare", compare)
    on_one_worker = functools.partial(slopes.comparing.compare_tasks, workers=1, progress=False)
    monkeypatch.setattr(slopes.comparing, "compare_tasks", on_one_worker)
    monkeypatch.setattr(slopes.comparing, "estimate", functools.partial(slopes.comparing.estimate, **QUICK))
    exec(RECIPES[title], {"__name__": "recipe"})
    printed = re.findall(r"^# > (.*)\n", RECIPES[title], flags=re.M)
    assert printed == capsys.readouterr().out.splitlines()[: len(printed)]


def test_each_part_of_the_page_has_a_recipe():
    assert all(RECIPES.values())
    assert "\n".join(RECIPES.values()).count("\n") > 300
    assert "\n".join(RECIPES.values()).count("\n# > ") >= 10


def test_the_first_page_runs(tmp_path, monkeypatch, capsys):
    """Its code and its command, with the model and the data of the examples."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "models.py").symlink_to(ROOT / "examples/my_models.py")
    (tmp_path / "houses.csv").symlink_to(ROOT / "examples/houses.csv")
    (code,) = re.findall(r"^```python\n(.*?)^```", FIRST, flags=re.S | re.M)
    monkeypatch.setattr(slopes, "compare", functools.partial(slopes.compare, **QUICK))
    exec(code, {"__name__": "first page"})
    assert "silu" in capsys.readouterr().out
    assert len(pathlib.Path("runs.csv").read_text().splitlines()) == 1 + 6
    (command,) = re.findall(r"^```sh\n(.*?)^```", FIRST, flags=re.S | re.M)
    result = CliRunner().invoke(
        main, shlex.split(command)[1:] + shlex.split("--seeds 1 --epochs 1 --rates 0.01 --workers 1")
    )
    assert result.exit_code == 0, result.output
    assert "6 runs" in result.output
