"""Export of rows to a .csv, .json or .parquet file."""

from __future__ import annotations

import csv
import io
import json
import math
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any

from slopes.comparing.errors import StudyError, reason_of
from slopes.extras import install
from slopes.whole import whole

Rows = Sequence[Mapping[str, Any]]


def export(rows: Iterable[Mapping[str, Any]], path: str | os.PathLike[str]) -> Path:
    """Write the file, whole or not at all.

    Columns are all names in any row. Lists become text in JSON, except in .json and, if all entries are numbers, in
    .parquet. Missing values, in .json also infinite ones, are empty or null.

    Raises ValueError for another suffix, ImportError without a package for Parquet, StudyError where the file cannot be
    written.
    """
    target, found, write = Path(path), list(rows), writer(path)
    try:
        with whole(target) as name:
            write(found, name)
    except OSError as error:
        raise StudyError(
            f"{target}: cannot write this file ({reason_of(error)}), and its old content is unchanged; "
            "choose another path."
        ) from error
    return target


def writer(path: str | os.PathLike[str]) -> Callable[[Rows, str], None]:
    found = {".csv": _csv, ".json": _json, ".parquet": _parquet}.get(Path(path).suffix.lower())
    if found is None:
        raise ValueError(f"export: the path must end in .csv, .json or .parquet, got {str(path)!r}")
    return found


def _csv(rows: Rows, name: str) -> None:
    Path(name).write_text(csv_text(rows), encoding="utf-8", newline="")


def csv_text(rows: Rows) -> str:
    """Content of a .csv file."""
    text = io.StringIO(newline="")
    writer, columns = csv.writer(text), _names(rows)
    writer.writerow(columns)
    writer.writerows([_plain(row.get(column)) for column in columns] for row in rows)
    return text.getvalue()


def _json(rows: Rows, name: str) -> None:
    with open(name, "w", encoding="utf-8") as file:
        json.dump([_finite(dict(row)) for row in rows], file, ensure_ascii=False, indent=1, allow_nan=False)
        file.write("\n")


def _parquet(rows: Rows, name: str) -> None:
    columns = {column: _column([row.get(column) for row in rows]) for column in _names(rows)}
    for write in (_by_pyarrow, _by_polars, _by_duckdb):
        with suppress(ModuleNotFoundError):
            return write(columns, name)
    raise ImportError(f"export to .parquet needs pyarrow, polars or duckdb: {install('pyarrow')}")


def _by_pyarrow(columns: dict[str, tuple[str, list[Any]]], name: str) -> None:
    pyarrow: Any = import_module("pyarrow")
    types = {
        "boolean": pyarrow.bool_(),
        "integer": pyarrow.int64(),
        "number": pyarrow.float64(),
        "text": pyarrow.string(),
        "numbers": pyarrow.list_(pyarrow.float64()),
    }
    table = pyarrow.table({column: pyarrow.array(values, types[kind]) for column, (kind, values) in columns.items()})
    import_module("pyarrow.parquet").write_table(table, name)


def _by_polars(columns: dict[str, tuple[str, list[Any]]], name: str) -> None:
    polars: Any = import_module("polars")
    types = {
        "boolean": polars.Boolean,
        "integer": polars.Int64,
        "number": polars.Float64,
        "text": polars.String,
        "numbers": polars.List(polars.Float64),
    }
    series = [polars.Series(column, values, dtype=types[kind]) for column, (kind, values) in columns.items()]
    polars.DataFrame(series).write_parquet(name)


def _by_duckdb(columns: dict[str, tuple[str, list[Any]]], name: str) -> None:
    duckdb: Any = import_module("duckdb")
    types = {
        "boolean": "BOOLEAN", "integer": "BIGINT", "number": "DOUBLE", "text": "VARCHAR", "numbers": "DOUBLE[]",
    }  # fmt: skip
    with duckdb.connect() as connection:
        quoted = [f'"{column.replace(chr(34), 2 * chr(34))}" {types[kind]}' for column, (kind, _) in columns.items()]
        connection.execute(f"CREATE TABLE rows ({', '.join(quoted)})")
        rows = list(zip(*(values for _, values in columns.values()), strict=True))
        if rows:
            connection.executemany(f"INSERT INTO rows VALUES ({', '.join('?' * len(columns))})", rows)
        connection.execute(f"COPY rows TO '{name.replace(chr(39), 2 * chr(39))}' (FORMAT parquet)")


def _names(rows: Rows) -> list[str]:
    return list(dict.fromkeys(name for row in rows for name in row))


def _column(values: list[Any]) -> tuple[str, list[Any]]:
    kinds = {_kind(value) for value in values if value is not None}
    if kinds <= {"integer", "number"} and len(kinds) == 2:
        return "number", [None if value is None else float(value) for value in values]
    if len(kinds) == 1 and (kind := kinds.pop()) != "other":
        return kind, values
    return "text", [None if value is None else str(_plain(value)) for value in values]


def _kind(value: Any) -> str:
    for kind, of in (("boolean", bool), ("integer", int), ("number", float), ("text", str)):
        if isinstance(value, of):
            return kind
    numbers = isinstance(value, (list, tuple)) and all(
        item is None or (isinstance(item, (int, float)) and not isinstance(item, bool)) for item in value
    )
    return "numbers" if numbers else "other"


def _plain(value: Any) -> Any:
    return json.dumps(_finite(value), ensure_ascii=False) if isinstance(value, (list, tuple, dict)) else value


def _finite(value: Any) -> Any:
    """Replace NaN and infinity by null."""
    if isinstance(value, Mapping):
        return {name: _finite(inner) for name, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
