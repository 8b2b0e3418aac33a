"""Figures of accuracy: what is measured, what is said of it, and that the committed page is of this catalogue."""

import builtins
import dataclasses
import functools
import importlib
import json
import math
import pathlib
import re
import sys

import numpy as np
import pytest

import slopes
from helpers import mark_exhaustive
from slopes import accuracy, catalogue
from slopes.accuracy import causes, report, updating
from slopes.truth import libraries, measuring
from slopes.truth.errors import allow_near_roots, ulps, units
from slopes.truth.grid import FORMATS, Grid, variants
from slopes.truth.samples import Samples

torch = pytest.importorskip("torch")
pytest.importorskip("mpmath")
CliRunner = pytest.importorskip("click.testing").CliRunner
from slopes import cli  # noqa: E402

PAGE = pathlib.Path(__file__).parent.parent / "docs" / "accuracy.md"
MINE = '''
import slopes
from slopes.ops import exp, log

@slopes.activation(same_as={"torch": "log(1 + exp(x))"})
def naive(x):
    """Softplus as it is printed."""
    return log(1 + exp(x))

@naive.derivative
def _(x):
    return 1 - 1 / (1 + exp(x))

@slopes.activation(same_as={"torch": "nn.functional.no_such(x)"})
def misnamed(x):
    """Identity, of which no peer knows."""
    return x * 1

@slopes.activation
def broken(x):
    """Broken: names what is not there."""
    return x + undefined
'''


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A working directory with a user's cards."""
    (tmp_path / "mine.py").write_text(MINE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("COLUMNS", raising=False)
    return tmp_path


@pytest.fixture
def sparse(monkeypatch):
    """Every tenth input of each grid, for tests of how figures are shown."""
    all_of = Grid.__dict__["arguments"].func
    fewer = functools.cached_property(lambda grid: tuple(x[::10] for x in all_of(grid)))
    fewer.__set_name__(Grid, "arguments")
    monkeypatch.setattr(Grid, "arguments", fewer)


def run(*arguments):
    return CliRunner().invoke(cli.main, ["accuracy", *map(str, arguments)])


def figures_of(card, **options):
    """Figures by result, dtype and (peer or reading)."""
    measured = accuracy.measure(card, **options)
    assert measured.ok, measured.failures
    return {(f.result, f.dtype, f.reading or f.library): f for f in measured.figures if not f.settings}


# --------------------------------------------------------------------------------------- measuring


@pytest.mark.parametrize(
    "name",
    mark_exhaustive(["relu", "silu", "huber", "mse", "elu", "binary_cross_entropy", "softmax", "msle"]),
)
def test_ours_are_within_four(name):
    figures = figures_of(catalogue.CARDS[name])
    kernels = ("NumPy kernel", "torch kernel") if slopes.kernels.is_available() else ()
    assert {key[1:] for key in figures} == {
        *(("float64", reading) for reading in ("NumPy", "torch", *kernels)),
        *(("float32", reading) for reading in ("NumPy", "torch", *kernels)),
        *(("float16", reading) for reading in ("NumPy", "torch", *kernels[1:])),
        *(("bfloat16", reading) for reading in ("torch", *kernels[1:])),
    }
    for (result, dtype, _), figure in figures.items():
        assert figure.lost == 0
        assert result == "second" or figure.flushed == 0
        assert figure.worst <= (4 if result != "second" else math.inf), figure
        assert figure.median <= 1
        rounded_once = 0.501  # float32 may break a tie
        assert result == "second" or dtype not in ("float16", "bfloat16") or figure.worst <= rounded_once


def test_a_loss_of_digits_is_shown_with_its_input(folder, sparse):
    """The printed form of softplus loses all digits on the left and overflows on the right; ours does not."""
    naive = slopes.loading.load("mine.py:naive")
    figures = figures_of(naive)
    (line,) = Grid(naive, "float64").arguments
    overflows = (line > math.log(sys.float_info.max)).sum()
    assert overflows > 0
    for who in ("NumPy", "torch"):
        value, slope = figures["value", "float64", who], figures["slope", "float64", who]
        assert value.worst == math.inf
        assert float(value.at[0]) > 709
        assert value.came == "inf"
        assert value.lost == overflows < value.beyond < value.points
        assert 1e15 < slope.worst < math.inf
        x = float(slope.at[0])
        assert x < -36
        assert slope.came == "0.0"
        assert float(slope.exact) == pytest.approx(math.exp(x), rel=1e-12)
    assert figures_of(slopes.softplus)["value", "float64", "NumPy"].worst < 4


def test_a_body_and_its_derivative_are_held_against_the_definition(sparse):
    """Both are wrong here, and agree."""
    wrong = slopes.activation(definition=lambda x: x * x)(lambda x: x * x * (1 + 1e-6))
    wrong.derivative(lambda x: 2 * x * (1 + 1e-6))
    figures = figures_of(wrong)
    for result in ("value", "slope"):
        assert figures[result, "float64", "NumPy"].worst == pytest.approx(1e-6 * 2.0**53, rel=0.51)


def test_the_derivative_of_the_definition_owes_nothing_to_that_of_the_card():
    def body(x):
        return slopes.ops.log(1 + slopes.ops.exp(x)) * slopes.ops.tanh(x) / slopes.ops.sqrt(1 + abs(x)) ** 3

    card = slopes.activation()(body)
    card.derivative(lambda x: 0 * x)
    x = np.array([-600.0, -0.7, 1e-300, 0.3, 40.0])
    by_autograd = slopes.activation()(body).slope(torch.from_numpy(x)).numpy()
    came = Grid(card, "float64").oracle("slope")(x).astype(float)
    np.testing.assert_allclose(came[1:], by_autograd[1:], rtol=1e-13)
    assert came[0] == pytest.approx(-math.exp(-600) / 601**1.5, rel=3e-3)
    turning = slopes.activation()(lambda x: slopes.ops.sin(x))
    assert float(slopes.exact(turning).definition_slope(1e157)) == pytest.approx(math.cos(1e157))


def test_terms_that_vanish_beside_others_still_count():
    """At −700 the two terms of mish's slope are 300 digits apart from 1, and one is 700 times the other."""
    x = np.array([-700.0])
    exact = Grid(slopes.mish, "float64").oracle("slope")(x)
    assert float(exact[0]) == pytest.approx(-699 * math.exp(-700), rel=1e-13)


def test_parameters_away_from_the_default_are_measured():
    @slopes.activation
    def rounded(x, *, beta: slopes.domains.Positive = 1.0):
        """The sigmoid of a product that torch rounds, which exp magnifies."""
        return 1 / (1 + slopes.ops.exp(-beta * x))

    @rounded.derivative
    def _(x, *, beta):
        return beta * slopes.ops.sigmoid(beta * x) * slopes.ops.sigmoid(-beta * x)

    assert variants(rounded) == [{"beta": value} for value in (0.1, 0.7, 3.3, 42.0)]
    assert variants(slopes.tweedie_deviance) == [{"power": value} for value in (1.0625, 1.25, 1.9375)]
    assert {"alpha_p": 3.3, "alpha_n": 42.0, "beta": -0.7, "eps": -0.7} in variants(slopes.xielu)
    assert {"min_val": 3.3, "max_val": 42.0} in variants(slopes.hard_tanh)
    both = [settings for settings in variants(slopes.hard_tanh) if len(settings) == 2]
    assert len(both) == 4
    assert all(settings["min_val"] < settings["max_val"] for settings in both)
    thin = Grid(rounded.with_(beta=0.1), "float32", "rounded", thin=True)
    figure = next(f for f in measuring._at(thin, ("value",), ()) if f.reading == "torch")
    assert figure.worst > 20
    page = report.Accuracy(["rounded"], (), [dataclasses.replace(figure, settings="beta=0.1")], [], {}, False).page()
    assert "| `rounded` | beta=0.1 |" in page
    assert "| `rounded(beta=0.1)` | torch | value | float32 |" in page


SEVERAL = [
    (card, settings)
    for card in dict.fromkeys(catalogue.CARDS.values())
    for settings in ([] if card.rowwise else variants(card))
    if len(settings) > 1
]


@pytest.mark.parametrize("chosen", mark_exhaustive(SEVERAL, every=8), ids=[f"{card.name}-{x}" for card, x in SEVERAL])
def test_several_parameters_at_once_stay_within_eight_units(chosen):
    card, settings = chosen
    together = card.with_(**{name: float(np.float32(number)) for name, number in settings.items()})
    items = list(measuring._at(Grid(together, "float32", thin=True), ("value", "slope"), (), ("NumPy", "torch")))
    assert {figure.reading for figure in items} == {"NumPy", "torch"}
    assert max(figure.worst for figure in items) <= 8


def test_a_cost_in_nats_may_overflow_where_that_in_other_units_does_not():
    """The cost is 1.95 · 1.8e308 nats."""
    cost = slopes.binary_cross_entropy([-1.7e308], [0.6], base=42.0, pos_weight=3.3, reduction="none")
    assert float(cost[0]) == pytest.approx(3.3 * 0.6 / math.log(42) * 1.7e308, rel=1e-15)


def test_a_parameter_is_measured_at_the_number_that_the_dtype_holds():
    """float32 has two numbers near 0.1, neither of which lies between 0.1 and the one that PyTorch compares with."""

    @slopes.activation
    def gate(x, *, low: slopes.domains.Positive = 1.0):
        """The number itself above the bound."""
        return slopes.ops.where(x > low, x, 0.0)

    gate.derivative(lambda x, *, low: slopes.ops.where(x > low, 1.0, 0.0))
    figures, failures = measuring.measure_card(gate, (), "gate")
    assert not failures
    away = [figure for figure in figures if figure.settings]
    assert {figure.settings for figure in away} == {f"low={value}" for value in (0.1, 0.7, 3.3, 42.0)}
    assert [figure.worst for figure in away] == [0] * len(away)
    assert "0.1 stands for the nearest number of the dtype" in " ".join(report.ABOUT.split())


def test_rows_of_half_types_sum_to_1():
    """Rows rounded one entry at a time would not, and the card would refuse them."""
    for card in (slopes.categorical_cross_entropy, slopes.kl_div, slopes.js_divergence):
        for second in (False, True):
            grid = Grid(card, "bfloat16", second=second)
            rows = grid.arguments[0 if card is slopes.categorical_cross_entropy else 1]
            assert (rows.view(np.uint32) & 0xFFFF == 0).all()
            assert (rows > 0).all()
            np.testing.assert_allclose(rows.sum(-1), 1, atol=1e-3)
            grid.call("value", grid.arguments)


def test_a_jump_is_sought_within_the_domain():
    """The logarithm of 1 + x is complex beyond −1, beside which the grid has its nearest number."""
    grid = Grid(slopes.msle, "float64")
    prediction, _ = grid.arguments
    found = measuring._jumps(grid, "value", prediction < -1 + 1e-15)
    assert (prediction < -1 + 1e-15).any()
    assert not found.any()


def test_an_error_near_a_hinge_is_counted_in_the_terms_that_cancel_there():
    """Beyond a hinge the result is 0, where other roots change the sign."""
    card = slopes.margin_ranking.with_(margin=3.3)
    first, second, sign = np.array([[1.28959108446669, 8.0], [-2.0030618758052112, 1.0], [1.0, -1.0]])
    exact = np.asarray(slopes.exact(card, 25)(first, second, sign, reduction="none"))
    errors = ulps(card(first, second, sign, reduction="none"), exact, np.float64)
    assert errors[0] > 100
    subject = Samples(card)
    subject.inputs = lambda dtype: (first, second, sign)
    errors[1], allowed = 1000, np.full(2, 4.0)  # an error of the second would not be excused
    allow_near_roots(subject, "value", np.float64, exact, errors, allowed)
    assert errors[0] < allowed[0] < 1e4
    assert allowed[1] < 10
    square, one = Samples(slopes.mse), np.ones(1)
    square.inputs = lambda dtype: (0 * one, one)  # a residual is no excuse: at 1, its root, nothing is cut off
    allowed = np.full(1, 4.0)
    allow_near_roots(square, "value", np.float64, np.array([square.exactly(0.0, 1.0)]), 100 * one, allowed)
    assert allowed[0] == 4


def test_the_grid_has_every_exponent_of_float32_and_pairs_near_overflow():
    (line,) = Grid(slopes.relu, "float32").arguments
    for side in (line, -line):
        assert set(np.frexp(side[side > 0])[1]) == set(range(-148, 129))
    prediction, target = (x.astype(float) for x in Grid(slopes.mse, "float32").arguments)
    assert (abs(prediction - target) > np.finfo(np.float32).max).any()
    thin, full = Grid(slopes.relu, "float32", thin=True).arguments[0], line
    assert len(thin) < len(full) / 2


def test_second_derivatives_are_those_of_formulae():
    """A quartic's 12·x², in torch's double backward and exactly; at jumps there is none."""
    quartic = slopes.activation(lambda x: x**4)
    assert figures_of(quartic)["second", "float64", "torch"].worst < 8
    grid = Grid(slopes.huber, "float64", second=True)
    exact = grid.exact("second", np.float64).astype(float)
    prediction, target = grid.arguments
    np.testing.assert_array_equal(exact, abs(prediction - target) < 1)
    softmax = Grid(slopes.softmax, "float64", second=True)
    p = slopes.softmax(softmax.arguments[0])
    by_hand = -p[:, :1] * p[:, 2:3] * (np.eye(5)[0] + np.eye(5)[2] - 2 * p)
    np.testing.assert_allclose(softmax.exact("second", np.float64).astype(float), by_hand, rtol=1e-9, atol=1e-18)


def test_a_jump_is_no_error():
    """At a kink two conventions differ, and neither is wrong."""

    @slopes.activation(same_as={"torch": "where(x < 0, 0 * x, x)"})
    def other_relu(x):
        """The slope at 0 is 0 here and 1 in the peer."""
        return slopes.ops.where(x <= 0, 0, x)

    other_relu.derivative(slopes.ops.step)
    figures = {(f.result, f.library): f for f in accuracy.measure(other_relu, against=["torch"]).figures}
    assert figures["slope", "torch"].worst == 0
    assert figures["slope", "torch"].points == figures["value", "torch"].points - 1


@pytest.mark.parametrize("form", FORMATS)
def test_the_grid_holds_numbers_of_its_format(form):
    grid = Grid(slopes.gelu, form)
    (line,) = grid.arguments
    info = torch.finfo(getattr(torch, form))
    again = torch.from_numpy(line).to(getattr(torch, form)).to(torch.from_numpy(line).dtype).numpy()
    np.testing.assert_array_equal(line, again)
    assert len(np.unique(line)) == len(line) > 300
    assert 0 in line
    assert line.max() == info.max
    assert 0 < abs(line[line != 0]).min() <= info.tiny


def test_units_are_of_the_exact_result_and_no_digit_of_it_is_lost():
    import mpmath

    third = mpmath.mpf(1) / 3
    for came, exact, dtype, expected in (
        (1.0, third * 3, np.float64, 0.0),
        (1 / 3, third, np.float64, float((third - 1 / 3) * 2**54)),
        (1e-302, mpmath.mpf(10) ** -5000, np.float64, 1e-302 * 2.0**1022 * 2.0**52),
        (5e-324, mpmath.mpf(2) ** -1076, np.float64, 0.75),
        (np.inf, mpmath.mpf(2) ** 1024, np.float64, 0.0),
        (np.finfo(float).max, mpmath.mpf(2) ** 1030, np.float64, 0.0),
        (-np.inf, mpmath.mpf(2) ** 1024, np.float64, np.inf),
        (np.nan, mpmath.mpf("nan"), np.float64, 0.0),
        (np.nan, 1.0, np.float64, np.inf),
        (1 + 2.0**-10, 1.0, np.float16, 1.0),
        (2.0**-24, 2.0**-25, np.float16, 0.5),
    ):
        (error,) = ulps(np.array([came]), np.array([exact], dtype=object), dtype)
        assert error == pytest.approx(expected, rel=1e-12), (came, exact)
    least = units(np.array([mpmath.mpf(10) ** -5000, mpmath.mpf(1)], dtype=object), np.float64)
    np.testing.assert_array_equal(least, [2.0**-1074, 2.0**-52])


def test_a_bfloat16_is_measured_in_its_own_units():
    """From 1 to 2, neighbours are 2⁻⁷ apart."""
    grid = Grid(slopes.relu, "bfloat16")
    came = np.maximum(grid.arguments[0], 0)
    came[np.flatnonzero((came >= 1) & (came < 2))[0]] += 2.0**-7
    (figure,) = measuring._figures(grid, "value", {("slopes", "torch"): came})
    assert figure.raw == 1


def test_subnormals_taken_for_0_are_counted_apart(monkeypatch):
    def flushing(card, library, arguments, **_):
        x = np.where(abs(arguments[0]) < np.finfo(arguments[0].dtype).tiny, 0, arguments[0])
        return x, np.ones_like(x)

    monkeypatch.setattr(libraries, "call", flushing)
    figures = {(f.dtype, f.result, f.library): f for f in accuracy.measure(slopes.linear, against=["torch"]).figures}
    came = figures["float64", "value", "torch"]
    assert came.worst == 0
    assert came.flushed >= 8


def test_figures_do_not_depend_on_the_peers(sparse):
    alone = [f for f in accuracy.measure(slopes.tanh).figures if f.library == "slopes"]
    beside = [f for f in accuracy.measure(slopes.tanh, against=["torch"]).figures if f.library == "slopes"]
    assert alone == beside


@pytest.mark.exhaustive
def test_workers_measure_the_same():
    cards = [slopes.relu, slopes.mse]
    seen = []
    spread = accuracy.measure(cards, workers=2, progress=lambda done, total, name: seen.append((done, total, name)))
    assert spread.figures == accuracy.measure(cards).figures
    assert [(done, total) for done, total, _ in seen] == [(1, 2), (2, 2)]
    assert {name for *_, name in seen} == {"relu", "mse"}


# ------------------------------------------------------------------------------------------ peers


def test_a_peers_value_and_slope():
    x = np.array([-1.0, 2.0])
    value, slope = libraries.call(slopes.silu, "torch", (x,), slope=True)
    np.testing.assert_allclose(value, slopes.silu(x))
    np.testing.assert_allclose(slope, slopes.silu.slope(x))
    assert libraries.call(slopes.silu, "torch", (x,))[1] is None
    value, slope = libraries.call(slopes.sigmoid, "scipy", (x.astype(np.float32),), slope=True)
    assert value.dtype == np.float32
    assert slope is None


@pytest.mark.parametrize("library", ["jax", "keras"])
def test_a_peer_computes_in_the_dtype_it_is_given(library):
    pytest.importorskip(library)
    for dtype in (np.float64, np.float32):
        value, slope = libraries.call(slopes.silu, library, (np.array([-1.0, 2.0], dtype),), slope=True)
        assert value.dtype == slope.dtype == dtype
        np.testing.assert_allclose(value, slopes.silu(np.array([-1.0, 2.0])), rtol=4 * np.finfo(dtype).eps)


OPTIONAL = """
try:
    import costly
except ImportError:
    costly = None
"""


def test_a_library_is_imported_without_what_its_losses_do_not_need(tmp_path, monkeypatch):
    """And only for the comparison: whoever imports it next has all of it, and others have all of theirs."""
    (tmp_path / "costly.py").touch()
    (tmp_path / "friend.py").write_text(OPTIONAL)
    (tmp_path / "of_losses").mkdir()
    (tmp_path / "of_losses" / "__init__.py").write_text(f"import friend\nfrom of_losses import losses\n{OPTIONAL}")
    (tmp_path / "of_losses" / "losses.py").write_text(OPTIONAL)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(libraries.SPARED, "of_losses", ("costly",))
    plain = builtins.__import__
    spared = libraries.load("of_losses")
    assert spared.costly is spared.losses.costly is None
    assert spared.friend.costly is not None
    assert libraries.load("of_losses") is spared
    assert not {"of_losses", "of_losses.losses"} & sys.modules.keys()
    assert builtins.__import__ is plain
    whole = importlib.import_module("of_losses")
    assert whole.losses.costly is not None
    assert libraries.load("of_losses") is whole
    for name in ("costly", "friend", "of_losses", "of_losses.losses"):
        del sys.modules[name]


SCORE = """
def score():
    try:
        import costly
    except ImportError:
        return "without"
    return "with"
"""


def test_a_library_that_others_use_too_is_whole_after_a_comparison(tmp_path, monkeypatch):
    (tmp_path / "costly.py").touch()
    (tmp_path / "of_scores").mkdir()
    (tmp_path / "of_scores" / "__init__.py").write_text("from of_scores import fixes, scores")
    (tmp_path / "of_scores" / "fixes.py").write_text(OPTIONAL)
    (tmp_path / "of_scores" / "scores.py").write_text(SCORE)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(libraries.SPARED, "of_scores", ("costly",))
    loaded = libraries.load("of_scores")
    assert loaded.fixes.costly is None
    assert libraries.load("of_scores") is loaded is sys.modules["of_scores"]
    with libraries._sparing("of_scores"):
        assert loaded.scores.score() == "without"
    assert sys.modules["of_scores.scores"] is loaded.scores
    assert importlib.import_module("of_scores.fixes").costly is not None
    assert loaded.scores.score() == "with"
    for name in ("costly", "of_scores", "of_scores.fixes", "of_scores.scores"):
        del sys.modules[name]


# ------------------------------------------------------------------------------------ command line


def test_json_has_every_figure(folder, sparse):
    told = run("mine.py:naive", "mse", "--against", "torch", "--json")
    assert told.exit_code == 0, told.output
    data = json.loads(told.output)
    assert data["failures"] == []
    assert {"slopes", "numpy", "torch"} <= set(data["versions"])
    entry = next(
        f for f in data["figures"]
        if (f["card"], f["library"], f["result"], f["dtype"]) == ("naive", "torch", "value", "float64")
    )  # fmt: skip
    assert set(entry) == {
        *("card", "result", "dtype", "library", "reading", "worst", "median", "raw"),
        *("points", "beyond", "lost", "flushed", "at", "entry", "came", "exact", "settings"),
    }
    assert entry["worst"] == "Infinity"


def test_a_table_with_peers_and_what_they_lose(folder, sparse):
    told = run("mine.py:naive", "mse", "--against", "torch")
    assert told.exit_code == 0
    assert re.search(r"NumPy +NumPy +NumPy +torch +torch +torch +torch +(\w+ kernel +)*torch’s +torch’s\n", told.output)
    assert re.search(r"mse +value +[0-3]\.\d", told.output)
    assert re.search(r"naive: value by slopes \(NumPy\) in float64 is inf at \d\S*, exact is \d", told.output)


def test_a_page_has_a_row_for_each(folder, sparse):
    told = run("elu", "mse", "mine.py:naive", "--against", "torch,scipy", "--out", "page.md")
    assert told.output == "wrote page.md\n"
    page = (folder / "page.md").read_text()
    assert "Made by `slopes accuracy elu mse naive --against torch,scipy --out docs/accuracy.md`" in page
    shorts = re.findall(r"^\| (\w+) \| (\d+) \| (\d+) \| (\d+) \| (\d+) \|$", page, flags=re.M)
    assert shorts == [("slopes", "3", "2", "1", "1"), ("torch", "3", "2", "1", "1"), ("scipy", "0", "0", "0", "0")]
    summary = page.partition("## Function by function")[2].partition("\n## ")[0]
    assert re.findall(r"^\| `(\w+)`", summary, flags=re.M) == ["elu", "mse", "naive"]
    assert "| torch value | torch slope |" in summary  # scipy has none of them, so no column
    losses = page.partition("## Where peers lose")[2].partition("\n## ")[0]
    assert re.findall(r"^\| `(\w+)` \| torch \| (\w+)", losses, flags=re.M) == [
        ("naive", "value"),
        ("naive", "slope"),
    ]
    rows = page.partition("## By reading")[2]
    assert len(re.findall(r"^\| `\w+` \|", rows, flags=re.M)) == 9
    once, again = (run("elu", "--json").output for _ in range(2))  # the same grid each time
    assert once == again


def test_a_row_is_shown_with_its_entry_and_once_for_libraries_that_fail_alike(sparse):
    figures = accuracy.measure(slopes.log_softmax, against=["torch"]).figures
    figure = next(f for f in figures if (f.library, f.result, f.dtype) == ("torch", "value", "float64"))
    row = [float(x) for x in figure.at[0].strip("[]").split(", ")]
    assert len(figure.at) == 1  # no cotangent
    (entry,) = figure.entry
    assert float(figure.exact) == pytest.approx(slopes.log_softmax(np.array(row))[entry])
    _, _, line = report._listed([figure, dataclasses.replace(figure, library="jax")])
    assert line.startswith(f"| `log_softmax` | torch, jax | value | float64 | `[{row[0]:.6g}, ")
    assert f"] (entry {entry})` | `{figure.came}` |" in line


def test_an_exact_result_beyond_all_formats_is_shown_as_such():
    import mpmath

    shown = [measuring._exactly(mpmath.mpf(text)) for text in ("-1e-100000", "1e100000", "-0.5", "0", "-inf")]
    assert shown == ["-0", "inf", "-0.5", "0.0", "-inf"]


def sections(page):
    """Return the lines of a page by heading."""
    head, *parts = re.split(r"^## (.*)\n", page, flags=re.M)
    return {
        "": head.splitlines(),
        **{name: text.splitlines() for name, text in zip(parts[::2], parts[1::2], strict=True)},
    }


def test_rows_are_updated_one_by_one_and_peers_keep_their_figures(folder, sparse, monkeypatch):
    """The page with two rows measured anew is the page measured at once, up to a line that names them."""
    run("relu", "reglu", "elu", "mse", "--against", "torch,scipy", "--out", "all.md")
    run("relu", "mse", "--against", "torch,scipy", "--out", "page.md")
    whole, before = ((folder / name).read_text() for name in ("all.md", "page.md"))
    told = run("reglu", "elu", "--update", "--out", "page.md")
    assert told.output == "wrote page.md\n"
    after = sections((folder / "page.md").read_text())
    assert "Measured later, by `slopes accuracy NAME --update`: `reglu`, `elu`." in after.pop("")
    own = ["Away from the defaults", "Where slopes is off by more than 4", "By reading and dtype", "How it is measured"]
    for heading in own:
        assert set(after[heading]) == set(sections(whole)[heading]), heading
    summary = after["Function by function"]
    assert [line for line in summary if "`relu`" in line or "`mse`" in line] == [
        line for line in sections(before)["Function by function"] if line.startswith("| `")
    ]
    assert [line.split("`")[1] for line in summary if "`" in line] == [
        "reglu",
        "relu",
        "elu",
        "mse",
    ]  # the catalogue's
    peers = after.get("Where peers lose more than 1000 ulp", [])
    assert peers == sections(before).get("Where peers lose more than 1000 ulp", [])
    damaged = (folder / "page.md").read_text().replace("| `relu` | 0.0 / 0.0 |", "| `relu` | 9.9 / 9.9 |")
    (folder / "page.md").write_text(damaged)
    run("relu", "--update", "--out", "page.md")
    again = (folder / "page.md").read_text()
    assert next(line for line in summary if "`relu`" in line) in again.splitlines()
    assert "`reglu`, `elu`, `relu`." in again
    assert "| slopes | 4 | 4 | 0 | 0 |" in again


def test_a_page_is_left_alone_if_something_raises(folder, monkeypatch):
    (folder / "page.md").write_text("# Accuracy\n\nMade by `slopes accuracy relu`\n")
    monkeypatch.setattr(measuring, "_results", lambda *_: 1 / 0)
    told = run("relu", "--update", "--out", "page.md")
    assert told.exit_code == 1
    assert "relu: slopes (NumPy) raised ZeroDivisionError" in told.output
    assert "\n## " not in (folder / "page.md").read_text()


def test_what_raises_is_told_and_ends_with_1(folder, sparse):
    told = run("relu", "mine.py:misnamed", "mine.py:broken", "--against", "torch", "--out", "page.md")
    assert told.exit_code == 1
    failures = (folder / "page.md").read_text().partition("## What could not be measured")[2]
    assert "| `misnamed` | torch | AttributeError:" in failures
    assert "| `broken` | slopes (NumPy) | NameError: name 'undefined' is not defined |" in failures
    assert failures.count("`misnamed`") == 1  # not once for each dtype


def test_two_cards_of_one_name_are_told_apart(folder, sparse):
    (folder / "mine.py").write_text(MINE.replace("naive", "relu"))
    mine = slopes.loading.load("mine.py:relu")
    assert accuracy.measure([slopes.relu, mine]).cards == ["slopes.relu", "slopes.loading.load('mine.py:relu')"]


WRONG = {
    ("rellu",): "no function 'rellu'; did you mean 'relu'",
    ("relu", "--against", "torchh"): "accuracy: no library 'torchh'; did you mean 'torch'?",
    ("relu", "--against", "zzzz"): "accuracy: no library 'zzzz'; there are torch, torchvision,",
    ("relu", "--against", "absent"): "accuracy: entmax is not installed: pip install entmax",
    ("relu", "--out", "gone/x.md"): "accuracy: cannot write 'gone/x.md'",
    ("relu", "--out", "."): "accuracy: cannot write '.'",
    ("relu", "--workers", "0"): "--workers",
    ("relu", "--update"): "accuracy: there is no page 'docs/accuracy.md' here: run it in a clone of slopes, or name",
    (
        "relu",
        "--update",
        "--out",
        "mine.py",
    ): "accuracy: 'mine.py' is not a page that `slopes accuracy --out` has written",
    ("mine.py:naive", "--update", "--out", "mine.py"): "accuracy: --update takes names of the catalogue",
    ("--update",): "accuracy: --update takes names of the catalogue",
    (
        "relu",
        "--update",
        "--against",
        "torch",
    ): "accuracy: --update takes names of the catalogue, and keeps the figures",
}


@pytest.mark.parametrize("arguments", WRONG)
def test_mistakes_are_one_line(arguments, folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "entmax", None)
    told = run(*("entmax" if argument == "absent" else argument for argument in arguments))
    assert told.exit_code == 2
    assert told.stdout == ""
    assert told.stderr.startswith("slopes: ")
    assert told.stderr.count("\n") == 1
    assert WRONG[arguments] in told.stderr


def test_what_is_no_card_is_refused():
    with pytest.raises(TypeError, match="accuracy takes cards, got function"):
        accuracy.measure([slopes.relu, lambda x: x])


# ---------------------------------------------------------------------------------- the committed page


def test_the_committed_page_names_every_card():
    """Else run `slopes accuracy NAME --update`, for a new function, or `make docs`."""
    assert PAGE.read_text() == updating.update_page(PAGE.read_text(), report.Accuracy([], (), [], [], {}, False))
    table = PAGE.read_text().partition("## Function by function")[2].partition("\n## ")[0]
    named = re.findall(r"^\| `(\w+)`", table, flags=re.M)
    assert named == list(dict.fromkeys(card.name for card in catalogue.CARDS.values()))


def test_the_committed_page_has_no_failures():
    assert "could not be measured" not in PAGE.read_text()


def test_the_committed_page_keeps_the_promise():
    """No value or slope is off by more than 4, or by 8 where several parameters are moved at once."""
    rows = PAGE.read_text().partition("## Where slopes is off by more than 4")[2].partition("\n## ")[0]
    over = re.findall(
        r"^\| `(\w+)([^`]*)` \| [\w, ]+ \| (?:value|slope) \|.* \| ([\w.]+)°? \| [^|]* \|$", rows, flags=re.M
    )
    assert [row for row in over if " & " not in row[1] or float(row[2]) > 8] == []


def test_the_committed_page_tells_why_errors_above_four_remain():
    section = PAGE.read_text().partition(f"## {report.OFF}\n")[2].partition("\n## ")[0]
    over = {(updating._name(row), row["result"]) for row in updating._rows(section)}
    assert over == {pair for pairs in causes.CAUSES.values() for pair in pairs}
    for cause in causes.CAUSES:
        assert cause in section


#: values and slopes of activations in float32 that the record has above 2 units in the last place, where terms cancel
ABOVE_TWO = {
    ("sigmoid", "slope"), ("dynamic_tanh", "slope"), ("softsign", "slope"), ("squareplus", "value"),
    ("squareplus", "slope"), ("gelu_tanh", "slope"), ("gelu", "slope"), ("silu", "slope"), ("quick_gelu", "slope"),
    ("softcap", "slope"),
}  # fmt: skip


def errors_of_record():
    """Return the worst errors in float32 of the committed page: {(activation, result): {reading: units}}."""
    names = {card.name for card in catalogue.ACTIVATIONS.values()}
    rows = updating._rows(updating._split(PAGE.read_text())[1]["By reading and dtype"])
    return {
        (updating._name(row), row["1"]): {
            reading: float(re.match("[0-9.e]+|inf", row[f"{reading} float32"].strip("*"))[0])
            for reading in ("NumPy", "torch", "NumPy kernel", "torch kernel")
        }
        for row in rows
        if updating._name(row) in names and row["1"] in ("value", "slope")
    }  # fmt: skip


def test_float32_is_rounded_right_by_numpy_and_within_two_units_by_the_others():
    record = errors_of_record()
    assert len(record) == 2 * len(set(catalogue.ACTIVATIONS.values()))
    assert {errors["NumPy"] for errors in record.values()} <= {tenths / 10 for tenths in range(6)}
    others = {key: max(errors.values()) for key, errors in record.items()}
    assert {key for key, error in others.items() if error > 2} <= ABOVE_TWO
    within_one = [key for key, error in others.items() if error <= 1]
    assert len(within_one) > len(record) / 2, f"{len(within_one)} of {len(record)}"


# ------------------------------------------------------------------------------------- measured causes


def second_derivatives(name, form="float64"):
    """(arguments, ours, errors as a function of results) on the grid for second derivatives."""
    grid = Grid(catalogue.CARDS[name], form, second=True)
    exact = grid.exact("second", grid.dtype)
    return grid.arguments, grid.by_torch()["second"], lambda came: ulps(came, exact, grid.dtype)


@pytest.mark.parametrize("form", ["float64", "float32"])
@pytest.mark.parametrize("name", ["softplus", "log_sigmoid", "charbonnier", "pseudo_huber"])
def test_second_derivatives_far_out_keep_their_digits(name, form):
    """PyTorch's softplus has a second derivative of 0 beyond 20; roundings of a residual count three times."""
    _, ours, errors = second_derivatives(name, form)
    assert np.nanmax(errors(ours)) < 4


def test_second_derivatives_of_reglu_are_off_at_its_kink_alone():
    (x, *_), ours, errors = second_derivatives("reglu")
    assert (x[(errors(ours) > 4).any(-1)] == 0).all()


def test_second_derivatives_of_msle_are_off_by_a_difference():
    mpmath = importlib.import_module("mpmath")
    (x, y), ours, errors = second_derivatives("msle")
    with mpmath.workprec(200):
        logs = [mpmath.log1p(float(a)) - mpmath.log1p(float(b)) for a, b in zip(x, y, strict=True)]
        exact = 2 * np.array([float(1 - log) for log in logs]) / (1 + x) ** 2
    rounded = 2 * (1 - np.array([float(log) for log in logs])) / (1 + x) ** 2
    assert np.nanmax(errors(ours)) > 4
    assert np.nanmax(errors(rounded)) > 4 > 3 > np.nanmax(errors(exact))


def test_second_derivatives_of_z_loss_are_off_by_a_difference():
    arguments, ours, errors = second_derivatives("z_loss", "float32")
    wide = tuple(x.astype(np.float64) if x.dtype.kind == "f" else x for x in arguments)
    grid = Grid(slopes.z_loss, "float64", second=True)
    rounded = np.float32(grid.by_torch(wide)["second"])
    assert np.nanmax(errors(ours)) > 4 > 1 > np.nanmax(errors(rounded))
