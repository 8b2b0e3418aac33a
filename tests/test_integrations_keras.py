"""Losses and activations in models of Keras, by PyTorch and JAX; `make test-packages` installs it."""

import os
import pathlib
import re
import subprocess
import sys
from functools import partial

import numpy as np
import pytest

import slopes

pytestmark = [pytest.mark.packages, pytest.mark.filterwarnings("ignore")]  # Keras and its backends warn of each other

BACKEND = os.environ.setdefault("KERAS_BACKEND", "torch")
keras = pytest.importorskip("keras")
pytest.importorskip(BACKEND)

from slopes.integrations.keras import Activation, Loss  # noqa: E402

PAGE = pathlib.Path(__file__).parent.parent / "docs" / "integrations.md"
ROWS = 12
rng = np.random.default_rng(0)
INPUTS = rng.normal(size=(ROWS, 8)).astype("float32")
SCORES, NUMBERS = rng.normal(size=(2, ROWS, 3)).astype("float32")
LABELS = rng.integers(0, 3, ROWS)
WEIGHTS = rng.uniform(0, 2, ROWS).astype("float32")

BINARY, CATEGORICAL, SPARSE = (
    partial(loss, from_logits=True)
    for loss in (
        keras.losses.BinaryCrossentropy,
        keras.losses.CategoricalCrossentropy,
        keras.losses.SparseCategoricalCrossentropy,
    )
)
TWINS = {
    "huber": (partial(Loss, slopes.huber, delta=2.0), partial(keras.losses.Huber, 2.0), NUMBERS, SCORES),
    "a column": (partial(Loss, "mse"), keras.losses.MeanSquaredError, NUMBERS[:, 0], SCORES[:, :1]),
    "a target's column": (partial(Loss, "mse"), keras.losses.MeanSquaredError, NUMBERS[:, :1], SCORES[:, 0]),
    "yes or no": (partial(Loss, "binary_cross_entropy"), BINARY, NUMBERS > 0, SCORES),
    "labels": (partial(Loss, "cross_entropy"), SPARSE, LABELS, SCORES),
    "a column of labels": (partial(Loss, "cross_entropy"), SPARSE, LABELS[:, None], SCORES),
    "smoothed rows": (
        partial(Loss, "cross_entropy", label_smoothing=0.1),
        partial(CATEGORICAL, label_smoothing=0.1),
        np.eye(3)[LABELS],
        SCORES,
    ),
}


@pytest.mark.parametrize("weights", [None, WEIGHTS], ids=["", "weighted"])
@pytest.mark.parametrize("reduction", ["sum_over_batch_size", "sum", None])
@pytest.mark.parametrize("case", TWINS)
def test_a_loss_is_that_of_keras(case, reduction, weights):
    ours, theirs, target, prediction = TWINS[case]
    found, due = (
        keras.ops.convert_to_numpy(loss(reduction=reduction)(target, prediction, sample_weight=weights))
        for loss in (ours, theirs)
    )
    assert found.shape == due.shape
    np.testing.assert_allclose(found, due, rtol=3e-6)


def test_grades_and_labels_on_another_axis():
    for name in ("coral", "corn"):
        for grades in (LABELS, LABELS[:, None]):
            found = float(Loss(name)(grades, SCORES[:, :2]))
            assert found == pytest.approx(float(getattr(slopes, name)(SCORES[:, :2], LABELS)), rel=1e-6)
    scores, labels = rng.normal(size=(2, 3, 4, 4)).astype("float32"), rng.integers(0, 3, (2, 4, 4))
    found = float(Loss("cross_entropy", axis=1)(labels, scores))
    assert found == pytest.approx(float(slopes.cross_entropy(scores, labels, axis=1)), rel=1e-6)


def test_forecasts_have_one_target_for_a_row():
    for target in (NUMBERS[:, 0], NUMBERS[:, :1]):
        found = float(Loss("multi_quantile", quantiles=(0.1, 0.5, 0.9))(target, SCORES))
        due = slopes.multi_quantile(SCORES, NUMBERS[:, 0], quantiles=(0.1, 0.5, 0.9))
        assert found == pytest.approx(float(due), rel=1e-6)
    with pytest.raises(ValueError, match=r"multi_quantile: target .* one for each row"):
        Loss("multi_quantile")(NUMBERS, SCORES)


def test_masks_of_one_channel():
    scores, masks = rng.normal(size=(2, 4, 4, 1)).astype("float32"), rng.integers(0, 2, (2, 4, 4, 1)).astype("float32")
    for name, options in (("lovasz_hinge", {}), ("dice", {"mode": "multilabel"})):
        found = float(Loss(name, axis=-1, **options)(masks, scores))
        assert found == pytest.approx(float(getattr(slopes, name)(scores, masks, axis=-1, **options)), rel=1e-6)


def test_the_edges_of_images_do_not_count():
    first, second = rng.random((2, 4, 3, 13, 12)).astype("float32")
    for options in ({}, {"window": 3, "sigma": None}):
        found = float(Loss("ssim", **options)(second, first))
        assert found == pytest.approx(float(slopes.ssim(first, second, **options)), rel=1e-6)
    weight = np.array([0.0, 1.0, 3.0, 0.0], "float32")
    each = [float(slopes.ssim(x, y)) for x, y in zip(first, second, strict=True)]
    assert float(Loss("ssim")(second, first, weight)) == pytest.approx(weight @ each / 4, rel=1e-6)


@pytest.mark.parametrize("name", ["dice", "lovasz_softmax"])
def test_regions_take_labels_of_pixels(name):
    scores, labels = rng.normal(size=(2, 4, 4, 3)).astype("float32"), rng.integers(0, 3, (2, 4, 4))
    due = getattr(slopes, name)(scores, labels, axis=-1)
    for target in (labels, labels[..., None], np.eye(3)[labels]):
        assert float(Loss(name, axis=-1)(target, scores)) == pytest.approx(float(due), rel=1e-6)


def test_an_activation_goes_where_keras_takes_a_function():
    x = keras.Input((8,))
    model = keras.Model(x, keras.layers.Dense(16, activation=slopes.mish)(x))
    layer = model.layers[-1]
    found = keras.ops.convert_to_numpy(model(INPUTS))
    layer.activation = keras.activations.mish
    np.testing.assert_allclose(found, keras.ops.convert_to_numpy(model(INPUTS)), rtol=1e-5, atol=1e-7)


def test_a_model_trains_and_is_saved(tmp_path):
    layers = [
        keras.layers.Dense(16),
        Activation(slopes.elu, alpha=0.5),
        Activation("softmax", axis=-1),
        keras.layers.Dense(1),
    ]
    model = keras.Sequential([keras.Input((8,)), *layers])
    target = INPUTS.sum(1)
    model.compile(loss=Loss("huber", delta=2.0), optimizer=keras.optimizers.Adam(0.05))
    first = model.evaluate(INPUTS, target, verbose=0)
    model.fit(INPUTS, target, epochs=20, sample_weight=WEIGHTS, verbose=0)
    last = model.evaluate(INPUTS, target, verbose=0)
    assert last < 0.8 * first
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert loaded.evaluate(INPUTS, target, verbose=0) == pytest.approx(last, rel=1e-6)
    assert loaded.layers[1].options == {"alpha": 0.5}
    assert loaded.loss.loss is slopes.huber


def test_rows_of_parameters_are_saved(tmp_path):
    row = np.array([0.1, 0.5, 0.9])
    layer = Activation("rational", numerator=row, denominator=row[:1])
    model = keras.Sequential([keras.layers.Input((3,)), layer])
    model.compile("sgd", Loss("multi_quantile", quantiles=row))
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    assert np.array_equal(again.predict(SCORES, verbose=0), model.predict(SCORES, verbose=0))
    assert again.loss.get_config()["quantiles"] == (0.1, 0.5, 0.9)


def test_a_loss_of_ones_own_trains_and_says_that_it_cannot_be_saved(tmp_path):
    @slopes.loss("regression")
    def quartic(prediction, target):
        """The residual to the fourth power."""
        return (prediction - target) ** 4

    loss = Loss(quartic)
    assert float(loss(NUMBERS, SCORES)) == pytest.approx(float(((NUMBERS - SCORES) ** 4).mean()), rel=1e-5)
    with pytest.raises(
        ValueError, match="quartic is not of the catalogue of slopes, so a model with it cannot be saved"
    ):
        loss.get_config()
    with pytest.raises(ValueError, match=r"huber\(delta=2\.0\) has bound parameters, which cannot be saved"):
        Loss(slopes.huber.with_(delta=2.0)).get_config()


def test_every_loss_of_a_prediction_and_a_target_is_taken():
    losses = dict.fromkeys(slopes.catalogue.LOSSES.values())
    taken = [loss for loss in losses if len(loss.kind.arguments) == 2]
    assert [Loss(loss).loss for loss in taken] == taken
    vectors = keras.ops.convert_to_numpy(Loss("supcon", reduction=None)(LABELS, SCORES))
    np.testing.assert_allclose(vectors, slopes.supcon(SCORES, LABELS, reduction="none"), rtol=1e-5)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Loss(slopes.mish), r"takes a loss of slopes .*, got mish"),
        (lambda: Loss("gaussian_nll"), r"a prediction and a target .*, got gaussian_nll"),
        (lambda: Loss(keras.losses.Huber()), "got huber_loss"),
        (lambda: Loss("hubr"), "did you mean 'huber'"),
        (lambda: Loss("huber", detla=1), "huber takes no option 'detla' here; did you mean 'delta'"),
        (lambda: Loss("mse", eps=1), "mse takes no option 'eps' here; it takes none"),
        (lambda: Loss("cross_entropy", ignore_index=1), "left out by sample_weight"),
        (lambda: Loss("huber", delta=-1), "huber: delta must be > 0, got -1"),
        (lambda: Activation("huber"), r"takes an activation of slopes, .* got huber"),
        (lambda: Activation("elu", alfa=1), "alfa"),
        (lambda: Activation("elu", alpha="a"), "elu: alpha must be > 0, got 'a'"),
    ],
)
def test_what_is_refused(make, message):
    with pytest.raises((TypeError, ValueError, LookupError), match=message):
        make()


def test_another_backend_is_refused(monkeypatch):
    monkeypatch.setattr(keras.backend, "backend", lambda: "tensorflow")
    for make in (lambda: Loss("mse"), lambda: Activation("mish")):
        with pytest.raises(ValueError, match="computes with PyTorch, JAX or NumPy, and Keras with tensorflow"):
            make()


def test_the_page_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (block,) = (
        x for x in re.findall(r"^```python\n(.*?)^```", PAGE.read_text(), flags=re.M | re.S) if "import keras" in x
    )
    exec(compile(block, str(PAGE), "exec"), {})


def test_the_same_holds_by_the_other_backend():
    """A process has one; which one, the first test module that imports Keras decides."""
    other = "torch" if BACKEND == "jax" else "jax"
    pytest.importorskip(other)
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "-m",
        "packages",
        "-k",
        "not other_backend",
    ]
    environment = {**os.environ, "KERAS_BACKEND": other}
    ran = subprocess.run([*command, __file__], capture_output=True, text=True, env=environment)
    assert ran.returncode == 0, ran.stdout
