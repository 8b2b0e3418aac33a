"""Pictures, facts and formulae of the catalogue and of a user's own cards."""

import io
import json
import re
import sys
from xml.etree import ElementTree

import numpy as np
import pytest

import slopes
from slopes import catalogue, plotting
from slopes.card import Loss

pytest.importorskip("sympy")
pytest.importorskip("matplotlib")
from slopes.plotting import facts, formula, page, picture, samples, terminal

CARDS = [card for card in dict.fromkeys(catalogue.CARDS.values()) if not isinstance(card, Loss) or card.kind.has_curve]


@slopes.activation(kinks=(1.0,))
def bent(x, *, alpha: slopes.domains.Positive = 2.0):
    """Bent: rises faster beyond 1; costs $5."""
    return slopes.ops.where(x > 1, alpha * x + 1 - alpha, x)


@bent.derivative
def _(x, *, alpha):
    return slopes.ops.where(x > 1, alpha, slopes.ops.where(x <= 1, 1.0, x))


@slopes.activation()
def holed(x):
    """Holed: NaN on the left, and a body that SymPy cannot follow."""
    return np.where(np.asarray(x) < 0, np.nan, np.asarray(x) * 1.0)


@holed.derivative
def _(x):
    return np.where(np.asarray(x) < 0, np.inf, 1.0)


# ------------------------------------------------------------------------------------------ samples


def test_the_slope_drawn_is_the_slope_of_the_value_drawn(card):
    for line in samples.curve(card).lines:
        rise = np.diff(line.value)
        trapezium = np.diff(line.x) * (line.slope[1:] + line.slope[:-1]) / 2
        smooth = np.ones(rise.size, dtype=bool)
        for k in line.kinks:
            smooth[k - 2 : k + 2] = False
        smooth &= abs(np.diff(line.slope)) < 0.1  # rows and pairs have corners that no claim names
        np.testing.assert_allclose(
            trapezium[20:-20][smooth[20:-20]], rise[20:-20][smooth[20:-20]], rtol=2e-3, atol=2e-5
        )


def test_a_kink_is_sampled_itself_and_breaks_the_slope():
    (line,) = samples.curve(slopes.relu).lines
    (k,) = line.kinks
    assert (line.x[k], line.slope[k - 1], line.slope[k], line.slope[k + 1]) == (0, 0, 0, 1)
    assert np.flatnonzero(np.isnan(line.broken_slope())).tolist() == [k]


def test_cards_share_panels_only_if_they_share_an_axis():
    pairs = samples.panels([slopes.relu, slopes.mse, slopes.silu, slopes.softmax])
    assert [[label for label, *_ in value.lines] for value, _ in pairs] == [
        ["relu", "silu"],
        ["mse"],
        ["softmax, first entry"],
    ]
    assert [[label for label, *_ in value.lines] for value, _ in samples.panels([slopes.mse])] == [[""]]


def test_a_pole_does_not_flatten_the_rest():
    slope = samples.panels([slopes.binary_cross_entropy.with_(from_probabilities=True)])[0][1]
    low, high = slope.limits()
    assert -30 < low < high < 30


@pytest.mark.parametrize("values", [np.full(5, np.nan), np.full(5, 3.0), np.array([0, 1, np.inf, 2, 3])])
def test_limits_are_finite_and_apart(values):
    low, high = samples.Panel("value", "x", [("", np.arange(5.0), values, [])]).limits()
    assert np.isfinite(low)
    assert np.isfinite(high)
    assert low < high


# -------------------------------------------------------------------------------------------- facts


def test_facts_are_complete_and_json(card):
    known = facts.collect(card)
    assert known["formula"].keys() == {"text", "tex", "mathml"}
    assert known["summary"]
    assert facts.rows(known)[0][0] == "kind"
    ElementTree.fromstring(re.sub(r"&\w+;", "", known["formula"]["mathml"]))
    json.dumps(known)


def test_facts_of_a_bound_card_own_up_to_the_defaults():
    labels = [label for label, _ in facts.rows(facts.collect(slopes.elu.with_(alpha=0.5)))]
    assert "claims at the defaults" in labels
    assert facts.signature(slopes.elu.with_(alpha=0.5)) == "elu(x, *, alpha=0.5)"
    assert facts.signature(slopes.lovasz_softmax) == "lovasz_softmax(prediction, target)"
    assert facts.signature(slopes.categorical_cross_entropy).endswith("(prediction, target, *, base=e)")


def test_formulae_read_well():
    assert formula.text(slopes.sigmoid) == "1/(1 + exp(−x))"
    assert formula.text(slopes.leaky_relu) == "x if x > 0, else negative_slope·x"
    assert formula.text(slopes.softmax) == "exp(xᵢ)/Σⱼ exp(xⱼ)"
    assert formula.text(slopes.mae) == "|ŷ − y|"
    assert formula.text(slopes.crps_ensemble).startswith("Σⱼ |y − ŷⱼ|/C")
    assert "<mi>negative_slope</mi>" in formula.mathml(slopes.leaky_relu)


def test_the_formula_follows_a_bound_flag():
    bound = slopes.binary_cross_entropy.with_(from_probabilities=True)
    assert "exp" not in formula.text(bound)
    assert facts.collect(bound)["same_as"] == {}


def test_a_body_that_sympy_cannot_follow_is_shown_without_a_formula():
    assert facts.collect(holed)["formula"] == {}


def test_numbers_are_written_as_people_do():
    assert [facts.number(x) for x in (1.0, -0.25, float("-inf"))] == ["1", "−0.25", "−∞"]


# --------------------------------------------------------------------------------------- the pictures


@pytest.mark.sampled(0)
def test_every_card_makes_an_svg_without_fonts(card, tmp_path):
    alone = {"ssim": "images", "total_variation": "images without a target"}
    if card.name in ("info_nce", "supcon", "circle", *alone):
        data = alone.get(card.name, "the vectors of a batch")
        with pytest.raises(ValueError, match=f"show: {card.name} takes {data}, and has no axis to be drawn along"):
            slopes.show(card, out=tmp_path / "card.svg")
        return
    slopes.show(card, out=tmp_path / "card.svg")
    svg = (tmp_path / "card.svg").read_text("utf-8")
    assert ElementTree.fromstring(svg).tag.endswith("svg")
    assert "<text" not in svg
    assert "<dc:date>" not in svg


@pytest.mark.parametrize("suffix", ["png", "svg", "html"])
def test_files_are_the_same_every_time(suffix, tmp_path):
    for name in ("a", "b"):
        slopes.show(slopes.relu, slopes.mae, out=tmp_path / f"{name}.{suffix}")
    first, second = ((tmp_path / f"{name}.{suffix}").read_bytes() for name in ("a", "b"))
    assert first == second
    assert first.startswith({"png": b"\x89PNG", "svg": b"<?xml", "html": b"<!doctype html>"}[suffix])


def test_kinks_are_marked():
    figure = picture.draw([bent], heading=True)
    for axes, height in zip(figure.axes, (1.0, 1.0), strict=True):
        marks = [line for line in axes.lines if line.get_marker() == "o"]
        assert [(line.get_xdata()[0], line.get_ydata()[0]) for line in marks] == [(1.0, height)]


def test_many_labels_keep_apart():
    heights = sorted(picture._spread([1.0, 1.0, 0.9, 0.2, 1.0], gap=0.1, ceiling=1.1))
    assert min(np.diff(heights)) > 0.1 - 1e-9
    assert max(heights) <= 1.1 + 1e-9


def test_the_page_stands_alone_in_light_and_dark():
    text = page.page([slopes.gelu, slopes.huber]).decode()
    assert not re.search(r"<(script|link|img|iframe)", text)
    assert "prefers-color-scheme: dark" in text
    assert "var(--c0)" in text
    assert not re.search(r"#0072b2", text.split("</style>", 1)[1])
    assert '<a href="https://arxiv.org/abs/1606.08415">' in text
    assert text.count("<math") == 2


def test_the_page_escapes_what_users_write():
    @slopes.activation()
    def loud(x):
        """Loud: <script>alert(1)</script>."""
        return x * 2

    assert "<script>" not in page.page([loud]).decode()


def test_odd_cards_make_files(tmp_path):
    for suffix in ("png", "svg", "html"):
        slopes.show(bent, holed, out=tmp_path / f"odd.{suffix}")
        slopes.show(bent.with_(alpha=3.0), out=tmp_path / f"bent.{suffix}")


# -------------------------------------------------------------------------------------- the terminal


@pytest.fixture
def wide(monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")


@pytest.mark.usefixtures("wide")
def test_the_terminal_shows_curve_kink_and_facts(capsys):
    assert slopes.show(slopes.relu) is None
    text = capsys.readouterr().out
    assert "●" in text
    assert "⠉⠉⠉⠉" in text
    for fact in (
        "relu(x)",
        "Rectified linear unit",
        "max(0, x)",
        "never falls",
        "at 0, slope there 0",
        "torch.",
    ):
        assert fact in text


@pytest.mark.usefixtures("wide")
def test_the_curve_in_the_terminal_runs_from_corner_to_corner():
    (value, _) = samples.panels([slopes.linear])[0]
    drawn = ["".join(text for text, _ in line) for line in terminal.draw(value, 40)]
    columns = [min(k for k, c in enumerate(line) if "\u2800" < c <= "\u28ff") for line in drawn[1 : terminal.HEIGHT]]
    assert columns == sorted(columns, reverse=True)
    assert all(len(line) == 40 for line in drawn)


@pytest.mark.usefixtures("wide")
def test_every_card_fits_the_terminal(capsys):
    slopes.show(*CARDS, bent, holed)
    text = capsys.readouterr().out
    assert max(map(len, text.splitlines())) <= 100
    assert all(card.__name__ + "(" in text for card in CARDS)


@pytest.mark.parametrize("columns", ["20", "40", "79"])
def test_narrow_terminals_get_narrow_pictures(columns, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", columns)
    slopes.show(slopes.mae, slopes.mse)
    assert max(map(len, capsys.readouterr().out.splitlines())) <= int(columns)


@pytest.mark.usefixtures("wide")
def test_an_ascii_terminal_gets_ascii(monkeypatch):
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", stream)
    slopes.show(*CARDS)
    text = stream.buffer.getvalue().decode("ascii")
    assert "'''''" in text
    assert "sum_j exp(x_j)" in text
    assert "?" not in text


# -------------------------------------------------------------------------------------------- errors


def test_show_says_what_it_takes(tmp_path):
    with pytest.raises(TypeError, match=r"show takes at least one card, as in slopes\.show\(slopes\.relu\)"):
        slopes.show()
    with pytest.raises(TypeError, match=r"show: takes the cards themselves and not their names"):
        slopes.show("relu")
    with pytest.raises(TypeError, match=r"is a plain function, not a card; decorate the function with @slopes"):
        slopes.show(lambda x: x)
    with pytest.raises(ValueError, match=r"show: out must end in \.png, \.svg or \.html, got 'x\.pdf'"):
        slopes.show(slopes.relu, out="x.pdf")
    with pytest.raises(FileNotFoundError, match=r"show: cannot write '.*gone.*': No such file or directory"):
        slopes.show(slopes.relu, out=tmp_path / "gone" / "x.svg")


def test_described_gives_points():
    told = plotting.described(slopes.binary_cross_entropy)
    assert told["curve"]["axis"] == "logit"
    assert [line["label"] for line in told["curve"]["lines"]] == ["target 1", "target 0"]
    assert all(line["x"].shape == line["value"].shape == line["slope"].shape for line in told["curve"]["lines"])
