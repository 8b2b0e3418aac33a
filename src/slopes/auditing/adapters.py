"""Functions of other frameworks as functions of torch tensors, so that the checks of the audit can call them.

A function of JAX runs on arrays with the numbers of the tensors. One `autograd.Function` brings its gradient back, by
`jax.vjp`. Its backward calls a function of arrays in turn, so that gradients of any order exist. Keras runs on its
backend; with PyTorch and NumPy it takes the tensors themselves.
"""

from __future__ import annotations

import contextlib
import copy
import functools
import inspect
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor

from slopes.auditing.frameworks import FRAMEWORKS, is_keras, package_of, rule_of

REDUCTIONS = {"sum_over_batch_size": "mean", None: "none"}  #: Keras' words, in PyTorch's
PLAIN = (bool, int, float, str, type(None))  #: types of options that their text tells apart
PASSED_ON = ("torch", "numpy")  #: backends of Keras that take the arguments as they are

Function = Callable[..., Any]
Arrays = Sequence[Any]
Cache = dict[str, Function | None]


def to_torch(subject: Callable[..., Any], framework: str) -> Adapted:
    """Return a function of torch tensors that calls a function of "jax" or "keras".

    Tensors among the arguments become arrays of the same shape and dtype, and arrays among the results become tensors
    with gradients. Other arguments are handed on. Raises ImportError if the framework is not installed, and ValueError
    for another framework, or for a backend of Keras besides JAX, PyTorch and NumPy.
    """
    return Adapted(subject, framework)


class Adapted:
    """Function of tensors around a function of arrays, with the name, signature and attributes of that.

    Attributes that are set hold in its calls alone, so that the wrapped object stays as it is. With a `cache` each call
    is compiled for its shapes, if the library can, because each operation by itself would be compiled otherwise.
    """

    def __init__(self, subject: Callable[..., Any], framework: str, cache: Cache | None = None) -> None:
        vars(self).update(
            subject=subject, library=_library(framework), framework=FRAMEWORKS[framework], cache=cache, changed={},
            __name__=getattr(subject, "__name__", type(subject).__name__), __doc__=subject.__doc__,
        )  # fmt: skip

    @property
    def __signature__(self) -> inspect.Signature:
        return inspect.signature(self.subject.call if is_keras(self.subject, "Layer") else self.subject)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        value = self.changed[name] if name in self.changed else getattr(self.subject, name)
        return REDUCTIONS.get(value, value) if name == "reduction" and self.framework is FRAMEWORKS["keras"] else value

    def __setattr__(self, name: str, value: Any) -> None:
        self.changed[name] = value

    def __deepcopy__(self, memo: dict[int, Any]) -> Adapted:
        is_plain = package_of(type(self.subject)) in (*FRAMEWORKS, "jaxlib", "builtins") or is_keras(self.subject)
        return self._twin(self.subject, self.cache) if is_plain else self.around(copy.deepcopy(self.subject, memo))

    def around(self, subject: Callable[..., Any]) -> Adapted:
        """Return an adapter of another object, with the attributes that were set."""
        return self._twin(subject, None if self.cache is None else {})

    def eager(self) -> Adapted:
        """Return a twin that runs the function's own code at each call."""
        return self._twin(self.subject, None)

    def _twin(self, subject: Callable[..., Any], cache: Cache | None) -> Adapted:
        twin = Adapted(subject, self.framework.name, cache)
        twin.changed.update(self.changed)
        return twin

    def __call__(self, *given: Any, **options: Any) -> Any:
        named: dict[Any, Any] = {**dict(enumerate(given)), **options}
        tensors = {name: x for name, x in named.items() if isinstance(x, Tensor)}
        settings = {**self._widened(tensors.values()), **self.changed}

        def run(*arrays: Any) -> Any:
            filled = {**named, **dict(zip(tensors, arrays, strict=True))}
            with _altered(self.subject, settings):
                return self.subject(*(filled[n] for n in range(len(given))), **{n: filled[n] for n in options})

        if self.library is None:
            with sys.modules["keras"].device("cpu"):
                return run(*tensors.values())
        others = {name: x for name, x in named.items() if name not in tensors}
        is_plain = all(type(x) in PLAIN for x in (*others.values(), *settings.values()))
        key = repr((tuple(tensors), others, settings))
        program = _Program(
            self.library, run, functools.partial(rule_of, self.subject), self.cache if is_plain else None, key
        )
        return _differentiable(program, list(tensors.values()))

    def _widened(self, tensors: Iterable[Tensor]) -> dict[str, Any]:
        """Attributes that make an object of Keras compute in float64 if a tensor is float64; by default it casts."""
        if all(x.dtype != torch.float64 for x in tensors):
            return {}
        if is_keras(self.subject, "Loss"):
            return {"_dtype": "float64"}
        return {"autocast": False} if is_keras(self.subject, "Layer") else {}


def origin_of(thing: Any) -> Any:
    """Object that an adapter calls; another object as it is."""
    return thing.subject if isinstance(thing, Adapted) else thing


def with_origin(thing: Any, origin: Any) -> Any:
    """Adapter of another object; that object itself if `thing` is no adapter."""
    return thing.around(origin) if isinstance(thing, Adapted) else origin


def eager(thing: Any) -> Any:
    """Adapter that compiles nothing; another object as it is."""
    return thing.eager() if isinstance(thing, Adapted) else thing


def jit(thing: Any) -> Adapted | None:
    """Return a function that jax.jit has compiled; None if it is not of JAX, nor of Keras on JAX."""
    if not isinstance(thing, Adapted) or thing.library is None:
        return None
    subject = thing.subject
    return Adapted(thing.library.compiled(lambda *given: subject(*given)), thing.framework.name)


@contextlib.contextmanager
def _altered(thing: Any, settings: Mapping[str, Any]) -> Iterator[None]:
    """Give an object other attributes until the block ends, even if it is frozen."""
    before = {name: getattr(thing, name) for name in settings}
    try:
        for name, value in settings.items():
            object.__setattr__(thing, name, value)
        yield
    finally:
        for name, value in before.items():
            object.__setattr__(thing, name, value)


# ---------------------------------------------------------------------------------------------- gradients


@dataclass(frozen=True)
class _Program:
    """Function from arrays to arrays, which may stand in tuples, lists and dicts."""

    library: Jax
    function: Function
    rule: Callable[[], str]  #: finds the name of a derivative inside that was written by hand
    cache: Cache | None = None  #: compiled functions by `key`, None where compilation failed
    key: str = ""

    def __call__(self, *arrays: Any) -> Any:
        if self.cache is None:
            return self.function(*arrays)
        if self.key not in self.cache:
            self.cache[self.key] = self.library.compiled(self.function)
        compiled = self.cache[self.key]
        if compiled is not None:
            with contextlib.suppress(Exception):
                return compiled(*arrays)
        came = self.function(*arrays)  # raises the exception that the function's own code raises
        self.cache[self.key] = None
        return came

    def floats(self, came: Any) -> list[Any]:
        """Floating-point arrays of a result."""
        return [x for x in _leaves(came) if self.library.is_array(x) and self.library.is_float(x)]

    def pulled(self, count: int, places: Sequence[int]) -> _Program:
        """Program from `count` cotangents and the arrays to gradients by the arrays in these places."""

        def pull(*arrays: Any) -> Any:
            def function(*given: Any) -> Any:
                return tuple(self.floats(self.function(*given)))

            return self.library.pull(function, arrays[count:], places, arrays[:count])

        return replace(self, function=pull, key=f"{places} of {self.key}")


class Meter:
    """Count of the bytes that adapted functions allocate."""

    size = 0.0


_meters: list[Meter] = []


@contextlib.contextmanager
def metered() -> Iterator[Meter]:
    meter = Meter()
    _meters.append(meter)
    try:
        yield meter
    finally:
        _meters.remove(meter)


class _Bridge(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, program: _Program, results: list[Any], *tensors: Tensor) -> tuple[Tensor, ...]:
        ctx.program = program
        ctx.save_for_backward(*tensors)
        library = program.library
        with library.computing(tensors):
            arrays = [library.to_array(x) for x in tensors]
            results.append(program(*arrays))
            for meter in _meters:
                meter.size += library.bytes_of(program.function, arrays)
            return tuple(map(library.to_tensor, program.floats(results[0])))

    @staticmethod
    def backward(ctx: Any, *cotangents: Tensor) -> tuple[Tensor | None, ...]:
        tensors, is_needed = ctx.saved_tensors, ctx.needs_input_grad[2:]
        places = [place for place in range(len(tensors)) if is_needed[place]]
        pulled = ctx.program.pulled(len(cotangents), places)
        gradients = _Bridge.apply(pulled, [], *cotangents, *tensors)  # type: ignore[no-untyped-call]
        by_place = dict(zip(places, gradients, strict=True))
        return None, None, *map(by_place.get, range(len(tensors)))


def _differentiable(program: _Program, tensors: list[Tensor]) -> Any:
    """Result of a program for tensors, with tensors in the places of its arrays."""
    results: list[Any] = []
    made = iter(_Bridge.apply(program, results, *tensors))  # type: ignore[no-untyped-call]
    library = program.library

    def entered(x: Any) -> Any:
        if not library.is_array(x):
            return x
        return next(made) if library.is_float(x) else library.to_tensor(x)

    return _mapped(entered, results[0])


def hand_written(node: Any) -> str | None:
    """Name of the derivative behind an autograd.Function's node, if it was written by hand, else None."""
    program = getattr(node, "program", None)
    return program.rule() or None if isinstance(program, _Program) else type(node).__name__.removesuffix("Backward")


def _leaves(x: Any) -> Iterator[Any]:
    if isinstance(x, (tuple, list, Mapping)):
        for part in x.values() if isinstance(x, Mapping) else x:
            yield from _leaves(part)
    else:
        yield x


def _mapped(change: Callable[[Any], Any], x: Any) -> Any:
    """Tuples, lists and dicts with their leaves changed, in the order of `_leaves`."""
    if isinstance(x, Mapping):
        return {name: _mapped(change, part) for name, part in x.items()}
    if isinstance(x, (tuple, list)):
        parts = [_mapped(change, part) for part in x]
        return parts if isinstance(x, list) else tuple(parts)
    return change(x)


# ---------------------------------------------------------------------------------------------- libraries


def _library(framework: str) -> Jax | None:
    """Library of a framework's arrays; None for Keras on a backend that takes tensors as they are."""
    if framework == "keras":
        import keras

        name = keras.backend.backend()
        if name in PASSED_ON:
            return None
        if name != "jax":
            raise ValueError(
                f"audit: no adapter for the backend {name!r} of Keras; set KERAS_BACKEND to one of "
                f"{', '.join(('jax', *PASSED_ON))} before keras is imported"
            )
    elif framework != "jax":
        raise ValueError(f"audit: no adapter for the framework {framework!r}; there is one for jax and keras")
    return _jax()


@functools.cache
def _jax() -> Jax:
    return Jax()


class Jax:
    """Arrays of JAX, and their gradients."""

    def __init__(self) -> None:
        import jax

        self.jax = jax
        self.enable_x64: Any = getattr(jax, "enable_x64", None)
        if self.enable_x64 is None:  # before JAX 0.8
            from jax.experimental import enable_x64

            self.enable_x64 = enable_x64

    def computing(self, tensors: Iterable[Tensor]) -> AbstractContextManager[Any]:
        """Context with float64 if a tensor is, since JAX would make it float32."""
        is_wide = any(x.dtype == torch.float64 for x in tensors)
        return self.enable_x64(True) if is_wide else contextlib.nullcontext()

    def to_array(self, x: Tensor) -> Any:
        numbers = self.jax.numpy.asarray(_to_numpy(x).copy())  # a copy by JAX would be compiled for each shape
        return numbers.astype("bfloat16") if x.dtype == torch.bfloat16 else numbers

    def to_tensor(self, x: Any) -> Tensor:
        return _from_numpy(np.asarray(x))

    def is_array(self, x: Any) -> bool:
        return isinstance(x, self.jax.Array)

    def is_float(self, x: Any) -> bool:
        return bool(self.jax.numpy.issubdtype(x.dtype, self.jax.numpy.floating))

    def compiled(self, function: Function) -> Function:
        return cast(Function, self.jax.jit(function))

    def bytes_of(self, function: Function, arrays: Arrays) -> float:
        """Bytes of the arrays that operations make; 0 if JAX cannot trace the function."""
        try:
            return _bytes_in(self.jax.make_jaxpr(function)(*arrays).jaxpr)
        except Exception:
            return 0.0

    def pull(self, function: Function, arrays: Arrays, places: Sequence[int], back: Arrays) -> Any:
        def of_places(*moved: Any) -> Any:
            given = dict(enumerate(arrays)) | dict(zip(places, moved, strict=True))
            return function(*given.values())

        return self.jax.vjp(of_places, *(arrays[place] for place in places))[1](tuple(back))


def _bytes_in(jaxpr: Any) -> float:
    """Bytes of the results of a program of JAX, in the functions that it calls, too."""
    total = 0.0
    for step in jaxpr.eqns:
        inner = [getattr(x, "jaxpr", x) for x in step.params.values()]
        inner = [x for x in inner if hasattr(x, "eqns")]
        total += sum(map(_bytes_in, inner)) if inner else sum(x.aval.size * x.aval.dtype.itemsize for x in step.outvars)
    return total


def _to_numpy(x: Tensor) -> Any:
    """Array of the same dtype; of bfloat16, which NumPy has not, in float32."""
    return (x.float() if x.dtype == torch.bfloat16 else x).detach().numpy()


def _from_numpy(x: Any) -> Tensor:
    """Tensor with a memory of its own; NumPy's bfloat16 comes from the package ml_dtypes."""
    if x.dtype.name == "bfloat16":
        return torch.from_numpy(x.astype(np.float32)).bfloat16()
    return torch.from_numpy(np.array(x))
