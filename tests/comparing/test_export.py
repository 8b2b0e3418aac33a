"""Rows as files: whole, typed, or not there at all."""

from __future__ import annotations

import csv
import json
import os
import sys

import pytest

from slopes.comparing import StudyError
from slopes.comparing.export import export
from slopes.comparing.record import Record

ROWS = [
    {
        "name": 'bent, "x"\n<b>',
        "seed": 1,
        "rate": 0.1 + 0.2,
        "ok": True,
        "curve": [1, None, 0.5],
        "mixed": 1,
        "none": None,
    },
    {"name": "α", "seed": 2**40, "rate": 1, "ok": None, "curve": [], "mixed": "two", "words": ["a"]},
    {"name": None, "rate": float("nan"), "curve": None},
]
NAMES = ["name", "seed", "rate", "ok", "curve", "mixed", "none", "words"]


def test_csv(tmp_path):
    path = export(ROWS, tmp_path / "new" / "runs.csv")
    with path.open(newline="", encoding="utf-8") as file:
        header, first, second, third = csv.reader(file)
    assert header == NAMES
    assert first == ['bent, "x"\n<b>', "1", "0.30000000000000004", "True", "[1, null, 0.5]", "1", "", ""]
    assert second == ["α", "1099511627776", "1", "", "[]", "two", "", '["a"]']
    assert third == ["", "", "nan", "", "", "", "", ""]


def test_json(tmp_path):
    found = json.loads(
        export(ROWS, tmp_path / "runs.JSON").read_text("utf-8"), parse_constant=lambda text: pytest.fail(text)
    )
    assert found == [*ROWS[:2], {"name": None, "rate": None, "curve": None}]


@pytest.mark.parametrize("writer", ["pyarrow", "polars", "duckdb"])
def test_parquet(tmp_path, monkeypatch, writer):
    """Whichever is installed; pyarrow reads what each has written."""
    parquet = pytest.importorskip("pyarrow.parquet")
    pytest.importorskip(writer)
    for other in {"pyarrow", "polars", "duckdb"} - {writer}:
        monkeypatch.setitem(sys.modules, other, None)
    path = export(ROWS, tmp_path / "o'clock.parquet")
    monkeypatch.undo()
    table = parquet.read_table(path)
    assert table.column_names == NAMES
    types = [str(field.type).replace("large_", "").replace("element: ", "item: ") for field in table.schema]
    assert types == ["string", "int64", "double", "bool", "list<item: double>", "string", "string", "string"]
    first, second, third = table.to_pylist()
    assert first == ROWS[0] | {"mixed": "1", "words": None}
    assert second == ROWS[1] | {"none": None, "words": '["a"]'}
    assert third["rate"] != third["rate"]
    assert third["seed"] is None


def test_nothing_that_writes_parquet(tmp_path, monkeypatch):
    for package in ("pyarrow", "polars", "duckdb"):
        monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ImportError, match=r"needs pyarrow, polars or duckdb: pip install 'slopes\[data\]'"):
        export(ROWS, tmp_path / "runs.parquet")
    assert not list(tmp_path.iterdir())


def test_another_suffix(tmp_path):
    with pytest.raises(ValueError, match=r"^export: the path must end in \.csv, \.json or \.parquet, got 'runs\.xls'"):
        export(ROWS, "runs.xls")


@pytest.mark.parametrize("suffix", [".csv", ".json", ".parquet"])
def test_no_rows_at_all(tmp_path, suffix):
    if suffix == ".parquet":
        pytest.importorskip("pyarrow")
    assert export([], tmp_path / f"runs{suffix}").exists()


def test_what_was_there_stays_until_all_is_written(tmp_path):
    path = tmp_path / "runs.json"
    path.write_text("old")
    with pytest.raises(TypeError):
        export([{"a": object()}], path)
    assert path.read_text() == "old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["runs.json"]
    export([{"a": 1}], path)
    assert path.stat().st_mode & 0o777 == 0o666 & ~_umask()


def _umask():
    mask = os.umask(0)
    os.umask(mask)
    return mask


def test_where_nothing_can_be_written(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(StudyError, match=r"runs\.csv: cannot write this file \(.+\), and its old content is unchanged"):
        export(ROWS, tmp_path / "file" / "runs.csv")
    (tmp_path / "runs.csv").mkdir()
    with pytest.raises(StudyError, match="cannot write this file"):
        export(ROWS, tmp_path / "runs.csv")
    assert len(list(tmp_path.iterdir())) == 2


def test_a_records_rows(tmp_path):
    with Record(tmp_path) as record:
        record.add(
            "k", {"rate": 0.1, "data": {"name": "digits"}}, {"test": {"accuracy": 0.9}, "curve": [0.5, 0.9]}, "here"
        )
        record.fail("l", {"rate": 0.2, "data": {"name": "digits"}}, "ArithmeticError: no", "Traceback", "here")
        export(record.rows(), tmp_path / "runs.json")
    done, failed = json.loads((tmp_path / "runs.json").read_text())
    ended = done.pop("ended"), failed.pop("ended")
    assert all(text.endswith("+00:00") for text in ended)
    common = {"data.name": "digits", "machine": "here", "attempts": 1}
    assert done == common | {
        "key": "k", "rate": 0.1, "status": "done", "test.accuracy": 0.9, "curve": [0.5, 0.9], "reason": None, "trace": None,
    }  # fmt: skip
    assert failed == common | {
        "key": "l", "rate": 0.2, "status": "failed", "reason": "ArithmeticError: no", "trace": "Traceback",
    }  # fmt: skip
