"""Ranks over tasks: their tests beside scipy's and beside simulation, the studies of each task, and the page."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("sklearn")

from scipy import stats
from synthetic import make_study

from conftest import TINY
from slopes.comparing import Benchmark, StudyError, compare_tasks
from slopes.comparing.across.ranks import critical_difference, rank, signed_rank
from slopes.comparing.across.words import describe_ranks
from slopes.comparing.statistics import holm

NAMES = ("a", "b", "c", "d")
#: accuracies of four classifiers on fourteen data sets: table 6 of Demšar (2006), where 0.9749 is rounded but ranked third
DEMSAR = np.array([
    [0.763, 0.768, 0.771, 0.798], [0.599, 0.591, 0.590, 0.569], [0.954, 0.971, 0.968, 0.967],
    [0.628, 0.661, 0.654, 0.657], [0.882, 0.888, 0.886, 0.898], [0.936, 0.931, 0.916, 0.931],
    [0.661, 0.668, 0.609, 0.685], [0.583, 0.583, 0.563, 0.625], [0.775, 0.838, 0.866, 0.875],
    [1.000, 1.000, 1.000, 1.000], [0.940, 0.962, 0.965, 0.962], [0.619, 0.666, 0.614, 0.669],
    [0.972, 0.981, 0.975, 0.9749], [0.957, 0.978, 0.946, 0.970],
])  # fmt: skip
SETS = [f"set {place}" for place in range(14)]


def test_the_published_example_comes_out():
    """Demšar's mean ranks, critical difference and findings for C4.5 with and without parameters to tune."""
    found = rank(["C4.5", "C4.5+m", "C4.5+cf", "C4.5+m+cf"], SETS, DEMSAR, alpha=0.1)
    means = dict(zip(found.names, found.means.round(3).tolist(), strict=True))
    assert means == {"C4.5": 3.143, "C4.5+m": 2.0, "C4.5+cf": 2.893, "C4.5+m+cf": 1.964}
    assert found.critical == pytest.approx(1.12, abs=0.005)
    assert critical_difference(4, 14, 0.05) == pytest.approx(2.569 * np.sqrt(4 * 5 / (6 * 14)), abs=2e-3)
    assert found.friedman == pytest.approx(stats.friedmanchisquare(*DEMSAR.T).pvalue)
    assert found.friedman < 0.05
    apart = {(found.names[i], found.names[j]) for i in range(4) for j in range(i) if found.is_apart(i, j)}
    assert apart == {("C4.5", "C4.5+m+cf"), ("C4.5", "C4.5+m")}


def test_a_signed_rank_test_is_scipy_s_and_exact_with_ties():
    rng = np.random.default_rng(0)
    for samples in (5, 9, 13):
        differences = rng.standard_normal(samples) + 0.5
        assert signed_rank(differences) == pytest.approx(stats.wilcoxon(differences).pvalue)
    many = rng.standard_normal(30) + 0.4
    assert signed_rank(many) == pytest.approx(stats.wilcoxon(many).pvalue, abs=0.01)
    tied = np.array([1.0, 1.0, 2.0, 2.0, -1.0, 0.0, 3.0])
    permuted = stats.permutation_test(
        (tied,), lambda d: abs((np.sign(d) * stats.rankdata(np.abs(d)) * (d != 0)).sum()), permutation_type="samples",
        vectorized=False, alternative="greater", n_resamples=np.inf,
    )  # fmt: skip
    assert signed_rank(tied) == pytest.approx(permuted.pvalue)
    assert signed_rank(np.zeros(6)) == 1
    assert signed_rank(np.ones(6)) == 2 / 2**6


def test_wilcoxon_s_p_values_are_corrected_for_all_pairs():
    found = rank(NAMES, SETS, DEMSAR, test="wilcoxon")
    pairs = [(i, j) for i in range(4) for j in range(i + 1, 4)]
    columns = [NAMES.index(name) for name in found.names]
    plain = [signed_rank(DEMSAR[:, columns[i]] - DEMSAR[:, columns[j]]) for i, j in pairs]
    assert [found.p[pair] for pair in pairs] == pytest.approx(holm(plain).tolist())
    assert found.critical is None
    two = rank(NAMES[:2], SETS, DEMSAR[:, :2])
    assert np.isnan(two.friedman)
    assert two.p[0, 1] == signed_rank(DEMSAR[:, 0] - DEMSAR[:, 1])
    assert two.differs == (two.p[0, 1] <= 0.05)


@pytest.mark.parametrize("test", ["nemenyi", "wilcoxon"])
def test_of_functions_that_are_the_same_few_are_told_apart(test):
    rng = np.random.default_rng(1)
    false, studies = 0, 250
    for _ in range(studies):
        scores = rng.standard_normal((10, 4)) * rng.uniform(0.1, 10, (10, 1))
        found = rank(NAMES, SETS[:10], scores, test=test)
        false += any(found.is_apart(i, j) for i in range(4) for j in range(i))
    assert false / studies <= 0.05 + 2.5 * np.sqrt(0.05 * 0.95 / studies)
    better = rng.standard_normal((12, 4)) + np.array([0, 0, 0, 4])
    assert rank(NAMES, SETS[:12], better, test=test).is_apart(0, 3)


def test_no_pair_is_compared_unless_the_ranks_differ_at_all():
    ranks = [[1, 2, 3, 4, 5, 6], [1, 4, 5, 2, 3, 6], [1, 5, 2, 4, 3, 6]]
    found = rank(list("abcdef"), SETS[:3], -np.array(ranks, dtype=float))
    assert found.p[0, 5] <= 0.05 < found.friedman
    assert not any(found.is_apart(i, j) for i in range(6) for j in range(i))
    assert found.groups == [(0, 5)]
    assert "are not shown to differ (Friedman, p = 0.055), so no pair is compared." in describe_ranks(found, "loss")[0]


def test_equal_scores_share_their_ranks():
    scores = np.array([[1.0, 1.0 + 1e-15, 0.5], [2.0, 1.0, 1.0], [5.0, 5.0, 5.0]])
    found = rank(NAMES[:3], SETS[:3], scores)
    assert found.ranks.tolist() == [[1.5, 1.5, 3], [1, 2.5, 2.5], [2, 2, 2]]
    same = rank(NAMES[:3], SETS[:3], np.ones((3, 3)))
    assert same.friedman == 1
    assert same.groups == [(0, 2)]


def test_groups_are_the_longest_runs_that_are_not_told_apart():
    found = rank(NAMES, SETS[:9], np.arange(4)[::-1] + 0.6 * np.random.default_rng(0).standard_normal((9, 4)))
    apart = [[found.is_apart(i, j) for j in range(4)] for i in range(4)]
    assert found.groups
    for first, last in found.groups:
        assert not any(apart[i][j] for i in range(first, last + 1) for j in range(first, last + 1))
        assert first == 0 or any(apart[first - 1][j] for j in range(first, last + 1))
        assert last == 3 or any(apart[j][last + 1] for j in range(first, last + 1))


def test_words_on_ranks():
    scores = np.arange(4)[::-1] + 0.1 * np.random.default_rng(0).standard_normal((9, 4))
    first, second, third, fourth, fifth = describe_ranks(rank(NAMES, SETS[:9], scores), "loss", ["e"])
    assert first == "Over 9 tasks the ranks of 4 losses differ (Friedman, p < 0.001)."
    assert second == "a has the best mean rank, 1.00. It is better than c and d (Nemenyi, critical difference 1.56)."
    assert third == "Whether it is better than b is undecided."
    assert fourth == "Of the others, b is better than d."
    assert fifth == "Left out, as some task has not trained them: e."
    few = rank(NAMES, SETS[:3], scores[:3, [1, 0, 2, 3]])
    assert describe_ranks(few, "activation") == [
        "Over 3 tasks the ranks of 4 activations differ (Friedman, p = 0.029).",
        "b has the best mean rank, 1.00. It is better than d (Nemenyi, critical difference 2.71).",
        "Whether it is better than a and c is undecided.",
    ]
    two = rank(NAMES, SETS[:2], scores[:2])
    *_, last = describe_ranks(two, "activation")
    assert last == "With 2 tasks no pair could be told apart: it takes 3."
    assert (
        "the two pairs are not shown to differ (Wilcoxon, p = 0.5)."
        in describe_ranks(rank(NAMES[:2], SETS[:2], scores[:2, :2]), "pair")[0]
    )


def test_the_documents_say_how_many_tasks_six_functions_need():
    needed = [
        rank(list("abcdef"), SETS[:2], np.ones((2, 6)), test=test).enough_tasks for test in ("nemenyi", "wilcoxon")
    ]
    text = " ".join((Path(__file__).parents[2] / "docs/compare/statistics.md").read_text().split())
    words = (
        "for six functions Nemenyi's test needs {} tasks to show even that one is best and another last on all of them"
    )
    assert f"{words.format(needed[0])}, and Wilcoxon's {needed[1]};" in text


def test_as_many_tasks_as_are_said_to_be_needed_tell_the_clearest_pair_apart():
    for names in (2, 3, 6):
        for test in ("nemenyi", "wilcoxon"):
            least = rank([str(i) for i in range(names)], SETS[:2], np.ones((2, names)), test=test).enough_tasks
            for tasks in (least - 1, least):
                clear = np.tile(np.arange(names), (tasks, 1)) + 1e-3 * np.arange(tasks)[:, None] * np.arange(names)
                if tasks > 1:
                    found = rank([str(i) for i in range(names)], [str(i) for i in range(tasks)], clear, test=test)
                    assert (found.p[0, -1] <= 0.05) == (tasks == least), (names, test, tasks)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"test": "t"}, "test is 'nemenyi' or 'wilcoxon', got 't'"),
        ({"alpha": 5}, "alpha is the chance of a false difference"),
        ({"tasks": SETS[:1], "scores": DEMSAR[:1]}, "there must be two tasks and two names or more, got 1 and 4"),
        ({"scores": DEMSAR * np.nan}, "each name must have a number for each task"),
    ],
)
def test_ranks_of_too_little_are_refused(change, words):
    with pytest.raises(ValueError, match=f"^ranks: {words}"):
        rank(**{"names": NAMES, "tasks": SETS, "scores": DEMSAR} | change)


# ----------------------------------------------------------------------------------------------- studies

X = np.random.default_rng(0).normal(size=(90, 3))
SMALL = TINY | {"rates": [0.03], "activations": ["relu", "tanh", "sigmoid"]}


def test_tasks_are_studied_each_by_itself_and_ranked(tmp_path):
    numbers = {"data": (X, X[:, 0] + 0.1 * X[:, 1]), "losses": ["mse", "mae"], "model": "mlp(hidden=4)"}
    tasks = {"many classes": "digits", "numbers": numbers, "two classes": (X, X[:, 0] > 0)}
    found = compare_tasks(tasks, out=tmp_path, **SMALL | {"epochs": 1})
    assert list(found.studies) == list(tasks)
    assert [study.plan.job.task.kind for study in found.studies.values()] == ["classification", "regression", "binary"]
    assert found.studies["numbers"].plan.job.network.name == "mlp(hidden=4)"
    for name in ("many_classes", "numbers", "two_classes"):
        assert (tmp_path / name / "report.html").exists()
    ranks = found.ranks()
    assert {*ranks.names} == {"relu", "tanh", "sigmoid"}
    study = found.studies["numbers"]
    rmse = [study.pair(name, "mse").estimate().mean for name in ranks.names]
    assert ranks.ranks[1].tolist() == stats.rankdata(rmse).tolist()
    with pytest.raises(ValueError, match=r"^ranks: 1 of the losses are trained on all tasks"):
        found.ranks("losses")
    assert {*found.left_out("losses")} == {"cross_entropy", "mae", "binary_cross_entropy", "sigmoid_focal"}
    rows = found.table()
    assert [row["activation"] for row in rows] == list(ranks.names)
    assert rows[0]["rank_numbers"] == ranks.ranks[1, 0]
    page = (tmp_path / "report.html").read_text()
    assert "Ranks over 3 tasks" in page
    assert '<a href="many_classes/report.html">many classes</a>' in page
    assert "Which loss?" not in page
    assert describe_ranks(ranks, "activation")[0] in page
    assert str(found).startswith("Ranks of activations\nOver 3 tasks the ranks of 3 activations")
    assert "<td" in found._repr_html_()
    again = Benchmark.load(tmp_path)
    assert {*again.studies} == {"many_classes", "numbers", "two_classes"}
    assert again.ranks().means.tolist() == ranks.means.tolist()
    again.report(tmp_path / "again.html")
    exported = found.export(tmp_path / "runs.csv").read_text()
    assert exported.startswith("task,activation,loss,rate,seed,")
    assert exported.count("\n") == 1 + sum(len(study.runs) for study in found.studies.values())


@pytest.mark.parametrize(
    ("tasks", "options", "words"),
    [
        (["digits"], {}, "tasks must be two or more, got 1"),
        (["digits", "digits"], {}, "two tasks are called 'digits'; give a mapping from names to tasks."),
        ({"a b": "digits", "a?b": "digits"}, {}, "two tasks are called 'a b'"),
        (["digits", {"data": (X, X[:, 0]), "epochs": 0}], {}, "epochs must be a whole number of at least 1, got 0."),
        (["digits", "diabetes"], {"seeds": 0}, "seeds"),
    ],
)
def test_tasks_that_do_not_fit_are_refused_before_the_first_trains(tasks, options, words, tmp_path):
    with pytest.raises(ValueError, match=f"^compare: .*{re.escape(words)}"):
        compare_tasks(tasks, out=tmp_path / "none", **options)
    assert not (tmp_path / "none").exists()


def test_a_folder_without_studies_is_no_benchmark(tmp_path):
    with pytest.raises(StudyError, match="there is no benchmark here"):
        Benchmark.load(tmp_path)
    with pytest.raises(ValueError, match="a benchmark needs two studies or more, got 1"):
        Benchmark({"one": make_study(folder=tmp_path)})


def test_the_page_of_many_tasks(tmp_path):
    rng = np.random.default_rng(0)
    leads = [{"gelu": 0.5} | dict(zip(("relu", "tanh"), rng.normal(0, 0.1, 2), strict=True)) for _ in range(12)]
    studies = {f"task {place}": make_study(lead=lead, folder=tmp_path) for place, lead in enumerate(leads)}
    found = Benchmark(studies, tmp_path)
    page = found.report().read_text()
    for question in ("Which activation?", "Which loss?", "Which pair?"):
        assert f"<h2>{question}</h2>" in page
    assert found.ranks("all").names[0].startswith("gelu x ")
    assert page.count('class="alike"') == sum(len(ranks.groups) for _, ranks, _ in found.answers())
    assert page.count("critical difference") >= 2
