"""Watchers and losses in the training loops of Lightning, Hugging Face and skorch; `make test-packages` installs these."""

import pathlib
import pickle
import re

import numpy as np
import pytest

import slopes

torch = pytest.importorskip("torch")

pytestmark = [
    pytest.mark.packages,
    pytest.mark.filterwarnings("ignore"),  # the frameworks warn of their defaults, of each other and of Python
]
PAGE = pathlib.Path(__file__).parent.parent / "docs" / "integrations.md"
STEPS, ROWS = 12, 8


def hooks_of(model):
    """Return the number of hooks in a model."""
    return sum(len(m._forward_hooks) + len(m._forward_pre_hooks) for m in model.modules())


# --------------------------------------------------------------------------------------- Lightning


@pytest.fixture(params=["lightning.pytorch", "pytorch_lightning"])
def pl(request):
    pytest.importorskip("lightning")
    return pytest.importorskip(request.param)


@pytest.fixture
def callbacks():
    pytest.importorskip("lightning")
    return slopes.integrations.lightning


def make_module(pl, *, root=False, own=False):
    """Return a LightningModule; with a root, gradients are NaN from input 5 on, and `own` calls the part alone."""

    class Root(torch.nn.Module):
        def forward(self, x):
            return torch.sqrt(x - x) + x

    class Model(pl.LightningModule):
        def __init__(self):
            super().__init__()
            torch.manual_seed(0)
            parts = [torch.nn.Linear(4, 8), torch.nn.ReLU(), *([Root()] if root else []), torch.nn.Linear(8, 1)]
            self.part = torch.nn.Sequential(*parts)

        def forward(self, x):
            return self.part(x)

        def training_step(self, batch):
            x, y = batch
            return slopes.mse((self.part if own else self)(x), y)

        def validation_step(self, batch):
            self(batch[0])

        def configure_optimizers(self):
            return torch.optim.SGD(self.parameters(), lr=0.1)

    return Model()


def loader():
    x = torch.randn(STEPS * ROWS, 4, generator=torch.Generator().manual_seed(0))
    return torch.utils.data.DataLoader(torch.utils.data.TensorDataset(x, x[:, :1] ** 2), batch_size=ROWS)


def fit(pl, model, tmp_path, *callbacks, validate=False, **settings):
    """Train for an epoch, and return the logger's numbers by step."""

    class Logger(pl.loggers.CSVLogger):
        def log_metrics(self, metrics, step=None):
            logged.append((step, dict(metrics)))

    logged = []
    trainer = pl.Trainer(
        max_epochs=1, callbacks=list(callbacks), logger=Logger(tmp_path), accelerator="cpu", devices=1,
        enable_checkpointing=False, enable_progress_bar=False, enable_model_summary=False, **settings,
    )  # fmt: skip
    trainer.fit(model, loader(), loader() if validate else None)
    return [(step, numbers) for step, numbers in logged if "slopes/findings" in numbers]


def test_lightning_logs_each_diagnosis(pl, callbacks, tmp_path):
    model, callback = make_module(pl), callbacks.WatcherCallback(every=3, samples=2 * ROWS)
    logged = fit(pl, model, tmp_path, callback)
    first, second = callback.watcher.history
    assert (first.steps, second.steps) == ((0, 3), (6, 9))
    assert [step for step, _ in logged] == [4, 10]
    for diagnosis, (_, numbers) in zip((first, second), logged, strict=True):
        (relu,), weights = diagnosis.layers, diagnosis.weights
        assert numbers == {
            "slopes/findings": len(diagnosis.findings),
            "slopes/dead": relu.dead,
            "slopes/saturated": relu.saturated,
            "slopes/gradient_ratio": weights[-1].gradient / weights[0].gradient,
            "slopes/update": max(each.update for each in weights),
        }
    assert hooks_of(model) == 0


def test_lightning_trains_as_without_it(pl, callbacks, tmp_path):
    models = [make_module(pl) for _ in range(2)]
    fit(pl, models[0], tmp_path)
    fit(pl, models[1], tmp_path, callbacks.WatcherCallback(every=1, samples=1, stop_on_nan=True))
    assert all(torch.equal(one, other) for one, other in zip(*(m.parameters() for m in models), strict=True))


def test_lightning_counts_steps_of_the_optimizer(pl, callbacks, tmp_path):
    callback = callbacks.WatcherCallback(every=2, samples=1)
    fit(pl, make_module(pl), tmp_path, callback, accumulate_grad_batches=3)
    assert callback.watcher.step == STEPS // 3
    assert [d.samples for d in callback.watcher.history] == [3 * ROWS] * 2
    assert all(w.update > 0 for d in callback.watcher.history for w in d.weights)


def test_lightning_leaves_out_the_validation(pl, callbacks, tmp_path):
    callback = callbacks.WatcherCallback(every=1, samples=10**6)
    fit(pl, make_module(pl), tmp_path, callback, validate=True, val_check_interval=5, accumulate_grad_batches=2)
    assert callback.watcher.diagnosis.samples == STEPS * ROWS


@pytest.mark.parametrize("own", [False, True])
def test_lightning_stops_at_nan(pl, callbacks, tmp_path, own):
    model = make_module(pl, root=True, own=own)
    before = [p.clone() for p in model.parameters()]
    callback = callbacks.WatcherCallback(module="part" if own else "", stop_on_nan=True)
    with pytest.raises(FloatingPointError, match=r"sqrt in .*") as caught:
        fit(pl, model, tmp_path, callback)
    assert callback.watcher.origin is caught.value.origin
    assert callback.watcher.origin.operation == "sqrt"
    assert all(torch.equal(one, other) for one, other in zip(before, model.parameters(), strict=True))
    assert hooks_of(model) == 0


def test_lightning_ends_the_step_that_an_exception_stops(pl, callbacks, tmp_path):
    model, callback = make_module(pl), callbacks.WatcherCallback(every=1)
    model.training_step = lambda batch: 1 / 0
    with pytest.raises(ZeroDivisionError):
        fit(pl, model, tmp_path, callback)
    assert hooks_of(model) == 0
    assert torch.overrides._get_current_function_mode() is None


def test_lightning_takes_the_name_of_a_part(callbacks):
    with pytest.raises(TypeError, match="module must be the name of a part, such as 'model', got"):
        callbacks.WatcherCallback(module=torch.nn.Linear(1, 1))


def test_lightning_says_that_nothing_was_watched(callbacks):
    with pytest.raises(ValueError, match="no training was watched yet"):
        _ = callbacks.WatcherCallback().watcher


# ------------------------------------------------------------------------------------ Hugging Face


@pytest.fixture(scope="module")
def hf():
    pytest.importorskip("accelerate")
    pytest.importorskip("transformers")
    return slopes.integrations.transformers


def classifier(labels=3, **settings):
    """Return a tiny BERT."""
    from transformers import BertConfig, BertForSequenceClassification

    torch.manual_seed(0)
    sizes = {"hidden_size": 8, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    dropout = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0, "initializer_range": 0.5}
    config = BertConfig(vocab_size=20, max_position_embeddings=8, num_labels=labels, **sizes, **dropout, **settings)
    return BertForSequenceClassification(config)


def tagger():
    from transformers import BertForTokenClassification

    torch.manual_seed(0)
    return BertForTokenClassification(classifier(20).config)


def language_model():
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(0)
    sizes = {"hidden_size": 8, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    return LlamaForCausalLM(LlamaConfig(vocab_size=20, initializer_range=0.5, **sizes))


def tokens(rows, seed=0):
    return torch.randint(0, 20, (rows, 6), generator=torch.Generator().manual_seed(seed))


def make_trainer(model, folder, inputs, labels, loss_func=None, *, batch=2, parts=1, **settings):
    from transformers import Trainer, TrainingArguments

    arguments = TrainingArguments(
        folder, per_device_train_batch_size=batch, gradient_accumulation_steps=parts, max_grad_norm=0.0,
        num_train_epochs=1, report_to=[], use_cpu=True, save_strategy="no", disable_tqdm=True, **settings,
    )  # fmt: skip
    rows = [{"input_ids": x, "labels": y} for x, y in zip(inputs, labels, strict=True)]
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    schedule = torch.optim.lr_scheduler.ConstantLR(optimizer, factor=1.0)
    return Trainer(model, arguments, train_dataset=rows, optimizers=(optimizer, schedule), compute_loss_func=loss_func)


def weights_of(model):
    return torch.cat([p.detach().reshape(-1) for p in model.parameters()])


X, CLASSES = tokens(8), torch.tensor([0, -100, -100, 2, 1, 1, -100, 0])
NOISE = torch.Generator().manual_seed(1)
PREDICTED = torch.where(torch.rand(8, 6, generator=NOISE) < 0.1 * torch.arange(8)[:, None], -100, X)
CASES = {
    "classes": (classifier, slopes.cross_entropy, {}, CLASSES),
    "smoothed": (classifier, slopes.cross_entropy, {"label_smoothing": 0.1}, CLASSES),
    "focal": (classifier, slopes.softmax_focal, {"gamma": 1.0}, CLASSES),
    "sum": (classifier, slopes.cross_entropy + 0.5 * slopes.softmax_focal, {}, CLASSES),
    "rows": (classifier, slopes.cross_entropy, {}, torch.rand(8, 3, generator=NOISE).softmax(1)),
    "yes or no": (classifier, slopes.binary_cross_entropy, {}, (torch.rand(8, 3, generator=NOISE) > 0.5).float()),
    "number": (lambda: classifier(1), slopes.huber, {"delta": 0.5}, torch.randn(8, generator=NOISE)),
    "numbers": (classifier, slopes.mse, {}, torch.randn(8, 3, generator=NOISE)),
    "vectors": (classifier, slopes.cosine, {}, torch.randn(8, 3, generator=NOISE)),
    "next token": (language_model, slopes.cross_entropy, {"shift": True}, PREDICTED),
    "token": (tagger, slopes.cross_entropy, {"shift": False}, PREDICTED),
}


@pytest.mark.parametrize("case", CASES)
def test_accumulated_gradients_are_those_of_one_batch(hf, case, tmp_path):
    make, card, options, labels = CASES[case]
    model, due = make(), make()
    trainer = make_trainer(model, tmp_path, X, labels, hf.compute_loss_func(card, **options), parts=4)
    trainer.train()
    logits, options = due(input_ids=X).logits, dict(options)
    if options.pop("shift", False):
        logits, labels = logits[:, :-1], labels[:, 1:]
    ignored = {"ignore_index": -100} if "ignore_index" in card.kind.options and case != "rows" else {}
    loss = card(logits[:, 0] if case == "number" else logits, labels, **ignored, **options)
    loss.backward()
    torch.optim.SGD(due.parameters(), lr=0.1).step()
    assert trainer.state.global_step == 1
    assert not torch.equal(weights_of(model), weights_of(make()))
    torch.testing.assert_close(weights_of(model), weights_of(due), rtol=0, atol=1e-6)
    assert trainer.state.log_history[-1]["train_loss"] == pytest.approx(float(loss), abs=2e-6)


def test_a_language_model_learns_as_by_its_own_loss(hf, tmp_path):
    models = [language_model() for _ in range(2)]
    for model, loss in zip(models, (None, hf.compute_loss_func(slopes.cross_entropy, shift=True)), strict=True):
        make_trainer(model, tmp_path, X, PREDICTED, loss, parts=2, seed=3).train()
    torch.testing.assert_close(*map(weights_of, models), rtol=0, atol=1e-6)


def test_evaluation_has_the_loss_too(hf, tmp_path):
    loss = hf.compute_loss_func(slopes.cross_entropy)
    trainer = make_trainer(classifier(), tmp_path, X, CLASSES, loss, per_device_eval_batch_size=8)
    trainer.eval_dataset = trainer.train_dataset
    due = slopes.cross_entropy(trainer.model(input_ids=X).logits, CLASSES, ignore_index=-100)
    assert trainer.evaluate()["eval_loss"] == pytest.approx(float(due), abs=1e-6)


def test_logits_of_half_types_give_a_float32_loss(hf):
    logits, labels = torch.randn(4, 3).to(torch.bfloat16), torch.tensor([0, 1, 2, 0])
    loss = hf.compute_loss_func(slopes.cross_entropy)({"logits": logits}, labels, num_items_in_batch=4)
    assert loss.dtype == torch.float32
    assert loss == slopes.cross_entropy(logits.float(), labels)


def test_a_loss_function_takes_tuples_and_pickles(hf):
    logits, labels = torch.randn(4, 3), torch.tensor([0, 1, 2, 0])
    loss = pickle.loads(pickle.dumps(hf.compute_loss_func(slopes.cross_entropy, label_smoothing=0.2)))
    assert loss((logits, None), labels) == slopes.cross_entropy(logits, labels, label_smoothing=0.2)


@pytest.mark.parametrize("name", ["dice", "supcon", "triplet_margin", "sum", "torch"])
def test_a_loss_function_refuses_other_losses(hf, name):
    others = {"sum": slopes.mse + slopes.cosine, "torch": torch.nn.functional.mse_loss}
    with pytest.raises(TypeError, match="compute_loss_func: takes a loss of slopes of a prediction and a target"):
        hf.compute_loss_func(others[name] if name in others else getattr(slopes, name))


def test_a_loss_function_asks_whether_to_shift(hf):
    loss = hf.compute_loss_func(slopes.cross_entropy)
    with pytest.raises(ValueError, match=r"labels \(2, 6\) are of tokens: write shift=True"):
        loss({"logits": torch.zeros(2, 6, 20)}, torch.zeros(2, 6, dtype=torch.int64))
    with pytest.raises(ValueError, match="cross_entropy needs labels"):
        loss({"logits": torch.zeros(2, 3)}, None)
    shifted = hf.compute_loss_func(slopes.cross_entropy, shift=True)
    with pytest.raises(ValueError, match=r"labels \(2,\) are not of tokens \[batch, tokens\]: leave shift out"):
        shifted({"logits": torch.zeros(2, 3)}, torch.zeros(2, dtype=torch.int64))


def test_a_loss_function_refuses_options_before_the_training(hf):
    for loss, options, error, message in (
        (slopes.huber, {"shift": True}, ValueError, "shift is for tokens' labels, which huber does not take"),
        (slopes.cross_entropy, {"shift": "yes"}, TypeError, "shift must be True, False or None, got 'yes'"),
        (slopes.huber, {"dleta": 2.0}, TypeError, "huber takes no option 'dleta' here; did you mean 'delta'"),
        (slopes.huber, {"delta": -2.0}, ValueError, "delta must be > 0, got -2.0"),
        (slopes.huber, {"divisor": 2}, TypeError, "no option 'divisor' here; the Trainer counts the labels"),
        (slopes.huber, {"reduction": "sum"}, TypeError, "no option 'reduction' here; the Trainer counts the labels"),
    ):
        with pytest.raises(error, match=message):
            hf.compute_loss_func(loss, **options)


def test_the_trainer_logs_each_diagnosis_beside_its_own_numbers(hf, tmp_path):
    model, alone = classifier(hidden_act="relu"), classifier(hidden_act="relu")
    trainer = make_trainer(model, tmp_path, tokens(48), torch.arange(48) % 3, batch=2, parts=2, logging_steps=1)
    with hf.WatcherCallback(trainer, every=3, samples=8) as callback:
        trainer.train()
    steps = [entry["step"] for entry in trainer.state.log_history if "slopes/findings" in entry]
    assert steps == [4, 10]
    assert [d.steps for d in callback.watcher.history] == [(0, 3), (6, 9)]
    assert callback.watcher.step == 12
    (entry, *_), (first, *_) = (e for e in trainer.state.log_history if "slopes/dead" in e), callback.watcher.history
    assert entry["slopes/dead"] == max(layer.dead for layer in first.layers)
    assert entry["slopes/gradient_ratio"] == first.gradient_ratio
    assert [entry["step"] for entry in trainer.state.log_history if "loss" in entry] == list(range(1, 13))
    assert hooks_of(model) == 0
    make_trainer(alone, tmp_path, tokens(48), torch.arange(48) % 3, batch=2, parts=2).train()
    assert torch.equal(weights_of(model), weights_of(alone))


class Root(torch.nn.Module):
    def forward(self, x):
        return torch.sqrt(x - x) + x


def test_the_trainer_stops_at_nan(hf, tmp_path):
    model = classifier()
    model.bert.pooler.activation = Root()
    before = weights_of(model)
    trainer = make_trainer(model, tmp_path, X, CLASSES.clamp(min=0))
    with pytest.raises(FloatingPointError, match="sqrt in bert") as caught:  # noqa: SIM117
        with hf.WatcherCallback(trainer, stop_on_nan=True) as callback:
            trainer.train()
    assert callback.watcher.origin is caught.value.origin
    assert torch.equal(before, weights_of(model))
    assert hooks_of(model) == 0
    assert callback not in trainer.callback_handler.callbacks


def test_the_block_says_that_nothing_was_watched(hf, tmp_path):
    with hf.WatcherCallback(make_trainer(classifier(), tmp_path, X, CLASSES)) as callback:
        pass
    with pytest.raises(ValueError, match="no training was watched yet"):
        _ = callback.watcher


# ------------------------------------------------------------------------------------------- skorch


def test_skorch_takes_modules_and_scorers():
    skorch = pytest.importorskip("skorch")
    selection = pytest.importorskip("sklearn.model_selection")
    rng = np.random.default_rng(0)
    x = rng.normal(size=(60, 3)).astype(np.float32)
    y = (x[:, :1] + rng.normal(size=(60, 1))).astype(np.float32)
    torch.manual_seed(0)
    net = skorch.NeuralNetRegressor(
        torch.nn.Linear,
        module__in_features=3,
        module__out_features=1,
        criterion=slopes.nn.CharbonnierLoss,
        verbose=0,
        lr=0.1,
    )
    search = selection.GridSearchCV(
        net, {"criterion__eps": [1e-3, 1.0]}, scoring=slopes.scorer(slopes.pinball, quantile=0.9), cv=2
    ).fit(x, y)
    predicted = search.predict(x)
    assert predicted.shape == (60, 1)
    assert search.score(x, y) == pytest.approx(-float(slopes.pinball(predicted, y, quantile=0.9)), rel=1e-6)
    loss = net.set_params(criterion__eps=0.5).fit(x, y).history[-1, "train_loss"]
    assert loss < net.history[0, "train_loss"]


def test_skorch_gives_probabilities_of_a_classifier():
    skorch = pytest.importorskip("skorch")
    x = np.random.default_rng(0).normal(size=(60, 3)).astype(np.float32)
    net = skorch.NeuralNetClassifier(
        torch.nn.Linear, module__in_features=3, module__out_features=3, criterion=slopes.nn.CrossEntropyLoss, verbose=0
    )
    net.fit(x, x.argmax(1))
    assert net.predict_proba(x).sum(1) == pytest.approx(np.ones(60), abs=1e-6)
    criterion = slopes.nn.module(slopes.softmax_focal, gamma=1.0)
    focal = skorch.NeuralNet(
        torch.nn.Linear, criterion=criterion, module__in_features=3, module__out_features=3, verbose=0
    )
    focal.fit(x, x.argmax(1))
    due = slopes.softmax_focal(torch.tensor(focal.predict(x)), torch.tensor(x.argmax(1)), gamma=1.0)
    assert float(focal.get_loss(torch.tensor(focal.predict(x)), x.argmax(1))) == pytest.approx(float(due), rel=1e-6)


# ------------------------------------------------------------------------------------------ the page


def test_the_page_runs(tmp_path, monkeypatch):
    for name in ("lightning", "accelerate", "transformers", "skorch"):
        pytest.importorskip(name)
    monkeypatch.chdir(tmp_path)
    names = {}
    blocks = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(), flags=re.M | re.S)
    assert len(blocks) == 5
    for block in blocks:
        if "import keras" in block:
            continue  # see test_integrations_keras
        exec(compile(block, str(PAGE), "exec"), names)
