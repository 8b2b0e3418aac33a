"""The page: complete, self-contained, escaped, and honest about what it does not know."""

from __future__ import annotations

import base64
import csv
import html as html_module
import io
import json
import re
from html.parser import HTMLParser
from itertools import pairwise
from urllib.parse import unquote

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("jinja2")

import torch
from synthetic import ACTIVATIONS, LOSSES, METRICS, SIX, make_study

import slopes
from slopes.comparing.errors import StudyError
from slopes.comparing.repeating import write_winner
from slopes.comparing.report import functions, panels, render, scales, write
from slopes.comparing.report.page import _json, microseconds
from slopes.comparing.report.scales import Numbers
from slopes.comparing.statistics import LOOKS, Resampled

SECTIONS = [
    "answer", "ranking", "differences", "winner", "learning", "gradients", "units", "rates", "cost", "lost", "functions",
    "numbers", "repeat",
]  # fmt: skip
WITHOUT_RUNS = ["answer", "lost", "functions", "repeat"]
ATTACKS = ["</script><b>bold</b>", "crooked \"quoted\" 'x' & <!--", "<img src=x onerror=alert(1)>"]


class Page(HTMLParser):
    """Collects the parts of a page; refuses tags that are not closed."""

    VOID = frozenset({"meta", "br", "link", "img", "hr", "input", "path", "rect", "circle", "use", "wbr"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text = ""
        self.scripts: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag == "script":
            self.scripts.append("")
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open[-1:] == ["script"]:
            self.scripts[-1] += data
        elif not {"style", "pre"} & set(self.open):
            self.text += data

    @property
    def words(self):
        return " ".join(self.text.split())

    @property
    def data(self):
        return json.loads(self.scripts[0])

    def sections(self):
        return [attributes["id"] for tag, attributes in self.tags if tag == "section"]


def page_of(**options):
    return Page(render(make_study(**options)))


@pytest.fixture(scope="module")
def study():
    return make_study(lead={"tanh": 0.6, "gelu": 0.02}, diverging=[("relu", "mse", 0.1)])


@pytest.fixture(scope="module")
def html(study):
    return render(study)


@pytest.fixture(scope="module")
def page(html):
    return Page(html)


# ------------------------------------------------------------------------------------------- the whole


def test_it_is_well_formed_and_has_every_section_in_order(page):
    assert page.open == []
    assert page.sections() == SECTIONS
    identities = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(identities) == len(set(identities))


def test_what_is_referred_to_is_there(page):
    identities = {attributes.get("id") for _, attributes in page.tags}
    linked = [a["href"] for tag, a in page.tags if tag in ("use", "a") and "download" not in a]
    assert all(target.startswith("#") and target[1:] in identities for target in linked)
    assert len(linked) > 20
    assert {chart["id"] for chart in page.data["charts"]} <= identities


def test_it_loads_nothing(html, page):
    addresses = re.findall(r"(?:https?:)?//[a-z][\w./]*", html)
    assert addresses == ["https://github.com/leeoniya/uPlot"], "the library's name of itself"
    assert "@import" not in html
    assert not {"link", "img", "iframe", "object", "base"} & {tag for tag, _ in page.tags}
    for _, attributes in page.tags:
        assert not {"src", "srcset", "action", "onload", "onclick"} & set(attributes)
    assert all(target.startswith("#") for target in re.findall(r"url\(([^)]*)\)", html))


def test_only_its_own_scripts_may_run(html, page):
    import hashlib

    policy = next(a["content"] for _, a in page.tags if a.get("http-equiv") == "Content-Security-Policy")
    assert policy.startswith("default-src 'none'; ")
    allowed = set(re.findall(r"'sha256-([^']+)'", policy))
    digests = {base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in page.scripts[1:]}
    assert allowed == digests
    assert len(digests) == 2
    assert "unsafe-inline" not in policy.split("script-src")[1]


def test_the_library_comes_with_its_licence(html):
    assert "Copyright (c) 2022 Leon Sorokin" in html
    assert "uPlot (v1.6.32)" in html


@pytest.mark.parametrize(
    ("options", "most"),
    [
        ({"activations": SIX, "losses": [slopes.cross_entropy], "rates": [0.01], "epochs": 20}, 200),
        ({"activations": [slopes.elu.with_(alpha=0.1 + i / 10) for i in range(60)], "losses": [slopes.mse],
          "rates": [0.01], "seeds": 1, "epochs": 20}, 500),
        ({"activations": SIX, "losses": [slopes.cross_entropy, slopes.mse, slopes.mae],
          "rates": [0.001, 0.003, 0.01, 0.03], "epochs": 20}, 300),
        ({"activations": SIX, "losses": LOSSES, "epochs": 2000, "seeds": 3}, 300),
    ],
    ids=["6 pairs, 60 runs", "60 pairs, 60 runs", "18 pairs, 720 runs", "2000 epochs"],
)  # fmt: skip
def test_it_is_small(options, most):
    assert len(render(make_study(**options)).encode()) < most * 1000


def test_it_is_written_whole_or_not_at_all(tmp_path, study):
    path = write(study, tmp_path / "deep" / "page.html")
    assert path.read_text("utf-8").endswith("</html>")
    assert [entry.name for entry in path.parent.iterdir()] == ["page.html"]
    (tmp_path / "file").write_text("")
    with pytest.raises(StudyError, match="cannot write the report"):
        write(study, tmp_path / "file" / "page.html")


# ------------------------------------------------------------------------------------------ the answer


def test_the_answer_comes_first_and_says_how_sure_it_is(page, study):
    leader, answer = study.ranking[0], page.words.split("Ranking by")[0]
    mean = 100 * leader.estimate().mean
    assert f"{leader.activation} with {leader.loss} has the best accuracy on test data: {mean:.1f} %" in answer
    verdict = study.verdicts()[0]
    assert verdict["verdict"] == "better"
    assert f"That is {100 * verdict['difference']:.2f} points more than the baseline, relu with cross_entropy" in answer
    assert f"with p = {verdict['p']:.3f} (5 comparisons allowed for)" in answer
    assert "more than 0.5 points, up to which differences count as none. So it is better." in answer
    assert "10 of 180 runs diverged" in answer
    assert "this one split of the data" in answer


def first_lines(words):
    """The words of a page from the header to the first question."""
    return words.partition("order of the data for all pairs. The answer ")[2].partition(" Which has the best mean?")[0]


def test_the_first_lines_say_what_was_decided():
    study = make_study(lead={"relu": 0, "gelu": 0.6, "tanh": -0.6})
    gaps = {(row["activation"], row["loss"]): f"{100 * abs(row['difference']):.2f}" for row in study.verdicts()}
    assert first_lines(Page(render(study)).words) == (
        f"gelu with cross_entropy is better than the baseline, relu with cross_entropy, by {gaps['gelu', 'cross_entropy']} "
        f"points; 1 more is better, too. ▲ better gelu with cross_entropy and gelu with mse, by {gaps['gelu', 'mse']} to "
        f"{gaps['gelu', 'cross_entropy']} points. ▼ worse relu with mse, tanh with cross_entropy and tanh with mse, by "
        f"{gaps['relu', 'mse']} to {gaps['tanh', 'mse']} points. The chance that any “better” or “worse” is false is at "
        "most 5 %, and so is that of any “equal”, with 5 comparisons allowed for."
    )


def test_the_first_lines_name_what_is_equal_and_what_is_worse():
    words = page_of(lead={"relu": 0, "gelu": 0.001, "tanh": -0.6}, losses=[slopes.cross_entropy], noise=0.1).words
    assert first_lines(words).startswith(
        "No pair is shown to be better than the baseline, relu with cross_entropy. ▼ worse tanh with cross_entropy, by "
    )
    assert "= equal gelu with cross_entropy, within 0.5 points." in first_lines(words)


@pytest.mark.parametrize(("options", "seeds"), [({"seeds": 1}, "6 seeds"), ({"noise": 6.0}, r"\d+ seeds")])
def test_the_first_lines_say_that_nothing_is_decided_and_how_many_seeds_it_would_take(options, seeds):
    words = page_of(lead={"relu": 0, "gelu": 0.02, "tanh": 0.04}, losses=[slopes.cross_entropy], **options).words
    assert re.fullmatch(
        "Nothing is decided: no pair is shown to be better than, worse than or equal to the baseline, relu with "
        r"cross_entropy\. \? undecided \w+ with cross_entropy and \w+ with cross_entropy; the first of them would take "
        f"about {seeds}\\.",
        first_lines(words),
    )


def test_looks_at_added_seeds_are_told():
    study = make_study(seeds=20)
    before = {row["activation"]: row["p"] for row in study.verdicts()}
    study.plan.looks = LOOKS[:2]
    assert "Verdicts at 10, 20 seeds share the chance of a false one" in Page(render(study)).words
    assert any(row["p"] > before[row["activation"]] for row in study.verdicts())


def test_at_the_shared_rate_and_by_other_metrics(page, study):
    answer = page.words.split("Ranking by")[0]
    shared = study.ranked(rate="shared")[0]
    assert f"At {study.shared_rate:g}, the rate that suits all pairs best together" in answer
    too = " there, too," if shared is study.ranking[0] else ""
    assert f"{shared.activation} with {shared.loss} leads{too} with" in answer
    for metric in study.metrics[1:]:
        best = study.ranked(metric.name)[0]
        assert f"{metric.label}: {best.activation} with {best.loss}, " in answer


def test_activations_and_losses_are_answered_apart():
    study = make_study(lead={"relu": 0, "gelu": 0.6, "tanh": -0.6})
    words = Page(render(study)).words
    activations = "With cross_entropy, gelu is better than relu; tanh is worse than relu (corrected for 2 comparisons)."
    assert f"Which activation? {activations} Which loss? With relu, mse is worse than cross_entropy" in words
    assert "Which activation?" not in page_of(losses=[slopes.cross_entropy]).words, "these are all there are"


def test_equal_pairs_are_called_equal():
    words = page_of(lead={"relu": 0, "gelu": 0.001, "tanh": 0.002}, losses=[slopes.cross_entropy], noise=0.1).words
    assert re.search(r"How sure\? The two are equal within the margin of 0\.50 points \(p = ", words)
    assert "Is it alone? No: relu with cross_entropy and gelu with cross_entropy are equal to it within" in words


def test_pairs_that_are_not_told_apart_are_undecided_and_it_says_how_many_seeds_would_tell():
    words = page_of(lead={"relu": 0, "gelu": 0.02, "tanh": 0.04}, losses=[slopes.cross_entropy], noise=6.0).words
    assert re.search(
        r"How sure\? Whether the two differ is undecided: no difference shown \(p = .*?would take about \d+ seeds",
        words,
    )
    assert "Is it alone? Whether it is better than " in words
    assert " is undecided. The leader was picked by the same test data" in words


def test_a_pair_that_never_learned_has_no_rank():
    study = make_study(diverging=[("gelu", "mse", rate) for rate in (0.001, 0.01, 0.1)], epochs=1)
    assert ("gelu", "mse") not in [pair.names for pair in study.ranking]
    assert len(study.ranking) == len(study.verdicts()) + 1 == 5
    reason = "never learned: 30 runs, and none was finite after its first epoch"
    assert study.table()[-1] == {"activation": "gelu", "loss": "mse", "reason": reason}
    assert reason in Page(render(study)).words
    assert "Not trained, gelu with mse: never learned: 30 runs" in " ".join(str(study).split())


def test_a_lone_leader_is_called_alone():
    words = page_of(lead={"relu": 0, "gelu": 0, "tanh": 0.6}, losses=[slopes.cross_entropy]).words
    assert "Is it alone? Yes: each of the others is worse than it." in words


def test_a_leading_baseline_is_set_beside_the_next():
    words = page_of(lead={"relu": 0.6, "gelu": 0, "tanh": 0}, losses=[slopes.cross_entropy]).words
    assert "By how much? It is the baseline itself. The next, " in words
    assert "So the next is worse." in words


@pytest.mark.parametrize("seeds", [1, 3])
def test_too_few_seeds_say_how_many_are_needed(seeds):
    study = make_study(seeds=seeds)
    words = Page(render(study)).words
    assert study.verdicts()[0]["needed"] == 6
    assert (
        f"Whether the two differ is undecided: {seeds} seed{'s' * (seeds > 1)} can show nothing: it takes 6." in words
    )
    assert "? undecided" in words


def test_resampled_splits_are_told_apart():
    words = page_of(resampled=Resampled(1077, 360)).words
    assert "Each seed drew its own split of the data" in words
    assert "a split of its own for each seed" in words
    assert "this one split" not in words


# ------------------------------------------------------------------------------------------ all there is


def test_every_pair_is_in_every_table_and_figure(page, study):
    rows = [attributes for tag, attributes in page.tags if tag == "tr" and "data-pair" in attributes]
    assert sorted(row["data-pair"] for row in rows) == sorted([*"012345", *"012345", *"12345"])
    labels = [attributes["aria-label"] for tag, attributes in page.tags if tag == "svg" and "aria-label" in attributes]
    assert len(labels) == 5 * 6 + 3 + 2
    assert all(not label.endswith(": ") for label in labels), "each says what it shows"
    for name in study.plan.names["activation"]:
        assert sum(label.startswith(f"{name}: ") for label in labels) == 5 * 2 + 1


def test_rows_can_be_filtered_by_what_they_show(page, study):
    verdicts = {(row["activation"], row["loss"]): row["verdict"] for row in study.verdicts()}
    rows = [attributes for tag, attributes in page.tags if tag == "tr" and "data-pair" in attributes]
    for row in rows:
        pair = study.pairs[int(row["data-pair"])]
        assert study.plan.names["activation"][int(row["data-activation"])] == pair.activation
        assert study.plan.names["loss"][int(row["data-loss"])] == pair.loss
        assert row["data-verdict"] == verdicts.get((pair.activation, pair.loss), "baseline")


def test_the_charts_have_the_numbers_of_the_runs(page, study):
    charts = {chart["id"]: chart for chart in page.data["charts"]}
    assert set(charts) == {f"{what}-chart-{place}" for what in ("learning", "training") for place in (0, 1)}
    for place, loss in enumerate(study.plan.names["loss"]):
        for series in charts[f"learning-chart-{place}"]["series"]:
            curves = np.array([run.curve for run in study.pair(series["name"], loss).chosen])
            for name, edge in (("mean", curves.mean(0)), ("low", curves.min(0)), ("high", curves.max(0))):
                np.testing.assert_allclose(series[name], edge, rtol=1e-3)
        for series in charts[f"training-chart-{place}"]["series"]:
            losses = np.array([run.training_loss for run in study.pair(series["name"], loss).chosen])
            np.testing.assert_allclose(series["mean"], losses.mean(0), rtol=1e-3)


def test_long_curves_are_thinned_to_their_ends():
    data = page_of(epochs=1000, seeds=2).data
    epochs = data["charts"][0]["epochs"]
    assert (epochs[0], epochs[-1]) == (1, 1000)
    assert 100 < len(epochs) <= 150


def test_a_single_activation_has_one_chart_for_all_losses():
    charts = page_of(activations=[slopes.tanh]).data["charts"]
    assert [series["name"] for series in charts[0]["series"]] == ["cross_entropy", "mse"]
    assert sum(chart["id"].startswith("learning") for chart in charts) == 1


def test_numbers_and_settings_are_those_of_the_study(page, html, study):
    for row in study.table():
        assert f"{100 * row['accuracy']:.2f}" in page.words
    for row in study.verdicts():
        assert f"{100 * row['difference']:+.2f}".replace("-", "−") in page.words
    for name, version in (study.plan.versions | study.plan.machine).items():
        assert f"{name} {version}" in page.words
    assert "1077 samples to train on, 360 to choose the learning rate by, 360 to judge by" in page.words
    assert "mse on softmax probabilities" in page.words
    assert "cross_entropy: logits and labels; mse: softmax probabilities and one-hot rows." in page.words
    for line in ("seeds=10,", "rates=(0.001, 0.01, 0.1),", "losses=[slopes.cross_entropy, slopes.mse],"):
        assert line in html


def test_a_regression_is_told_in_its_own_units():
    study = make_study(kind="regression", losses=[slopes.mse, slopes.huber])
    words = Page(render(study)).words
    best = min(pair.estimate().mean for pair in study.ranking)
    assert f"has the best RMSE on test data: {best:.1f} points of disease progression" in words
    assert "lower is better" in words
    assert "less than the baseline" in words
    assert "Left of 0 is better" in words
    assert "accuracy" not in words
    assert "%" not in words.split("All numbers")[1].split("How it was done")[0].replace("95 % interval", "").replace(
        "dead, %", "").replace("saturated, %", "")  # fmt: skip


def test_why_runs_were_not_stacked_is_said():
    words = page_of(why="vmap refuses LSTM").words
    assert "Every run trained by itself." in words
    assert "and 2 more: vmap refuses LSTM" in words
    assert "All runs trained side by side in stacks of up to 60" in page_of().words


# ---------------------------------------------------------------------------------------------- trouble


def test_names_that_are_markup_are_text():
    names = {"activation": ATTACKS, "loss": ["]]>{{7*7}}", "javascript:alert(1)"]}
    study = make_study(names=names, failing=[(ATTACKS[2], "]]>{{7*7}}")])
    study.plan.job.task.about, study.plan.job.network.notes = ATTACKS[0], (ATTACKS[2],)
    html = render(study)
    page = Page(html)
    assert page.open == []
    assert len(page.scripts) == 3
    assert not {"b", "img"} & {tag for tag, a in page.tags if tag == "img" or (tag == "b" and "bold" in a)}
    assert "<b>bold" not in html
    assert "<img" not in html
    for name in ATTACKS:
        assert name in page.words
    assert {series["name"] for chart in page.data["charts"] for series in chart["series"]} == set(ATTACKS)


def test_json_opens_and_closes_nothing():
    text = _json({"</script>": ["<!--", "&lt;", "\u2028"]})
    assert not set("<&\u2028") & set(text)
    assert json.loads(text) == {"</script>": ["<!--", "&lt;", "\u2028"]}


def test_diverged_runs_are_counted_and_shown_not_dropped():
    everywhere = [(a.name, b.name, rate) for a in ACTIVATIONS for b in LOSSES for rate in (0.001, 0.01, 0.1)]
    study = make_study(diverging=everywhere, seeds=3, epochs=2)
    html = render(study)
    words = Page(html).words
    assert "54 of 54 runs diverged; they are judged by their last finite epoch and never dropped." in words
    assert "54 of 54 runs diverged. A run diverges when" in words
    assert html.count('class="cross"') == 18 + 1, "one for each run at a chosen rate, one in the key"
    assert "No run diverged, of 180." in page_of().words


def test_a_chosen_rate_at_which_every_run_diverged_at_once_has_no_gradients_to_show():
    study = make_study(lead={"relu": -9}, diverging=[("relu", "mse", 0.001)], epochs=1)
    assert study.pair("relu", "mse").rate == 0.001
    assert "every run diverged at once" in Page(render(study)).words


def test_failed_and_unfit_pairs_have_their_reasons():
    study = make_study(
        losses=[slopes.cross_entropy, slopes.triplet_margin],
        unfit={(a, 1): "triplet_margin is a loss of triplets" for a in range(3)},
        failing=[("gelu", "cross_entropy")],
    )
    words = Page(render(study)).words
    assert "30 runs failed, all those of gelu with cross_entropy." in words
    assert "3 pairs did not fit the task: relu with triplet_margin, gelu with triplet_margin and tanh with" in words
    assert words.count("does not fit: triplet_margin is a loss of triplets") == 3
    assert "killed by signal 9" in words
    assert "It compares" in words or "triplet_margin" in words


@pytest.mark.parametrize(
    "options",
    [
        {"failing": [(a.name, b.name) for a in ACTIVATIONS for b in LOSSES]},
        {"unfit": {(a, b): "no" for a in range(3) for b in range(2)}},
    ],
    ids=["failed", "unfit"],
)
def test_a_study_without_a_run_has_a_page(options):
    page = page_of(**options)
    assert page.sections() == WITHOUT_RUNS
    assert "Nothing could be trained, so there is no answer." in page.words
    assert page.scripts == []


def test_a_baseline_that_failed_leaves_the_ranking():
    page = page_of(failing=[("relu", "cross_entropy")])
    assert page.sections() == SECTIONS
    assert page.words.count("The baseline, relu with cross_entropy, could not be trained") == 2
    assert "(no verdict)" in page.words


@pytest.mark.parametrize("seeds", [1, 2])
def test_the_smallest_study_has_a_page(seeds):
    page = page_of(activations=[slopes.tanh], losses=[slopes.mse], rates=[0.01], seeds=seeds, epochs=1)
    assert page.sections() == SECTIONS
    assert "Only one pair was trained, so there is nothing to compare it with." in page.words
    assert ("95 % interval" in page.words.split("Ranking by")[0]) is (seeds == 2)
    assert "All runs had one learning rate, 0.01" in page.words


def test_a_network_without_slots_or_weights_has_a_page():
    page = page_of(slots=0, layers=0)
    assert page.sections() == SECTIONS
    assert "No units were watched" in page.words
    assert "No gradient norms were recorded." in page.words


def test_a_deep_network_has_a_page():
    page = page_of(slots=24, layers=30)
    assert "layers.20, layers.22 and 18 more." in page.words
    assert page.open == []


# --------------------------------------------------------------------------------------------- functions


class Squared(torch.nn.Module):
    def forward(self, x):
        return torch.relu(x) ** 2


@pytest.mark.parametrize("module", [torch.nn.Softmax(-1), torch.nn.GLU()])
def test_a_module_that_mixes_entries_has_no_curve(module):
    _, trouble = functions._tried(functions._activation_lines, module)
    assert trouble


def test_a_module_is_drawn_with_its_slope():
    ((x, value, slope),) = functions._activation_lines(Squared)
    np.testing.assert_allclose(value, np.maximum(x, 0) ** 2, rtol=1e-6)
    np.testing.assert_allclose(slope, 2 * np.maximum(x, 0), rtol=1e-6)


def test_functions_that_have_no_curve_say_so():
    class Crash(torch.nn.Module):
        def forward(self, x):
            raise RuntimeError("no")

    words = page_of(activations=[Crash(), slopes.relu], losses=[slopes.supcon, slopes.giou, slopes.mse]).words
    assert "it cannot be drawn" in words
    assert "It compares the entries of a batch, so that no curve shows it." in words


def test_straight_parts_lose_their_points_and_bends_keep_theirs():
    line = [(float(x), 2.0 * x) for x in range(101)]
    assert len(functions._straightened(line)) < 8
    curve = [(float(x), 0.02 * x * x) for x in range(101)]
    kept = functions._straightened(curve)
    xs, ys = zip(*kept, strict=True)
    assert np.abs(np.interp([x for x, _ in curve], xs, ys) - [y for _, y in curve]).max() <= 0.1
    gap = [(0.0, 1.0), (1.0, None), (2.0, 1.0), (3.0, 1.0)]
    assert (1.0, None) in functions._straightened(gap)


# ---------------------------------------------------------------------------------------------- geometry


def test_the_axis_of_shares_widens_towards_one():
    axis = scales.of_metric(METRICS["classification"][0], [0.0, 0.999], 0.05)
    assert axis.at(0.0) < axis.at(0.5) < axis.at(0.9) < axis.at(0.99)
    assert axis.at(0.99) - axis.at(0.9) == pytest.approx(axis.at(0.9) - axis.at(0.0), rel=1e-6)
    places = [axis.at(value) for value, _ in axis.ticks]
    assert all(b - a >= 0.05 for a, b in pairwise(places))
    assert dict((label, value) for value, label in axis.ticks)["90 %"] == 0.9


@pytest.mark.parametrize("metric", [metric for metrics in METRICS.values() for metric in metrics], ids=lambda m: m.name)
@pytest.mark.parametrize(
    "values", [[1.0, 1.0], [0.5], [0.0, 0.0], [0.0, 1.0], [0.952, 0.953], [], [1e-9, 2e-9], [np.nan, 0.4]]
)
def test_axes_bear_extremes(metric, values):
    for axis in (scales.of_metric(metric, values), scales.of_differences(metric, values), scales.logarithmic(values)):
        assert axis.low < axis.high
        assert all(0 <= axis.at(value) <= 1 for value in values if value == value)
        assert len(axis.ticks) <= 12
        assert all(not axis.beyond(value) for value, _ in axis.ticks)


def test_one_diverged_error_does_not_flatten_the_others():
    rmse = METRICS["regression"][0]
    axis = scales.of_metric(rmse, [52.0, 53.0, 54.0, 55.0, 1e30])
    assert axis.high < 100
    assert axis.beyond(1e30)
    assert axis.at(1e30) == 1
    assert not axis.beyond(55.0)
    r2 = METRICS["regression"][2]
    assert scales.of_metric(r2, [0.4, 0.45, 0.5, -1e9]).low > -10


@pytest.mark.parametrize("sizes", [[0.01, 0.02, 0.03, 0.8], [1e-4, 0.01, 0.02, 0.02, 0.9], [0.3, 0.001, 0.002, 0.0]])
@pytest.mark.parametrize("sign", [1, -1])
def test_the_largest_differences_are_on_the_axis_and_the_others_apart(sizes, sign):
    values = [sign * size for size in sizes]
    axis = scales.of_differences(METRICS["classification"][0], values)
    places = [axis.at(value) for value in sorted(values)]
    assert not any(axis.beyond(value) for value in values)
    assert 0 < places[0] < places[-1] < 1
    far = [abs(b - a) for a, b in pairwise(sorted(values)) if abs(b - a) >= 0.01]
    apart = [b - a for (a, b), (x, y) in zip(pairwise(places), pairwise(sorted(values)), strict=True) if y - x >= 0.01]
    assert len(far) == len(apart)
    assert min(apart) > 0.03
    ticks = [axis.at(value) for value, _ in axis.ticks]
    assert len(ticks) >= 4
    assert all(b - a > 0.05 for a, b in pairwise(ticks))
    assert (0.0, "0") in axis.ticks


def test_an_error_far_off_leaves_the_others_apart():
    axis = scales.of_metric(METRICS["regression"][0], [52.0, 53.0, 54.0, 55.0, 200.0])
    assert not axis.beyond(200.0)
    places = [axis.at(value) for value in (52.0, 53.0, 54.0, 55.0, 200.0)]
    assert min(b - a for a, b in pairwise(places)) > 0.04, "on a straight axis it is 0.007"


def test_differences_have_zero_and_the_margin_on_their_axis():
    axis = scales.of_differences(METRICS["regression"][0], [0.01, 0.02])
    assert 0 < axis.at(-1) < axis.at(0) < axis.at(1) < 1
    assert (0.0, "0") in axis.ticks


@pytest.mark.parametrize(
    ("ends", "labels"),
    [
        ((1e-5, 1e3), ["10⁻³", "1", "10³"]),
        ((0.04, 2.0), ["0.05", "0.1", "0.2", "0.5", "1", "2"]),
        ((0.35, 1.0), ["0.4", "0.6", "0.8", "1"]),
        ((1e-320, 1e-300), None),
    ],
)
def test_logarithmic_axes_have_ticks_at_any_length(ends, labels):
    axis = scales.logarithmic(ends)
    assert len(axis.ticks) >= 2
    if labels:
        assert [label for _, label in axis.ticks] == labels


def test_a_line_breaks_where_there_is_nothing():
    assert panels.path([(0, 1.0), (1, None), (2, 3.0), (3, 4.0)]) == "M0.0 1.0M2.0 3.0L3.0 4.0"


@pytest.mark.parametrize(("exponent", "label"), [(-12, "10⁻¹²"), (0, "1"), (1, "10"), (3, "10³")])
def test_powers_of_ten(exponent, label):
    assert scales.power_of_ten(exponent) == label


@pytest.mark.parametrize(
    ("name", "values", "value", "written", "signed"),
    [
        ("accuracy", [0.9], 0.97851, "97.9 %", "+97.85"),
        ("accuracy", [0.9], -0.0051, "−0.5 %", "−0.51"),
        ("accuracy", [0.9], -1e-9, "0.0 %", "0.00"),
        ("rmse", [53.2, 61.0], 53.24, "53.2 mm", "+53.24"),
        ("rmse", [53.2, 61.0], 1e30, "1e+30 mm", "+1e+30"),
        ("r2", [0.42], -0.4, "−0.400", "−0.4000"),
        ("rmse", [4512.0], 4512.3, "4512 mm", "+4512.3"),
        ("rmse", [53.2], float("nan"), "– mm", "–"),
    ],
)
def test_numbers_are_written_in_their_own_way(name, values, value, written, signed):
    metric = next(each for metrics in METRICS.values() for each in metrics if each.name == name)
    numbers = Numbers.of(metric, values, "mm")
    assert numbers.full(value) == written
    assert numbers.signed(value) == signed


@pytest.mark.parametrize(
    ("seconds", "written"), [(4.3e-6, "4.3"), (5.214e-5, "52.1"), (1.5e-3, "1,500"), (1e-8, "0.01")]
)
def test_times_have_three_digits(seconds, written):
    assert microseconds(seconds) == written


def test_text_has_contrast(html):
    """4.5 to 1 for all text, in light and in dark (WCAG AA)."""
    light, dark = re.findall(r":root \{(.*?)\}", html, re.DOTALL)[:2]
    for theme in (light, dark):
        tokens = dict(re.findall(r"--([\w]+): (#[0-9a-f]{6})", theme))
        for name in ("ink", "soft", "faint", "c0", "c1", "c2"):
            for ground in ("paper", "fill") if name in ("ink", "soft") else ("paper",):
                assert _contrast(tokens[name], tokens[ground]) >= 4.5, (name, ground)


def _contrast(first, second):
    return (max(_luminance(first), _luminance(second)) + 0.05) / (min(_luminance(first), _luminance(second)) + 0.05)


def _luminance(colour):
    parts = (int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return float(np.dot(linear, [0.2126, 0.7152, 0.0722]))


# ------------------------------------------------------------------------------- cost, winner, numbers to download


def test_every_table_has_a_caption(page):
    tags = [tag for tag, _ in page.tags]
    assert tags.count("table") == tags.count("caption") > 3
    assert all(tags[place + 1] == "caption" for place, tag in enumerate(tags) if tag == "table")


def test_costs_stand_beside_the_best_pairs_and_the_front_is_marked():
    study = make_study(lead={"relu": 0.0, "gelu": -0.5, "tanh": 0.6}, costs=[1e-5, 2e-5, 4e-5])
    section = render(study).partition('<section id="cost">')[2].partition("</section>")[0]
    rows = [re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", row)) for row in section.split("<tr")[2:]]
    assert [("◆" in row, name in row) for row, name in zip(rows, ("relu", "gelu", "tanh"), strict=True)] == [
        (True, True), (False, True), (True, True),
    ]  # fmt: skip
    assert [row.count(text) for row, text in zip(rows, (" 10 1.0 ", " 20 2.0 ", " 40 4.0 "), strict=True)] == [1, 1, 1]


def test_no_cost_is_shown_that_was_not_measured(page):
    assert "The cost of the activations was not measured." in page.words
    assert "per epoch" not in page.words


def test_the_numbers_can_be_downloaded(page, study):
    (link,) = [attributes for tag, attributes in page.tags if tag == "a" and "download" in attributes]
    assert link["download"] == "slopes-digits.csv"
    text = unquote(link["href"].partition("charset=utf-8,")[2])
    rows = list(csv.DictReader(io.StringIO(text)))
    assert len(rows) == len(study.metrics) * len(study.pairs)
    verdict = study.verdicts("log_loss")[0]
    (row,) = [
        row
        for row in rows
        if (row["activation"], row["loss"], row["metric"]) == (verdict["activation"], verdict["loss"], "log_loss")
    ]
    mean = study.pair(row["activation"], row["loss"]).estimate("log_loss").mean
    assert float(row["mean"]) == pytest.approx(mean, rel=1e-5)
    for column, name in (("difference", "difference"), ("difference_low", "low"), ("p", "p"), ("p_equal", "p_equal")):
        assert float(row[column]) == pytest.approx(verdict[name], rel=1e-5)
    assert row["verdict"] == verdict["verdict"]


def test_the_winner_is_code_that_runs(study):
    text = write_winner(study)
    assert text in html_module.unescape(render(study))
    scope = {"model": torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.ReLU())}
    exec(text, scope)
    assert study.winner.activation == "tanh"
    assert scope["model"][1].card is slopes.tanh
    assert scope["loss"] is getattr(slopes, study.winner.loss)
    (group,) = scope["optimizer"].param_groups
    assert (type(scope["optimizer"]), group["lr"]) == (torch.optim.Adam, study.winner.rate)
