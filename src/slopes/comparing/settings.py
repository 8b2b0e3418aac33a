"""Options of a comparison, each with its default, check and help.

The fields of `Settings` determine the signature and docstring of `slopes.compare`, its options on the command line, the
key of a run, and the call on a study's page. Importing this loads nothing heavy.
"""

from __future__ import annotations

import inspect
import math
import numbers
import os
import textwrap
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import KW_ONLY, Field, dataclass, field, fields
from functools import partial, wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, ParamSpec, TypeVar, dataclass_transform

from slopes.comparing.optimizers import OPTIMIZERS
from slopes.comparing.task_kinds import TaskKind
from slopes.hints import did_you_mean

if TYPE_CHECKING:
    from slopes.comparing.progress import Callback

P = ParamSpec("P")
R = TypeVar("R")
Check = Callable[[str, Any], Any]

#: functions of `tasks.builtin`
DATASETS = ("digits", "mnist5k", "diabetes", "breast_cancer", "randhie", "texture_seg")
SCHEDULES = {"constant": ("warmup",), "cosine": ("warmup",), "linear": ("warmup",)}
INITS = {"fitted": ()}
PRECISIONS = ("float32", "bfloat16")
ENGINES = ("auto", "stack", "loop")
#: changes a run's numbers
TRAINING = "training"
#: changes no number
PLACE = "place"


class OnCommandLine(NamedTuple):
    metavar: str | None = None
    kind: str = "text"  #: parser of its text
    help: str = ""  #: replaces the function's help


def option(
    about: str, on_command_line: OnCommandLine | None = None, *, default: Any, check: Check | None = None,
    part: str = "",
) -> Any:  # fmt: skip
    """Field of `Settings`; its check maps a name and a value to the value to keep.

    Type checkers see a default only if passed by keyword.
    """
    return field(
        default=default, metadata={"about": about, "on_command_line": on_command_line, "check": check, "part": part}
    )


# ------------------------------------------------------------------------------------------------ checks


def shown(value: Any) -> str:
    from slopes import domains  # loads NumPy

    return domains.shown(value)


def integer(name: str, value: Any, least: int, most: int = 10**6) -> int:
    """The default maximum is more runs than anyone can wait for."""
    if isinstance(value, bool) or not isinstance(value, numbers.Integral) or int(value) < least:
        raise ValueError(f"compare: {name} must be a whole number of at least {least}, got {shown(value)}.")
    if int(value) > most:
        raise ValueError(f"compare: {name} must be a whole number of at most {most}, got {shown(value)}.")
    return int(value)


def positive(name: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, numbers.Real) or not 0 < float(value) < math.inf:
        raise ValueError(f"compare: {name} must be a finite number > 0, got {value!r}.")
    return float(value)


def one_of(name: str, value: Any, choices: Sequence[str]) -> str:
    if value not in choices:
        known, hint = ", ".join(map(repr, choices)), did_you_mean(value, choices, "")
        raise ValueError(f"compare: {name} must be one of {known}, got {value!r}{f'; {hint}' if hint else '.'}")
    return str(value)


def _listed(value: Any) -> tuple[Any, ...]:
    return (value,) if isinstance(value, str) or not isinstance(value, Iterable) else tuple(value)


def strings(name: str, value: Any) -> tuple[str, ...]:
    chosen = _listed(value)
    if not all(isinstance(each, str) for each in chosen):
        raise TypeError(f"compare: {name} must be a list of names, got {shown(value)}.")
    return chosen


def target(name: str, value: Any) -> str | tuple[str, ...]:
    """A name, or a tuple of several."""
    chosen = strings(name, value)
    if not chosen or len(set(chosen)) < len(chosen):
        raise ValueError(f"compare: {name} must be one or more different names, got {shown(list(chosen))}.")
    return chosen if len(chosen) > 1 else chosen[0]


def flag(name: str, value: Any) -> bool:
    if not isinstance(value, bool) and type(value).__name__ not in ("bool", "bool_"):
        raise TypeError(f"compare: {name} must be True or False, got {value!r}.")
    return bool(value)


def seeds(name: str, given: Any) -> tuple[int, ...] | str:
    """A single number is their count, "auto" leaves it to the verdicts."""
    if isinstance(given, str) and given == "auto":
        return "auto"
    if isinstance(given, numbers.Integral):
        return tuple(range(integer(name, given, 1, most=10_000)))
    if isinstance(given, str) or not isinstance(given, Iterable):
        raise TypeError(f"compare: seeds must be how many there are or a list of them, got {given!r}.")
    chosen = tuple(integer("a seed", seed, 0, 2**62 - 1) for seed in given)
    if not chosen or len(set(chosen)) < len(chosen):
        raise ValueError(f"compare: seeds must be one or more different numbers, got {shown(list(chosen))}.")
    return chosen


def rates(name: str, given: Any) -> tuple[float, ...]:
    if isinstance(given, str) or not isinstance(given, Iterable):
        raise TypeError(f"compare: rates must be a list of learning rates, as in rates=(0.001, 0.01), got {given!r}.")
    chosen = tuple(positive("a learning rate", rate) for rate in given)
    if not chosen or len(set(chosen)) < len(chosen):
        raise ValueError(f"compare: rates must be one or more different learning rates, got {list(chosen)}.")
    return tuple(sorted(chosen))


def folder(name: str, given: Any) -> Path:
    if not isinstance(given, (str, os.PathLike)) or not os.fspath(given):
        raise TypeError(f"compare: out must be the path of a folder, got {given!r}.")
    return Path(given)


def progress(name: str, given: Any) -> Any:
    if given is not None and not isinstance(given, bool) and not callable(given):
        raise TypeError(f"compare: progress must be a function that takes a Progress, or False, got {shown(given)}.")
    return given


def named_or_own(name: str, value: Any, choices: Mapping[str, Sequence[str]]) -> Any:
    """A choice, which settings may follow as in "sgd(momentum=0.9)", or a callable, also by its place in a file."""
    if callable(value):
        return value
    if not isinstance(value, str):
        got = f"{type(value).__name__} object" if "\n" in repr(value) else shown(value)
        raise TypeError(f"compare: {name} must be a name or a function, so that each network has its own; got {got}.")
    from slopes import loading

    try:
        file, called, arguments = loading.parts(str(value))
        if file is not None or called.startswith("torch."):
            return loading.find(value)
        given = loading.parameters(value, arguments) if arguments else {}
    except (LookupError, OSError, ImportError, AttributeError, TypeError, ValueError) as error:
        raise ValueError(f"compare: {name}: {error.args[0] if error.args else error}") from error
    one_of(name, called, tuple(choices))
    check_settings(called, given, choices[called])
    return value.strip()


def _is_number(value: Any, least: float, below: float = math.inf) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and least <= value < below


#: of each setting of a choice: which values it may have, and in words
_ADMITTED: dict[str, tuple[Callable[[Any], bool], str]] = {
    "betas": (
        lambda value: isinstance(value, (tuple, list)) and len(value) == 2 and all(_is_number(v, 0, 1) for v in value),
        "two numbers >= 0 and < 1",
    ),
    "eps": (lambda value: _is_number(value, 0), "a finite number >= 0"),
    "momentum": (lambda value: _is_number(value, 0, 1), "a number >= 0 and < 1"),
    "nesterov": (lambda value: isinstance(value, bool), "True or False"),
    "quantile": (lambda value: _is_number(value, 0, 1) and value > 0, "a number > 0 and < 1"),
    "warmup": (lambda value: _is_number(value, 0, 1), "a share of the steps, >= 0 and < 1"),
    "weight_decay": (lambda value: _is_number(value, 0), "a finite number >= 0"),
}


def check_settings(called: str, given: Mapping[str, Any], known: Sequence[str]) -> None:
    """Raise ValueError unless a choice has these settings and each admits its value."""
    hint = None if known else "there are none."
    for name, value in given.items():
        if name not in known:
            raise ValueError(f"compare: {called} has no setting {name!r}; {did_you_mean(name, known, hint)}")
        is_admitted, words = _ADMITTED[name]
        if not is_admitted(value):
            raise ValueError(f"compare: {name} of {called} must be {words}, got {shown(value)}.")
    if given.get("nesterov") and not given.get("momentum"):
        raise ValueError(f"compare: nesterov of {called} needs a momentum, as in 'sgd(momentum=0.9, nesterov=True)'.")


def settings_of(text: str) -> tuple[str, dict[str, Any]]:
    """(name, settings) of a checked choice."""
    from slopes import loading

    _, called, arguments = loading.parts(text)
    return called, loading.parameters(text, arguments) if arguments else {}


def function(name: str, value: Any) -> Any:
    """A callable, also by its place in a file."""
    if not callable(value) and not (isinstance(value, str) and ":" in value):
        raise TypeError(f"compare: {name} must be a function, got {shown(value)}.")
    return named_or_own(name, value, {})


def device(name: str, value: Any) -> str:
    if value == "cpu":
        return "cpu"
    import torch

    try:
        torch.empty(0, device=value)
    except (AssertionError, RuntimeError, TypeError) as error:
        raise ValueError(f"compare: no {name} {value!r} here: {str(error).partition(chr(10))[0]}") from error
    return str(value)


def metrics(name: str, value: Any) -> tuple[Any, ...]:
    return tuple(function(name, each) if not isinstance(each, str) or ":" in each else each for each in _listed(value))


def optional(check: Check) -> Check:
    return lambda name, value: None if value is None else check(name, value)


# ----------------------------------------------------------------------------------------------- options


def _any_of(names: Iterable[str], *, quote: bool = False) -> str:
    *others, last = (f'``"{name}"``' if quote else str(name) for name in names)
    return f"{', '.join(others)} or {last}"


@dataclass_transform(frozen_default=True, field_specifiers=(option,))
def _settings(cls: type) -> Any:
    return dataclass(frozen=True, eq=False)(cls)


@_settings
class Settings:
    """Options of one comparison, checked."""

    model: Any = option(
        '``"mlp"``, ``"cnn"`` or ``"transformer"``, with settings as in ``"mlp(hidden=128)"``; or your own: a module, '
        'whose weights each seed draws anew, a function or class that makes one, or ``"file.py:Model"``. Its '
        "activations, as modules or calls of functions, are replaced; a function with one argument gets their maker.",
        default="mlp",
    )
    data: Any = option(
        f"{_any_of(DATASETS, quote=True)}; or your own: ``(inputs, targets)`` as arrays or tensors (several "
        "inputs as a tuple or a dict), a torch or Hugging Face dataset, a triple of such to train, validate and test, "
        "or of two to train and test, or a path to a "
        "``.csv``, ``.tsv``, ``.npz`` or ``.parquet`` file.",
        default="digits",
    )
    _: KW_ONLY
    target: str | Sequence[str] | None = option(
        "The column or array of the data that is to be predicted; or several, of numbers, or of 0 and 1.",
        OnCommandLine("NAME,...", "names", help="The column or array of DATA that is to be predicted, or several."),
        check=optional(target),
        default=None,
    )
    task: str | None = option(
        f"{_any_of(TaskKind, quote=True)}, where the targets do not tell.",
        OnCommandLine("KIND", help=f"{_any_of(TaskKind)}."),
        default=None,
    )
    drop: Sequence[str] | None = option(
        "Columns of a table to leave out.",
        OnCommandLine("NAME,...", "names", help="Columns of DATA to leave out."),
        check=optional(strings),
        default=None,
    )
    groups: Any = option(
        "A column, or an array, of groups whose samples are in one part, such as a patient's.",
        OnCommandLine("NAME", help="A column of groups whose samples are in one part, such as a patient's."),
        default=None,
    )
    order: Any = option(
        "A column in whose order the first samples train and the last ones test, such as a date; True for the order in "
        "which they come.",
        OnCommandLine("NAME", help="A column in whose order the first samples train and the last ones test."),
        default=None,
    )
    activations: Sequence[Any] | None = option(
        "Cards, one's own included, modules or classes of them, functions such as `torch.tanh`, and names of these; "
        '``"own"`` keeps those of the model; by default six.',
        OnCommandLine(
            "NAME,...", "names", help="Those to compare: relu, torch.nn.ELU, file.py:my_activation, own (the model's)."
        ),
        default=None,
    )
    losses: Sequence[Any] | None = option(
        "Cards, one's own included, modules, functions of outputs and targets, and names of these; by default three "
        "that suit the task. One that does not fit is a row with the reason.",
        OnCommandLine(
            "NAME,...", "names", help="Those to compare: mse, mse+0.1*mae, torch.nn.L1Loss, file.py:my_loss."
        ),
        default=None,
    )
    seeds: int | Sequence[int] | str = option(
        "How many, or which. Half of them take half as long and show only large differences. "
        '``"auto"`` has 10, and 20 and then 40 while a verdict by the first metric is undecided.',
        OnCommandLine("N|auto", "seeds", help="How many times each pair is trained (20); auto: 10, 20 or 40."),
        check=seeds,
        default=20,
    )
    epochs: int = option(
        "How long each run lasts.",
        OnCommandLine("N", "count"),
        check=partial(integer, least=1),
        part=TRAINING,
        default=20,
    )
    rates: Sequence[float] | None = option(
        "The learning rates from which each pair picks its own; by default a grid that suits the optimizer, which is "
        "extended for all pairs while any picks its edge, by two steps at most on either side.",
        OnCommandLine(
            "RATE,...",
            "numbers",
            help="Learning rates to pick from; by default a grid, extended while a pair picks its edge.",
        ),
        check=optional(rates),
        default=None,
    )
    minutes: float | None = option(
        "How long this start may take. Runs that have not ended by then count as failed, and the next start trains "
        'them; ``seeds="auto"`` adds seeds only if they fit in, by the pace so far.',
        OnCommandLine("N", "number", help="Most minutes of this start; the next one trains the runs that are left."),
        check=optional(positive),
        part=PLACE,
        default=None,
    )
    baseline: Any = option(
        "The activation, loss or (activation, loss) that the others are compared with; by default the first ones.",
        OnCommandLine("NAME,...", "names", help="The activation, loss or both to compare with (the first ones)."),
        default=None,
    )
    out: str | os.PathLike[str] = option(
        "The folder of the record and the report.",
        OnCommandLine("DIR", help="The folder of the record and the report (slopes-compare)."),
        check=folder,
        part=PLACE,
        default="slopes-compare",
    )
    replace: Any = option(
        "The class of your model's activations to replace, or a tuple of them, where there are several.",
        OnCommandLine("CLASS", "object", help="The activations of your model to replace, as in torch.nn.ReLU."),
        default=None,
    )
    output: Any = option(
        "Which of your model's outputs is the prediction: a place, a key or a function.",
        OnCommandLine("KEY", "place", help="Which of your model's outputs is the prediction: a number or a key."),
        default=None,
    )
    resample: bool = option(
        "Split the data anew for each seed; otherwise all share one split, for which verdicts then hold.",
        OnCommandLine(kind="flag", help="Split the data anew for each seed."),
        check=flag,
        default=False,
    )
    optimizer: Any = option(
        f'{_any_of(OPTIMIZERS, quote=True)}, with settings as in ``"sgd(momentum=0.9, weight_decay=1e-4)"``; or a '
        "callable (parameters, lr) that returns an optimizer, such as `torch.optim.RMSprop`.",
        OnCommandLine("NAME", help="adam, adamw, sgd(momentum=0.9, weight_decay=1e-4), torch.optim.NAdam, …"),
        check=partial(named_or_own, choices={name: tuple(facts.defaults) for name, facts in OPTIMIZERS.items()}),
        part=TRAINING,
        default="adam",
    )
    schedule: Any = option(
        '``"cosine"``, ``"linear"`` or ``"constant"``, with a share of the steps to warm up, as in '
        '``"cosine(warmup=0.1)"``; or a function of the share of the steps done, which gives a factor of the rate.',
        OnCommandLine("NAME", help="How the rate falls: cosine, linear, constant(warmup=0.1) or file.py:function."),
        check=optional(partial(named_or_own, choices=SCHEDULES)),
        part=TRAINING,
        default=None,
    )
    patience: int | None = option(
        "How many epochs without a better validation metric end a run, which is then judged at its best epoch; by "
        "default it is judged at its last one.",
        OnCommandLine("N", "count", help="Judge a run at its best epoch, and end it so many epochs later."),
        check=optional(partial(integer, least=1)),
        part=TRAINING,
        default=None,
    )
    batch_size: int = option(
        "How many samples make a step.",
        OnCommandLine("N", "count"),
        check=partial(integer, least=1, most=2**31),
        part=TRAINING,
        default=64,
    )
    clip: float | None = option(
        "The most that the norm of a network's gradient may be.",
        OnCommandLine("NORM", "number", help="The most that a gradient's norm may be."),
        check=optional(positive),
        part=TRAINING,
        default=None,
    )
    augment: Any = option(
        "A function of a batch's inputs that gives others, or of inputs and targets that gives both. Torch's generator "
        "is seeded for it, so that all pairs of a seed see the same.",
        OnCommandLine("FUNCTION", help="Changes the inputs of each batch, as file.py:function."),
        check=optional(function),
        part=TRAINING,
        default=None,
    )
    step: Any = option(
        "A function of model, inputs, targets and loss that gives the number to descend, such as ``loss(model(inputs), "
        "targets)`` and a penalty. If it calls backward itself, it gives a number without a gradient.",
        OnCommandLine("FUNCTION", help="Computes the loss of a step: file.py:function."),
        check=optional(function),
        part=TRAINING,
        default=None,
    )
    init: Any = option(
        '``"fitted"`` scales each layer\'s first weights so that the activation keeps the variance; or a function of '
        "model and activation that changes the weights. By default all activations begin with the same weights.",
        OnCommandLine("NAME", help="fitted scales the first weights for each activation; or file.py:function."),
        check=optional(partial(named_or_own, choices=INITS)),
        part=TRAINING,
        default=None,
    )
    precision: str = option(
        '``"bfloat16"`` runs the model under `torch.autocast`.',
        OnCommandLine("NAME", help="float32, or bfloat16 to run the model under torch.autocast."),
        check=partial(one_of, choices=PRECISIONS),
        part=TRAINING,
        default="float32",
    )
    device: str = option(
        'Where torch trains, as in ``"cuda"``.',
        OnCommandLine("NAME", help="Where torch trains, as in cuda."),
        check=device,
        part=TRAINING,
        default="cpu",
    )
    metrics: Sequence[Any] = option(
        "Functions of targets and predictions that judge besides the task's metrics, such as scikit-learn's (less is "
        'better of a name that ends with _error, _loss or _deviance); and ``"recalls"``, ``"coverage"``, '
        '``"pinball(quantile=0.9)"``.',
        OnCommandLine("NAME,...", "names", help="More metrics: recalls, coverage, pinball(quantile=0.9), file.py:f1."),
        check=metrics,
        part=TRAINING,
        default=(),
    )
    engine: str = option(
        '``"stack"`` trains networks side by side, ``"loop"`` one by one, ``"auto"`` as is faster.',
        OnCommandLine("NAME", help="stack (side by side), loop (one by one) or auto."),
        check=partial(one_of, choices=ENGINES),
        part=TRAINING,
        default="auto",
    )
    executor: Any = option(
        'Where the work is done: any `concurrent.futures.Executor`, or a cluster as ``"dask://host:8786"`` or a '
        "``distributed.Client``; by default processes of this machine. Objects that exist in an interactive session "
        "or a main script only are trained in this process.",
        OnCommandLine("ADDRESS", help="A Dask cluster that trains, as in dask://host:8786."),
        part=PLACE,
        default=None,
    )
    workers: int | None = option(
        "How many processes, with one thread each; by default one for each processor, and for a GPU one.",
        OnCommandLine("N", "count", help="How many processes train."),
        check=optional(partial(integer, least=1, most=4096)),
        part=PLACE,
        default=None,
    )
    time_limit: float | None = option(
        "Most seconds of a run; a longer one has failed. In any case a step that takes ten minutes counts as hanging.",
        OnCommandLine("SECONDS", "number", help="Most seconds of a run; a longer one has failed."),
        check=optional(positive),
        part=PLACE,
        default=None,
    )
    memory_limit: float | None = option(
        "Most megabytes that networks trained side by side take in all processes together, besides one network for "
        "each process; by default half of the memory that is free.",
        OnCommandLine("MB", "number", help="Most memory of networks that are trained side by side (half of the free)."),
        check=optional(positive),
        part=PLACE,
        default=None,
    )
    progress: Callback | bool | None = option(
        "A function that takes `Progress`, or False for silence; the default shows a bar on a terminal or in a "
        "notebook, and a few lines elsewhere.",
        check=progress,
        part=PLACE,
        default=None,
    )

    def __post_init__(self) -> None:
        for each in fields(self):
            if each.metadata["check"] is not None:
                object.__setattr__(self, each.name, each.metadata["check"](each.name, getattr(self, each.name)))

    @property
    def processes(self) -> int:
        from slopes.kernels.pool import processors

        return self.workers or (1 if self.device.startswith("cuda") else processors())

    @property
    def training(self) -> dict[str, Any]:
        return {each.name: getattr(self, each.name) for each in OPTIONS if each.metadata["part"] == TRAINING}


OPTIONS: tuple[Field[Any], ...] = fields(Settings)


def takes(settings: Callable[P, Settings]) -> Callable[[Callable[[Settings], R]], Callable[P, R]]:
    """Decorator that gives a function of settings their signature and their help."""
    known = [each.name for each in OPTIONS]
    parameters = "\n".join(
        f"{each.name}\n{textwrap.indent(textwrap.fill(each.metadata['about'], 104), '    ')}" for each in OPTIONS
    )

    def decorate(function: Callable[[Settings], R]) -> Callable[P, R]:
        @wraps(function)
        def call(*arguments: P.args, **options: P.kwargs) -> R:
            for name in options:
                if name not in known:
                    raise TypeError(f"compare: no option {name!r}; {did_you_mean(name, known)}")
            if len(arguments) > 2:
                raise TypeError(f"compare: name the options behind model and data, as in seeds={arguments[2]!r}.")
            return function(settings(*arguments, **options))

        annotations = inspect.get_annotations(Settings)
        signature, returned = inspect.signature(settings), inspect.signature(function).return_annotation
        call.__signature__ = signature.replace(return_annotation=returned)  # type: ignore[attr-defined]
        call.__annotations__ = {name: annotations[name] for name in known} | {"return": returned}
        call.__doc__ = inspect.cleandoc(function.__doc__ or "").replace("PARAMETERS", parameters)
        return call

    return decorate
