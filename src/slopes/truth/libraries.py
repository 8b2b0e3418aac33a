"""Results of other libraries for a card, by the card's expressions for them."""

from __future__ import annotations

import builtins
import functools
import importlib
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import ModuleType
from typing import Any

import numpy as np

from slopes.card import Card, Loss

MODULES = {"smp": "segmentation_models_pytorch", "metric_learning": "pytorch_metric_learning"}  #: other module names
PACKAGES = {
    "sklearn": "scikit-learn",
    "smp": "segmentation-models-pytorch",
    "metric_learning": "pytorch-metric-learning",
}  #: names for pip
ON_TORCH = ("torch", "torchvision", "kornia", "monai", "timm", "smp", "entmax", "metric_learning", "keras")
ON_JAX = ("jax", "optax")
ON_NUMPY = ("scipy", "sklearn")
KNOWN = (*ON_TORCH, *ON_JAX, *ON_NUMPY)
#: packages that a library imports whole, up to 100 MB, and that its losses do without
SPARED = {"monai": ("matplotlib", "pandas", "sklearn"), "sklearn": ("pandas",)}
ASKING = ("monai",)  #: libraries whose modules ask one of them for optional packages, and keep the answers


def load(library: str) -> ModuleType:
    """Import a library, Keras with the PyTorch backend; raise ImportError with a reason."""
    if library == "keras":
        os.environ.setdefault("KERAS_BACKEND", "torch")
    name = MODULES.get(library, library)
    try:
        is_spared = name in SPARED and name not in sys.modules
        module = _import_sparingly(name) if is_spared else importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name != name:
            raise
        raise ImportError(f"{library} is not installed: pip install {PACKAGES.get(library, library)}") from None
    except Exception as error:  # such as a build for another version of PyTorch
        raise ImportError(f"{library} cannot be imported: {type(error).__name__}: {error}") from error
    if library == "keras" and module.backend.backend() != "torch":
        raise ImportError(f"keras runs upon {module.backend.backend()} here: set KERAS_BACKEND=torch")
    return module


@functools.cache
def _import_sparingly(name: str) -> ModuleType:
    """Import a package without those in SPARED, and forget it if it keeps that they are missing."""
    with _sparing(name):
        try:
            return importlib.import_module(name)
        finally:
            if name in ASKING:
                for imported in [x for x in sys.modules if x.partition(".")[0] == name]:
                    del sys.modules[imported]


@contextmanager
def _sparing(name: str) -> Iterator[None]:
    """Refuse a package those in SPARED that are not loaded, and forget modules that it imports without them."""
    spared = [x for x in SPARED.get(name, ()) if x not in sys.modules]
    if not spared:
        yield
        return
    plain, lacking = builtins.__import__, set[str]()

    def sparing(module: str, *given: Any, **named: Any) -> ModuleType:
        frame = sys._getframe(1)
        importer = frame.f_globals.get("__name__", "")
        if module.partition(".")[0] in spared and importer.partition(".")[0] == name:
            if frame.f_code.co_name == "<module>":
                lacking.add(importer)
            raise ModuleNotFoundError(f"{name} is imported without {module}", name=module)
        return plain(module, *given, **named)

    builtins.__import__ = sparing  # type: ignore[assignment]
    try:
        yield
    finally:
        builtins.__import__ = plain
        for module in lacking:
            sys.modules.pop(module, None)


def call(
    card: Card, library: str, arguments: tuple[Any, ...], *, slope: bool = False, cotangent: Any = None
) -> tuple[Any, Any]:
    """(value, slope) by a library as NumPy arrays, in the dtype of the arguments.

    The slope is autograd's by the first argument, for the cotangent or else for the sum; None without autograd.
    """
    module, expression = load(library), card.same_as[library].same
    names = [argument.name for argument in card.kind.arguments] if isinstance(card, Loss) else ["x"]
    with _sparing(module.__name__), _computing_in(library, module, arguments[0].dtype):
        for path in re.findall(r"([A-Za-z_][\w.]*)\.\w+\(", expression):
            if not hasattr(module, path.partition(".")[0]):
                with suppress(ImportError):  # it is no module, but an object's method
                    importlib.import_module(f"{module.__name__}.{path}")
        scope = {**vars(module), **card.settings, "inf": np.inf}
        if library in ON_JAX:
            scope["jax"] = importlib.import_module("jax")

        def compute(*given: Any) -> Any:
            return eval(expression, {**scope, **dict(zip(names, given, strict=True))})  # the card's author wrote it

        if library in ON_TORCH:
            return _by_torch(compute, arguments, slope, cotangent)
        if library in ON_JAX:
            return _by_jax(compute, arguments, slope, cotangent)
        return np.asarray(compute(*arguments)), None


def agrees(library: str, theirs: Any, ours: Any) -> bool:
    """Whether a library's result, or if it reduces, its mean, is ours within its precision."""
    tolerance = 1e-5 if theirs.dtype == np.float32 or library == "keras" else 1e-9  # Keras has means in float32
    if theirs.shape != ours.shape:
        theirs, ours = np.mean(theirs), np.mean(ours)
    return bool(np.allclose(theirs, ours, rtol=tolerance, atol=tolerance / 100))


def _by_torch(compute: Any, arguments: tuple[Any, ...], slope: bool, cotangent: Any) -> tuple[Any, Any]:
    import torch

    first, *rest = (torch.from_numpy(np.array(argument)) for argument in arguments)
    value = compute(first.requires_grad_(slope), *rest)
    if not (slope and value.requires_grad):
        return value.detach().numpy(), None
    pulled = torch.ones_like(value) if cotangent is None else torch.from_numpy(np.array(cotangent))
    return value.detach().numpy(), torch.autograd.grad(value, first, pulled)[0].numpy()


def _by_jax(compute: Any, arguments: tuple[Any, ...], slope: bool, cotangent: Any) -> tuple[Any, Any]:
    import jax

    first, *rest = map(jax.numpy.asarray, arguments)
    if not slope:
        return np.asarray(compute(first, *rest)), None
    value, pull_back = jax.vjp(lambda first: compute(first, *rest), first)
    pulled = jax.numpy.ones_like(value) if cotangent is None else jax.numpy.asarray(cotangent)
    return np.asarray(value), np.asarray(pull_back(pulled)[0])


@contextmanager
def _computing_in(library: str, module: ModuleType, dtype: Any) -> Iterator[None]:
    """Let a library with its own dtype compute in this one."""
    if library in ON_JAX:
        jax = importlib.import_module("jax")
        home = jax if hasattr(jax, "enable_x64") else importlib.import_module("jax.experimental")
        with home.enable_x64(np.dtype(dtype) == np.float64):
            yield
    elif library == "keras":
        before = module.config.floatx()
        module.config.set_floatx(np.dtype(dtype).name)
        try:
            yield
        finally:
            module.config.set_floatx(before)
    else:
        yield
