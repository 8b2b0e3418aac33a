"""Resolution of the user's `data` argument to a task."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from slopes import loading
from slopes.comparing.task_kinds import TaskKind
from slopes.comparing.tasks.builtin import BUILTIN
from slopes.comparing.tasks.inputs import Padded, RawInputs, describe_inputs, list_tensors, parts_of
from slopes.comparing.tasks.preparation import MOST, Levels, encode, find_levels, numbers, pad
from slopes.comparing.tasks.sources import (
    DATE,
    SUFFIXES,
    UNKNOWN,
    NamedInputs,
    Ragged,
    Raw,
    Target,
    find_ragged,
    is_missing,
    is_table,
    read,
)
from slopes.comparing.tasks.task import (
    LEFT_OUT,
    TRAIN,
    VALIDATION,
    Parts,
    Task,
    deal,
    find_lack,
    make,
    shares,
    strata_of,
)
from slopes.comparing.words import counted
from slopes.domains import shown
from slopes.hints import did_you_mean

FEW = 10  #: fewest samples for three parts
CLASSES = 20  #: whole numbers with at most so many different values are labels
OFTEN = 5  #: more values are labels, too, if they are 0 to C − 1 and each occurs so often
_FINE = 1e-2  #: coarsest step between numbers of 32 bits, as a fraction of a target's deviation
_NO_LABEL = ""  #: text of tokens that are left out

_PARTS = ("train", "validation", "test")
_VALIDATION = ("validation", "valid", "val", "dev")


def resolve(
    data: Any, *, target: Target = None, task: str | None = None, resampled: bool = False,
    drop: Sequence[str] = (), groups: Any = None, order: Any = None,
) -> Task:  # fmt: skip
    """Task of a built-in name, a file, a table, a dataset, (inputs, targets), or a triple or dict of these for the
    parts.

    Without a validation part, a share of the training part validates. Samples of one of the `groups`, a column or an
    array, are in one part; by `order`, a column or True for the order of the samples, the first ones train and the last
    ones test. `task` overrides the kind that the targets suggest: whole numbers are labels if they are few or 0 to
    C − 1, counts if they begin at 0, and numbers otherwise.
    """
    _check_kind(task)
    _check_order(order)
    if isinstance(data, str) and Path(data).suffix.lower() not in SUFFIXES:
        return _builtin(data, resampled, target=target, task=task, drop=drop or None, groups=groups, order=order)
    sources, names = _sources(data)
    _check_split(bool(names), resampled, groups, order)
    where = [f"the {part} part" for part in names] or ["data"]
    is_named = isinstance(data, list) and any(isinstance(sample, Mapping) for sample in data[:1])
    if target is not None and isinstance(data, (tuple, list)) and not names and not is_named:
        raise ValueError(f"compare: targets come with these data already; leave out target={target!r}.")
    aside = list(filter(lambda name: isinstance(name, str), (groups, order)))
    raws = [read(source, target, name, drop, aside) for source, name in zip(sources, where, strict=True)]
    lengths = list(map(_length, raws, where))
    if not names:
        _check_count(lengths[0])
    inputs, levels = _inputs(raws, where)
    targets = _joined_targets([raw.targets for raw in raws], where)
    told = _targets(targets, task, raws[0].names, inputs)
    grouping = _groups(groups, raws[0].aside, lengths[0])
    parts = _given_parts(lengths, told) if names else _ordered_parts(order, raws[0].aside, lengths[0])
    if parts is None and grouping is None:
        _check_dealt(told)
    made = make(
        _name(data), told.kind, inputs, told.values, about=_about(data, inputs, told),
        labels=told.labels, parts=parts, resampled=resampled, groups=grouping, levels=levels,
    )  # fmt: skip
    _check_classes(made)
    _check_varies(made)
    return made


def _check_count(samples: int) -> None:
    if samples < FEW:
        raise ValueError(f"compare: {samples} samples cannot be dealt to three parts; give at least {FEW}.")


def _check_order(order: Any) -> None:
    if order is not None and order is not True and not isinstance(order, str):
        raise TypeError(
            f"compare: order must be a column's name, or True for the order of the samples, got {shown(order)}."
        )


def _groups(groups: Any, columns: Mapping[str, NDArray[Any]], length: int) -> Any:
    """Groups of the samples, from an array or a column's name, if any."""
    if groups is None:
        return None
    is_column = isinstance(groups, str)
    return _grouping(columns[groups] if is_column else groups, length, is_column)


def _check_split(is_given: bool, resampled: bool, groups: Any, order: Any) -> None:
    asked = [
        name
        for name, value in (("resample", resampled or None), ("groups", groups), ("order", order))
        if value is not None
    ]
    if is_given and asked:
        raise ValueError(
            f"compare: data that come as train, validation and test are not dealt anew; give them as one, or leave out "
            f"{asked[0]}."
        )
    if order is not None and len(asked) > 1:
        raise ValueError(f"compare: data in an order have one split; leave out {asked[0]}, or order.")


def _check_kind(task: str | None) -> None:
    kinds = [kind.value for kind in TaskKind]
    if task is not None and task not in kinds:
        raise ValueError(f"compare: no kind of task {task!r}; {did_you_mean(task, kinds)}")


def _builtin(text: str, resampled: bool, **refused: Any) -> Task:
    try:
        file, name, arguments = loading.parts(text)
    except ValueError:
        file, name, arguments = None, text, None
    if file is not None or name not in BUILTIN:
        known = f"there are {', '.join(BUILTIN)}, and files {', '.join(SUFFIXES)}."
        raise ValueError(f"compare: no task {text!r}; {did_you_mean(name, BUILTIN, known)}")
    for option, value in refused.items():
        if value is not None:
            raise ValueError(f"compare: {name} knows its own; leave out {option}={value!r}.")
    try:
        options = loading.parameters(text, arguments) if arguments else {}
        return BUILTIN[name](resampled=resampled, **options)
    except TypeError as error:
        raise TypeError(f"compare: {name} does not take this: {error}.") from None
    except ValueError as error:
        raise ValueError(f"compare: {str(error).removeprefix('compare: ')}") from None


def _sources(data: Any) -> tuple[Sequence[Any], Sequence[str]]:
    """(the sources, names of their parts); no names for one source."""
    if isinstance(data, Mapping) and (not data or not {"train", "test", *_VALIDATION}.isdisjoint(data)):
        return _sources_by_name(data)
    if not isinstance(data, (tuple, list)) or (isinstance(data, list) and len(data) > 3):
        return (data,), ()
    if len(data) == 3:
        return data, _PARTS
    if len(data) != 2:
        raise TypeError(
            f"compare: data must be two, inputs and targets, or three, to train, validate and test on; got {len(data)}."
        )
    if all(map(_is_source, data)) and _are_alike(*data):
        return data, ("train", "test")
    return (data,), ()


def _sources_by_name(data: Mapping[str, Any]) -> tuple[Sequence[Any], Sequence[str]]:
    if "train" not in data or "test" not in data:
        raise ValueError(f"compare: a dict must have train and test, got {', '.join(map(str, data)) or 'nothing'}.")
    validation = next((name for name in _VALIDATION if name in data), None)
    if validation is None:
        return (data["train"], data["test"]), ("train", "test")
    return (data["train"], data[validation], data["test"]), _PARTS


def _is_source(thing: Any) -> bool:
    """Whether a thing is data by itself: inputs with their targets, a dataset, a table or a file."""
    is_pair = isinstance(thing, tuple)  # of a list, too, which may hold sequences
    if isinstance(thing, (tuple, list)):
        return len(thing) == 2 and all(
            hasattr(part, "shape") or is_table(part) or _is_several(part) or (is_pair and isinstance(part, list))
            for part in thing
        )
    has_items = hasattr(thing, "__getitem__") or hasattr(thing, "dataset")
    if isinstance(thing, (str, Path)):
        return Path(thing).suffix.lower() in SUFFIXES
    return has_items and not hasattr(thing, "dtype")


def _is_several(thing: Any) -> bool:
    return isinstance(thing, tuple) and all(hasattr(part, "shape") for part in thing)


def _are_alike(first: Any, second: Any) -> bool:
    """Whether two tables have the same columns; else they are inputs and targets."""
    return not (is_table(first) and is_table(second)) or {*_names(first)} == {*_names(second)}


def _names(table: Any) -> Any:
    return table if isinstance(table, Mapping) else getattr(table, "column_names", None) or table.columns


def _given_parts(lengths: list[int], told: _Told) -> Parts:
    """Parts as they came; without validation, a share of the training part is it."""
    pieces = [torch.from_numpy(each) for each in np.split(np.arange(sum(lengths)), np.cumsum(lengths)[:-1])]
    if len(pieces) == 3:
        return Parts(*pieces)
    train, test = pieces
    share = VALIDATION / (TRAIN + VALIDATION)
    strata = strata_of(told.kind, torch.as_tensor(told.values))[train]

    def counts(_: int, members: int) -> list[int]:
        judging = min(max(round(share * members), 1), members - 1)
        return [members - judging, judging, 0]

    first, second, _ = deal(strata, 0, counts)
    return Parts(train[first], train[second], test)


def _ordered_parts(order: Any, columns: Mapping[str, NDArray[Any]], length: int) -> Parts | None:
    """Parts of samples in an order; None without one."""
    if order is None:
        return None
    return _in_order(np.arange(length) if order is True else _moments(order, columns[order]))


def _in_order(keys: NDArray[Any]) -> Parts:
    train, validation, _ = shares(0, len(keys))
    places = np.argsort(keys, kind="stable")
    return Parts(*(torch.from_numpy(each) for each in np.split(places, [train, train + validation])))


def _moments(name: str, keys: NDArray[Any]) -> NDArray[Any]:
    is_text = keys.dtype.kind == "U"
    wrong = np.array([not DATE.fullmatch(key) for key in keys.tolist()]) if is_text else np.isnan(keys)
    if wrong.any():
        place = tuple(np.argwhere(wrong)[0].tolist())
        raise ValueError(
            f"compare: column {name!r} puts samples in order by numbers, or dates as in 2026-01-31; sample {place[0]} "
            f"has {str(keys[place])!r}."
        )
    return keys


def _grouping(groups: Any, samples: int, is_column: bool) -> NDArray[np.int64]:
    """Number of each sample's group, of a column of a table or an array."""
    found = np.asarray(groups)
    if found.shape != (samples,):
        raise ValueError(f"compare: there must be a group for each of {samples} samples, got {found.shape}.")
    gone = found == UNKNOWN if is_column and found.dtype.kind == "U" else np.array([*map(is_missing, found.tolist())])
    if gone.any():
        raise ValueError(
            f"compare: {counted(int(gone.sum()), 'sample')} of {samples} have no group, the first is sample "
            f"{int(gone.argmax())}; leave them out, or give each a group of its own."
        )
    codes: NDArray[np.int64] = np.unique(found, return_inverse=True)[1]
    if len(np.unique(codes)) < 3:
        raise ValueError("compare: there must be three groups or more, one for each part.")
    return codes


# ----------------------------------------------------------------------------------------------- inputs


def _length(raw: Raw, where: str) -> int:
    targets = tuple(raw.targets.shape)
    if isinstance(raw.inputs, (tuple, NamedInputs)):
        lengths = {key: len(part) for key, part in parts_of(raw.inputs).items()}
        if {*lengths.values()} != {targets[0]}:
            named = ", ".join(f"{key}: {length}" for key, length in lengths.items())
            raise ValueError(f"compare: inputs ({named}) and {targets[0]} targets of {where} must have one length.")
        return int(targets[0])
    if isinstance(raw.inputs, dict):
        inputs: tuple[int, ...] = (len(next(iter(raw.inputs.values()), ())), len(raw.inputs))
    else:
        inputs = tuple(raw.inputs.shape)
    if inputs[0] != targets[0]:
        turned = "; transposed they would have" if inputs[-1] == targets[0] and len(inputs) == 2 else ""
        raise ValueError(f"compare: inputs {inputs} and targets {targets} of {where} must have one length{turned}.")
    if 0 in inputs:
        raise ValueError(f"compare: {where} is empty: inputs {inputs}, targets {targets}.")
    return int(targets[0])


def _inputs(raws: list[Raw], where: list[str]) -> tuple[RawInputs, Levels | None]:
    """(inputs, the levels of a table's columns)."""
    if any(isinstance(raw.inputs, (tuple, NamedInputs)) for raw in raws):
        return _several_inputs([raw.inputs for raw in raws], where), None
    tables = [raw.inputs for raw in raws if isinstance(raw.inputs, dict)]
    if len(tables) == len(raws):
        for table, name in zip(tables, where, strict=True):
            if table.keys() != tables[0].keys():
                odd = ", ".join(sorted(table.keys() ^ tables[0].keys()))
                raise ValueError(f"compare: {name} must have the columns of {where[0]}; they differ in {odd}.")
        columns = {name: np.concatenate([table[name] for table in tables]) for name in tables[0]}
        levels = {name: find_levels(name, values) for name, values in columns.items()}
        encoded = [encode(name, values, levels[name]) for name, values in columns.items()]
        return torch.from_numpy(np.concatenate(encoded, axis=1)), levels
    return _joined([raw.inputs for raw in raws], where), None


def _joined(inputs: list[Any], where: list[str], keeps_masks: bool = False) -> Tensor | Padded:
    """Inputs of all parts; masks are tensors of bool, which stay so among several inputs."""
    if any(isinstance(each, Ragged) for each in inputs):
        return pad(_sequences(inputs, where, "inputs"), "data")
    if keeps_masks and all(isinstance(each, Tensor) and each.dtype == torch.bool for each in inputs):
        tensors = inputs
    else:
        tensors = [numbers(each, name) for each, name in zip(inputs, where, strict=True)]
    for tensor, name in zip(tensors, where, strict=True):
        if tensor.shape[1:] != tensors[0].shape[1:]:
            ours, theirs = tuple(tensors[0].shape[1:]), tuple(tensor.shape[1:])
            raise ValueError(f"compare: a sample of {name} has shape {theirs}, and one of {where[0]} {ours}.")
    return torch.cat(tensors)


def _sequences(parts: list[Any], where: list[str], role: str) -> Ragged:
    """Samples of all parts, which must be sequences of one kind."""
    found = Ragged()
    for part, name in zip(parts, where, strict=True):
        several = part if isinstance(part, Ragged) else find_ragged(part, role)
        if several is None:
            raise ValueError(f"compare: the {role} of {name} are no sequences, and those of another part are.")
        found += several
    find_ragged(found, role)  # refuses other shapes in another part
    return found


def _several_inputs(inputs: list[Any], where: list[str]) -> RawInputs:
    parts = [parts_of(each) if isinstance(each, (tuple, NamedInputs)) else {} for each in inputs]
    for part, name in zip(parts, where, strict=True):
        if part.keys() != parts[0].keys():
            raise ValueError(f"compare: {name} must have the inputs of {where[0]}, in one form.")
    joined = {key: _joined([part[key] for part in parts], where, keeps_masks=True) for key in parts[0]}
    return joined if isinstance(inputs[0], NamedInputs) else tuple(joined.values())


# ---------------------------------------------------------------------------------------------- targets


class _Told(NamedTuple):
    kind: TaskKind
    values: NDArray[Any]
    labels: tuple[str, ...]
    rare: str = ""  #: class that is the yes


def _joined_targets(targets: list[Any], where: list[str]) -> NDArray[Any] | Ragged:
    if any(isinstance(each, Ragged) for each in targets):
        return _sequences(targets, where, "targets")
    for each, name in zip(targets, where, strict=True):
        if each.shape[1:] != targets[0].shape[1:]:
            ours, theirs = targets[0].shape[1:], each.shape[1:]
            raise ValueError(f"compare: a target of {name} has shape {theirs}, and one of {where[0]} {ours}.")
    return np.concatenate(targets)


def _targets(values: NDArray[Any] | Ragged, task: str | None, names: tuple[str, ...], inputs: RawInputs) -> _Told:
    if isinstance(values, Ragged):
        values, task = _padded_labels(values, inputs), task or TaskKind.TOKENS
    if values.dtype.kind == "O":
        values = np.array([str(value) if isinstance(value, str) else value for value in values.tolist()])
    if values.dtype.kind not in "biufUS":
        raise ValueError(f"compare: targets must be numbers or text, got {values.dtype}.")
    if values.dtype.kind == "S":
        values = values.astype(str)
    wrong = ~(np.abs(values) <= MOST) if values.dtype.kind == "f" else np.zeros(1, bool)
    if wrong.any():
        place = int(np.argwhere(wrong)[0][0])
        raise ValueError(
            f"compare: {wrong.sum()} of the targets are NaN or too large for 32 bits, the first in sample {place}; "
            "leave them out."
        )
    if values.ndim == 4 and values.shape[1] == 1:
        values = values[:, 0]
    if values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]
    kind = TaskKind(task) if task else _kind(values, inputs)
    made = _READERS[kind](values)
    has_name_each = kind.has_rows_of_labels and len(names) == values.shape[1]
    return made._replace(labels=names) if names and (has_name_each or not made.labels) else made


def _padded_labels(labels: Ragged, inputs: RawInputs) -> NDArray[Any]:
    """Labels (sample, token), left out behind the end of a sequence."""
    parts = [inputs] if isinstance(inputs, (Tensor, Padded)) else list(parts_of(inputs).values())
    masks = [part.mask.numpy() for part in parts if isinstance(part, Padded)]
    if not masks or labels[0].ndim > 1:
        raise ValueError(
            "compare: targets of different lengths must be labels of tokens, one for each entry of inputs that are "
            "sequences; turn them into one array."
        )
    lengths, known = np.array([len(each) for each in labels]), masks[0].sum(1)
    if (lengths != known).any():
        place = int((lengths != known).argmax())
        raise ValueError(
            f"compare: sample {place} is a sequence of {known[place]} and has {lengths[place]} labels; give each entry "
            "a label."
        )
    joined = np.concatenate(labels)
    joined = joined.astype(np.int64) if joined.dtype.kind in "bu" else joined
    padded = np.full(masks[0].shape, _NO_LABEL if joined.dtype.kind in "US" else LEFT_OUT, joined.dtype)
    padded[masks[0]] = joined
    return padded


def _kind(values: NDArray[Any], inputs: RawInputs) -> TaskKind:
    if values.ndim == 1:
        return _kind_of_column(values)
    is_yes_or_no = values.dtype.kind in "biuf" and np.isin(values, (0, 1)).all()
    if values.ndim == 3 and (is_yes_or_no or values.dtype.kind in "iu"):
        return TaskKind.MASKS if is_yes_or_no else TaskKind.CLASS_MASKS
    if values.ndim == 2 and values.dtype.kind in "biuUS" and _has_tokens(inputs, values.shape[1]):
        return TaskKind.TOKENS
    if is_yes_or_no and (values.sum(1) == 1).all():
        raise ValueError(
            f"compare: targets {values.shape} have one 1 in each row; give the label of each sample, as in "
            "targets.argmax(1), or say task='multilabel'."
        )
    return TaskKind.LABELS if is_yes_or_no and values.ndim == 2 else TaskKind.NUMBERS


def _has_tokens(inputs: RawInputs, count: int) -> bool:
    """Whether samples are sequences of so many tokens: names of tokens, or their numbers."""
    tokens = [each.shape[1] for each in list_tensors(inputs) if each.dtype == torch.int64 and each.ndim == 2]
    return count in tokens or any(each.ndim == 3 and count in each.shape[1:] for each in list_tensors(inputs))


def _kind_of_column(values: NDArray[Any]) -> TaskKind:
    found, often = np.unique(values, return_counts=True)
    if len(found) == 2 and (values.dtype.kind != "f" or found.tolist() == [0, 1]):
        return TaskKind.YES_OR_NO
    if values.dtype.kind in "US":
        return TaskKind.CLASSES
    if values.dtype.kind == "f":
        return TaskKind.NUMBERS
    if len(found) <= CLASSES or (np.array_equal(found, np.arange(len(found))) and often.min() >= OFTEN):
        return TaskKind.CLASSES
    return TaskKind.COUNTS if found[0] == 0 else TaskKind.NUMBERS


def _labels_of(values: NDArray[Any], kind: TaskKind) -> tuple[NDArray[Any], NDArray[Any]]:
    """(different labels, each sample's index among them)."""
    if values.ndim > 1:
        raise ValueError(f"compare: a {kind} task takes one label for a sample, got targets {values.shape}.")
    if values.dtype.kind == "f" and not np.array_equal(values, values.round()):
        wrong = values[values != values.round()][0]
        raise ValueError(
            f"compare: a {kind} task takes labels, got {wrong}; leave out task={str(kind)!r}, or bin the targets."
        )
    found, places = np.unique(values, return_inverse=True)
    if len(found) < 2:
        raise ValueError(f"compare: all {len(values)} targets are {found[0]}; there must be two classes or more.")
    return found, places


def _text(label: Any) -> str:
    return f"{label:g}" if isinstance(label, float) else str(label)


def _classes(values: NDArray[Any]) -> _Told:
    found, places = _labels_of(values, TaskKind.CLASSES)
    if len(found) > len(values) / 2:
        raise ValueError(
            f"compare: {len(values)} targets have {len(found)} different values, which are no classes; say "
            "task='regression', or name another target."
        )
    return _Told(TaskKind.CLASSES, places.astype(np.int64), tuple(map(_text, found.tolist())))


def _yes_or_no(values: NDArray[Any]) -> _Told:
    found, places = _labels_of(values, TaskKind.YES_OR_NO)
    if len(found) > 2:
        raise ValueError(f"compare: a binary task has two classes, got {len(found)}; say task='classification'.")
    if 2 * int((places == 0).sum()) < len(places):  # the rarer class is the yes
        found, places = found[::-1], 1 - places
    labels = tuple(map(_text, found.tolist()))
    return _Told(TaskKind.YES_OR_NO, places.astype(np.float32), labels, labels[1])


def _regression(values: NDArray[Any]) -> _Told:
    if values.dtype.kind not in "biuf" or values.ndim > 2:
        raise ValueError(f"compare: a regression takes a number or a row of them, got {values.dtype} {values.shape}.")
    largest, spread = np.abs(values.astype(float)).max(0), values.astype(float).std(0)
    coarse = (spread > 0) & (largest * np.finfo(np.float32).eps > _FINE * spread)
    if coarse.any():
        raise ValueError(
            f"compare: targets up to {largest[coarse].max():g} with a deviation of {spread[coarse].min():g} lose their "
            "digits in 32 bits; subtract their common offset."
        )
    return _Told(TaskKind.NUMBERS, values.reshape(len(values), -1).astype(np.float32), ())


def _counts(values: NDArray[Any]) -> _Told:
    if values.ndim > 1 or values.dtype.kind not in "biuf":
        raise ValueError(f"compare: counts are a whole number for each sample, got {values.dtype} {values.shape}.")
    wrong = values[(values < 0) | (values != values.round())]
    if len(wrong):
        raise ValueError(f"compare: counts are whole numbers >= 0, got {wrong[0]}; say task='regression'.")
    return _Told(TaskKind.COUNTS, values[:, None].astype(np.float32), ())


def _masks(values: NDArray[Any]) -> _Told:
    if values.ndim != 3 or not np.isin(values, (0, 1)).all():
        raise ValueError(
            f"compare: masks are 0 and 1 of shape (sample, height, width), got {values.dtype} {values.shape}."
        )
    return _Told(TaskKind.MASKS, values.astype(np.float32), ())


def _rows_of_labels(values: NDArray[Any]) -> _Told:
    if values.ndim != 2 or values.dtype.kind not in "biuf" or not np.isin(values, (0, 1)).all():
        raise ValueError(
            f"compare: a multilabel task takes 0 and 1 of shape (sample, label), got {values.dtype} {values.shape}."
        )
    return _Told(TaskKind.LABELS, values.astype(np.float32), tuple(map(str, range(values.shape[1]))))


def _at_positions(kind: TaskKind, axes: int, values: NDArray[Any]) -> _Told:
    """Labels of tokens or pixels: texts, or integers; numbers below 0 and empty texts are left out."""
    shape = "(sample, token)" if axes == 2 else "(sample, height, width)"
    is_whole = values.dtype.kind != "f" or np.array_equal(values, values.round())
    if values.ndim != axes or not is_whole:
        raise ValueError(f"compare: a {kind} task takes labels of shape {shape}, got {values.dtype} {values.shape}.")
    if values.dtype.kind in "US":
        found = np.unique(values[values != _NO_LABEL])
        labels, codes = tuple(found.tolist()), np.where(values == _NO_LABEL, LEFT_OUT, np.searchsorted(found, values))
    else:
        codes = np.where(values < 0, LEFT_OUT, values.astype(np.int64))
        labels = tuple(map(str, range(int(codes.max()) + 1)))
    if len(np.unique(codes[codes >= 0])) < 2:
        raise ValueError(f"compare: the labels of a {kind} task must have two classes or more.")
    return _Told(kind, codes, labels)


_READERS: dict[TaskKind, Callable[[NDArray[Any]], _Told]] = {
    TaskKind.CLASSES: _classes,
    TaskKind.YES_OR_NO: _yes_or_no,
    TaskKind.NUMBERS: _regression,
    TaskKind.COUNTS: _counts,
    TaskKind.MASKS: _masks,
    TaskKind.LABELS: _rows_of_labels,
    TaskKind.TOKENS: partial(_at_positions, TaskKind.TOKENS, 2),
    TaskKind.CLASS_MASKS: partial(_at_positions, TaskKind.CLASS_MASKS, 3),
}


def _check_dealt(told: _Told) -> None:
    """Refuse a class with too few samples for three parts."""
    often = Counter(told.values.astype(int).tolist()) if told.kind.has_strata else {}
    for place, label in enumerate(told.labels if often else ()):
        if often[place] < 3:
            raise ValueError(
                f"compare: class {label!r} has {often[place]} of {len(told.values)} samples, and each of three parts "
                "needs one; leave it out or join it with another."
            )


def _check_classes(made: Task) -> None:
    """Refuse a class without training samples, and a yes or no that a part lacks."""
    lack = find_lack(made.kind, made.targets, made.parts)
    if lack is None:
        return
    name, label = lack[0], made.labels[lack[1]]
    if name != "training":
        raise ValueError(
            f"compare: the {name} part has no {label!r}, without which nothing tells how well a yes is found; "
            "split the data anew, each class in its proportion."
        )
    there = next(name for name, rows in zip(_PARTS, made.parts, strict=True) if (made.targets[rows] == lack[1]).any())
    raise ValueError(f"compare: class {label!r} is in the {there} part, but none of it is there to train on.")


def _check_varies(made: Task) -> None:
    known = made.targets[made.parts.train]
    if made.kind.has_rows_of_labels:
        same = (known == known[0]).all(0)
        if same.any():
            label = int(same.int().argmax())
            raise ValueError(
                f"compare: label {made.labels[label]} is {known[0, label]:g} in all samples that train; leave it out, "
                "or split the data otherwise."
            )
    if made.kind.has_classes and made.kind.has_positions and len({*known[known >= 0].tolist()}) < 2:
        raise ValueError("compare: all labels that train are one class; there is nothing to learn.")
    if made.kind.has_pixels and known.min() == known.max():
        raise ValueError(f"compare: all pixels of the masks that train are {known.max():g}; there is nothing to learn.")
    if made.scale is not None and not (made.scale > 0).all():
        value = float(made.targets[0, int((made.scale <= 0).int().argmax())])
        raise ValueError(f"compare: all training targets are {value:g}; there is nothing to learn.")
    if made.kind.has_pixels and isinstance(made.inputs, Tensor) and made.inputs.shape[-2:] != made.targets.shape[-2:]:
        ours, theirs = tuple(made.inputs.shape[1:]), tuple(made.targets.shape[1:])
        raise ValueError(f"compare: inputs {ours} end in the height and width of their masks, got masks {theirs}.")


# ------------------------------------------------------------------------------------------------ words


def _name(data: Any) -> str:
    if isinstance(data, (str, Path)):
        return Path(data).stem
    return "arrays" if isinstance(data, (tuple, list, Mapping)) else type(data).__name__


def _about(data: Any, inputs: RawInputs, told: _Told) -> str:
    source = f"from {Path(data).name}" if isinstance(data, (str, Path)) else "of your own"
    shape = describe_inputs(inputs, _numbers_of)
    found = told.kind.targets
    if told.kind.has_positions or told.kind.has_rows_of_labels:
        found += f" ({len(told.labels)} in all)" if told.labels else ""
        gone = int((told.values < 0).sum())
        found += f", and {gone:,} of {told.values.size:,} labels are left out" if gone else ""
    elif told.kind.has_classes:
        found = f"{len(told.labels)} classes"
    elif told.rare:
        found = f"two classes; the yes is {told.rare!r}, with {told.values.mean():.1%} the rarer"
    missing = sum(int(each.isnan().sum()) for each in list_tensors(inputs) if each.is_floating_point())
    gaps = f" Of the inputs {missing:,} are missing; the training part's mean stands in for them." if missing else ""
    return f"{len(told.values):,} samples of {shape}, {source}; the targets are read as {found}.{gaps}"


def _numbers_of(inputs: Tensor | Padded) -> str:
    if isinstance(inputs, Padded):
        lengths, each = inputs.mask.sum(1), "".join(f" x {size}" for size in inputs.values.shape[2:])
        noun = "numbers" if inputs.values.is_floating_point() else "tokens"
        return f"a sequence of {lengths.min()} to {lengths.max()}{each} {noun} with its mask"
    if inputs.dtype == torch.bool:
        return f"a mask of {' x '.join(map(str, inputs.shape[1:]))}"
    return f"{' x '.join(map(str, inputs.shape[1:]))} {'numbers' if inputs.is_floating_point() else 'tokens'}"
