"""Record inputs and outputs of a model's activations while it runs, without changing its results."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from slopes.card import WATCHERS, Activation, Card
from slopes.models.inventory import ELEMENTWISE, class_of
from slopes.nn.activations import ACTIVATIONS

_MODULES = tuple(getattr(nn, name) for name in (*ACTIVATIONS, "MultiheadAttention"))
_NAMES = {kind.__name__.lower() for kind in ELEMENTWISE}


class Use(NamedTuple):
    parent: str  #: name of the module whose forward used it
    label: str
    nth: int  #: number of earlier uses of this label by the parent in this forward
    x: Tensor  #: a copy, as the activation may work in place
    y: Tensor
    function: Callable[[Tensor], Tensor]


@dataclass
class _Call:
    name: str
    sealed: bool  #: an activation, whose own calls are not recorded
    x: Tensor | None = None  #: copy of an activation's input
    used: Counter[str] = field(default_factory=Counter)  #: uses so far, by label


class Recorder:
    """Calls `use` for each use of an activation, and `enter` and `leave` for each module that runs.

    Hooks follow modules; a mode follows functions of PyTorch and cards called inside them.
    """

    def __init__(self, model: nn.Module) -> None:
        self._names = {module: name for name, module in model.named_modules()}
        self._calls: list[_Call] = []
        self._inside = ExitStack()  # contexts open while the model runs

    def use(self, use: Use) -> None: ...

    def enter(self, name: str, x: Tensor | None, outermost: bool) -> None:
        """Handle the start of a module's forward; x is its first tensor."""

    def leave(self, module: nn.Module) -> None:
        """Handle the end of a module that is no activation."""

    @contextmanager
    def recording(self) -> Iterator[None]:
        with ExitStack() as stack:
            for module in self._names:
                stack.callback(module.register_forward_pre_hook(self._enter, with_kwargs=True).remove)
                stack.callback(module.register_forward_hook(self._leave, always_call=True).remove)
            if any(hasattr(module, "_orig_mod") for module in self._names):
                stack.enter_context(torch.compiler.set_stance("force_eager"))  # compiled code runs no hooks
            self._calls = []
            stack.enter_context(self._inside)  # closes it after an interrupted forward
            yield

    def _enter(self, module: nn.Module, arguments: tuple[Any, ...], named: dict[str, Any]) -> None:
        name = self._names[module]
        x = next(_tensors((*arguments, *named.values())), None)
        if not self._calls:
            self._inside.enter_context(_functions(self))
        self.enter(name, x, outermost=not self._calls)
        kept = x.detach().clone() if class_of(module) is not None and x is not None else None
        self._calls.append(_Call(name, isinstance(module, _MODULES) or hasattr(module, "card"), kept))

    def _leave(self, module: nn.Module, _: Any, y: Any) -> None:
        call = self._calls[-1]
        if call.x is None:
            self.leave(module)
        elif isinstance(y, Tensor):
            card = getattr(module, "card", None)
            kind = card.name if isinstance(card, Card) else type(module).__name__
            parent = self._calls[-2] if len(self._calls) > 1 else _Call("", False)
            self._use(parent, f"{call.name} ({kind})" if call.name else kind, call.x, y, module.forward)
        self._calls.pop()
        if not self._calls:
            self._inside.close()

    def follow(self, name: str, function: Callable[..., Any], x: Any, *rest: Any, **named: Any) -> Any:
        """Call a function, and record it if a module of the model called it."""
        if not isinstance(x, Tensor) or not self._calls or self._calls[-1].sealed:
            return function(x, *rest, **named)
        parent, kept = self._calls[-1], x.detach().clone()
        again = {key: v.clone_state() if isinstance(v, torch.Generator) else v for key, v in named.items()}
        self._calls.append(_Call(parent.name, True))
        try:
            y = function(x, *rest, **named)
            self._use(parent, f"{parent.name} {name}()".strip(), kept, y, lambda x: function(x, *rest, **again))
        finally:
            self._calls.pop()
        return y

    def _use(self, parent: _Call, label: str, x: Tensor, y: Tensor, function: Callable[..., Any]) -> None:
        if x.is_floating_point() and y.shape == x.shape and y.numel():
            nth = parent.used[label]
            parent.used[label] += 1
            with torch._C.DisableTorchFunction():  # computations on it are not part of the model
                self.use(Use(parent.name, label, nth, x, y, function))


@contextmanager
def _functions(recorder: Recorder) -> Iterator[None]:
    """Report the PyTorch functions and cards that this thread calls to a recorder."""
    thread = threading.get_ident()

    def watch(card: Activation, x: Any, parameters: Mapping[str, Any]) -> Any:
        if threading.get_ident() != thread:
            return card.compute(x, parameters)
        return recorder.follow(card.name, lambda x, **named: card.compute(x, named), x, **parameters)

    WATCHERS.append(watch)
    try:
        with _Functions(recorder):
            yield
    finally:
        WATCHERS.remove(watch)


class _Functions(TorchFunctionMode):
    def __init__(self, recorder: Recorder) -> None:
        super().__init__()
        self.recorder = recorder

    def __torch_function__(self, function: Any, _: Any, arguments: Any = (), named: Any = None) -> Any:
        name = getattr(function, "__name__", "").strip("_")
        named = named or {}
        if name.replace("_", "") not in _NAMES:
            return function(*arguments, **named)
        if arguments:
            return self.recorder.follow(name, function, *arguments, **named)
        return self.recorder.follow(name, lambda x, **named: function(input=x, **named), named.pop("input"), **named)


def _tensors(things: Iterable[Any]) -> Iterator[Tensor]:
    for thing in things:
        if isinstance(thing, Tensor):
            yield thing
        elif isinstance(thing, (tuple, list)):
            yield from _tensors(thing)
