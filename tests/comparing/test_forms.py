"""Several inputs, labels of tokens and pixels, and several labels for a sample: trained, judged and predicted."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("sklearn")

import torch
from test_tasks import Face
from torch import nn
from torch.nn.functional import one_hot

import slopes
from conftest import TINY
from slopes.comparing import Study, tasks
from slopes.comparing.plan import make_plan
from slopes.comparing.report import page
from slopes.comparing.settings import Settings

GIVEN = TINY | {"rates": [0.03], "batch_size": 16, "epochs": 8, "activations": ["relu", "tanh"]}
RNG = np.random.default_rng(0)
PICTURES, TABLE = RNG.standard_normal((120, 4, 4)), 50 + 20 * RNG.standard_normal((120, 3))
ANSWERS = (PICTURES[:, 0].sum(1) > 0) * 1 + (TABLE[:, 0] > 50)
TOKENS = torch.randint(0, 6, (120, 7), generator=torch.Generator().manual_seed(0))
TAGS = (TOKENS + TOKENS.roll(1, 1)) % 3
TAGS[:, 0] = -1


@pytest.fixture(autouse=True)
def no_page(monkeypatch):
    monkeypatch.setattr(Study, "report", lambda study: None)


class TwoInputs(nn.Module):
    def __init__(self):
        super().__init__()
        self.of_picture, self.of_table, self.activation = nn.Linear(16, 16), nn.Linear(3, 16), nn.ReLU()
        self.last = nn.Linear(16, 3)

    def forward(self, picture, table):
        return self.last(self.activation(self.of_picture(picture.flatten(1)) + self.of_table(table)))


class Tagger(nn.Module):
    """Logits of five classes, of which three occur: (sample, token, class), or with the classes first."""

    def __init__(self, first=False):
        super().__init__()
        self.embed, self.mix, self.last = nn.Embedding(6, 12), nn.Conv1d(12, 24, 3, padding=1), nn.Conv1d(24, 5, 1)
        self.activation, self.first = nn.ReLU(), first

    def forward(self, tokens):
        logits = self.last(self.activation(self.mix(self.embed(tokens).transpose(1, 2))))
        return logits if self.first else logits.transpose(1, 2)


def train(tmp_path, model, data, losses=("cross_entropy",), **options):
    """Studies by the stack and by the loop, which agree."""
    stack, loop = (
        slopes.compare(model, data, losses=list(losses), out=tmp_path / engine, **GIVEN | options | {"engine": engine})
        for engine in ("stack", "loop")
    )
    assert not stack.failures
    assert not loop.failures
    assert {run.engine for run in stack.runs} == {"stack"}
    for one, other in zip(stack.runs, loop.runs, strict=True):
        assert one.training_loss == pytest.approx(other.training_loss, rel=2e-3)
        assert one.test == pytest.approx(other.test, abs=0.05)
    return stack


class Pairs(torch.utils.data.Dataset):
    def __init__(self, sample):
        self.sample = sample

    def __len__(self):
        return 120

    def __getitem__(self, place):
        if place >= 120:
            raise IndexError
        return self.sample(place)


IN_ORDER = {
    "arrays": ((PICTURES, TABLE), ANSWERS),
    "tensors": ((torch.from_numpy(PICTURES), torch.from_numpy(TABLE)), torch.from_numpy(ANSWERS)),
    "dataset": Pairs(lambda i: ((PICTURES[i], TABLE[i]), ANSWERS[i])),
}
BY_NAME = {
    "arrays": ({"table": TABLE, "picture": PICTURES}, ANSWERS),
    "dataset": Pairs(lambda i: {"table": TABLE[i], "picture": PICTURES[i], "label": ANSWERS[i]}),
    "columns": {"table": TABLE, "picture": PICTURES, "label": ANSWERS},
}


def test_several_inputs_come_in_many_forms(tmp_path):
    np.savez(tmp_path / "scans.npz", table=TABLE, picture=PICTURES, label=ANSWERS)
    first = tasks.resolve(IN_ORDER["arrays"])
    assert isinstance(first.inputs, tuple)
    for each in first.inputs:
        assert each.dtype == torch.float32
    assert abs(first.inputs[1][first.parts.train].mean(0)).max() < 1e-5
    for data in IN_ORDER.values():
        task = tasks.resolve(data)
        assert all(map(torch.equal, task.inputs, first.inputs))
    for data in (*BY_NAME.values(), tmp_path / "scans.npz"):
        task = tasks.resolve(data)
        assert {*task.inputs} == {"picture", "table"}
        assert torch.equal(task.inputs["picture"], first.inputs[0])
        assert torch.equal(task.inputs["table"], first.inputs[1])
    parts = [((PICTURES[part], TABLE[part]), ANSWERS[part]) for part in (slice(60), slice(60, 90), slice(90, None))]
    assert [len(part) for part in tasks.resolve(tuple(parts)).parts] == [60, 30, 30]
    assert [len(part) for part in tasks.resolve((parts[0], parts[2])).parts] == [43, 17, 30]
    assert "120 samples of 4 x 4 numbers, 3 numbers, of your own" in first.about
    assert "table: 3 numbers, picture: 4 x 4 numbers" in tasks.resolve(BY_NAME["arrays"]).about
    assert tasks.resolve(BY_NAME["arrays"]).fingerprint != first.fingerprint


@pytest.mark.parametrize("data", [IN_ORDER["arrays"], BY_NAME["arrays"]], ids=["in order", "by name"])
def test_a_model_of_two_inputs_is_trained_and_predicts(data, tmp_path):
    study = train(tmp_path, TwoInputs, data, epochs=20)
    assert study.best().run.test["accuracy"] > 0.7
    inputs, _ = data
    raw = (
        {key: part[:40] for key, part in inputs.items()} if isinstance(inputs, dict) else tuple(x[:40] for x in inputs)
    )
    assert (study.predict(raw) == ANSWERS[:40]).mean() > 0.7
    with pytest.raises(
        ValueError,
        match=r"^predict: takes a (tuple of 2 inputs|dict of table, picture, or a list of such dicts), got a ndarray",
    ):
        study.predict(PICTURES)
    if isinstance(raw, dict):
        samples = [{"label": 0} | {key: part[place] for key, part in raw.items()} for place in range(40)]
        for given in (raw | {"label": ANSWERS[:40]}, samples):
            assert (study.predict(given) == study.predict(raw)).all()
        with pytest.raises(
            ValueError, match=r"^predict: takes a dict of table, picture, or a list of such dicts, got a list of 40"
        ):
            study.predict([*samples[1:], {"table": TABLE[0]}])


def test_columns_of_whole_numbers_are_tokens():
    """As a Hugging Face dataset has them after a tokenizer."""
    mask = np.ones((120, 7), int)
    columns = {"input_ids": TOKENS.numpy(), "attention_mask": mask, "labels": TAGS.numpy()}
    task = tasks.resolve(Face(**columns))
    assert task.kind == "tokens"
    assert torch.equal(task.inputs["input_ids"], TOKENS)
    assert task.inputs["attention_mask"].dtype == torch.int64
    assert task.ignores
    alone = tasks.resolve(Face(input_ids=TOKENS.numpy(), label=ANSWERS))
    assert torch.equal(alone.inputs, TOKENS)


def test_hooks_get_all_inputs(tmp_path):
    def noisy(inputs):
        return {"picture": inputs["picture"] + 0.5 * torch.randn_like(inputs["picture"]), "table": inputs["table"]}

    plain, augmented = (
        train(tmp_path / str(n), TwoInputs, BY_NAME["arrays"], epochs=2, augment=hook)
        for n, hook in enumerate((None, noisy))
    )
    assert plain.runs[0].training_loss != pytest.approx(augmented.runs[0].training_loss, rel=1e-2)

    def stepping(model, inputs, targets, loss):
        return 2 * loss(model(**inputs), targets)

    given = GIVEN | {"epochs": 2, "engine": "auto"}
    own = slopes.compare(TwoInputs, BY_NAME["arrays"], losses=["cross_entropy"], step=stepping, out=tmp_path, **given)
    assert own.runs[0].training_loss[0] == pytest.approx(2 * plain.runs[0].training_loss[0], rel=0.1)


@pytest.mark.parametrize(
    ("model", "data", "message"),
    [
        ("mlp", IN_ORDER["arrays"], "the mlp takes one input, and the task arrays gives several ((4, 4), (3,)); pass a"),
        (TwoInputs, ((TABLE, PICTURES), ANSWERS), "TwoInputs fails on the inputs of the task arrays, (batch, 3) float32, (batch, 4, 4) float32: RuntimeError"),
        (TwoInputs, ((PICTURES, TABLE[:100]), ANSWERS), "inputs (0: 120, 1: 100) and 120 targets of data must have one length."),
        (TwoInputs, ({"image": PICTURES, "table": TABLE}, ANSWERS), "TwoInputs fails on the inputs of the task arrays, image: (batch, 4, 4) float32, table: (batch, 3) float32: TypeError"),
        (TwoInputs, Pairs(lambda i: (PICTURES[i], TABLE[i], ANSWERS[i])), "data must give pairs of an input and a target, where several inputs are a tuple or a dict; sample 0 is a tuple."),
        (TwoInputs, Pairs(lambda i: ({"a": TABLE[i], "b" if i else "c": TABLE[i]}, ANSWERS[i])), "sample 1 of data has other inputs than sample 0."),
        (TwoInputs, (IN_ORDER["arrays"], IN_ORDER["arrays"], BY_NAME["arrays"]), "the test part must have the inputs of the train part, in one form."),
        (TwoInputs, (({"table": TABLE, "picture": PICTURES}, ANSWERS), ({"table": TABLE}, ANSWERS)), "the test part must have the inputs of the train part"),
    ],
)  # fmt: skip
def test_inputs_that_do_not_fit_are_refused(model, data, message):
    with pytest.raises((TypeError, ValueError)) as told:
        make_plan(Settings(model, data, activations=["relu"], losses=["cross_entropy"]))
    assert str(told.value).startswith(f"compare: {message}"), told.value


@pytest.mark.parametrize("first", [False, True], ids=["classes last", "classes first"])
def test_tokens_are_told_by_the_tokens_around(first, tmp_path):
    study = train(tmp_path, lambda: Tagger(first), (TOKENS, TAGS), losses=["cross_entropy", "mse"], metrics=["recalls"])
    task = study.plan.job.task
    assert (task.kind, task.outputs, task.labels) == ("tokens", 5, ("0", "1", "2", "3", "4"))
    assert study.best().run.test["accuracy"] > 0.8
    assert study.best().run.test["macro_f1"] > 0.8
    predicted = study.predict(TOKENS)
    assert predicted.shape == (120, 7)
    right = predicted == TAGS.numpy()
    assert right[:, 1:].mean() > 0.8
    rows = task.parts.test.numpy()
    assert study.best().run.test["accuracy"] == pytest.approx(right[rows][:, 1:].mean())
    true = (TAGS == 2).numpy()[rows]
    assert study.best().run.test["recall_2"] == pytest.approx(right[rows][true].mean())
    assert study.predict(TOKENS, probabilities=True).shape == (120, 7, 5)


def test_losses_of_pytorch_train_tokens_as_cards_do(tmp_path):
    losses = ["cross_entropy", nn.CrossEntropyLoss(), lambda z, y: nn.functional.cross_entropy(z, y)]
    study = train(tmp_path, Tagger, (TOKENS, TAGS), losses=losses, epochs=2, activations=["relu"])
    card, *others = (study.pair("relu", loss).runs[0].training_loss for loss in study.plan.names["loss"])
    for other in others:
        assert other == pytest.approx(card, rel=1e-3)
    assert "Ranking by token accuracy on test data" in page.render(study)


def test_a_user_s_metric_gets_the_tokens_that_count(tmp_path):
    shapes = []

    def seen(y_true, y_pred):
        shapes.append((y_true.shape, y_pred.shape, y_true.min()))
        return (y_true == y_pred).mean()

    given = {"epochs": 1, "activations": ["relu"], "seeds": 1, "metrics": [seen], "losses": ["cross_entropy"]}
    study = slopes.compare(Tagger, (TOKENS, TAGS), out=tmp_path, **GIVEN | given)
    assert set(shapes) == {((24 * 6,), (24 * 6,), 0), ((36 * 6,), (36 * 6,), 0)}
    assert study.runs[0].test["seen"] == pytest.approx(study.runs[0].test["accuracy"])


def test_logits_that_could_be_read_in_two_ways_are_noted():
    five = TOKENS[:, :5], TAGS[:, :5]
    plan = make_plan(Settings(Tagger, five, activations=["relu"], losses=["cross_entropy"]))
    assert plan.job.network.notes[0] == "The logits (batch, 5, 5) are read as (batch, …, class)."
    assert plan.job.network.class_axis == -1
    with pytest.raises(
        ValueError,
        match=r"labels up to 9 at each token: the model must give \(batch, 10, 7\) or \(batch, 7, 10\), or more classes, and gives \(batch, 7, 5\); labels below 0 are left out",
    ):
        make_plan(Settings(Tagger, (TOKENS, torch.where(TAGS == 2, 9, TAGS)), activations=["relu"]))


def test_masks_of_several_classes(tmp_path):
    """Bright squares and dark ones on noise; a frame is left out."""
    images, masks = 0.3 * RNG.standard_normal((90, 1, 10, 10)), np.zeros((90, 10, 10), int)
    for image, mask in zip(images, masks, strict=True):
        for label, sign in ((1, 2.0), (2, -2.0)):
            top, left = RNG.integers(7, size=2)
            image[0, top : top + 3, left : left + 3] = sign
            mask[top : top + 3, left : left + 3] = label
    masks[:, 0] = -1
    study = train(tmp_path, "cnn(channels=8)", (images, masks), losses=["cross_entropy", "dice"], epochs=4, rates=[0.1])
    assert study.plan.job.task.kind == "multiclass_segmentation"
    best = study.best()
    assert best.run.test["mean_iou"] > 0.7
    rows = study.plan.job.task.parts.test.numpy()
    predicted = study.predict(images[rows])
    assert predicted.shape == (27, 10, 10)
    assert best.run.test["accuracy"] == pytest.approx((predicted == masks[rows])[:, 1:].mean())


def test_samples_with_several_labels(tmp_path):
    inputs = RNG.standard_normal((150, 4))
    labels = inputs @ RNG.standard_normal((4, 3)) > 0.3
    losses = ["binary_cross_entropy", "multilabel_soft_margin", nn.BCEWithLogitsLoss(), "mse", "soft_margin"]
    study = train(tmp_path, "mlp(hidden=16)", (inputs, labels), losses=losses, activations=["relu"])
    assert study.plan.job.task.kind == "multilabel"
    assert min(run.test["mean_average_precision"] for run in study.runs) > 0.8
    rows = study.plan.job.task.parts.test.numpy()
    predicted = study.predict(inputs[rows])
    assert predicted.dtype == bool
    assert study.best().run.test["accuracy"] == pytest.approx((predicted == labels[rows]).mean())
    plain, soft, torchs, *_ = (study.pair("relu", loss).runs[0].training_loss for loss in study.plan.names["loss"])
    assert soft == pytest.approx(plain, rel=1e-3)
    assert torchs == pytest.approx(plain, rel=1e-3)


def test_a_language_model_of_a_small_text(tmp_path):
    from sklearn.datasets import load_iris

    text = load_iris().DESCR
    names = sorted({*text})
    codes = torch.tensor([names.index(letter) for letter in text])
    pieces = codes[: len(codes) // 17 * 17].view(-1, 17)

    class Recurrent(nn.Module):
        def __init__(self):
            super().__init__()
            self.embed, self.hidden = nn.Embedding(len(names), 16), nn.Linear(48, 32)
            self.activation, self.last = nn.ReLU(), nn.Linear(32, len(names))

        def forward(self, tokens):
            before = self.embed(nn.functional.pad(tokens, (2, 0)))
            windows = before.unfold(1, 3, 1).flatten(2)
            return self.last(self.activation(self.hidden(windows)))

    given = GIVEN | {"epochs": 4, "seeds": 1, "activations": ["relu"], "engine": "loop"}
    data = pieces[:, :-1], pieces[:, 1:]
    study = slopes.compare(Recurrent, data, losses=["cross_entropy"], out=tmp_path, **given)
    often = one_hot(pieces, len(names)).double().mean((0, 1)).max()
    assert study.plan.job.task.outputs == len(names)
    assert study.best().run.test["accuracy"] > 1.3 * often
