"""The README's code runs, and the documents name what exists."""

import csv
import importlib.util
import io
import pathlib
import re
import shlex
import tomllib

import pytest

import slopes
from helpers import mark_exhaustive
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
    """Else run `make docs`."""
    make_docs, text = load_script(ROOT / "tools/make_docs.py"), (ROOT / "README.md").read_text()
    assert text == make_docs.renew_readme(text)
    table = text.partition("## What is in")[2].partition("Every element-wise")[0]
    assert set(re.findall(r"`(\w+)`", table)) == set(CARDS)


def test_the_page_of_accuracy_follows_the_catalogue_and_the_counts():
    """Else run `make docs`."""
    page = (ROOT / "docs/accuracy.md").read_text()
    assert load_script(ROOT / "tools/make_docs.py").renew_page(page) == page


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


@pytest.mark.parametrize("command", mark_exhaustive(readme_commands(), 1, every=2))
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


def load_script(path):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    return script


def test_the_page_of_speed_has_what_was_measured():
    speed = load_script(ROOT / "benchmarks/speed.py")
    page = speed.PAGE.read_text()
    assert page == speed.fill_page(page, speed.read_rows())
    assert set(re.findall(r"<!-- table: (\w+) -->", page)) == {row["section"] for row in speed.read_rows()}


def test_readme_states_the_measured_speed_and_memory():
    rows = load_script(ROOT / "benchmarks/speed.py").read_rows()
    of_modules = [row for row in rows if row["section"] == "modules" and row["threads"] == "1"]
    times = [float(row["times the first"]) for row in of_modules if row["contender"] == "torch"]
    text = " ".join((ROOT / "README.md").read_text().split())
    assert f"{max(times):.1f} times as fast to {1 / min(times):.1f} times as slow" in text
    memory = {
        name: [float(row["memory"]) for row in of_modules if row["contender"] == name and row["memory"]]
        for name in ("slopes", "torch")
    }
    assert len(memory["slopes"]) == len(memory["torch"]) > 20
    assert (
        f"at most {max(memory['slopes']):.1f} times the memory of the input, PyTorch {max(memory['torch']):.1f}" in text
    )


def test_the_houses_are_what_their_script_makes():
    script = load_script(ROOT / "tools/make_houses.py")
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


def test_the_kernels_for_gpus_are_tested_where_there_is_none():
    extras = project()["project"]["optional-dependencies"]
    assert next(line for line in extras["cuda"] if line.startswith("triton")) in extras["dev"]
    assert re.search(r"^triton==", (ROOT / "constraints.txt").read_text(), flags=re.M)


def project() -> dict:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())


#: extras for developers, for kernels, without which everything works, and for other libraries
SET_APART = ("test", "dev", "docs", "fast", "cuda", "boosting", "jax", "lightning", "transformers", "keras")


def lower_bounds() -> dict[str, str]:
    """Return the oldest version of each package that a user needs."""
    requirements = pytest.importorskip("packaging.requirements")
    extras = project()["project"]["optional-dependencies"]
    listed = [
        *project()["project"]["dependencies"],
        *(r for name in extras if name not in SET_APART for r in extras[name]),
    ]
    parsed = [requirements.Requirement(r) for r in listed]
    return {r.name: str(r.specifier).removeprefix(">=") for r in parsed if r.name != "slopes"}


def test_the_oldest_versions_are_the_lower_bounds():
    version = pytest.importorskip("packaging.version").Version
    pins = dict(line.split("==") for line in (ROOT / "constraints-oldest.txt").read_text().splitlines())
    for name, bound in lower_bounds().items():
        assert version(pins[name]) == version(bound), name


def test_the_readme_states_the_lower_bounds():
    bounds = lower_bounds()
    text = " ".join((ROOT / "README.md").read_text().split())
    python = project()["project"]["requires-python"].removeprefix(">=")
    assert f"Python {python}, NumPy {bounds['numpy']}, SciPy {bounds['scipy']} and PyTorch {bounds['torch']}" in text


def test_each_set_of_versions_is_tested_in_a_workflow():
    workflow = (ROOT / ".github/workflows/tests.yml").read_text()
    targets = re.findall(r"^(test-\w+):", (ROOT / "Makefile").read_text(), flags=re.M)
    assert {"test-oldest", "test-newest", "test-numpy"} <= set(targets)
    classifiers = project()["project"]["classifiers"]
    pythons = [c.rpartition(" ")[2] for c in classifiers if re.search(r":: 3\.\d+$", c)]
    for target in ["test", "demo", *(t for t in targets if t not in ("test-all", "test-exhaustive"))]:
        assert f"target: {target}," in workflow, target
    for python in pythons:
        assert f'python: "{python}"' in workflow
    assert pythons[0] == project()["project"]["requires-python"].removeprefix(">=")


@pytest.mark.parametrize("name", ["pyproject.toml", "CITATION.cff", *DOCUMENTS])
def test_the_project_has_one_home(name):
    home = project()["project"]["urls"]["Homepage"]
    owner, repository = home.split("/")[-2:]
    for link in re.findall(rf"https?://[\w.]*github[\w.]*/[\w-]+/{repository}\b[\w/.\\-]*", (ROOT / name).read_text()):
        assert f"/{owner}/{repository}" in link, link


def test_the_citation_is_of_this_version():
    citation = dict(re.findall(r"^([\w-]+): (.+)", (ROOT / "CITATION.cff").read_text(), flags=re.M))
    assert citation["version"] == project()["project"]["version"] == slopes.__version__
    assert citation["repository-code"] == project()["project"]["urls"]["Homepage"]


def test_links_of_the_published_readme_are_whole():
    """As hatch rewrites them for a page that is not in the repository."""
    text = (ROOT / "README.md").read_text()
    for rule in project()["tool"]["hatch"]["metadata"]["hooks"]["fancy-pypi-readme"]["substitutions"]:
        text = re.sub(rule["pattern"], rule["replacement"], text)
    links = re.findall(r"\]\(([^)]+)\)", text)
    assert len(links) > 10
    home = project()["project"]["urls"]["Homepage"]
    raw = home.replace("github.com", "raw.githubusercontent.com") + "/main/"
    for link in links:
        assert link.startswith("https://"), link
        for start in (raw, f"{home}/blob/main/"):
            if link.startswith(start):
                assert (ROOT / link.removeprefix(start).partition("#")[0]).exists(), link
    assert f"]({raw}docs/images/curves.svg)" in text


def test_the_demo_installs_what_it_needs():
    """Neither the linter nor the libraries that the audit is tried on."""
    makefile = (ROOT / "Makefile").read_text()
    assert re.search(r"^demo: \$\(VENV\)/\.demo$", makefile, flags=re.M)
    (recipe,) = re.findall(r"^%/\.demo:.*\n((?:\t.*\n)+)", makefile, flags=re.M)
    assert "'.[lab]'" in recipe
    extras = project()["project"]["optional-dependencies"]
    assert not re.search(r"\b(fast|test|dev)\b", " ".join(extras["lab"]))
    assert not re.search(r"\b(test|dev)\b", " ".join(extras["all"]))
