"""The public function: what it takes, refuses, resumes and gives."""

from __future__ import annotations

import re
import sqlite3
import subprocess
import sys

import pytest

pytest.importorskip("torch")
pytest.importorskip("sklearn")

import slopes
from slopes.study import Progress, StudyError
from slopes.study.progress import duration

RELU_MSE = {"activations": [slopes.relu], "losses": [slopes.mse]}


# ------------------------------------------------------------------------------------------ end to end


def test_a_study_from_end_to_end(study):
    assert len(study.runs) == 2 * 4 * 2 * 2
    assert [pair.activation for pair in study.pairs] == ["relu", "crooked"] * 4
    rows = study.table()
    assert len(rows) == 8
    assert [row["accuracy"] for row in rows] == sorted((row["accuracy"] for row in rows), reverse=True)
    fed = {row["loss"]: row["fed"] for row in rows}
    assert fed == {
        "cross_entropy": "logits and labels",
        "categorical_cross_entropy": "softmax probabilities and labels",
        "quartic": "softmax probabilities and one-hot rows",
        "binary_cross_entropy": "a logit and a yes or no for each class",
    }
    best = rows[0]
    assert best["low"] <= best["accuracy"] <= best["high"]
    assert best["behind"] == 0
    assert best["accuracy"] > 0.8, "two epochs suffice to read most digits"
    assert best["seeds"] == 2
    runs = [run for run in study.runs if (run.activation, run.loss) == (best["activation"], best["loss"])]
    assert best["accuracy"] == pytest.approx(sum(r.accuracy for r in runs if r.rate == best["rate"]) / 2)
    assert (study.folder / "report.html").stat().st_size < 1.5e6


def test_it_prints_as_a_table_with_the_best_first(study):
    text = str(study)
    rows = study.table()
    order = [re.search(rf"\b{row['activation']}\s+{row['loss']}\b", text).start() for row in rows]
    assert order == sorted(order)
    assert "quartic on softmax probabilities" in text
    assert f"{100 * rows[0]['accuracy']:.1f}" in text
    assert "Study: 8 pairs, 32 runs" in repr(study)


def test_a_run_of_its_own_card_beats_guessing(study):
    assert all(row["accuracy"] > 0.2 for row in study.table() if row["activation"] == "crooked")


# ---------------------------------------------------------------------------------------------- resume


def count(folder):
    connection = sqlite3.connect(folder / "record.sqlite")
    try:
        return connection.execute("SELECT count(*) FROM runs").fetchone()[0]
    finally:
        connection.close()


def test_a_second_start_trains_nothing_again(tmp_path, tiny, monkeypatch):
    from slopes.study import training

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
    assert {len(run.validation) for run in longer.runs} == {1}


def card_from(tmp_path, monkeypatch, text):
    """A card of one and the same name and file, with this text."""
    path = tmp_path / "mine.py"
    path.write_text("import slopes\n" + text)
    namespace = {"__name__": "mine"}
    import linecache

    linecache.checkcache(str(path))
    exec(compile(path.read_text(), str(path), "exec"), namespace)
    return namespace["bent"]


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
def test_a_card_whose_text_or_helper_changed_is_trained_anew(tmp_path, tiny, monkeypatch, first, second, same):
    from slopes.study.plan import make_plan
    from slopes.study.tasks import digits

    keys = []
    for text in (first, second):
        plan = make_plan([card_from(tmp_path, monkeypatch, text)], [slopes.mse], 1, 1, [0.1], digits())
        keys.append(plan.key(*plan.cells[0]))
    assert (keys[0] == keys[1]) is same


def test_every_setting_is_in_the_key(monkeypatch):
    from dataclasses import replace

    from slopes.study import plan as module
    from slopes.study.tasks import digits

    def key(activation=slopes.elu, loss=slopes.mse, seed=1, epochs=2, rate=0.1, task=None):
        plan = module.make_plan([activation], [loss], [seed], epochs, [rate], task or digits())
        return plan.key(*plan.cells[0])

    base = key()
    assert key() == base
    others = [
        key(activation=slopes.elu.with_(alpha=0.5)),
        key(loss=slopes.mae),
        key(seed=2),
        key(epochs=3),
        key(rate=0.2),
        key(task=replace(digits(), fingerprint="other")),
    ]
    monkeypatch.setattr(module.slopes, "__version__", "9.9")
    others.append(key())
    assert len({base, *others}) == 8


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


REFUSALS = [
    ({"activations": ["relu"]}, TypeError, "activations takes the functions, not their names: write slopes.relu, got 'relu'."),
    ({"activations": slopes.relu}, TypeError, "activations must be a list of cards, as in activations=[slopes.relu], got slopes.relu."),
    ({"activations": []}, ValueError, "activations must name at least one card, got an empty list."),
    ({"activations": [slopes.mse]}, TypeError, "mse is no activation; pass it in losses=[...]."),
    ({"losses": [slopes.relu]}, TypeError, "relu is no loss; pass it in activations=[...]."),
    ({"activations": [abs]}, TypeError, "activations takes cards; decorate your function with @slopes.activation(), got <built-in function abs>."),
    ({"losses": [abs]}, TypeError, 'losses takes cards; decorate your function with @slopes.loss("regression"), got <built-in function abs>.'),
    ({"activations": [slopes.softmax]}, TypeError, "softmax mixes the entries of a row, and hidden layers take functions of one number; take one such as slopes.relu."),
    ({"activations": [slopes.relu, slopes.relu]}, ValueError, "activations names relu twice; leave one out, or rename one of your own."),
    ({"seeds": 0}, ValueError, "seeds must be a whole number of at least 1, got 0."),
    ({"seeds": "3"}, TypeError, "seeds must be how many there are or a list of them, got '3'."),
    ({"seeds": [1, 1]}, ValueError, "seeds must be one or more different numbers below 2**62, got [1, 1]."),
    ({"seeds": [-1]}, ValueError, "a seed must be a whole number of at least 0, got -1."),
    ({"epochs": 0}, ValueError, "epochs must be a whole number of at least 1, got 0."),
    ({"epochs": 2.5}, ValueError, "epochs must be a whole number of at least 1, got 2.5."),
    ({"rates": 0.1}, TypeError, "rates must be a list of learning rates, as in rates=(0.001, 0.01), got 0.1."),
    ({"rates": []}, ValueError, "rates must be one or more different learning rates, got []."),
    ({"rates": [0.1, -1]}, ValueError, "a learning rate must be a finite number > 0, got -1."),
    ({"rates": [float("inf")]}, ValueError, "a learning rate must be a finite number > 0, got inf."),
    ({"workers": 0}, ValueError, "workers must be a whole number of at least 1, got 0."),
    ({"activations": [wrong_shape]}, ValueError, "wrong_shape fails on a torch tensor: ValueError: wrong_shape: the body gives shape (1,) where (1, 257) is due, with one value for each entry"),
    ({"activations": [numpy_only]}, ValueError, "numpy_only fails on a torch tensor: "),
    ({"activations": [severed]}, ValueError, "severed cuts off the gradient; write its body in slopes.ops, without detach."),
]  # fmt: skip


@pytest.mark.parametrize(("options", "kind", "message"), REFUSALS, ids=[message[:40] for _, _, message in REFUSALS])
def test_what_cannot_be_trained_is_refused_before_anything_is(tmp_path, tiny, options, kind, message):
    with pytest.raises(kind, match="^compare: " + re.escape(message)):
        slopes.compare(out=tmp_path / "out", **(RELU_MSE | tiny | options))
    assert not (tmp_path / "out").exists()


def test_a_kind_of_loss_that_classes_cannot_be_fed_to():
    from slopes.study.feeding import feed

    class Ranking:
        name = "ranking"

        def space_of(self, settings):
            return "real"

    class Loss:
        name, kind, settings = "listnet", Ranking(), {}

    with pytest.raises(
        TypeError, match=r"compare: listnet is a ranking loss, which classes cannot be fed to; take another loss\."
    ):
        feed(Loss())


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
    code = f"import sys, slopes.study; print([name for name in {heavy} if name in sys.modules])"
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


# --------------------------------------------------------------------------------------------- progress


def test_progress_is_told_from_start_to_end(tmp_path, tiny):
    states: list[Progress] = []
    slopes.compare(out=tmp_path, **RELU_MSE, **(tiny | {"rates": (0.003, 1e30), "progress": states.append}))
    assert [(state.done, state.total, state.diverged) for state in states] == [(0, 4, 0), (2, 4, 0), (4, 4, 2)]
    assert states[0].left is None
    assert states[1].left == pytest.approx(states[1].elapsed)
    assert states[2].latest == "relu x mse"


def test_progress_in_words():
    assert str(Progress(10, 40, 0, 1, 30.0)) == "10/40 runs, 1 diverged, about 90 s left".replace("90 s", "1 min 30 s")
    assert str(Progress(40, 40, 0, 0, 30.0)) == "40/40 runs, 0 diverged"
    assert str(Progress(7, 40, 7, 0, 0.0)) == "7/40 runs, 0 diverged, recorded earlier"
    assert duration(89.4) == "89 s"


def test_away_from_a_terminal_progress_is_a_few_lines(tmp_path, tiny, capsys):
    slopes.compare(out=tmp_path, **RELU_MSE, **(tiny | {"progress": None}))
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "compare: 0/4 runs, 0 diverged"
    assert lines[-1] == "compare: 4/4 runs, 0 diverged"
    assert len(lines) == 3


def test_a_long_study_prints_about_a_line_per_tenth(capsys):
    from slopes.study.progress import display

    with display(None) as show:
        for done in range(1001):
            show(Progress(done, 1000, 0, 0, 1.0))
    assert len(capsys.readouterr().err.splitlines()) == 11


def test_silence(tmp_path, tiny, capfd):
    slopes.compare(out=tmp_path, **RELU_MSE, **(tiny | {"progress": False}))
    assert capfd.readouterr() == ("", "")


def test_on_a_terminal_progress_is_a_bar(tmp_path, tiny, monkeypatch, capsys):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    slopes.compare(out=tmp_path, **RELU_MSE, **(tiny | {"progress": None}))
    assert "4/4" in capsys.readouterr().err
