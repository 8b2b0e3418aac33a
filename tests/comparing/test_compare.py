"""The public function: what it takes, refuses, resumes and gives."""

from __future__ import annotations

import re
import sqlite3
import subprocess
import sys
import time
from textwrap import dedent
from types import SimpleNamespace

import pytest

pytest.importorskip("torch")
pytest.importorskip("sklearn")

import slopes
from slopes.comparing import Progress, StudyError, api, executing
from slopes.comparing.executing import Failed
from slopes.comparing.plan import make_plan
from slopes.comparing.repeating import write_call
from slopes.comparing.settings import Settings
from slopes.comparing.statistics import LOOKS
from slopes.comparing.words import duration

RELU_MSE = {"activations": [slopes.relu], "losses": [slopes.mse]}


# ------------------------------------------------------------------------------------------ end to end


def test_a_study_from_end_to_end(study):
    assert len(study.runs) == 2 * 4 * 2 * 2
    assert [pair.activation for pair in study.pairs] == ["relu", "crooked"] * 4
    rows = study.table()
    assert len(rows) == 8
    assert [row["mean"] for row in rows] == sorted((row["mean"] for row in rows), reverse=True)
    fed = {row["loss"]: row["fed"] for row in rows}
    assert fed == {
        "cross_entropy": "logits and labels",
        "categorical_cross_entropy": "softmax probabilities and labels",
        "quartic": "softmax probabilities and one-hot rows",
        "binary_cross_entropy": "a logit and a yes or no for each class",
    }
    best = rows[0]
    assert best["metric"] == "accuracy"
    assert best["low"] <= best["mean"] <= best["high"]
    assert best["mean"] == best["accuracy"] > 0.8, "two epochs suffice to read most digits"
    assert best["seeds"] == 2
    runs = [run for run in study.runs if (run.activation, run.loss) == (best["activation"], best["loss"])]
    assert best["mean"] == pytest.approx(sum(r.test["accuracy"] for r in runs if r.rate == best["rate"]) / 2)
    assert (study.folder / "report.html").stat().st_size < 5e5


def test_it_prints_as_a_table_with_the_best_first(study):
    text = str(study)
    rows = study.table()
    order = [re.search(rf"\b{row['activation']}\s+{row['loss']}\b", text).start() for row in rows]
    assert order == sorted(order)
    assert re.search(r"quartic\s+on softmax probabilities", text)
    assert f"{100 * rows[0]['mean']:.1f}" in text
    assert "Study: 8 pairs, 32 runs" in repr(study)


def test_a_run_of_its_own_card_beats_guessing(study):
    assert all(row["mean"] > 0.2 for row in study.table() if row["activation"] == "crooked")


def test_verdicts_of_two_seeds_say_how_many_are_needed(study):
    verdicts = study.verdicts()
    assert {verdict["verdict"] for verdict in verdicts} == {"undecided"}
    assert {verdict["needed"] for verdict in verdicts} == {6}, "2 / 2**6 < 0.05"
    assert [v["activation"] for v in verdicts if v["loss"] == "cross_entropy"] == ["crooked"], "relu is the baseline"
    ours, theirs = study.pair("crooked", "cross_entropy"), study.baseline
    mean = sum(a.test["brier"] - b.test["brier"] for a, b in zip(ours.chosen, theirs.chosen, strict=True)) / 2
    found = next(v for v in study.verdicts("brier") if (v["activation"], v["loss"]) == ("crooked", "cross_entropy"))
    assert found["difference"] == pytest.approx(mean)


def test_at_the_shared_rate_all_pairs_stand_at_one_rate(study):
    assert {row["rate"] for row in study.table(rate="shared")} == {study.shared_rate}
    means = {rate: sum(pair.validated(rate) for pair in study.pairs) for rate in study.plan.rates}
    assert study.shared_rate == max(means, key=means.get)
    with pytest.raises(ValueError, match=r"rate must be 'own' .* or 'shared' .*, got 'best'\."):
        study.table(rate="best")


def test_the_best_model_is_the_one_that_was_trained(study):
    import torch

    best = study.best()
    assert study.pair(best.activation, best.loss).validated(best.rate) == max(
        pair.validated(pair.rate) for pair in study.pairs
    )
    task = study.plan.job.task
    test = task.split(best.seed).test
    with torch.no_grad():
        right = best.model(task.inputs[test]).argmax(-1) == task.targets[test]
    assert right.double().mean().item() == pytest.approx(best.run.test["accuracy"], abs=1.5 / len(test))


def test_names_that_a_study_does_not_have(study):
    with pytest.raises(LookupError, match=r"no metric 'acuracy'; the study has accuracy, "):
        study.verdicts("acuracy")
    with pytest.raises(
        LookupError, match=r"the study has no relu x mse; its activations are relu, crooked, its losses "
    ):
        study.pair("relu", "mse")


@pytest.mark.parametrize("suffix", ["csv", "json"])
def test_a_row_per_run_can_be_exported(study, tmp_path, suffix):
    import csv
    import json

    path = study.export(tmp_path / f"runs.{suffix}")
    with path.open() as file:
        rows = list(csv.DictReader(file)) if suffix == "csv" else json.load(file)
    assert len(rows) == len(study.runs)
    assert [float(row["test_accuracy"]) for row in rows] == [run.test["accuracy"] for run in study.runs]


def test_a_loss_that_does_not_fit_is_a_row_with_the_reason(tmp_path, tiny):
    study = slopes.compare(activations=[slopes.relu], losses=[slopes.mse, slopes.triplet_margin], out=tmp_path, **tiny)
    assert [row["loss"] for row in study.table()] == ["mse", "triplet_margin"]
    assert "triplet_margin" in study.table()[1]["reason"]
    assert "triplet_margin" in str(study)
    with pytest.raises(ValueError, match=r"^compare: no loss fits digits: .*triplet_margin"):
        slopes.compare(losses=[slopes.triplet_margin], out=tmp_path, **tiny)


def test_a_module_is_an_activation_too(tmp_path, tiny):
    import torch

    study = slopes.compare(
        activations=[slopes.relu, torch.nn.PReLU, torch.nn.ELU(alpha=0.5)], losses=[slopes.mse], out=tmp_path, **tiny
    )
    assert [pair.activation for pair in study.pairs] == ["relu", "PReLU", "ELU"]
    assert all(row["mean"] > 0.5 for row in study.table())


# ------------------------------------------------------------------------------------ one's own model and data

MODEL = """
    import torch
    from torch import nn

    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.layers = nn.Sequential(nn.Linear(6, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Linear(16, 1))

        def forward(self, x):
            return self.layers(x)
"""


def test_a_model_and_a_table_of_ones_own(tmp_path, tiny):
    import numpy as np

    (tmp_path / "mine.py").write_text(dedent(MODEL))
    draw = np.random.default_rng(0)
    x = draw.normal(size=(300, 6))
    rows = np.column_stack([x, x[:, 0] * 3 + np.sin(2 * x[:, 1]) + 20])
    np.savetxt(tmp_path / "houses.csv", rows, delimiter=",", header="a,b,c,d,e,f,price", comments="")
    study = slopes.compare(
        f"{tmp_path}/mine.py:Model",
        tmp_path / "houses.csv",
        target="price",
        activations=[slopes.relu, slopes.silu],
        losses=[slopes.mse, slopes.huber, slopes.cross_entropy],
        baseline="silu",
        out=tmp_path / "out",
        **(tiny | {"epochs": 20}),
    )
    rows = study.table()
    assert rows[0]["metric"] == "rmse"
    assert [row["rmse"] for row in rows[:4]] == sorted(row["rmse"] for row in rows[:4])
    assert rows[0]["r2"] > 0.7
    assert {row["loss"] for row in rows[4:]} == {"cross_entropy"}
    assert study.baseline.title == "silu x mse"


def test_splits_that_differ_by_seed(tmp_path, tiny):
    study = slopes.compare(data="diabetes", out=tmp_path, resample=True, **RELU_MSE, **(tiny | {"seeds": 3}))
    parts = [study.plan.job.task.split(seed).test.tolist() for seed in study.plan.seeds]
    assert parts[0] != parts[1]
    assert study.plan.resampled is not None


def test_a_run_that_fails_is_told_and_tried_again(tmp_path, tiny):
    failing = True

    @slopes.loss("regression")
    def moody(prediction, target):
        if failing and prediction.numel() > 160:  # a batch, where the probes are smaller
            raise RuntimeError("not today")
        return (prediction - target) ** 2

    options = {"activations": [slopes.relu], "losses": [slopes.mse, moody], "out": tmp_path, **tiny}
    study = slopes.compare(**options)
    assert len(study.runs) == len(study.failures) == 4
    assert {failure.reason for failure in study.failures} == {"RuntimeError: not today"}
    assert study.table()[1]["reason"] == "RuntimeError: not today"
    failing = False
    assert len(slopes.compare(**options).runs) == 8


# ---------------------------------------------------------------------------------------------- resume


def count(folder):
    connection = sqlite3.connect(folder / "record.sqlite")
    try:
        return connection.execute("SELECT count(*) FROM runs").fetchone()[0]
    finally:
        connection.close()


def test_a_second_start_trains_nothing_again(tmp_path, tiny, monkeypatch):
    from slopes.comparing import training

    first = slopes.compare(out=tmp_path, **RELU_MSE, **tiny)
    monkeypatch.setattr(training, "train", None)
    states: list[Progress] = []
    second = slopes.compare(out=tmp_path, **RELU_MSE, **(tiny | {"progress": states.append}))
    assert first.runs == second.runs
    assert [(state.done, state.total, state.resumed) for state in states] == [(4, 4, 4)]


def test_only_what_is_missing_is_trained_and_other_settings_are_not_mixed_in(tmp_path, tiny):
    first = slopes.compare(out=tmp_path, **RELU_MSE, **tiny)
    more = slopes.compare(out=tmp_path, **RELU_MSE, **(tiny | {"seeds": 3}))
    assert count(tmp_path) == 6
    assert [run for run in more.runs if run.seed < 2] == first.runs
    longer = slopes.compare(out=tmp_path, **RELU_MSE, **(tiny | {"epochs": 1}))
    assert count(tmp_path) == 10
    assert not {run.key for run in longer.runs} & {run.key for run in more.runs}
    assert {len(run.curve) for run in longer.runs} == {1}


def test_runs_of_an_older_slopes_are_told_of(tmp_path, tiny):
    from slopes.comparing.record import APPLICATION

    connection = sqlite3.connect(tmp_path / "record.sqlite")
    connection.executescript(f"""
        PRAGMA application_id={APPLICATION}; PRAGMA user_version=1;
        CREATE TABLE runs (key TEXT PRIMARY KEY, spec TEXT NOT NULL, outcome TEXT NOT NULL, ended TEXT NOT NULL);
        INSERT INTO runs VALUES ('k', '{{}}', '{{}}', '2026-01-01'), ('l', '{{}}', '{{}}', '2026-01-02');
    """)
    connection.close()
    with pytest.warns(UserWarning, match=r"^compare: .+record\.sqlite also keeps 2 runs of an older slopes, which"):
        slopes.compare(out=tmp_path, **RELU_MSE, **tiny)
    slopes.compare(out=tmp_path, **RELU_MSE, **tiny)  # which has runs to go on from, and warns of nothing


def card_from(tmp_path, monkeypatch, text):
    """A card of one and the same name and file, with this text."""
    path = tmp_path / "mine.py"
    path.write_text("import slopes\n" + text)
    namespace = {"__name__": "mine"}
    import linecache

    linecache.checkcache(str(path))
    exec(compile(path.read_text(), str(path), "exec"), namespace)
    return namespace["bent"]


def key(model="mlp", data="digits", **options):
    chosen = {"activations": [slopes.elu], "losses": [slopes.mse], "seeds": [1], "epochs": 2, "rates": [0.1]}
    plan = make_plan(Settings(model, data, **(chosen | options)))
    return plan.key(plan.cells[0])


BENT = "@slopes.activation()\ndef bent(x):\n    return {body}\n"


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        (BENT.format(body="x * 0.5"), BENT.format(body="x * 0.5"), True),
        (BENT.format(body="x * 0.5"), BENT.format(body="x * 0.25"), False),
        ("c = 0.5\n" + BENT.format(body="x * c"), "c = 0.25\n" + BENT.format(body="x * c"), False),
        (
            BENT.format(body="x * 0.5"),
            BENT.format(body="x * 0.5") + "@bent.derivative\ndef _(x):\n    return 0.5 + 0 * x\n",
            False,
        ),
    ],
    ids=["nothing", "the body", "a helper", "a derivative"],
)
def test_a_card_whose_text_or_helper_changed_is_trained_anew(tmp_path, monkeypatch, first, second, same):
    keys = [key(activations=[card_from(tmp_path, monkeypatch, text)]) for text in (first, second)]
    assert (keys[0] == keys[1]) is same


def test_every_setting_is_in_the_key(monkeypatch):
    from slopes.comparing import plan

    base = key()
    assert key() == base
    others = [
        key(activations=[slopes.elu.with_(alpha=0.5)]),
        key(losses=[slopes.mae]),
        key(seeds=[2]),
        key(epochs=3),
        key(rates=[0.2]),
        key(data="diabetes"),
        key(resample=True),
        key("mlp(hidden=32)"),
        key("transformer"),
        key(optimizer="sgd"),
        key(batch_size=32),
        key(clip=1.0),
        key(engine="loop"),
    ]
    monkeypatch.setattr(plan.slopes, "__version__", "9.9")
    others.append(key())
    assert len({base, *others}) == 15


# --------------------------------------------------------------------------------------------- refusals


@slopes.activation()
def wrong_shape(x):
    return x.sum(-1)


@slopes.activation()
def numpy_only(x):
    import numpy

    return numpy.tanh(x)


@slopes.activation()
def severed(x):
    return x.detach() if hasattr(x, "detach") else x


@slopes.loss("regression")
def broken(prediction, target):
    raise RuntimeError("not today")


REFUSALS = [
    ({"activations": ["rellu"]}, ValueError, "no function 'rellu'; did you mean 'relu' or 'rrelu' or 'relu6'?"),
    ({"activations": slopes.relu}, TypeError, "activations must be a list of cards, as in activations=[slopes.relu], got slopes.relu."),
    ({"activations": []}, ValueError, "activations must name at least one card, got an empty list."),
    ({"activations": [slopes.mse]}, TypeError, "mse is no activation; pass it in losses=[...]."),
    ({"losses": [slopes.relu]}, TypeError, "relu is no loss; pass it in activations=[...]."),
    ({"activations": [2]}, TypeError, "activations takes functions, modules and their names, got 2."),
    ({"losses": [None]}, TypeError, "losses takes functions, modules and their names, got None."),
    ({"losses": [abs]}, ValueError, "abs fails on torch tensors: TypeError: abs() takes exactly one argument (2 given)"),
    ({"activations": [slopes.softmax]}, ValueError, "softmax mixes the entries of a row, and hidden layers take functions of one number; take one such as slopes.relu."),
    ({"activations": [slopes.swiglu]}, ValueError, "swiglu halves the row it is given, so that the next layer does not fit; "),
    ({"activations": [slopes.relu, slopes.relu]}, ValueError, "activations names relu twice; leave one out, or rename one of your own."),
    ({"seeds": 0}, ValueError, "seeds must be a whole number of at least 1, got 0."),
    ({"seeds": "3"}, TypeError, "seeds must be how many there are or a list of them, got '3'."),
    ({"seeds": [1, 1]}, ValueError, "seeds must be one or more different numbers, got [1, 1]."),
    ({"seeds": [2**62]}, ValueError, "a seed must be a whole number of at most 4611686018427387903, got 4611686018427387904."),
    ({"seeds": 10**20}, ValueError, "seeds must be a whole number of at most 10000, got 100000000000000000000."),
    ({"seeds": 10**400}, ValueError, "seeds must be a whole number of at most 10000, got an integer of 401 digits"),
    ({"epochs": 10**20}, ValueError, "epochs must be a whole number of at most 1000000, got 100000000000000000000."),
    ({"batch_size": 10**30}, ValueError, "batch_size must be a whole number of at most 2147483648, got 1"),
    ({"workers": 10**12}, ValueError, "workers must be a whole number of at most 4096, got 1000000000000."),
    ({"seeds": [-1]}, ValueError, "a seed must be a whole number of at least 0, got -1."),
    ({"epochs": 0}, ValueError, "epochs must be a whole number of at least 1, got 0."),
    ({"epochs": 2.5}, ValueError, "epochs must be a whole number of at least 1, got 2.5."),
    ({"rates": 0.1}, TypeError, "rates must be a list of learning rates, as in rates=(0.001, 0.01), got 0.1."),
    ({"rates": []}, ValueError, "rates must be one or more different learning rates, got []."),
    ({"rates": [0.1, -1]}, ValueError, "a learning rate must be a finite number > 0, got -1."),
    ({"rates": [float("inf")]}, ValueError, "a learning rate must be a finite number > 0, got inf."),
    ({"baseline": slopes.gelu}, ValueError, "baseline must be an activation, a loss or a pair of them that are compared; there are relu, mse."),
    ({"baseline": "rellu"}, ValueError, "baseline must be an activation, a loss or a pair of them that are compared; did you mean 'relu'? Got 'rellu'."),
    ({"baseline": ("relu", "relu")}, ValueError, "baseline must be an activation, a loss or a pair"),
    ({"optimizer": "adan"}, ValueError, "optimizer must be one of 'adam', 'adamw', 'sgd', got 'adan'; did you mean 'adam'?"),
    ({"engine": "fast"}, ValueError, "engine must be one of 'auto', 'stack', 'loop', got 'fast'."),
    ({"batch_size": 0}, ValueError, "batch_size must be a whole number of at least 1, got 0."),
    ({"clip": 0}, ValueError, "clip must be a finite number > 0, got 0."),
    ({"resample": "no"}, TypeError, "resample must be True or False, got 'no'."),
    ({"out": None}, TypeError, "out must be the path of a folder, got None."),
    ({"workers": 0}, ValueError, "workers must be a whole number of at least 1, got 0."),
    ({"activations": [wrong_shape]}, ValueError, "wrong_shape fails on a torch tensor: ValueError: wrong_shape: the body gives shape (1,) where (1, 257) is due, with one value for each entry"),
    ({"activations": [numpy_only]}, ValueError, "numpy_only fails on a torch tensor: "),
    ({"losses": [broken]}, ValueError, "broken fails on torch tensors: RuntimeError: not today"),
    ({"activations": [severed]}, ValueError, "severed cuts off the gradient; write its body in slopes.ops, without detach."),
]  # fmt: skip


@pytest.mark.parametrize(("options", "kind", "message"), REFUSALS, ids=[message[:40] for _, _, message in REFUSALS])
def test_what_cannot_be_trained_is_refused_before_anything_is(tmp_path, tiny, options, kind, message):
    with pytest.raises(kind, match="^compare: " + re.escape(message)):
        slopes.compare(**({"out": tmp_path / "out"} | RELU_MSE | tiny | options))
    assert not (tmp_path / "out").exists()


def test_two_cards_of_one_name_are_told_apart(tmp_path, tiny):
    @slopes.activation()
    def relu(x):
        return slopes.ops.maximum(x, 0)

    study = slopes.compare(**(tiny | RELU_MSE | {"activations": [slopes.relu, relu], "out": tmp_path}))
    assert [pair.activation for pair in study.pairs] == ["slopes.relu", repr(relu)]


def test_a_missing_package_is_named_with_what_installs_it(tmp_path, tiny, monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn", None)
    with pytest.raises(ImportError, match=r"slopes\.compare needs sklearn: pip install 'slopes\[lab\]'"):
        slopes.compare(out=tmp_path, **RELU_MSE, **tiny)


def test_importing_the_study_loads_nothing_heavy():
    heavy = ("torch", "sklearn", "jinja2", "rich", "matplotlib", "scipy.stats")
    code = f"import sys, slopes.comparing; print([name for name in {heavy} if name in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "[]\n"


def test_a_report_that_cannot_be_written(study, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(
        StudyError, match=r"cannot write the report \(.+\); the runs are recorded, so repair this and start again\."
    ):
        study.report(tmp_path / "file" / "report.html")
    (tmp_path / "folder").mkdir()
    with pytest.raises(StudyError, match="cannot write the report"):
        study.report(tmp_path / "folder")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "folder"]


# ------------------------------------------------------------------------------------- the default grid


@pytest.fixture
def one_step(tmp_path):
    """Options of a study without rates, whose single step does best with relu and mse at 0.1."""
    options = {
        "data": "diabetes",
        "epochs": 1,
        "batch_size": 256,
        "seeds": 2,
        "workers": 1,
        "optimizer": "sgd",
        "out": tmp_path,
    }
    return {**RELU_MSE, **options}


def test_a_default_grid_is_extended_for_all_pairs_while_any_picks_its_edge(one_step):
    states: list[Progress] = []
    study = slopes.compare(**(one_step | {"losses": [slopes.mse, slopes.mae], "progress": states.append}))
    assert study.plan.rates == (0.03, 0.1, 0.3, 1.0, 3.0)
    assert [pair.rate for pair in study.pairs] == [0.1, 0.3]
    assert len(study.runs) == 20
    assert [(states[place].added, states[place].total) for place in (0, -1)] == [(0, 16), (1, 20)]
    assert f"rates={study.plan.rates}" in write_call(study)
    again: list[Progress] = []
    slopes.compare(**(one_step | {"losses": [slopes.mse, slopes.mae], "progress": again.append}))
    assert all(state.done == state.resumed == state.total for state in again)


def test_what_failed_is_not_tried_again_at_each_step_of_the_grid(one_step, monkeypatch):
    """Runs of the second activation fail; the first one picks the edge."""
    tried = []

    def outcomes(job, chunks, **options):
        cells = [cell for chunk in chunks for cell in chunk]
        tried.extend(cells)
        yield from (Failed(cell, "it fails", "", "here") for cell in cells if cell.activation)
        yield from executing.outcomes(job, [[cell for cell in cells if not cell.activation]], **options)

    monkeypatch.setattr(api, "outcomes", outcomes)
    states: list[Progress] = []
    pair = [slopes.relu, slopes.tanh]
    study = slopes.compare(**(one_step | {"activations": pair, "progress": states.append}))
    assert study.plan.steps == (1, 0)
    assert len(tried) == len(set(tried)) == len(study.plan.cells)
    assert (states[-1].done, states[-1].failed) == (len(tried), len(tried) // 2)


def test_seeds_are_added_while_a_verdict_is_undecided(one_step):
    bent = slopes.leaky_relu.with_(negative_slope=0.046)  # better by as much as the margin
    options = one_step | {"activations": [slopes.relu, bent], "rates": [0.1], "seeds": "auto"}
    states: list[Progress] = []
    study = slopes.compare(**(options | {"progress": states.append}))
    (verdict,) = study.verdicts()
    assert verdict["verdict"] == "undecided"
    assert sorted({state.total for state in states}) == [20, 40, 80]
    assert (len(study.runs), len(study.plan.looks)) == (80, 3)
    assert "seeds='auto'" in write_call(study)
    short = slopes.compare(**(options | {"minutes": 1e-6, "progress": False}))
    assert short.plan.seeds == tuple(range(10)), "no time for more"


def test_the_pace_of_a_resumed_study_is_that_of_its_runs():
    plan = SimpleNamespace(settings=SimpleNamespace(minutes=3), job=SimpleNamespace(epochs=2), looks=LOOKS[:1])
    undecided = SimpleNamespace(
        plan=plan, runs=[SimpleNamespace(seconds=6.0)] * 10, verdicts=lambda: [{"verdict": "undecided"}]
    )
    assert not api._has_room(undecided, time.monotonic(), 1)
    assert api._has_room(undecided, time.monotonic(), 2)


def test_no_seeds_are_added_once_all_is_decided(one_step):
    cut_off = slopes.softshrink.with_(lambd=100.0)
    options = one_step | {"activations": [slopes.relu, cut_off], "rates": [0.1], "seeds": "auto", "progress": False}
    study = slopes.compare(**options)
    assert study.verdicts()[0]["verdict"] == "worse"
    assert study.verdicts()[0]["p"] == 2 * 2 / 2**10, "twice the p of ten seeds, as this look has half of the chance"
    assert len(study.runs) == 20


def test_a_default_grid_suits_the_optimizer_and_has_bounds():
    def plan(**options):
        return make_plan(Settings(**RELU_MSE, seeds=1, **options))

    adam, sgd = plan(), plan(optimizer="sgd")
    assert adam.rates == plan(optimizer="adamw").rates == (0.001, 0.003, 0.01, 0.03)
    assert sgd.rates == (0.1, 0.3, 1.0, 3.0)
    assert adam.extended([""]) is adam
    assert adam.extended(["lowest"]).rates == (0.0003, *adam.rates)
    assert adam.extended(["highest", "lowest"]).rates == (0.0003, *adam.rates, 0.1)
    widest = adam.extended(["highest"]).extended(["highest"])
    assert widest.rates == (*adam.rates, 0.1, 0.3)
    assert widest.extended(["highest"]) is widest
    given = plan(rates=adam.rates)
    assert given.extended(["highest"]) is given, "a grid of one's own stays as it is"


# --------------------------------------------------------------------------------------------- progress


def test_progress_is_told_from_start_to_end(tmp_path, tiny):
    states: list[Progress] = []
    slopes.compare(out=tmp_path, **RELU_MSE, **(tiny | {"rates": (0.003, 1e30), "progress": states.append}))
    assert [(state.done, state.total, state.diverged) for state in states] == [(0, 4, 0), (4, 4, 2)]
    assert states[0].left is None
    assert states[1].latest == "relu x mse"
    assert Progress(3, 9, 1, 0, 0, 10.0).left == 30, "two in ten seconds, six to go"


def test_progress_in_words():
    assert str(Progress(10, 40, 0, 1, 2, 30.0)) == "10/40 runs, 1 diverged, 2 failed, about 90 s left".replace(
        "90 s", "1 min 30 s"
    )
    assert str(Progress(40, 40, 0, 0, 0, 30.0)) == "40/40 runs, 0 diverged, 0 failed"
    assert str(Progress(7, 40, 7, 0, 0, 0.0)) == "7/40 runs, 0 diverged, 0 failed, recorded earlier"
    assert str(Progress(40, 50, 0, 0, 0, 30.0, added=1)).startswith(
        "40/50 runs, 0 diverged, 0 failed, 1 learning rate added"
    )
    assert duration(89.4) == "89 s"


def test_away_from_a_terminal_progress_is_a_few_lines(tmp_path, tiny, capsys):
    slopes.compare(out=tmp_path, **RELU_MSE, **(tiny | {"progress": None}))
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "compare: 0/4 runs, 0 diverged, 0 failed"
    assert lines[-1] == "compare: 4/4 runs, 0 diverged, 0 failed"
    assert len(lines) == 2


def test_a_long_study_prints_about_a_line_per_tenth(capsys):
    from slopes.comparing.progress import display

    with display(None) as show:
        for done in range(1001):
            show(Progress(done, 1000, 0, 0, 0, 1.0))
        assert len(capsys.readouterr().err.splitlines()) == 11
        for done in range(1000, 1101):
            show(Progress(done, 1100, 0, 0, 0, 1.0))
        assert len(capsys.readouterr().err.splitlines()) == 2, "more runs than there were"


def test_silence(tmp_path, tiny, capfd):
    slopes.compare(out=tmp_path, **RELU_MSE, **(tiny | {"progress": False}))
    assert capfd.readouterr() == ("", "")


def test_on_a_terminal_progress_is_a_bar(tmp_path, tiny, monkeypatch, capsys):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    slopes.compare(out=tmp_path, **RELU_MSE, **(tiny | {"progress": None}))
    assert "4/4" in capsys.readouterr().err
