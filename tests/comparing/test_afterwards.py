"""What a user does with a study once it has been trained."""

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("sklearn")

import torch
from sklearn.datasets import load_diabetes, load_iris

import slopes
from conftest import TINY
from slopes.comparing import Study, StudyError


@pytest.fixture(autouse=True)
def no_page(monkeypatch):
    monkeypatch.setattr("slopes.comparing.report.write", lambda study, path: path)


def trained(data, tmp_path, loss="mse", **options):
    given = TINY | {"seeds": 1, "rates": [0.03], "batch_size": 16, "epochs": 15} | options
    return slopes.compare("mlp(hidden=16)", data, activations=["relu"], losses=[loss], out=tmp_path, **given)


def test_predictions_are_in_the_units_of_the_target(tmp_path):
    inputs, targets = load_diabetes(return_X_y=True, scaled=False)
    study = trained((inputs, targets), tmp_path)
    best = study.best()
    predicted = best.predict(inputs)
    test = study.plan.job.task.parts.test.numpy()
    rmse = np.sqrt(np.square(predicted - targets)[test].mean())
    assert rmse == pytest.approx(best.run.test["rmse"], rel=1e-4)
    assert np.array_equal(study.predict(torch.from_numpy(inputs)), predicted)
    assert study.best() is best
    with pytest.raises(ValueError, match=r"^predict: a sample must have shape \(10,\), got \(9,\)\."):
        study.predict(inputs[:, 1:])


def test_predictions_of_classes_are_the_labels_that_came(tmp_path):
    pytest.importorskip("pandas")
    flowers = load_iris(as_frame=True)
    table = flowers.data.assign(
        kind=[flowers.target_names[i] for i in flowers.target], shade=["dark", "light", None] * 50
    )
    study = trained(table, tmp_path, "cross_entropy", target="kind")
    predicted = study.predict(table)
    test = study.plan.job.task.parts.test.numpy()
    assert (predicted == table["kind"])[test].mean() == pytest.approx(study.best().run.test["accuracy"])
    assert (predicted == table["kind"]).mean() > 0.8
    table.drop(columns="kind").to_csv(tmp_path / "new.csv", index=False)
    for new in (table[table.columns[::-1]], tmp_path / "new.csv", {name: table[name] for name in table.columns}):
        assert np.array_equal(study.predict(new), predicted)
    chances = study.predict(table, probabilities=True)
    assert chances.shape == (150, 3)
    np.testing.assert_allclose(chances.sum(1), 1)
    unknown = table.assign(shade="unheard of").head(2)
    assert study.predict(unknown).shape == (2,)
    with pytest.raises(ValueError, match=r"^predict: the table lacks the columns shade\."):
        study.predict(table.drop(columns="shade"))
    with pytest.raises(
        ValueError, match=r"^predict: column 'sepal length \(cm\)' must hold numbers, got text such as 'x'"
    ):
        study.predict(table.assign(**{"sepal length (cm)": "x"}))


@pytest.mark.parametrize(
    ("targets", "labels"),
    [
        (np.arange(60) % 2 == 0, {True, False}),
        (3 * (np.arange(60) % 3), {0, 3, 6}),
        (np.arange(60) % 7 > 0, {True, False}),
    ],
)
def test_labels_keep_their_type(tmp_path, targets, labels):
    inputs = np.random.default_rng(0).normal(size=(60, 3)) + targets[:, None]
    loss = "cross_entropy" if len(labels) > 2 else "binary_cross_entropy"
    predicted = trained((inputs, targets), tmp_path, loss).predict(inputs)
    assert set(predicted.tolist()) <= labels
    assert (predicted == targets).mean() > 0.5
    assert predicted.dtype == targets.dtype


def test_a_study_is_loaded_without_model_and_data(tmp_path):
    inputs = np.random.default_rng(0).normal(size=(60, 3))
    study = slopes.compare(
        "mlp(hidden=4)", (inputs, inputs[:, 0]), activations=["relu", "tanh"], losses=["mse", "cross_entropy"],
        out=tmp_path / "here", **TINY | {"seeds": 3},
    )  # fmt: skip
    (tmp_path / "here").rename(tmp_path / "there")
    loaded = Study.load(tmp_path / "there")
    assert loaded.runs == study.runs
    assert loaded.table() == study.table()
    assert loaded.verdicts() == study.verdicts()
    assert loaded.verdicts("mae", among="activations") == study.verdicts("mae", among="activations")
    assert str(loaded) == str(study)
    assert loaded._repr_html_() == study._repr_html_()
    assert [pair.reason for pair in loaded.pairs] == [pair.reason for pair in study.pairs]
    assert loaded.export(tmp_path / "loaded.csv").read_text() == study.export(tmp_path / "runs.csv").read_text()
    for call, kind, words in (
        (loaded.best, LookupError, "a loaded study has no model and data"),
        (loaded.report, StudyError, "the page of a loaded study is the report.html"),
        (lambda: Study.load(tmp_path), StudyError, "there is no study here; give the output folder of one that ended"),
    ):
        with pytest.raises(kind, match=words):
            call()
    (tmp_path / "there" / "study.json").write_text("{}")
    with pytest.raises(StudyError, match="this study cannot be read"):
        Study.load(tmp_path / "there")
