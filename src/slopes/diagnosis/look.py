"""Following the activations and weights of a model, without changing what it computes."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from statistics import fmean
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from slopes.card import Activation, Card
from slopes.diagnosis.results import Diagnosis, Weights
from slopes.diagnosis.tally import Tally

_MODULES = tuple(getattr(nn, name) for name in nn.modules.activation.__all__)
_ROWWISE = (nn.GLU, nn.MultiheadAttention, nn.Softmin, nn.Softmax, nn.Softmax2d, nn.LogSoftmax)
_ELEMENTWISE = tuple(module for module in _MODULES if module not in _ROWWISE)
_NAMES = {module.__name__.lower() for module in _ELEMENTWISE}


@dataclass
class _Call:
    """A module whose forward runs."""

    name: str
    sealed: bool  #: whether it is an activation, so that the functions it calls are its own affair
    x: Tensor | None = None  #: what an activation got, kept in case it works in place
    seen: Counter[str] = field(default_factory=Counter)  #: the activations that it called so far


class Look:
    """What is seen of a model while a block runs: its samples, a tally of each activation, and its weights.

    Modules are followed by hooks, and functions of torch that are called inside them by a mode. An activation that is
    called several times in one forward has a tally of each.
    """

    def __init__(self, model: nn.Module) -> None:
        self.model = model
        self.samples = self.batches = 0
        self._tallies: dict[tuple[Any, ...], Tally] = {}
        self._weights: dict[str, list[tuple[float, float, float]]] = {}  # norms and updates, batch by batch
        self._names = {module: name for name, module in model.named_modules()}
        self._order: dict[str, int] = {}  # in which modules first ran
        self._calls: list[_Call] = []
        self._inside = ExitStack()  # what is in force while the model runs
        self._channels = (-1, 0)  # the axis along which the last weights laid their features, and how many

    @contextmanager
    def looking(self) -> Iterator[None]:
        """See every activation that runs in the block."""
        with ExitStack() as stack:
            for module in self._names:
                stack.callback(module.register_forward_pre_hook(self._enter, with_kwargs=True).remove)
                stack.callback(module.register_forward_hook(self._leave, always_call=True).remove)
            if any(hasattr(module, "_orig_mod") for module in self._names):
                stack.enter_context(torch.compiler.set_stance("force_eager"))  # compiled code runs no hooks
            self._calls = []
            stack.enter_context(self._inside)  # which is left here where an interrupted forward did not
            yield

    # ---------------------------------------------------------------------------------------- modules

    def _enter(self, module: nn.Module, arguments: tuple[Any, ...], named: dict[str, Any]) -> None:
        name = self._names[module]
        x = next(_tensors((*arguments, *named.values())), None)
        if not self._calls:
            self.samples += len(x) if x is not None and x.ndim else 0
            self._inside.enter_context(_functions(self))
        self._order.setdefault(name, len(self._order))
        kept = x.detach().clone() if _is_activation(module) and x is not None else None
        self._calls.append(_Call(name, isinstance(module, _MODULES) or hasattr(module, "card"), kept))

    def _leave(self, module: nn.Module, _: Any, y: Any) -> None:
        call = self._calls[-1]
        if call.x is not None and isinstance(y, Tensor):
            card = getattr(module, "card", None)
            kind = card.name if isinstance(card, Card) else type(module).__name__
            parent = self._calls[-2] if len(self._calls) > 1 else _Call("", False)
            self._see(parent, f"{call.name} ({kind})" if call.name else kind, call.x, y, module.forward)
        elif isinstance(module, nn.modules.conv._ConvNd):
            self._channels = (-1 - len(module.kernel_size), module.out_channels)
        elif isinstance(module, nn.Linear):
            self._channels = (-1, module.out_features)
        self._calls.pop()
        if not self._calls:
            self._inside.close()

    # -------------------------------------------------------------------------------------- functions

    def follow(self, name: str, function: Callable[..., Any], x: Any, *rest: Any, **named: Any) -> Any:
        """Call an activation that is a function, and take note of it where a module of the model called it."""
        if not isinstance(x, Tensor) or not self._calls or self._calls[-1].sealed:
            return function(x, *rest, **named)
        parent, kept = self._calls[-1], x.detach().clone()
        again = {key: v.clone_state() if isinstance(v, torch.Generator) else v for key, v in named.items()}
        self._calls.append(_Call(parent.name, True))
        try:
            y = function(x, *rest, **named)
            self._see(parent, f"{parent.name} {name}()".strip(), kept, y, lambda x: function(x, *rest, **again))
        finally:
            self._calls.pop()
        return y

    def _see(self, parent: _Call, label: str, x: Tensor, y: Tensor, function: Callable[..., Any]) -> None:
        if not (x.is_floating_point() and y.shape == x.shape and y.numel()):
            return
        nth = parent.seen[label]
        parent.seen[label] += 1
        axis = self._axis(y)
        units = y.shape[axis] if y.ndim else 1
        key = (parent.name, label, nth, units)
        if key not in self._tallies:
            earlier = sum(other[1] == label for other in self._tallies)
            self._tallies[key] = Tally(f"{label} #{earlier + 1}" if earlier else label, units)
        with torch._C.DisableTorchFunction():  # the counting is no function of the model
            self._tallies[key].add(x, y, function, axis)

    def _axis(self, y: Tensor) -> int:
        """Where the units lie: as the last weights laid them, else the channels of pictures, else the last axis."""
        axis, count = self._channels
        if y.ndim >= -axis and y.shape[axis] == count:
            return axis
        return 1 if y.ndim in (4, 5) else -1

    # ---------------------------------------------------------------------------------------- weights

    def snapshot(self) -> dict[str, list[Tensor]]:
        """The weights as they are, by module."""
        return {name: [p.detach().clone() for p in own] for name, own in _weighted(self.model)}

    def weigh(self, before: dict[str, list[Tensor]] | None = None) -> None:
        """Take note of the weights and their gradients, and of the way that they went since the snapshot."""
        self.batches += 1
        for name, own in _weighted(self.model):
            gradient, update = _norm(p.grad for p in own if p.grad is not None), math.nan
            if before and name in before and (size := _norm(before[name])):
                update = _norm(p - old for p, old in zip(own, before[name], strict=True)) / size
            self._weights.setdefault(name, []).append((_norm(own), gradient, update))

    def diagnosis(self, wanted: int, steps: tuple[int, int] | None = None) -> Diagnosis:
        """What was seen so far; of the weights, means over batches, and the size that they have now."""
        rows = []
        for name in sorted(self._weights, key=self._when):
            sizes, gradients, updates = zip(*self._weights[name], strict=True)
            known = [update for update in updates if not math.isnan(update)]
            kind = type(self.model.get_submodule(name)).__name__
            rows.append(
                Weights(
                    name=f"{name} ({kind})" if name else kind,
                    norm=sizes[-1],
                    gradient=fmean(gradients),
                    update=fmean(known) if known else math.nan,
                )
            )
        layers = [tally.layer(self.batches) for tally in self._tallies.values()]
        return Diagnosis(layers, rows, self.samples, wanted, steps)

    def _when(self, name: str) -> float:
        """When a module first ran, or the one that holds it and uses its weights."""
        while name and name not in self._order:
            name = name.rpartition(".")[0]
        return self._order.get(name, float("inf"))


@contextmanager
def _functions(look: Look) -> Iterator[None]:
    """Show a look the functions of torch and the cards that are called."""
    call = Activation.__call__

    def seen(card: Activation, x: Any, *rest: Any, **named: Any) -> Any:
        return look.follow(card.name, partial(call, card), x, *rest, **named)

    try:
        Activation.__call__ = seen  # type: ignore[method-assign, assignment]
        with _Functions(look):
            yield
    finally:
        Activation.__call__ = call  # type: ignore[method-assign]


class _Functions(TorchFunctionMode):
    """Shows a look the functions of torch that are activations."""

    def __init__(self, look: Look) -> None:
        super().__init__()
        self.look = look

    def __torch_function__(self, function: Any, _: Any, arguments: Any = (), named: Any = None) -> Any:
        name = getattr(function, "__name__", "").strip("_")
        named = named or {}
        if name.replace("_", "") not in _NAMES:
            return function(*arguments, **named)
        if arguments:
            return self.look.follow(name, function, *arguments, **named)
        return self.look.follow(name, lambda x, **named: function(input=x, **named), named.pop("input"), **named)


def _is_activation(module: nn.Module) -> bool:
    """Whether a module is an element-wise activation of torch or slopes, or a subclass of one."""
    card = getattr(module, "card", None)
    return card.family == "activation" if isinstance(card, Card) else isinstance(module, _ELEMENTWISE)


def _tensors(things: Iterable[Any]) -> Iterator[Tensor]:
    for thing in things:
        if isinstance(thing, Tensor):
            yield thing
        elif isinstance(thing, (tuple, list)):
            yield from _tensors(thing)


def _weighted(model: nn.Module) -> Iterator[tuple[str, list[Tensor]]]:
    """The modules that have weights of two axes or more, and these with the biases beside them."""
    for name, module in model.named_modules():
        own = [p for p in module.parameters(recurse=False) if not nn.parameter.is_lazy(p) and p.is_floating_point()]
        if any(p.ndim >= 2 for p in own):
            yield name, own


def _norm(tensors: Iterable[Tensor]) -> float:
    """The norm of all entries together; NaN of nothing."""
    dense = [t.detach().coalesce().values() if t.is_sparse else t.detach() for t in tensors]
    norms = [float(torch.linalg.vector_norm(t if t.dtype == torch.float64 else t.float())) for t in dense]
    return math.hypot(*norms) if norms else math.nan
