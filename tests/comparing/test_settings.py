"""The options of a comparison stand in one place, and the call on the page repeats the study."""

import functools
import inspect
import re
import sys

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("sklearn")

import torch
from synthetic import make_study
from torch import nn

import slopes
from slopes.comparing.plan import make_plan
from slopes.comparing.repeating import write_call
from slopes.comparing.settings import OPTIONS, PLACE, Settings

MODELS = """
import torch
import slopes

class Net(torch.nn.Module):
    def __init__(self, width=4):
        super().__init__()
        self.layers = torch.nn.Sequential(
            torch.nn.Linear(2, width), torch.nn.ReLU(), torch.nn.Linear(width, width), torch.nn.ELU(),
            torch.nn.Linear(width, 1),
        )

    def forward(self, x):
        return {"price": self.layers(x)}

@slopes.activation()
def bent(x, *, slope=0.5):
    return slopes.ops.where(x > 0, x, slope * x)
"""


@pytest.fixture
def here(tmp_path, monkeypatch):
    """An own module and an own file of data in the current folder."""
    (tmp_path / "networks_of_mine.py").write_text(MODELS)
    rows = np.random.default_rng(0).normal(size=(30, 3)).round(3)
    table = "\n".join(["rooms,age,price", *(",".join(map(str, row)) for row in rows)])
    (tmp_path / "houses.csv").write_text(table + "\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    yield tmp_path
    sys.modules.pop("networks_of_mine", None)


#: a value other than the default of each option of training


def descend(model, inputs, targets, loss):
    return loss(model(inputs), targets)


TRAINING = {
    "epochs": 3, "batch_size": 32, "optimizer": "sgd", "schedule": "cosine", "patience": 3, "clip": 2.0,
    "augment": torch.nn.functional.dropout, "step": descend, "init": "fitted", "precision": "bfloat16",
    "device": "meta", "metrics": ["recalls"], "engine": "loop",
}  # fmt: skip

SMALL = {"epochs": 1, "rates": [0.01], "workers": 1, "progress": False}


def repeated(study, **names):
    """Run the call that a study prints, and return the keys of both: those of the first folder, which has all runs."""
    text = write_call(study)
    namespace = dict(names)
    exec(
        text.replace("slopes.compare(", "again = slopes.compare(").replace("\n)", "\n    progress=False,\n)"), namespace
    )
    assert [run.key for run in namespace["again"].runs] == [run.key for run in study.runs]
    assert len(study.runs) > 0
    return text


def test_a_built_in_task_is_repeated(here):
    study = slopes.compare(
        "mlp(hidden=4)", "diabetes", activations=[slopes.relu, slopes.elu.with_(alpha=0.5)], losses=[slopes.mse],
        seeds=[3, 5], clip=1, resample=True, optimizer="sgd", engine="loop", **SMALL,
    )  # fmt: skip
    text = repeated(study)
    for line in (
        "    'mlp(hidden=4)',",
        "    seeds=(3, 5),",
        "    clip=1.0,",
        "    resample=True,",
        "    engine='loop',",
    ):
        assert line in text.splitlines()


def test_a_file_and_a_model_of_ones_own_are_repeated(here):
    import networks_of_mine as mine

    study = slopes.compare(
        functools.partial(mine.Net, width=3), "houses.csv", target="price", task="regression", replace=(nn.ReLU, nn.ELU),
        output="price", activations=[nn.ELU, nn.LeakyReLU(0.2), mine.bent.with_(slope=0.1)], losses=[slopes.mse],
        baseline=nn.ELU, seeds=1, **SMALL,
    )  # fmt: skip
    text = repeated(study)
    assert text.startswith(
        "import functools\nimport networks_of_mine\nimport slopes\nimport torch\n\nslopes.compare(\n"
    )
    for line in (
        "    functools.partial(networks_of_mine.Net, width=3),",
        "    'houses.csv',",
        "    target='price',",
        "    task='regression',",
        "    replace=(torch.nn.ReLU, torch.nn.ELU),",
        "    output='price',",
    ):
        assert line in text.splitlines()


def test_cards_and_models_of_a_file_are_repeated(here):
    bent = slopes.loading.load("networks_of_mine.py:bent")
    study = slopes.compare(
        "networks_of_mine.py:Net", "houses.csv", target="price", replace=nn.ELU, output="price", activations=[bent],
        losses=[slopes.mse], seeds=1, **SMALL,
    )  # fmt: skip
    assert "slopes.loading.load('networks_of_mine.py:bent')" in repeated(study)


def test_an_object_without_a_name_to_import_is_explained(here):
    data = np.zeros((20, 2), np.float32) + np.arange(20, dtype=np.float32)[:, None], np.arange(20.0, dtype=np.float32)
    model = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1))
    study = slopes.compare(
        model, data, task="regression", activations=[slopes.relu], losses=[slopes.mse], seeds=1, **SMALL
    )
    text = repeated(study, model=model, data=data)
    assert "# model: your own Sequential, which is defined elsewhere\n" in text
    assert "# data: your own tuple, which is defined elsewhere\n" in text


def test_every_option_that_decides_a_number_is_in_the_call():
    """An option that is added, too, because the call is made of the fields."""
    study = make_study(seeds=2)
    given = {"target": "x", "task": "count", "replace": nn.ReLU, "output": 0, "resample": True, "clip": 2.0}
    given |= TRAINING | {"drop": ["a"], "groups": "b", "order": "c"}
    study.plan.settings = Settings(**given)
    for each in OPTIONS:
        decides = each.name not in ("model", "data") and each.metadata["part"] != PLACE
        assert (f"\n    {each.name}=" in write_call(study)) == decides, each.name


def test_the_signature_and_the_docstring_are_those_of_the_fields():
    signature = inspect.signature(slopes.compare)
    assert list(signature.parameters) == [each.name for each in OPTIONS]
    assert signature.parameters["seeds"].default == 20
    assert signature.parameters["rates"].kind is inspect.Parameter.KEYWORD_ONLY
    for each in OPTIONS:
        assert f"\n{each.name}\n    " in slopes.compare.__doc__, each.name
        assert " ".join(each.metadata["about"].split()) in " ".join(slopes.compare.__doc__.split())


@pytest.mark.parametrize("name", [each.name for each in OPTIONS if each.metadata["part"] == "training"])
def test_an_option_of_training_changes_the_keys(name):
    plain = {"activations": [slopes.relu], "losses": [slopes.mse], "seeds": 1, "rates": [0.1]}
    keys = [
        plan.key(plan.cells[0])
        for plan in (make_plan(Settings(**plain | more)) for more in ({}, {name: TRAINING[name]}))
    ]
    assert keys[0] != keys[1]


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        ((), {"epoch": 3}, "compare: no option 'epoch'; did you mean 'epochs'?"),
        ((), {"zzz": 3}, "compare: no option 'zzz'; there are model, data, target"),
        (("mlp", "digits", [slopes.relu]), {}, "compare: name the options behind model and data"),
    ],
)
def test_what_is_no_option_is_refused(arguments, options, message):
    with pytest.raises(TypeError) as caught:
        slopes.compare(*arguments, **options)
    assert str(caught.value).startswith(message)


def test_an_array_of_seeds_is_a_list_of_them():
    assert Settings(seeds=np.array([3, 5])).seeds == (3, 5)


def test_the_numbers_of_numpy_are_numbers():
    settings = Settings(seeds=np.int64(2), epochs=np.int32(3), clip=np.float32(0.5), resample=np.bool_(True))
    assert (settings.seeds, settings.epochs, settings.clip, settings.resample) == ((0, 1), 3, 0.5, True)
    assert isinstance(settings.clip, float)
    assert torch.tensor(settings.epochs) == 3


def test_a_target_is_a_name_or_several():
    assert Settings(target=["price"]).target == "price"
    assert Settings(target=["price", "rent"]).target == ("price", "rent")
    study = make_study(seeds=2)
    study.plan.settings = Settings(target=["price", "rent"])
    assert "\n    target=('price', 'rent'),\n" in write_call(study)
    for wrong, message in (
        ([], "one or more different names, got []."),
        (["a", "a"], "one or more different names"),
        (5, "a list of names, got 5."),
    ):
        with pytest.raises((TypeError, ValueError), match=re.escape(f"compare: target must be {message}")):
            Settings(target=wrong)
