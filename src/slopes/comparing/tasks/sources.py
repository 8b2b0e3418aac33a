"""Readers of arrays, datasets, files and tables."""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date
from importlib import import_module
from operator import itemgetter
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import default_collate, default_convert

from slopes.comparing.tasks.inputs import parts_of
from slopes.hints import did_you_mean
from slopes.loading import describe

Columns = dict[str, Any]  #: arrays, or ragged columns
SUFFIXES = (".csv", ".tsv", ".npz", ".parquet")
UNKNOWN = "missing"  #: level of a text that is not there
_DELIMITERS = ",;\t|"
DATE = re.compile(r"\d{4}-\d\d-\d\d([ T]\d\d:\d\d(:\d\d(\.\d+)?)?)?")
#: texts for a missing value in a text file, in lower case
_MISSING = {"", "na", "n/a", "nan", "null", "none", "?"}
_WHOLE = re.compile(r"(?=.{1,17}$)[+-]?\d+")  # of 64 bits
_INDEX = re.compile(r"__index_level_\d+__")
_PARQUET = ("pyarrow", "polars", "duckdb")


class NamedInputs(dict[str, Any]):
    """Several arrays or tensors that a model takes by name."""


class Ragged(list[NDArray[Any]]):
    """Sequences of different lengths: an array for each sample, which differ in their first axis alone."""

    @property
    def shape(self) -> tuple[int, ...]:
        return (len(self),)

    @property
    def ndim(self) -> int:
        return 1 + self[0].ndim


Several = NamedInputs | tuple[Any, ...]
Target = str | Sequence[str] | None  #: name of the target, or several


@dataclass
class Raw:
    inputs: NDArray[Any] | Tensor | Ragged | Columns | Several  #: columns by name if it was a table
    targets: NDArray[Any] | Ragged
    names: tuple[str, ...] = ()  #: of the targets, where known
    aside: dict[str, NDArray[Any]] = field(default_factory=dict)  #: columns that are no inputs


def read(source: Any, target: Target, where: str, drop: Sequence[str] = (), aside: Sequence[str] = ()) -> Raw:
    """Read a file, a table, a dataset, or inputs and targets.

    Columns to `drop` or to keep `aside` are no inputs.
    """
    if hasattr(source, "dataset") and hasattr(source, "batch_sampler"):
        if source.collate_fn not in (default_collate, default_convert) and hasattr(source.dataset, "__len__"):
            return _collated(source, target, where, drop, aside)
        source = source.dataset  # a DataLoader shuffles; its dataset does not
    if isinstance(source, (str, Path)):
        return _file(Path(source), target, drop, aside)
    columns = columns_of(source)
    if columns is not None:
        return _of_columns(columns, target, where, drop, aside)
    if isinstance(source, (tuple, list)) and len(source) == 2:
        return _inputs_and_targets(source[0], source[1], where, drop, aside)
    _check_names_nothing(where, drop, aside)
    if _is_dataset(source) or isinstance(source, list):  # a list of pairs is a dataset, too
        return _dataset(source, where, target)
    if hasattr(source, "__iter__") and not hasattr(source, "dtype"):
        raise TypeError(
            f"compare: {where} is a {type(source).__name__}, which can only be read in order; give a dataset with a "
            "length and places, (inputs, targets), or a file."
        )
    raise TypeError(
        f"compare: {where} must be a built-in task's name, a file, (inputs, targets), a dataset, or three of these to "
        f"train, validate and test on; got {_shown(source)}."
    )


def _collated(loader: Any, target: Target, where: str, drop: Sequence[str], aside: Sequence[str]) -> Raw:
    """All samples of a DataLoader as one batch of its own ``collate_fn``."""
    samples = [loader.dataset[place] for place in range(len(loader.dataset))]
    try:
        batch = loader.collate_fn(samples)
    except Exception as error:  # the user's function may raise anything
        raise ValueError(
            f"compare: the collate_fn of {where} fails on all {len(samples)} samples: {describe(error)}."
        ) from error
    pair = _pair(batch, target, where)
    if not isinstance(pair, (tuple, list)) or len(pair) != 2:
        raise TypeError(
            f"compare: the collate_fn of {where} must give inputs and targets, where several inputs are a tuple or a "
            f"dict; it gives {_shown(pair)}{f' of {len(pair)}' if isinstance(pair, (tuple, list)) else ''}."
        )
    inputs = tuple(pair[0]) if isinstance(pair[0], list) else pair[0]
    return _inputs_and_targets(inputs, pair[1], where, drop, aside)


def _inputs_and_targets(inputs: Any, targets: Any, where: str, drop: Sequence[str], aside: Sequence[str]) -> Raw:
    several = _several(inputs)
    if several is None and is_table(inputs):
        names = tuple(map(str, getattr(targets, "columns", ())))
        made = _beside(_plain(_array(targets, "targets")), (), columns_of(inputs) or {}, where, drop, aside)
        return replace(made, names=names)
    _check_names_nothing(where, drop, aside)
    if several is None and _is_dataset(targets):
        raise TypeError(f"compare: {where} are a {type(inputs).__name__} and a dataset; give two of one form.")
    return Raw(_array(inputs, "inputs") if several is None else several, _plain(_array(targets, "targets")))


def _several(given: Any) -> Several | None:
    """Inputs of a tuple of arrays, or of a mapping with an array of several axes; None of other forms."""
    if not isinstance(given, (Mapping, tuple)):
        return None
    axes = [getattr(each, "ndim", 0) for each in parts_of(given).values()]
    if max(axes, default=0) == 0:
        return None
    if isinstance(given, Mapping) and max(axes) > 1:
        return NamedInputs({str(name): _array(each, f"inputs {name!r}") for name, each in given.items()})
    if isinstance(given, tuple) and all(each or isinstance(part, list) for each, part in zip(axes, given, strict=True)):
        return tuple(_array(each, f"inputs {place}") for place, each in enumerate(given))
    return None


def columns_of(source: Any) -> Columns | None:
    """Columns of a table or a file of one; None of anything else."""
    if isinstance(source, (str, Path)):
        path = Path(source)
        return _parquet(path) if path.suffix.lower() == ".parquet" else _csv(path)
    if isinstance(source, Mapping):
        return {str(name): _objects(str(name), cells, "the table") for name, cells in source.items()}
    if is_table(source):
        return _hugging_face(source) if hasattr(source, "with_format") else _frame(source)
    return None


def _shown(source: Any) -> str:
    shape = getattr(source, "shape", None)
    return f"a {type(source).__name__}" + (f" {tuple(shape)} alone" if shape is not None else "")


def _is_dataset(source: Any) -> bool:
    plain = isinstance(source, (tuple, list, str)) or hasattr(source, "dtype")
    return hasattr(source, "__getitem__") and hasattr(source, "__len__") and not plain


def is_table(source: Any) -> bool:
    named = hasattr(source, "column_names") or hasattr(source, "columns")
    return isinstance(source, Mapping) or (named and hasattr(source, "__getitem__"))


def _check_names_nothing(where: str, drop: Sequence[str], aside: Sequence[str]) -> None:
    if named := [*drop, *aside]:
        raise ValueError(f"compare: {where} is no table, so it has no column {named[0]!r} to leave out or split by.")


# -------------------------------------------------------------------------------------- arrays, datasets


def _array(given: Any, name: str) -> NDArray[Any] | Tensor | Ragged:
    if isinstance(given, Tensor) and not given.is_nested:
        return given.detach().cpu()
    try:
        masked = isinstance(given, np.ma.MaskedArray) and given.mask.any()
        array = given.astype(np.float64).filled(np.nan) if masked else np.asarray(given)  # NaN is refused as missing
    except (RuntimeError, ValueError):  # of unequal lengths
        array = None
    found = find_ragged(given, name) if array is None or array.dtype.kind == "O" else None
    if found is not None:
        return found
    if array is None:
        raise ValueError(
            f"compare: the {name} are lists of unequal lengths, and not sequences, whose first axis alone may differ; "
            "make one array of them."
        )
    if array.ndim == 0:
        raise TypeError(f"compare: the {name} must be an array with a sample each, got {_shown(given)}.")
    return array


def find_ragged(given: Any, name: str) -> Ragged | None:
    """Sequences in a list of arrays, tensors or lists; None of other things.

    Raises ValueError if one is empty, or if they differ in more than their lengths.
    """
    found = Ragged()
    try:
        for each in given.unbind() if isinstance(given, Tensor) and given.is_nested else given:
            found.append(_plain(each))
            if found[-1].ndim == 0 or found[-1].dtype.kind == "O":
                return None
    except (TypeError, ValueError):  # not iterable, or unequal lengths within a sample
        return None
    for place, each in enumerate(found):
        if not len(each):
            raise ValueError(f"compare: sample {place} of the {name} is an empty sequence; leave it out.")
        if each.shape[1:] != found[0].shape[1:]:
            raise ValueError(
                f"compare: sequences may differ in their first axis alone; of the {name} sample 0 is {found[0].shape} "
                f"and sample {place} {each.shape}."
            )
    return found or None


def _plain(targets: Any) -> Any:
    """An array of NumPy; sequences stay as they are."""
    if isinstance(targets, Ragged):
        return targets
    if isinstance(targets, Tensor):
        half = targets.is_floating_point() and targets.dtype.itemsize < 4  # NumPy does not know all of these types
        targets = (targets.float() if half else targets).detach().cpu()
    return np.asarray(targets)


def _dataset(source: Any, where: str, target: Target = None) -> Raw:
    """Pairs of a map-style dataset, or dicts of an input and a target."""
    if not len(source):
        raise ValueError(f"compare: {where} is empty.")
    inputs, targets = [], []
    for place in range(len(source)):
        sample = _pair(source[place], target, where)
        if not isinstance(sample, (tuple, list)) or len(sample) != 2:
            raise TypeError(
                f"compare: {where} must give pairs of an input and a target, where several inputs are a tuple or a "
                f"dict; sample {place} is {_shown(sample)}."
            )
        inputs.append(_entries(sample[0]))
        targets.append(_plain(sample[1]))
    for place, each in enumerate(inputs):
        if each.keys() != inputs[0].keys():
            raise ValueError(f"compare: sample {place} of {where} has other inputs than sample 0.")
    stacked = {key: _stacked([each[key] for each in inputs], where) for key in inputs[0]}
    named = NamedInputs(stacked) if "" not in stacked else stacked[""]
    inputs_by_name = tuple(stacked.values()) if 0 in stacked else named
    return Raw(inputs_by_name, _unequal("targets", targets, where) or np.stack(targets))


def _entries(given: Any) -> dict[Any, NDArray[Any] | Tensor]:
    """Inputs of a sample by place or name; under "" a single one."""
    is_several = isinstance(given, tuple) and any(getattr(each, "ndim", 0) > 0 for each in given)
    if isinstance(given, Mapping) or is_several:
        return {key: _sample(each) for key, each in parts_of(given).items()}
    return {"": _sample(given)}


def _unequal(role: str, samples: list[Any], where: str) -> Ragged | None:
    """Samples that are sequences of different lengths; None of one shape."""
    shapes = {tuple(each.shape): place for place, each in reversed(list(enumerate(samples)))}
    if len(shapes) == 1:
        return None
    found = find_ragged(samples, role) if len({shape[1:] for shape in shapes}) == 1 else None
    if found is None:
        (one, first), (other, second) = sorted(shapes.items(), key=itemgetter(1))[:2]
        raise ValueError(
            f"compare: the {role} must have one shape; sample {first} of {where} is {one} and sample {second} {other}."
        )
    return found


def _stacked(samples: list[Any], where: str) -> Tensor | Ragged:
    return _unequal("inputs", samples, where) or torch.stack([_tensor(each) for each in samples])


def _tensor(sample: NDArray[Any] | Tensor) -> Tensor:
    """Convert integers of NumPy to floats, as only integers of torch are tokens."""
    if isinstance(sample, Tensor):
        return sample
    return torch.from_numpy(sample if sample.dtype != np.int64 else sample.astype(np.float64))


def _pair(sample: Any, target: Target, where: str) -> Any:
    if not isinstance(sample, Mapping):
        return sample
    chosen = _chosen(target, sample, where, "entry")
    others = [name for name in sample if name not in chosen]
    if not others:
        raise ValueError(f"compare: a sample of {where} must have an input beside {chosen[0]!r}.")
    inputs = {str(name): sample[name] for name in others}
    targets = sample[chosen[0]] if len(chosen) == 1 else _side_by_side({name: _plain(sample[name]) for name in chosen})
    return inputs if len(others) > 1 else inputs[others[0]], targets


def _sample(given: Any) -> NDArray[Any] | Tensor:
    """A picture (row, column, colour) becomes (colour, row, column)."""
    if isinstance(given, Tensor):
        return given.detach().cpu()
    array = np.array(given)
    if hasattr(given, "getbands"):  # a picture of Pillow's
        array = array[None] if array.ndim == 2 else np.moveaxis(array, -1, 0)
    return array


# ------------------------------------------------------------------------------------------------ files


def _file(path: Path, target: Target, drop: Sequence[str] = (), aside: Sequence[str] = ()) -> Raw:
    path = path.expanduser()
    if path.suffix.lower() not in SUFFIXES:
        raise ValueError(f"compare: reads {', '.join(SUFFIXES[:-1])} and {SUFFIXES[-1]}; got {str(path)!r}.")
    if not path.is_file():
        raise FileNotFoundError(f"compare: no file {str(path)!r}.")
    if path.suffix.lower() == ".npz":
        _check_names_nothing(path.name, drop, aside)
        return _npz(path, target)
    columns = _parquet(path) if path.suffix.lower() == ".parquet" else _csv(path, drop)
    return _of_columns(columns, target, path.name, drop, aside)


def _npz(path: Path, target: Target) -> Raw:
    try:
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as found:
            arrays = {name: _unpickled(found, name, path) for name in found.files}
    except _Pickled:
        raise
    except Exception as error:
        raise ValueError(f"compare: {path.name} cannot be read as .npz; save it with numpy.savez.") from error
    chosen = _chosen(target, arrays, path.name, "array")
    inputs = [name for name in arrays if name not in chosen]
    if not inputs:
        raise ValueError(f"compare: {path.name} must hold an array of inputs beside {chosen[0]!r}.")
    several = NamedInputs({name: arrays[name] for name in inputs})
    targets = _side_by_side({name: arrays[name] for name in chosen})
    return Raw(several if len(inputs) > 1 else arrays[inputs[0]], targets, chosen)


class _Pickled(ValueError):
    """An array that only running code could read."""


def _unpickled(found: Any, name: str, path: Path) -> NDArray[Any]:
    try:
        return np.asarray(found[name])
    except ValueError:
        raise _Pickled(
            f"compare: array {name!r} of {path.name} holds pickled objects, which run code when they are read; save "
            "numbers or text, as with array.astype(float) or array.astype(str)."
        ) from None


def _csv(path: Path, drop: Sequence[str] = ()) -> Columns:
    try:
        with path.open(newline="", encoding="utf-8-sig") as stream:
            first = stream.readline()
            delimiter = max(_DELIMITERS, key=first.count)  # of equals the comma
            stream.seek(0)
            rows = [row for row in csv.reader(stream, delimiter=delimiter) if row]
    except (UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"compare: {path.name} cannot be read as text in UTF-8 with commas: {error}") from error
    if len(rows) < 2:
        raise ValueError(f"compare: {path.name} is empty; it must have a line of names and a line for each sample.")
    header = [name.strip() for name in rows[0]]
    if all(_number(name) is not None for name in header):
        raise ValueError(f"compare: the first line of {path.name} must name the columns, got {', '.join(header[:5])}.")
    if "" in header and "" not in drop:
        raise ValueError(
            f"compare: column {header.index('') + 1} of {path.name} has no name, as pandas writes the index of its "
            "rows; leave it out by drop=[''], or name it."
        )
    for name in header:
        if header.count(name) > 1:
            raise ValueError(f"compare: {path.name} has several columns named {name!r}; rename all but one.")
    for place, row in enumerate(rows[1:]):
        if len(row) != len(header):
            raise ValueError(
                f"compare: sample {place} of {path.name} has {len(row)} values where the first line names "
                f"{len(header)} columns."
            )
    return {
        name: _cells(cells, delimiter == ";") for name, cells in zip(header, zip(*rows[1:], strict=True), strict=True)
    }


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _cells(cells: Sequence[str], decimal_comma: bool) -> NDArray[Any]:
    """Column of text as numbers or days, if all its cells are; NaN or `UNKNOWN` where missing."""
    texts = list(map(_text, cells))
    known = list(filter(None, texts))
    if len(known) == len(texts) and all(map(_WHOLE.fullmatch, known)):
        return np.array(list(map(int, texts)))
    if known and all(map(DATE.fullmatch, known)):
        return _days([text or "NaT" for text in texts])
    found = _numbers(texts)
    if None in found and decimal_comma:
        found = _numbers([text.replace(",", ".", 1) for text in texts])
    if found and None not in found:
        return np.array(found, dtype=np.float64)
    return np.array([text or UNKNOWN for text in texts])


def _text(cell: str) -> str:
    """The cell's text, "" if it is missing."""
    text = cell.strip()
    return "" if text.lower() in _MISSING else text


def _numbers(texts: Sequence[str]) -> list[float | None]:
    return [_number(text) if text else math.nan for text in texts]


def _days(dates: Any) -> NDArray[np.float64]:
    """Days since 1970; NaN where missing."""
    moments = np.array(dates, dtype="datetime64[s]")
    days: NDArray[np.float64] = np.where(np.isnat(moments), np.nan, moments.astype(np.int64) / 86_400)
    return days


def _parquet(path: Path) -> Columns:
    for package in _PARQUET:
        try:
            import_module(package)
        except ImportError:
            continue
        try:
            columns = _READERS[package](str(path))
        except Exception as error:
            reason = " ".join(str(error).split())
            raise ValueError(f"compare: {path.name} cannot be read as Parquet: {reason}") from error
        # such columns are the index of pandas, which in sorted rows may reveal the target
        columns = {name: cells for name, cells in columns.items() if not _INDEX.fullmatch(name)}
        return {name: _objects(name, cells, path.name) for name, cells in columns.items()}
    raise ImportError(f"reading {path.name} needs pyarrow, polars or duckdb: pip install pyarrow")


def _by_pyarrow(path: str) -> dict[str, list[Any]]:
    from pyarrow.parquet import read_table

    return dict(read_table(path).to_pydict())


def _by_polars(path: str) -> dict[str, list[Any]]:
    return dict(import_module("polars").read_parquet(path).to_dict(as_series=False))


def _by_duckdb(path: str) -> dict[str, list[Any]]:
    found = import_module("duckdb").read_parquet(path)
    return dict(zip(found.columns, map(list, zip(*found.fetchall(), strict=True)), strict=True))


_READERS: dict[str, Callable[[str], dict[str, list[Any]]]] = {
    "pyarrow": _by_pyarrow,
    "polars": _by_polars,
    "duckdb": _by_duckdb,
}


# ----------------------------------------------------------------------------------------------- tables


def _frame(table: Any) -> Columns:
    return {str(name): _objects(str(name), list(table[name]), "the table") for name in table.columns}


def _hugging_face(dataset: Any) -> Columns:
    found: Mapping[str, Any] = dataset.with_format("numpy")[:]
    return {name: _objects(name, found[name], "the dataset") for name in dataset.column_names}


def _objects(name: str, cells: Any, where: str) -> NDArray[Any] | Ragged:
    if isinstance(cells, np.ndarray) and cells.ndim > 1:
        return cells
    if isinstance(cells, Tensor):
        cells = cells.detach().cpu().numpy()
    cells = list(cells)
    missing = list(map(is_missing, cells))
    known = [cell for cell, gone in zip(cells, missing, strict=True) if not gone]
    for kinds, convert in _CONVERTERS:
        if known and _are(known, kinds):
            return convert(cells, missing)
    if any(missing):
        cells = [math.nan if gone else cell for cell, gone in zip(cells, missing, strict=True)]
    for kinds, dtype in (((bool, np.bool_), np.bool_), ((int, np.integer), np.int64)):
        if _are(cells, kinds):
            return np.array(cells, dtype=dtype)
    return _floats(name, cells, where)


def _are(cells: Sequence[Any], kinds: Any) -> bool:
    return all(isinstance(cell, kinds) for cell in cells)


def _floats(name: str, cells: list[Any], where: str) -> NDArray[Any] | Ragged:
    try:
        if any(isinstance(cell, str) for cell in cells):
            raise TypeError
        return np.array(cells, dtype=np.float64)  # converts lists of equal length, too
    except (TypeError, ValueError):
        found = find_ragged(cells, f"cells of column {name!r}")
        if found is not None:
            return found
        names = ", ".join(sorted({type(cell).__name__ for cell in cells}))
        raise ValueError(
            f"compare: column {name!r} of {where} must hold numbers, dates or text, got {names}; turn it into numbers."
        ) from None


def _moment(cell: Any) -> Any:
    """Moment in UTC, without its zone."""
    is_zoned = getattr(cell, "tzinfo", None) is not None
    return np.datetime64(cell.astimezone(UTC).replace(tzinfo=None) if is_zoned else cell)


def _texts(cells: list[Any], missing: list[bool]) -> NDArray[Any]:
    return np.array([UNKNOWN if gone else cell for cell, gone in zip(cells, missing, strict=True)])


def _moments(cells: list[Any], missing: list[bool]) -> NDArray[Any]:
    return _days(["NaT" if gone else _moment(cell) for cell, gone in zip(cells, missing, strict=True)])


_CONVERTERS: tuple[tuple[Any, Callable[[list[Any], list[bool]], NDArray[Any]]], ...] = (
    (str, _texts),
    ((date, np.datetime64), _moments),
)


def is_missing(cell: Any) -> bool:
    """Whether a cell is None, NaN or another marker of a value that is not there."""
    not_a_number = isinstance(cell, (float, np.floating)) and cell != cell
    return cell is None or not_a_number or type(cell).__name__ in ("NAType", "NaTType")  # types of pandas


def _check_target(name: str, cells: Any, where: str) -> None:
    if isinstance(cells, Ragged):
        return
    gone = cells == UNKNOWN if cells.dtype.kind == "U" else np.isnan(cells) if cells.dtype.kind == "f" else np.zeros(1)
    if gone.any():
        raise ValueError(
            f"compare: column {name!r} of {where}, the target, lacks {int(gone.sum())} values, the first in sample "
            f"{int(np.argwhere(gone)[0][0])}; leave these samples out."
        )


def _of_columns(
    columns: Columns, target: Target, where: str, drop: Sequence[str] = (), aside: Sequence[str] = ()
) -> Raw:
    chosen = _chosen(target, [name for name in columns if name not in drop], where, "column")
    for name in chosen:
        _check_target(name, columns[name], where)
    return _beside(_side_by_side({name: columns[name] for name in chosen}), chosen, columns, where, drop, aside)


def _side_by_side(targets: Columns) -> Any:
    """Targets (sample, …) of one name, or (sample, name) of several."""
    if len(targets) == 1:
        return next(iter(targets.values()))
    for name, values in targets.items():
        if isinstance(values, Ragged) or values.dtype.kind not in "biuf" or values.ndim > 1:
            given = "sequences" if isinstance(values, Ragged) else f"{values.dtype} {values.shape}"
            raise ValueError(
                f"compare: several targets are a number each, or 0 and 1, and {name!r} holds {given}; turn it into "
                "such, or name one target."
            )
    return np.stack(list(targets.values()), axis=-1)


def _beside(
    targets: Any, names: tuple[str, ...], columns: Columns, where: str, drop: Sequence[str], aside: Sequence[str]
) -> Raw:
    for name in (*drop, *aside):
        if name not in columns:
            raise ValueError(f"compare: {where} has no column {name!r}; {did_you_mean(name, columns)}")
    for name in aside:
        if columns[name].ndim > 1:
            raise ValueError(
                f"compare: column {name!r} of {where} has several values in a sample, and must have one to split by."
            )
    kept = {name: columns[name] for name in aside}
    others = {name: values for name, values in columns.items() if name not in (*names, *drop, *aside)}
    if not others:
        left = f"beside {names[0]!r} to tell it from" if names else "left to tell the targets from"
        raise ValueError(f"compare: {where} has no column {left}.")
    wide = [name for name, values in others.items() if values.ndim > 1]
    if not wide:
        return Raw(others, targets, names, kept)
    several = NamedInputs({name: _wide(values) for name, values in others.items()})
    return Raw(several if len(others) > 1 else several[wide[0]], targets, names, kept)


def _wide(values: Any) -> Any:
    """A column with an array in each sample: rows of whole numbers are tokens, pictures get their colours first."""
    if isinstance(values, Ragged):
        return values
    if values.ndim == 2 and values.dtype == np.int64:
        return torch.from_numpy(values)
    if values.ndim == 4 and values.shape[-1] in (1, 3, 4) and values.dtype == np.uint8:
        return np.moveaxis(values, -1, 1)
    return values


def _chosen(target: Target, names: Iterable[str], where: str, role: str) -> tuple[str, ...]:
    """Names of the targets; ValueError if one is missing."""
    names = list(names)
    known = ", ".join(names[:12]) + (", …" if len(names) > 12 else "")
    known = f"there are {known or 'none'}."
    if target is None:
        common = [name for name in ("target", "label", "labels", "y") if name in names]
        if not common:
            raise ValueError(f"compare: {where} needs target=, the {role} to be told; {known}")
        return (common[0],)
    chosen = (target,) if isinstance(target, str) else tuple(target)
    for name in chosen:
        if name not in names:
            raise ValueError(f"compare: {where} has no {role} {name!r}; {did_you_mean(name, names, known)}")
    return chosen
