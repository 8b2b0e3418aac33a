"""The page: complete, self-contained, escaped, and honest about what it does not know."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from itertools import pairwise

import pytest

pytest.importorskip("torch")
pytest.importorskip("sklearn")

import slopes
from slopes.study import figures, report

SECTIONS = [
    "answer",
    "accuracy",
    "functions",
    "learning",
    "rates",
    "gradients",
    "units",
    "time",
    "diverged",
    "numbers",
    "repeat",
]


class Page(HTMLParser):
    """Collects the parts of a page; refuses tags that are not closed."""

    VOID = frozenset({"meta", "br", "link", "img", "hr", "input", "path", "rect", "circle", "use"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if not {"style", "pre"} & set(self.open):
            self.text += data

    @property
    def words(self):
        return " ".join(self.text.split())


@pytest.fixture(scope="module")
def html(study):
    return (study.folder / "report.html").read_text("utf-8")


@pytest.fixture(scope="module")
def page(html):
    return Page(html)


def test_it_is_well_formed_and_has_every_section_in_order(page):
    assert page.open == []
    assert [attributes["id"] for tag, attributes in page.tags if tag == "section"] == SECTIONS
    identities = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(identities) == len(set(identities))


def test_it_loads_nothing_and_runs_nothing(html, page):
    assert not re.search(r"(https?:)?//[a-z]", html), "no address anywhere"
    assert "@import" not in html
    assert not {"script", "link", "img", "iframe", "object", "base"} & {tag for tag, _ in page.tags}
    for tag, attributes in page.tags:
        assert not {"src", "srcset", "action", "onload", "onclick"} & set(attributes)
        if "href" in attributes:
            assert tag == "use"
            assert attributes["href"].startswith("#")
    assert all(target.startswith("#") for target in re.findall(r"url\(([^)]*)\)", html))


def test_what_is_referred_to_is_there(page):
    identities = {attributes.get("id") for _, attributes in page.tags}
    assert {attributes["href"][1:] for tag, attributes in page.tags if tag == "use"} <= identities
    assert "plot" in identities


def test_the_answer_comes_first_and_names_the_leader(page, study):
    leader = study.ranking[0]
    answer = page.words.index(f"{leader.activation} with {leader.loss} read the most unseen digits right")
    assert f"{100 * leader.accuracy.mean:.1f} %" in page.words[answer : answer + 200]
    assert answer < page.words.index("Accuracy on held-out digits")


def test_every_pair_is_in_every_figure(page, study):
    labels = [attributes["aria-label"] for tag, attributes in page.tags if tag == "svg" and "aria-label" in attributes]
    assert len(labels) == 5 * 8 + 2 + 4
    for name in ("relu", "crooked"):
        assert sum(label.startswith(f"{name}: ") for label in labels) == 5 * 4 + 1


def test_losses_say_what_they_are_fed(page):
    for words in (
        "quartic on softmax probabilities",
        "categorical_cross_entropy on softmax probabilities",
        "binary_cross_entropy one-vs-rest on logits",
        "cross_entropy: logits and labels",
    ):
        assert words in page.words


def test_numbers_and_settings_are_those_of_the_study(page, html, study):
    for row in study.table():
        assert f"{100 * row['accuracy']:.2f}" in page.words
        assert f"{row['log_loss']:.3f}" in page.words
    for name, version in study.plan.versions.items():
        assert f"{name} {version}" in page.words
    assert "seeds=2" in html
    assert "rates=(0.003, 0.03)" in html
    assert "losses=[slopes.cross_entropy, slopes.categorical_cross_entropy, " in html


def test_what_the_user_wrote_is_escaped(html, page):
    assert "<b>bent</b>" not in html
    assert "A user's own: <b>bent</b> & leaky." in page.words


def test_a_name_that_is_a_script_is_text(tmp_path, tiny):
    @slopes.activation()
    def evil(x, *, note: str = ""):
        return slopes.ops.maximum(x, 0)

    attack = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>"
    study = slopes.compare(activations=[evil.with_(note=attack)], losses=[slopes.mse], out=tmp_path, **tiny)
    html = (tmp_path / "report.html").read_text("utf-8")
    assert "<script" not in html
    assert "<img" not in html
    assert Page(html).open == []
    assert "<script>alert(1)</script>" in Page(html).words
    assert "script" in str(study)


@pytest.fixture(scope="module")
def broken(tmp_path_factory, tiny):
    """A study in which every run diverges at once."""
    folder = tmp_path_factory.mktemp("broken")
    options = tiny | {"rates": [1e30], "seeds": 3}
    return slopes.compare(activations=[slopes.relu, slopes.silu], losses=[slopes.mse], out=folder, **options)


def test_diverged_runs_are_counted_and_shown_not_dropped(broken):
    assert [(row["diverged"], row["seeds"]) for row in broken.table()] == [(3, 3), (3, 3)]
    assert all(row["accuracy"] is not None and row["high"] is not None for row in broken.table())
    assert "3 of 3" in str(broken)
    html = (broken.folder / "report.html").read_text("utf-8")
    words = Page(html).words
    assert "6 of 6 runs diverged; they are counted, not dropped." in words
    assert "6 of 6 runs diverged." in words
    assert "every run diverged at once" in words
    assert html.count('class="cross"') == 6 + 1, "one for each run, one in the key"


def test_no_divergence_is_said_too(page):
    assert "None of the 32 runs diverged." in page.words
    assert "None of 32 runs diverged." in page.words


@pytest.mark.parametrize("seeds", [1, 2])
def test_the_smallest_study_has_a_page(tmp_path, tiny, seeds):
    options = tiny | {"rates": [0.01], "seeds": seeds, "epochs": 1}
    study = slopes.compare(activations=[slopes.tanh], losses=[slopes.cross_entropy], out=tmp_path, **options)
    words = Page((tmp_path / "report.html").read_text("utf-8")).words
    assert "Only one pair was trained" in words
    assert ("95 % interval" in words.split("Accuracy on held-out")[0]) is (seeds == 2)
    assert study.table()[0]["low"] is None or seeds == 2


def answer_with(study, monkeypatch, estimates):
    from slopes.study.results import Pair
    from slopes.study.statistics import Estimate

    given = iter(Estimate(*numbers) for numbers in estimates)
    by_pair = {(pair.activation, pair.loss): next(given) for pair in study.pairs}
    monkeypatch.setattr(Pair, "accuracy", property(lambda pair: by_pair[pair.activation, pair.loss]))
    return " ".join(report.answer(study)["trust"])


def test_overlapping_intervals_are_called_undecided(study, monkeypatch):
    text = answer_with(study, monkeypatch, [(0.9, 0.8, 1.0), (0.85, 0.7, 0.95)] + 6 * [(0.5, 0.4, 0.6)])
    assert "The interval of 1 other pair overlaps with the leader’s (crooked with cross_entropy)" in text
    assert "which of the two is best, this study cannot tell" in text


def test_a_clear_lead_is_called_clear(study, monkeypatch):
    text = answer_with(study, monkeypatch, [(0.9, 0.8, 1.0)] + 7 * [(0.5, 0.4, 0.6)])
    assert "No other pair’s interval overlaps with the leader’s" in text


def test_the_page_has_a_dark_and_a_printed_form(html):
    assert "prefers-color-scheme: dark" in html
    assert "@media print" in html


# --------------------------------------------------------------------------------------------- geometry


def test_the_accuracy_axis_widens_towards_one():
    scale, ticks = figures.accuracy_axis([0.0, 0.999], 0.0, 100.0, 5.0)
    assert scale(0.0) < scale(0.5) < scale(0.9) < scale(0.99)
    assert scale(0.99) - scale(0.9) == pytest.approx(scale(0.9) - scale(0.0), rel=1e-6)
    places = [place for place, _ in ticks]
    assert all(b - a >= 5 for a, b in pairwise(places))
    assert dict((label, place) for place, label in ticks)["90 %"] == pytest.approx(scale(0.9))


@pytest.mark.parametrize("values", [[1.0, 1.0], [0.5], [0.0, 0.0], [0.0, 1.0]])
def test_the_accuracy_axis_bears_extremes(values):
    scale, _ = figures.accuracy_axis(values, 0.0, 100.0, 5.0)
    assert all(0 <= scale(value) <= 100 for value in values)


def test_a_line_breaks_where_there_is_nothing():
    assert figures._path([(0, 1.0), (1, None), (2, 3.0), (3, 4.0)]) == "M0.0 1.0M2.0 3.0L3.0 4.0"


@pytest.mark.parametrize(("exponent", "label"), [(-12, "10⁻¹²"), (0, "1"), (1, "10"), (3, "10³")])
def test_powers_of_ten(exponent, label):
    assert figures._power(exponent) == label


@pytest.mark.parametrize(
    "card_of_a_loss",
    [slopes.mse, slopes.cross_entropy, slopes.categorical_cross_entropy, slopes.binary_cross_entropy],
    ids=str,
)
def test_the_drawn_slope_is_that_of_the_drawn_value(card_of_a_loss):
    import numpy as np

    _, _, _, lines = figures._along(card_of_a_loss)
    for x, value, slope in lines:
        middle = slice(20, -20)
        np.testing.assert_allclose(np.gradient(value, x)[middle], slope[middle], rtol=0.05, atol=0.02)
