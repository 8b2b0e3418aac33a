"""What print(study) and study.plot show."""

from __future__ import annotations

import io

import pytest

pytest.importorskip("torch")
pytest.importorskip("rich")

from rich.console import Console
from synthetic import ACTIVATIONS, LOSSES, SIX, make_study

import slopes

OPTIONS = {
    "activations": SIX,
    "losses": [slopes.cross_entropy, slopes.mse, slopes.triplet_margin],
    "unfit": {(a, 2): "triplet_margin is a loss of triplets" for a in range(6)},
    "lead": {"sigmoid": -0.8, "tanh": 0.4},
    "diverging": [("relu", "mse", rate) for rate in (0.001, 0.01, 0.1)],
    "failing": [("silu", "mse")],
}


def printed(study, width=200, metric=None):
    stream = io.StringIO()
    Console(file=stream, width=width).print(study.listing(metric))
    return stream.getvalue()


def lines_of(study, width=200, metric=None):
    """The rows of pairs, split into words."""
    rows = [line.split() for line in printed(study, width, metric).splitlines()]
    return [row for row in rows if row and (row[0].isdigit() or row[0] == "–") and row[1] != "of"]


@pytest.fixture(scope="module")
def study():
    return make_study(**OPTIONS)


def test_rows_are_those_of_the_table(study):
    verdicts = {(row["activation"], row["loss"]): row for row in study.verdicts()}
    rows, table = lines_of(study), study.table()
    assert len(rows) == len(table) == 18
    for row, facts in zip(rows, table, strict=True):
        assert row[1:3] == [facts["activation"], facts["loss"]]
        if facts["reason"]:
            assert row[0] == "–"
        else:
            assert f"{100 * facts['mean']:.1f}" in row
            verdict = verdicts.get((facts["activation"], facts["loss"]))
            assert ("baseline" if verdict is None else verdict["verdict"]) in " ".join(row)
            assert f"{facts['diverged']} of {facts['seeds']}" in " ".join(row)
    diverged = next(row for row in rows if row[1:3] == ["relu", "mse"])
    assert "0.001*" in diverged


def test_what_was_not_trained_has_its_reason(study):
    text = " ".join(printed(study).split())
    assert text.count("does not fit") == 6
    assert "Not trained, silu with mse: RuntimeError: the worker was killed by signal 9" in text
    assert "gelu with triplet_margin and 3 more: triplet_margin is a loss of triplets" in text


def test_it_says_by_what_it_ranks_and_for_what_that_holds(study):
    text = " ".join(printed(study).split())
    assert "digits: accuracy on 360 test samples, mlp, 10 seeds x 3 rates x 12 epochs" in text
    assert "Verdicts against relu with cross_entropy hold for this split of the data" in text
    assert "differences up to 0.5 points count as none" in text
    assert "* the edge of the grid; best for all: 0.01. Trained side by side, up to 60." in text
    assert "30 of 330 runs diverged" in text


@pytest.mark.parametrize(("width", "columns"), [(80, 7), (120, 9), (200, 12)])
def test_it_fits_its_width(study, width, columns):
    text = printed(study, width)
    assert max(map(len, text.splitlines())) <= width
    assert len(lines_of(study, width)) == 18, "a line for each pair"
    assert "…" not in text
    for name in ("leaky_relu", "cross_entropy", "triplet_margin", "baseline", "accuracy %"):
        assert name in text
    head = next(line for line in text.splitlines() if "activation" in line)
    assert sum(bool(part.strip()) for part in head.replace("95 % interval", "interval").split("  ")) == columns


def test_a_column_that_says_nothing_is_left_out(study):
    assert " fed " in printed(study)
    assert " fed " not in printed(make_study(losses=[slopes.cross_entropy]))


@pytest.mark.parametrize("losses", [[slopes.cross_entropy], [slopes.cross_entropy, slopes.mse]], ids=["bare", "fed"])
def test_numbers_stand_under_their_headings(losses):
    study = make_study(losses=losses, unfit={(1, 0): "no"})
    columns = {str(column.header): list(column.cells) for column in study.listing().columns}
    assert ("fed" in columns) is (len(losses) == 2)
    assert len({len(cells) for cells in columns.values()}) == 1
    ranked = study.ranking
    assert [float(text) for text in columns["accuracy %"][: len(ranked)]] == [
        pytest.approx(100 * pair.estimate().mean, abs=0.06) for pair in ranked
    ]
    assert [text.strip(" *") for text in columns["rate"][: len(ranked)]] == [f"{pair.rate:g}" for pair in ranked]
    assert [str(cell) for cell in columns["verdict"]].count("baseline") == 1
    assert str(columns["verdict"][-1]) == "does not fit"


def test_another_metric_has_an_order_of_its_own():
    study = make_study(kind="regression", losses=[slopes.mse])
    rows = lines_of(study, metric="r2")
    assert [row[1] for row in rows] == [pair.activation for pair in study.ranked("r2")]
    assert "R² on 66 test samples" in printed(study, metric="r2")
    assert "RMSE in points of disease progression on 66" in printed(study)
    with pytest.raises(LookupError, match="no metric 'accuracy'"):
        study.listing("accuracy")


def test_names_that_are_markup_are_text():
    study = make_study(names={"activation": ["[red]x[/red]", "[/]", "b"], "loss": ["a", "[bold]"]})
    rows = lines_of(study)
    assert {(row[1], row[2]) for row in rows} == {(a, b) for a in ("[red]x[/red]", "[/]", "b") for b in ("a", "[bold]")}


@pytest.mark.parametrize(
    "options",
    [
        {"failing": [(a.name, b.name) for a in ACTIVATIONS for b in LOSSES]},
        {"unfit": {(a, b): "no" for a in range(3) for b in range(2)}},
        {"failing": [("relu", "cross_entropy")]},
        {"activations": [slopes.relu], "losses": [slopes.mse], "rates": [0.1], "seeds": 1, "epochs": 1},
    ],
    ids=["all failed", "all unfit", "baseline failed", "one run"],
)
def test_odd_studies_are_listed(options):
    study = make_study(**options)
    assert len(lines_of(study)) == len(study.pairs)
    assert str(study)


# ---------------------------------------------------------------------------------------------- picture


@pytest.mark.parametrize("name", ["a.png", "b.SVG", "c.pdf"])
def test_a_picture_is_written(tmp_path, study, name):
    pytest.importorskip("matplotlib")
    assert study.plot(tmp_path / name) == tmp_path / name
    assert (tmp_path / name).stat().st_size > 5000


@pytest.mark.parametrize("count", [1, 3, 40])
def test_a_picture_has_a_row_for_each_pair_with_its_verdict(count):
    pytest.importorskip("matplotlib")
    study = make_study(activations=[slopes.elu.with_(alpha=1 + i) for i in range(count)], losses=[slopes.mse])
    figure = study.plot()
    left, right = figure.axes
    assert [text.get_text() for text in left.texts] == [f"{p.activation}  {p.loss}" for p in study.ranking]
    verdicts = {row["activation"]: row["verdict"] for row in study.verdicts()}
    assert [text.get_text() for text in right.texts] == [verdicts.get(p.activation, "baseline") for p in study.ranking]
    assert figure.get_figheight() > 0.2 * count


def test_a_picture_shows_the_numbers():
    pytest.importorskip("matplotlib")
    from slopes.comparing.report import scales

    study = make_study(kind="regression", losses=[slopes.mse])
    figure = study.plot(metric="mae")
    verdict = study.verdicts("mae")[0]
    metric = study.metric("mae")
    ends = [row[k] for row in study.verdicts("mae") for k in ("difference", "low", "high")]
    axis = scales.of_differences(metric, ends, 0.13)
    places = [line.get_xdata()[0] for line in figure.axes[1].lines if line.get_marker() == "o"]
    assert axis.at(verdict["difference"]) in places
    assert "MAE in points of disease progression on diabetes" in [text.get_text() for text in figure.texts]


def test_a_picture_that_cannot_be_says_why(tmp_path, study):
    pytest.importorskip("matplotlib")
    with pytest.raises(ValueError, match=r"must end in \.png, \.svg or \.pdf, got 'x.jpg'"):
        study.plot("x.jpg")
    with pytest.raises(OSError, match="plot: cannot write"):
        study.plot(tmp_path / "no" / "x.png")
    with pytest.raises(LookupError, match="no metric"):
        study.plot(metric="loss")
    with pytest.raises(LookupError, match="nothing was trained"):
        make_study(failing=[(a.name, b.name) for a in ACTIVATIONS for b in LOSSES]).plot()


def test_names_are_no_formulas(tmp_path):
    pytest.importorskip("matplotlib")
    study = make_study(names={"activation": ["$\\frac{x$", "</script>", "x" * 80], "loss": ["a", "$b"]})
    assert study.plot(tmp_path / "odd.png").exists()
