"""The notebook of the tour runs, and shows what it showed when it was last run.

``python tests/test_tour.py`` runs it and keeps the outputs, which GitHub shows.
"""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

nbclient = pytest.importorskip("nbclient")
nbformat = pytest.importorskip("nbformat")
for package in ("ipykernel", "torch", "matplotlib", "sklearn", "rich", "jinja2", "sympy", "mpmath"):
    pytest.importorskip(package)

ROOT = Path(__file__).parents[1]
TOUR = ROOT / "examples" / "tour.ipynb"
#: cells that the test adds: pyplot, which shows figures by itself, must not show a picture twice
ADDED = ["import matplotlib.pyplot as plt\nstudy.plot()", "%matplotlib inline\nfound.plot()"]


def execute(folder: Path, added: Sequence[str] = ()) -> Any:
    """Run the tour, and cells added to it, in a folder, and return the notebook with its outputs."""
    notebook = nbformat.read(TOUR, as_version=4)
    notebook.cells += map(nbformat.v4.new_code_cell, added)
    resources = {"metadata": {"path": str(folder)}}
    nbclient.NotebookClient(notebook, record_timing=False, coalesce_streams=True, resources=resources).execute()
    notebook.metadata.language_info = {"name": "python"}  # without the version of this machine
    return notebook


def code(notebook: Any) -> list[Any]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def kinds(cell: Any) -> list[Any]:
    """Of each output of a cell: what it is, and in which forms."""
    return [(output.output_type, output.get("name"), sorted(output.get("data", ()))) for output in cell.outputs]


def texts(cell: Any) -> list[str]:
    """Return the outputs of a cell without pictures."""
    texts = []
    for output in cell.outputs:
        texts += [output.text] if output.output_type == "stream" else []
        texts += [text for form, text in sorted(output.get("data", {}).items()) if form != "image/png"]
    return texts


@pytest.fixture(scope="module")
def kept() -> Any:
    return nbformat.read(TOUR, as_version=4)


@pytest.fixture(scope="module", params=[pytest.param("run anew", marks=pytest.mark.exhaustive)])
def tour(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The notebook, run anew."""
    return execute(tmp_path_factory.mktemp("tour"), ADDED)


def cell_with(notebook: Any, source: str) -> Any:
    """The first cell that starts with the source."""
    return next(cell for cell in code(notebook) if cell.source.startswith(source))


def test_each_cell_shows_what_it_showed(tour, kept):
    assert [kinds(cell) for cell in code(tour)[: len(code(kept))]] == [kinds(cell) for cell in code(kept)]


def test_each_cell_says_what_it_said(tour, kept):
    """But cells with the tag `varies`: what training or another library gives may differ by the processor."""
    pins = dict(line.split("==") for line in (ROOT / "constraints.txt").read_text().splitlines())
    if any(version(package).partition("+")[0] != pins[package] for package in ("numpy", "sympy", "torch")):
        pytest.skip("the outputs are those of the versions in constraints.txt")
    for now, then in zip(code(tour), code(kept), strict=False):
        if "varies" not in now.metadata.get("tags", []):
            assert texts(now) == texts(then), now.source


def test_it_says_nothing_on_stderr(tour):
    assert not [output for cell in code(tour) for output in cell.outputs if output.get("name") == "stderr"]


@pytest.mark.parametrize(
    "source",
    ["slopes.show(slopes.silu)", "slopes.show(slopes.huber)", "study.plot()", "picture = found.plot()", *ADDED],
)
def test_a_picture_is_shown_once(tour, source):
    pictures = [output.get("data", {}).get("image/png") for output in cell_with(tour, source).outputs]
    assert sum(picture is not None for picture in pictures) == 1


def test_progress_is_one_output_with_the_last_state(tour):
    progress, result = cell_with(tour, "study = slopes.compare(").outputs
    assert progress.data["text/plain"] == "compare: 60/60 runs, 0 diverged, 0 failed"
    assert 'max="60" value="60"' in progress.data["text/html"]
    assert "<table>" in result.data["text/html"]


def test_the_planted_bug_is_found_and_mended(tour):
    planted, mended = (cell for cell in code(tour) if "slopes.audit(" in cell.source)
    assert "error: finite: float64 value is inf where exact is 44.98" in planted.outputs[0].data["text/html"]
    assert "my_loss: clean, " in mended.outputs[0].data["text/html"]


def test_it_names_no_folder_of_a_machine(tour, kept):
    for notebook in (tour, kept):
        outputs = json.dumps([texts(cell) for cell in code(notebook)])
        assert not re.search(r"/(home|root|tmp|work|usr|Users)/|site-packages", outputs)


def test_links_lead_somewhere(kept):
    links = [link for cell in kept.cells for link in re.findall(r"\]\(([^)#]+)\)", cell.source)]
    assert len(links) > 3
    assert all((TOUR.parent / link).exists() for link in links)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        nbformat.write(execute(Path(folder)), TOUR)
