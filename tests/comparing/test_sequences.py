"""Sequences of different lengths: read in many forms, padded with a mask, trained, judged and predicted."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("sklearn")

import torch
from test_forms import ANSWERS, TABLE, TOKENS, Pairs, train
from test_tasks import Face
from torch import nn
from torch.nn.utils.rnn import pad_sequence
from torch.utils.data import DataLoader

from slopes.comparing import Study, tasks
from slopes.comparing.plan import make_plan
from slopes.comparing.settings import Settings

SENTENCES = [tokens[: 2 + place % 5] for place, tokens in enumerate(TOKENS)]
LISTS = [sentence.tolist() for sentence in SENTENCES]
ARRAYS = [np.array(sentence) for sentence in LISTS]
MASK = torch.tensor([len(sentence) for sentence in SENTENCES]).unsqueeze(1) > torch.arange(6)
RNG = np.random.default_rng(0)
SIGNALS = [[5, -300] + [1, 20] * RNG.standard_normal((len(sentence), 2)) for sentence in SENTENCES]
TAGS = [(sentence + sentence.roll(1)) % 3 for sentence in SENTENCES]


@pytest.fixture(autouse=True)
def no_page(monkeypatch):
    monkeypatch.setattr(Study, "report", lambda study: None)


class Reader(nn.Module):
    """Logits of three classes from the mean over a sentence, or for each of its tokens."""

    def __init__(self, each=False):
        super().__init__()
        self.embed, self.hidden, self.activation, self.last = (
            nn.Embedding(6, 12),
            nn.Linear(24, 24),
            nn.ReLU(),
            nn.Linear(24, 3),
        )
        self.each = each

    def forward(self, tokens, mask):
        embedded = self.embed(tokens) * mask.unsqueeze(-1)
        mean = embedded.sum(1, keepdim=True) / mask.sum(1).view(-1, 1, 1)
        logits = self.last(self.activation(self.hidden(torch.cat([embedded, mean.expand_as(embedded)], -1))))
        return logits if self.each else logits[:, 0]


class OneInput(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed, self.activation, self.last = nn.Embedding(6, 12), nn.ReLU(), nn.Linear(12, 3)

    def forward(self, tokens):
        return self.last(self.activation(self.embed(tokens)).sum(1))


def nested():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PyTorch calls nested tensors a prototype
        return torch.nested.nested_tensor(SENTENCES)


def objects():
    array = np.empty(120, object)
    array[:] = LISTS
    return array


FORMS = {
    "lists": lambda: (LISTS, ANSWERS),
    "tensors": lambda: (SENTENCES, torch.from_numpy(ANSWERS)),
    "arrays": lambda: (ARRAYS, ANSWERS),
    "array of objects": lambda: (objects(), ANSWERS),
    "nested tensor": lambda: (nested(), ANSWERS),
    "dataset": lambda: Pairs(lambda i: (SENTENCES[i], ANSWERS[i])),
    "dataset of arrays": lambda: Pairs(lambda i: (ARRAYS[i], ANSWERS[i])),
    "dataset of dicts": lambda: Pairs(lambda i: {"words": ARRAYS[i], "label": ANSWERS[i]}),
    "columns": lambda: {"words": LISTS, "label": ANSWERS},
    "Hugging Face": lambda: Face(words=objects(), label=ANSWERS),
}


@pytest.mark.parametrize("form", FORMS)
def test_sequences_come_in_many_forms(form):
    task = tasks.resolve(FORMS[form]())
    values, mask = task.inputs
    assert values.dtype == torch.int64
    assert torch.equal(mask, MASK)
    assert torch.equal(values, pad_sequence(SENTENCES, batch_first=True))
    assert task.kind == "classification"
    assert "120 samples of a sequence of 2 to 6 tokens with its mask" in task.about


def test_numbers_of_sequences_are_standardised_by_entries_that_train():
    values = [signal.copy() for signal in SIGNALS]
    values[3][1, 0] = np.nan
    task = tasks.resolve((values, ANSWERS))
    inputs, mask = task.inputs
    assert inputs.shape == (120, 6, 2)
    assert inputs.dtype == torch.float32
    known = inputs[task.parts.train][mask[task.parts.train]]
    assert known.mean(0).numpy() == pytest.approx([0, 0], abs=0.02)
    assert known.std(0).numpy() == pytest.approx([1, 1], abs=0.02)
    assert not inputs[~mask].any()
    assert inputs[3, 1, 0] == 0
    assert "a sequence of 2 to 6 x 2 numbers with its mask" in task.about
    assert "Of the inputs 1 are missing" in task.about
    single = tasks.resolve(([signal[:, 0] for signal in SIGNALS], ANSWERS))
    assert single.inputs[0].shape == (120, 6)
    assert torch.allclose(single.inputs[0][4], tasks.resolve((SIGNALS, ANSWERS)).inputs[0][4, :, 0])


def test_parts_are_padded_alike():
    task = tasks.resolve(((LISTS[:60], ANSWERS[:60]), ([[1, 2]] * 30, ANSWERS[60:90]), (LISTS[90:], ANSWERS[90:])))
    assert [len(part) for part in task.parts] == [60, 30, 30]
    assert task.inputs[0].shape == (120, 6)
    assert task.inputs[1][60:90].sum(1).tolist() == [2] * 30
    two = tasks.resolve(((LISTS[:60], ANSWERS[:60]), (LISTS[60:], ANSWERS[60:])))
    assert torch.equal(two.inputs[1], MASK)


def test_sequences_beside_other_inputs():
    ordered = tasks.resolve(((SENTENCES, TABLE), ANSWERS))
    assert [tuple(each.shape) for each in ordered.inputs] == [(120, 6), (120, 6), (120, 3)]
    named = tasks.resolve(({"words": LISTS, "table": TABLE}, ANSWERS))
    assert {key: each.dtype for key, each in named.inputs.items()} == {
        "words": torch.int64, "table": torch.float32, "words_mask": torch.bool
    }  # fmt: skip
    assert torch.equal(named.inputs["words_mask"], MASK)
    prepared = named.preparation({"words": LISTS[:7], "table": TABLE[:7]})
    assert all(torch.equal(prepared[key], each[:7]) for key, each in named.inputs.items())
    ones = [[1] * len(sentence) for sentence in LISTS]
    tokenizer = tasks.resolve({"input_ids": LISTS, "attention_mask": ones, "label": ANSWERS})
    assert {*tokenizer.inputs} == {"input_ids", "attention_mask"}
    assert torch.equal(tokenizer.inputs["attention_mask"], MASK.long())


def test_a_model_takes_sequences_and_their_mask(tmp_path):
    study = train(tmp_path, Reader, (SENTENCES, ANSWERS), epochs=2)
    predicted = study.predict(LISTS, probabilities=True)
    assert predicted.shape == (120, 3)
    assert study.predict(LISTS[:4], probabilities=True) == pytest.approx(predicted[:4], abs=1e-6)
    longer = study.predict([*LISTS[:4], [1] * 50], probabilities=True)
    assert longer[:4] == pytest.approx(predicted[:4], abs=1e-6)
    with pytest.raises(
        ValueError, match=r"^predict: takes a list of sequences, arrays that differ in their first axis"
    ):
        study.predict([1, 2, 3])
    with pytest.raises(ValueError, match=r"^predict: an entry of a sequence must have shape \(\), got \(2,\)"):
        study.predict(SIGNALS)


@pytest.mark.parametrize("texts", [False, True], ids=["numbers", "texts"])
def test_labels_of_tokens_end_with_their_sequence(texts, tmp_path):
    names = np.array(["no", "some", "yes"])
    labels = [names[tags].tolist() if texts else tags for tags in TAGS]
    study = train(tmp_path, lambda: Reader(each=True), (SENTENCES, labels), epochs=3, activations=["relu"])
    task = study.plan.job.task
    assert task.kind == "tokens"
    assert task.ignores
    assert torch.equal(task.targets, torch.where(MASK, pad_sequence(TAGS, batch_first=True), -100))
    assert task.labels == (("no", "some", "yes") if texts else ("0", "1", "2"))
    predicted = study.predict(SENTENCES)
    assert [len(each) for each in predicted] == [len(sentence) for sentence in SENTENCES]
    rows = task.parts.test.tolist()
    right = np.concatenate([predicted[row] == np.asarray(labels[row]) for row in rows])
    assert study.best().run.test["accuracy"] == pytest.approx(right.mean())


def test_a_loader_pads_as_its_own_function_does():
    def join(samples):
        sentences, labels = zip(*samples, strict=True)
        return pad_sequence(sentences, batch_first=True, padding_value=5), torch.tensor(labels)

    def join_with_mask(samples):
        sentences, labels = zip(*samples, strict=True)
        return {"ids": pad_sequence(sentences, batch_first=True), "hidden": ~MASK, "labels": torch.tensor(labels)}

    pairs = [(sentence, int(label)) for sentence, label in zip(SENTENCES, ANSWERS, strict=True)]
    task = tasks.resolve(DataLoader(pairs, batch_size=8, shuffle=True, collate_fn=join))
    assert torch.equal(task.inputs, pad_sequence(SENTENCES, batch_first=True, padding_value=5))
    assert task.targets.tolist() == ANSWERS.tolist()
    named = tasks.resolve(DataLoader(pairs, batch_size=8, collate_fn=join_with_mask))
    assert torch.equal(named.inputs["hidden"], ~MASK)
    assert torch.equal(named.preparation({key: each[:3] for key, each in named.inputs.items()})["hidden"], ~MASK[:3])
    for wrong, message in (
        (lambda samples: 1 / 0, "the collate_fn of data fails on all 120 samples: ZeroDivisionError: division by zero."),
        (lambda samples: (TOKENS, MASK, ANSWERS), "the collate_fn of data must give inputs and targets, where several inputs are a tuple or a dict; it gives a tuple of 3."),
        (lambda samples: (TOKENS[:50], ANSWERS), r"inputs (50, 7) and targets (120,) of data must have one length."),
    ):  # fmt: skip
        with pytest.raises((TypeError, ValueError)) as told:
            tasks.resolve(DataLoader(pairs, collate_fn=wrong))
        assert str(told.value) == f"compare: {message}"


def test_a_model_without_a_mask_is_told_of_it():
    with pytest.raises(
        ValueError, match=r"3 were given; the mask tells which entries of a sequence count, as in forward"
    ):
        make_plan(Settings(OneInput, (SENTENCES, ANSWERS), activations=["relu"], losses=["cross_entropy"]))
    with pytest.raises(
        ValueError, match=r"the mlp takes one input, and the task arrays gives several \(\(6,\), \(6,\)\)"
    ):
        make_plan(Settings("mlp", (SENTENCES, ANSWERS)))


@pytest.mark.parametrize(
    ("inputs", "targets", "message"),
    [
        ([[[1, 2], [3]], [[1], [2]]] * 60, ANSWERS, "the inputs are lists of unequal lengths, and not sequences, whose first axis alone may differ"),
        ([[1], []] * 60, ANSWERS, "sample 1 of the inputs is an empty sequence; leave it out."),
        ([TABLE[:2], TABLE[:3, :2]] * 60, ANSWERS, "sequences may differ in their first axis alone; of the inputs sample 0 is (2, 3) and sample 1 (3, 2)."),
        ([["a", "b"], ["c"]] * 60, ANSWERS, "the inputs of data must be numbers, got <U1"),
        ([[1.0], [2.0, 1e300]] * 60, ANSWERS, "60 of the inputs of data are too large for 32 bits, the first in sample 1"),
        (TABLE, [[0, 1], [1]] * 60, "targets of different lengths must be labels of tokens, one for each entry of inputs"),
        ([[1, 2], [3]] * 60, [[0, 1], [1, 0, 0]] * 60, "sample 1 is a sequence of 1 and has 3 labels; give each entry a label."),
        ([[1, 2], [3]] * 60, [[0.5, 1.0], [1.0]] * 60, "a tokens task takes labels of shape (sample, token), got float64 (120, 2)."),
        ([[1, 2], [3]] * 59, ANSWERS, "inputs (118,) and targets (120,) of data must have one length."),
    ],
    ids=lambda value: None,
)  # fmt: skip
def test_sequences_that_do_not_fit_are_refused(inputs, targets, message):
    with pytest.raises(ValueError) as told:  # noqa: PT011 - the message is below
        tasks.resolve((inputs, targets))
    assert str(told.value).startswith(f"compare: {message}"), told.value


def test_parts_that_are_no_sequences_are_refused():
    with pytest.raises(
        ValueError, match=r"^compare: the inputs of the test part are no sequences, and those of another"
    ):
        tasks.resolve(((LISTS, ANSWERS), ({"a": TABLE[:, 0]}, ANSWERS)))
    with pytest.raises(ValueError, match=r"^compare: the targets of the test part are no sequences, and those of"):
        tasks.resolve(((LISTS, [tags.tolist() for tags in TAGS]), (LISTS, ANSWERS)))
    with pytest.raises(
        ValueError, match=r"^compare: sequences may differ in their first axis alone; of the inputs sample"
    ):
        tasks.resolve(((SIGNALS, ANSWERS), (LISTS, ANSWERS)))
