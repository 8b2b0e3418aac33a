"""The README's code runs, and the documents name what exists."""

import csv
import importlib.util
import io
import pathlib
import re
import shlex

import pytest

import slopes
from slopes.catalogue import CARDS

ROOT = pathlib.Path(__file__).parent.parent
DOCUMENTS = [
    "README.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
    *(str(p.relative_to(ROOT)) for p in ROOT.glob("docs/**/*.md")),
]


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


def readme_commands() -> list[str]:
    """Return the `slopes` commands of the README, each once."""
    text = (ROOT / "README.md").read_text()
    lines = [line for block in re.findall(r"```sh\n(.*?)```", text, flags=re.S) for line in block.splitlines()]
    return list(dict.fromkeys(line.partition("#")[0].strip() for line in lines if line.startswith("slopes ")))


def test_readme_has_commands():
    assert {command.split()[1] for command in readme_commands()} >= {"list", "show", "audit", "compare"}


@pytest.mark.parametrize("command", readme_commands())
def test_readme_commands_end_with_status_0(command, tmp_path, monkeypatch):
    """As printed, from a clone; a study is shortened."""
    pytest.importorskip("torch")
    from click.testing import CliRunner

    from slopes.cli import main

    (tmp_path / "examples").symlink_to(ROOT / "examples")
    monkeypatch.chdir(tmp_path)
    quick = "--seeds 2 --epochs 1 --rates 0.01 --workers 1" if " compare " in command else ""
    result = CliRunner().invoke(main, shlex.split(f"{command} {quick}")[1:])
    assert result.exit_code == 0, result.output


def test_readme_shows_what_the_audit_says():
    pytest.importorskip("torch")
    (shown,) = re.findall(r"```text\n(.*?)```", (ROOT / "README.md").read_text(), flags=re.S)
    report = slopes.audit(str(ROOT / "examples/my_losses.py") + ":naive_focal")
    said = str(report).replace(str(ROOT / "examples/my_losses.py"), "examples/my_losses.py")
    assert shown in said


def test_readme_states_the_measured_speed():
    rows = list(csv.DictReader(io.StringIO((ROOT / "benchmarks/results/modules.csv").read_text())))
    ratios = [float(value) for row in rows for name, value in row.items() if name.endswith("elements")]
    text = " ".join((ROOT / "README.md").read_text().split())
    assert f"take {min(ratios):.1f} to {max(ratios):.0f} times as long" in text


def test_the_houses_are_what_their_script_makes():
    spec = importlib.util.spec_from_file_location("make_houses", ROOT / "tools/make_houses.py")
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    header, *rows = csv.reader(io.StringIO((ROOT / "examples/houses.csv").read_text()))
    assert header == script.COLUMNS
    assert [list(map(float, row)) for row in rows] == script.make_rows()


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
