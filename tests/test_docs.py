"""The README's code runs, and the documents name what exists."""

import pathlib
import re

import pytest

import slopes
from slopes.catalogue import CARDS

ROOT = pathlib.Path(__file__).parent.parent
DOCUMENTS = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "docs/design.md", "docs/diagnose.md"]


@pytest.mark.parametrize("name", DOCUMENTS)
def test_links_lead_somewhere(name):
    text = (ROOT / name).read_text()
    for target in re.findall(r"\]\(([^)#]+)\)", text):
        if "://" not in target:
            assert (ROOT / name).parent.joinpath(target).exists(), target


def test_readme_lists_the_catalogue():
    table = (ROOT / "README.md").read_text().partition("## What is in")[2].partition("Every element-wise")[0]
    assert set(re.findall(r"`(\w+)`", table)) == set(CARDS)


def test_readme_code_runs(tmp_path, monkeypatch, capsys):
    pytest.importorskip("torch")
    (code,) = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), flags=re.S)
    monkeypatch.chdir(tmp_path)
    quick = "slopes.compare(seeds=2, epochs=1, rates=[0.01], progress=False, workers=1, "
    exec(code.replace("slopes.compare(", quick), {"__name__": "readme"})
    out = capsys.readouterr().out
    assert "-0." in out
    assert "-5.9" in out
    assert "my_mse: clean" in out
    assert (tmp_path / "curves.svg").read_text().startswith("<?xml")
    assert (tmp_path / "slopes-compare" / "report.html").exists()


def test_layout_of_the_design_exists():
    layout = (ROOT / "docs/design.md").read_text().partition("src/slopes/\n")[2].partition("```")[0]
    for entry in re.findall(r"(\w+(?:\.py|/))", layout):
        assert (pathlib.Path(slopes.__file__).parent / entry).exists(), entry


def test_makefile_has_the_readmes_commands():
    makefile = (ROOT / "Makefile").read_text()
    for command in re.findall(r"^make (\w+)", (ROOT / "README.md").read_text(), flags=re.M):
        assert re.search(rf"^{command}:", makefile, flags=re.M)


def test_every_version_is_pinned():
    pins = (ROOT / "constraints.txt").read_text()
    assert "torch==2.13.0\n" in pins
    assert all(re.fullmatch(r"[\w.-]+==[\w.]+", line) for line in pins.splitlines())
