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
from types import FunctionType, MethodType, ModuleType
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor

from slopes.auditing.scopes import names_in, scope_of

#: frameworks by their names in code, with the names that are shown
FRAMEWORKS = {"torch": "PyTorch", "jax": "JAX", "keras": "Keras"}
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
            subject=subject, framework=framework, library=_library(framework), cache=cache, changed={},
            rule=_rule_of(subject), __name__=getattr(subject, "__name__", type(subject).__name__),
            __doc__=subject.__doc__,
        )  # fmt: skip

    @property
    def title(self) -> str:
        return FRAMEWORKS[self.framework]

    @property
    def __signature__(self) -> inspect.Signature:
        return inspect.signature(self.subject.call if is_keras(self.subject, "Layer") else self.subject)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        value = self.changed[name] if name in self.changed else getattr(self.subject, name)
        return REDUCTIONS.get(value, value) if name == "reduction" and self.framework == "keras" else value

    def __setattr__(self, name: str, value: Any) -> None:
        self.changed[name] = value

    def __deepcopy__(self, memo: dict[int, Any]) -> Adapted:
        is_plain = _package(type(self.subject)) in (*FRAMEWORKS, "jaxlib", "builtins") or is_keras(self.subject)
        if is_plain:
            return self.like(self.subject, self.cache)
        return self.like(copy.deepcopy(self.subject, memo), None if self.cache is None else {})

    def like(self, subject: Callable[..., Any], cache: Cache | None) -> Adapted:
        twin = Adapted(subject, self.framework, cache)
        twin.changed.update(self.changed)
        return twin

    def eager(self) -> Adapted:
        """Return a twin that runs the function's own code at each call."""
        return self.like(self.subject, None)

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
        program = _Program(self.library, run, self.rule, self.cache if is_plain else None, key)
        return _differentiable(program, list(tensors.values()))

    def _widened(self, tensors: Iterable[Tensor]) -> dict[str, Any]:
        """Attributes with which an object of Keras computes in float64, if a tensor is: by default it casts."""
        if all(x.dtype != torch.float64 for x in tensors):
            return {}
        if is_keras(self.subject, "Loss"):
            return {"_dtype": "float64"}
        return {"autocast": False} if is_keras(self.subject, "Layer") else {}


def jit(adapted: Adapted) -> Adapted | None:
    """Return a function that jax.jit has compiled; None if it is not of JAX, nor of Keras on JAX."""
    if not isinstance(adapted.library, Jax):
        return None
    subject = adapted.subject
    return Adapted(adapted.library.compiled(lambda *given: subject(*given)), adapted.framework)


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
    rule: str = ""  #: name of a derivative inside that was written by hand
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
    return program.rule or None if isinstance(program, _Program) else type(node).__name__.removesuffix("Backward")


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
    """Tensor with a memory of its own; NumPy's bfloat16 is that of the package ml_dtypes."""
    if x.dtype.name == "bfloat16":
        return torch.from_numpy(x.astype(np.float32)).bfloat16()
    return torch.from_numpy(np.array(x))


# ---------------------------------------------------------------------------------------------- detection


def framework_of(thing: Any) -> str:
    """Framework of a callable's arrays, if its code shows that it is another than PyTorch, else "torch"."""
    if sys.modules.keys().isdisjoint(("jax", "keras")):
        return "torch"
    if is_keras(thing):
        return "keras"
    if isinstance(thing, torch.nn.Module):
        return "torch"
    try:
        found = {package for x in _reached(thing) for package in (_package(x), _package(type(x)))}
    except Exception:  # of attributes that the object's own code computes
        return "torch"
    found |= {"jax"} if "jaxlib" in found else set()
    return next((name for name in ("torch", "keras", "jax") if name in found), "torch")


def _rule_of(subject: Any) -> str:
    """Name of a derivative that was written by hand in JAX and that a function uses, or ""."""
    rules = (x for x in _reached(subject) if type(x).__name__ in ("custom_vjp", "custom_jvp"))
    return next((x.__name__ for x in rules if _package(x) not in ("jax", "optax")), "")


def is_keras(thing: Any, base: str = "") -> bool:
    """Whether an object's class comes from Keras, or from Keras' class of this name."""
    return any(_package(kind) == "keras" and base in ("", kind.__name__) for kind in type(thing).__mro__)


def _package(thing: Any) -> str:
    """Outermost package of a module, or of an object's module."""
    home = thing.__name__ if isinstance(thing, ModuleType) else getattr(thing, "__module__", None)
    return str(home or "").partition(".")[0]


def _reached(thing: Any) -> Iterator[Any]:
    """Yield an object and all that its code names, in functions of its own package, too."""
    todo, seen, home = [thing], set[int](), ""
    while todo:
        x = todo.pop()
        if id(x) in seen:
            continue
        seen.add(id(x))
        yield x
        if isinstance(x, FunctionType):
            home = home or _package(x)
            if _package(x) == home:
                scope = {**sys.modules, **scope_of(x)}  # modules, for imports inside
                todo += [scope[name] for name in names_in(x.__code__) if name in scope]
        elif isinstance(x, (functools.partial, MethodType)):
            todo.append(x.func if isinstance(x, functools.partial) else x.__func__)
        elif x is thing:
            todo += [kind for kind in type(x).__mro__ if kind is not object]
            todo += [
                vars(kind)[name] for kind in type(x).__mro__ for name in ("__call__", "call") if name in vars(kind)
            ]
        if x is thing or isinstance(x, FunctionType):
            todo += [inspect.unwrap(x)]
