"""How the activations of a model fare in training: what is dead, saturated, vanishing, or too large for half types."""

from __future__ import annotations

import copy
import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from slopes.extras import require

if TYPE_CHECKING:
    import torch
    from torch import Tensor

FLAT = 1e-3  #: a slope below it lets next to nothing through
MOSTLY = 0.99  #: of the samples in which a unit is flat to be called saturated
HALF = {"float16": (65504.0, 2.0**-24), "bfloat16": (3.3895313892515355e38, 2.0**-133)}  #: largest, and least above 0


# -------------------------------------------------------------------------------------------- what is told


@dataclass(frozen=True)
class Layer:
    """One activation of a model, over the samples that it saw."""

    name: str  #: where it is in the model, and what it is
    units: int  #: features, or channels of pictures
    samples: int  #: inputs to each unit: of a picture every pixel counts
    mean: float
    std: float
    least: float
    most: float
    dead: float  #: share of the units that let no gradient through for any sample
    dead_low: float  #: the 95 % interval of that share, the units being a sample of such units
    dead_high: float
    saturated: float  #: share of the units, dead ones apart, whose slope is under 1e-3 for 99 % of the samples
    flat: float  #: share of all slopes under 1e-3
    gradient: float  #: root mean square of the loss's gradient by its output; NaN where none was taken
    lost: dict[str, float] = field(default_factory=dict)  #: by half type: share of values beyond it, or flushed to 0


@dataclass(frozen=True)
class Weights:
    """The weights of one module, with their gradient and update."""

    name: str
    norm: float
    gradient: float  #: the norm of their gradient
    mean_square: float  #: of the gradient, per weight
    update: float  #: the norm of the last update over that of the weights; NaN where no step was seen


@dataclass(frozen=True)
class Trouble:
    """One thing that hinders training, in words, with the usual repair."""

    layer: str
    what: str
    repair: str

    def __str__(self) -> str:
        return f"{self.layer}: {self.what}: {self.repair}"


@dataclass(frozen=True)
class Diagnosis:
    """What was found in a model: a row for each activation and each module with weights, and what hinders training."""

    layers: list[Layer]
    weights: list[Weights]
    samples: int
    step: int | None = None  #: of the training, where a `Watcher` looked

    @property
    def gradient_ratio(self) -> float:
        """Gradient per weight of the last module over that of the first: far above 1 where gradients vanish."""
        sizes = [math.sqrt(w.mean_square) for w in self.weights if w.mean_square == w.mean_square]
        if len(sizes) < 2:
            return math.nan
        return sizes[-1] / sizes[0] if sizes[0] else math.inf

    @property
    def findings(self) -> list[Trouble]:
        """What hinders training, the worst first."""
        return [*self._of_layers(), *self._of_gradients(), *self._of_updates()]

    @property
    def ok(self) -> bool:
        """Whether nothing hinders training."""
        return not self.findings

    def _of_layers(self) -> Iterator[Trouble]:
        for layer in sorted(self.layers, key=lambda layer: -(layer.dead + layer.saturated)):
            if layer.dead >= 0.1:
                what = f"{layer.dead:.0%} of {layer.units} units never fire ({layer.samples} samples)"
                yield Trouble(layer.name, what, "lower the learning rate, or try leaky_relu or gelu")
            if layer.saturated >= 0.1:
                what = f"{layer.saturated:.0%} of {layer.units} units are saturated, their slope being under {FLAT:g}"
                yield Trouble(layer.name, what, "start with smaller weights, normalise what goes in, or try relu or gelu")
            for dtype, share in layer.lost.items():
                if share >= 0.01:
                    what = f"{share:.0%} of its values are lost in {dtype}"
                    yield Trouble(layer.name, what, "keep it in float32, or normalise what goes in")

    def _of_gradients(self) -> Iterator[Trouble]:
        ratio = self.gradient_ratio
        if ratio != ratio or len(self.weights) < 3:
            return
        first, last = self.weights[0].name, self.weights[-1].name
        if ratio > 1e3:
            what = f"its gradient per weight is {1 / ratio:.0e} of that of {last}: gradients vanish"
            yield Trouble(first, what, "try relu or gelu, normalisation layers, or residual connections")
        elif ratio < 1e-3:
            what = f"its gradient per weight is {1 / ratio:.0e} times that of {last}: gradients explode"
            yield Trouble(first, what, "clip gradients, start with smaller weights, or add normalisation layers")

    def _of_updates(self) -> Iterator[Trouble]:
        for each in self.weights:
            if each.update > 0.1:
                what = f"a step changes its weights by {each.update:.0%}"
                yield Trouble(each.name, what, "lower the learning rate")
            elif 0 < each.update < 1e-6:
                what = f"a step changes its weights by {each.update:.0e} of their size"
                yield Trouble(each.name, what, "raise the learning rate, or look for vanishing gradients")

    def table(self) -> list[dict[str, Any]]:
        """A dict for each activation, in the order of the forward pass."""
        return [asdict(layer) for layer in self.layers]

    def __str__(self) -> str:
        head = ("activation", "units", "mean", "std", "dead", "interval", "saturated", "flat", "gradient")
        rows = [
            (
                layer.name, str(layer.units), f"{layer.mean:.3g}", f"{layer.std:.3g}", f"{layer.dead:.0%}",
                f"{layer.dead_low:.0%}–{layer.dead_high:.0%}", f"{layer.saturated:.0%}", f"{layer.flat:.0%}",
                f"{layer.gradient:.1e}",
            )
            for layer in self.layers
        ]  # fmt: skip
        at = "" if self.step is None else f" at step {self.step}"
        told = [f"{self.samples} samples{at}; gradient per weight, last over first: {self.gradient_ratio:.3g}"]
        return "\n".join([*told, *_aligned([head, *rows]), "", *(map(str, self.findings or ["nothing hinders training"]))])

    def plot(self, out: str | None = None) -> Any:
        """Draw dead, saturated and flat shares and the gradient by layer; return the figure, or write it to `out`."""
        require("a picture of a diagnosis", "lab", "matplotlib")
        from matplotlib.figure import Figure

        figure = Figure(figsize=(9, 1.2 + 0.42 * max(len(self.layers), 3)), layout="constrained")
        left, right = figure.subplots(1, 2, sharey=True)
        places = range(len(self.layers))
        bars = (("dead", "dead", "#cf222e"), ("saturated", "saturated", "#bf8700"))
        start = [0.0] * len(self.layers)
        for name, label, colour in bars:
            shares = [getattr(layer, name) for layer in self.layers]
            left.barh(places, shares, left=start, color=colour, label=label, height=0.6)
            start = [a + b for a, b in zip(start, shares, strict=True)]
        left.plot([layer.flat for layer in self.layers], places, "k|", markersize=12, label="slopes under 1e-3")
        left.set(xlim=(0, 1), xlabel="share of units", yticks=list(places), yticklabels=[x.name for x in self.layers])
        left.invert_yaxis()
        left.legend(loc="lower right", fontsize="small")
        gradients = [layer.gradient for layer in self.layers]
        right.plot(gradients, places, "o-", color="#0969da")
        if any(g > 0 for g in gradients):
            right.set_xscale("log")
        right.set(xlabel="root mean square of the gradient by its output")
        right.grid(alpha=0.3)
        if out is not None:
            figure.savefig(out)
        return figure


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return ["  ".join([row[0].ljust(widths[0]), *(c.rjust(w) for c, w in zip(row[1:], widths[1:], strict=True))])
            for row in rows]  # fmt: skip


# --------------------------------------------------------------------------------------------- looking


def diagnose(
    model: Any, data: Any, loss: Any, *, samples: int = 1000, optimizer: Any = None, move: Callable[..., Any] | None = None
) -> Diagnosis:
    """Look at every activation of a model over at least `samples` inputs, with the gradients of the loss.

    `data` is a batch (inputs, target) or an iterable of them, such as a DataLoader, from which as many are taken as
    are needed; `move` brings a batch to the model's device, which is done for tensors otherwise. Activations are found
    as modules of torch or of slopes and as functional calls. With an optimizer, a step of it is taken, on copies, to
    see how far it moves the weights. Model, optimizer and random states stay as they are.

    Raises TypeError for what is no model or data, ValueError where there is no sample.
    """
    require("slopes.diagnose", "torch", "torch")
    import torch

    if not isinstance(model, torch.nn.Module):
        raise TypeError(f"diagnose: model must be a torch.nn.Module, got {type(model).__name__}")
    if optimizer is not None:
        model, optimizer = copy.deepcopy((model, optimizer))
    else:
        model = copy.deepcopy(model)
    with torch.random.fork_rng(devices=_devices(model)), torch.enable_grad():
        look = _Look(model)
        seen = 0
        model.zero_grad(set_to_none=True)
        with look.looking():
            for inputs, target in _batches(data):
                inputs, target = _on_device(model, inputs, move), _on_device(model, target, move)
                size = _length(target, inputs)
                value = loss(_called(model, inputs), target)
                (value.sum() * size).backward()  # a mean of means, by the size of each batch
                seen += size
                if seen >= samples:
                    break
        if not seen:
            raise ValueError("diagnose: data has no sample")
        for parameter in model.parameters():
            if parameter.grad is not None:
                parameter.grad /= seen
        before = {name: p.detach().clone() for name, p in model.named_parameters()} if optimizer is not None else {}
        if optimizer is not None:
            optimizer.step()
        return Diagnosis(look.layers(seen), _weights(model, before), seen)


def _called(model: Any, inputs: Any) -> Any:
    if isinstance(inputs, Mapping):
        return model(**inputs)
    return model(*inputs) if isinstance(inputs, (tuple, list)) else model(inputs)


def _batches(data: Any) -> Iterator[tuple[Any, Any]]:
    """(inputs, target) pairs of one batch or of many."""
    import torch

    if isinstance(data, (tuple, list)) and len(data) == 2 and isinstance(data[1], torch.Tensor):
        data = [data]
    if not isinstance(data, Iterable) or isinstance(data, (torch.Tensor, str)):
        raise TypeError(f"diagnose: data must be a batch (inputs, target) or an iterable of them, got {type(data).__name__}")
    for batch in data:
        if not (isinstance(batch, (tuple, list)) and len(batch) == 2):
            raise TypeError(f"diagnose: a batch must be (inputs, target), got {type(batch).__name__}")
        yield batch[0], batch[1]


def _on_device(model: Any, thing: Any, move: Callable[..., Any] | None) -> Any:
    import torch

    if move is not None:
        return move(thing)
    parameter = next(model.parameters(), None)
    if isinstance(thing, torch.Tensor) and parameter is not None:
        return thing.to(parameter.device)
    if isinstance(thing, (tuple, list)):
        return type(thing)(_on_device(model, each, None) for each in thing)
    if isinstance(thing, Mapping):
        return {name: _on_device(model, each, None) for name, each in thing.items()}
    return thing


def _length(target: Any, inputs: Any) -> int:
    for thing in (target, inputs):
        if hasattr(thing, "shape") and len(thing.shape):
            return int(thing.shape[0])
    return 1


def _devices(model: Any) -> list[Any]:
    return list({p.device for p in model.parameters() if p.device.type == "cuda"})


def _weights(model: Any, before: Mapping[str, Tensor]) -> list[Weights]:
    """A row for each module that has weights of two axes or more; their biases go with them."""
    rows = []
    for name, module in model.named_modules():
        own = [(f"{name}.{key}".lstrip("."), p) for key, p in module.named_parameters(recurse=False)]
        own = [(key, p) for key, p in own if p.is_floating_point()]
        if not any(p.ndim >= 2 for _, p in own):
            continue
        norm = _norm(p for _, p in own)
        grads = [p.grad for _, p in own if p.grad is not None]
        gradient = _norm(grads) if grads else math.nan
        count = sum(g.numel() for g in grads)
        moved = math.nan
        if before and norm:
            moved = _norm(p.detach() - before[key] for key, p in own) / _norm(before[key] for key, _ in own)
        named = f"{name} ({type(module).__name__})" if name else type(module).__name__
        rows.append(Weights(named, norm, gradient, gradient**2 / count if count else math.nan, moved))
    return rows


def _norm(tensors: Iterable[Tensor]) -> float:
    return math.sqrt(sum(float(t.detach().double().square().sum()) for t in tensors))


class _Look:
    """Follows a model's activations while a block runs."""

    def __init__(self, model: Any) -> None:
        self.model = model
        self.tallies: dict[str, _Tally] = {}

    @contextmanager
    def looking(self) -> Iterator[None]:
        """See each activation module by a hook, and functional calls by a mode."""
        import torch

        named = {module: name for name, module in self.model.named_modules()}
        found = {module: name for module, name in named.items() if _is_activation(module)}
        hooks = [module.register_forward_hook(self._hook(name, module)) for module, name in found.items()]
        inside: list[Any] = []  # the modules that run, so that a functional call knows where it is
        for module in named:
            hooks.append(module.register_forward_pre_hook(lambda m, _: inside.append(m)))
            hooks.append(module.register_forward_hook(lambda m, *_: inside.pop() if inside else None, always_call=True))
        try:
            with _functional(self, named, inside, torch):
                yield
        finally:
            for hook in hooks:
                hook.remove()

    def _hook(self, name: str, module: Any) -> Callable[..., None]:
        label = f"{name} ({type(module).__name__})" if name else type(module).__name__

        def seen(module: Any, inputs: tuple[Any, ...], output: Any) -> None:
            self.tally(label, inputs[0], output, module)

        return seen

    def tally(self, label: str, x: Tensor, y: Any, function: Callable[..., Any]) -> None:
        """Take up what an activation got and gave."""
        if y.is_floating_point() and y.numel():
            self.tallies.setdefault(label, _Tally()).add(x, y, function)

    def layers(self, samples: int) -> list[Layer]:
        """What was seen of each."""
        return [tally.layer(label, samples) for label, tally in self.tallies.items()]


def _is_activation(module: Any) -> bool:
    """Whether a module is an element-wise activation of torch or slopes."""
    import torch

    maps = ("Softmax", "Softmin", "LogSoftmax", "Softmax2d", "MultiheadAttention", "GLU")
    home = type(module).__module__
    if home in ("torch.nn.modules.activation", "slopes.nn"):
        ours = getattr(module, "card", None)
        return type(module).__name__ not in maps and (ours is None or ours.family == "activation")
    return isinstance(module, torch.nn.Module) and getattr(getattr(module, "card", None), "family", "") == "activation"


def _names() -> set[str]:
    """The names of torch's element-wise activations, as functions and methods."""
    import torch

    classes = [c for c in torch.nn.modules.activation.__all__ if c not in ("MultiheadAttention", "GLU")]
    wanted = {c.lower() for c in classes if "soft" not in c.lower() or c in ("Softplus", "Softsign", "Softshrink")}
    homes = (torch.nn.functional, torch, torch.Tensor)
    names = {name for home in homes for name in dir(home) if name.replace("_", "") in wanted}
    return names


def _functional(look: _Look, named: Mapping[Any, str], inside: list[Any], torch: Any) -> Any:
    names = _names()
    again = itertools.count

    class Seeing(torch.overrides.TorchFunctionMode):  # type: ignore[misc]
        busy = False
        counts: dict[str, Iterator[int]]

        def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            name = getattr(function, "__name__", "")
            known = name in names and not self.busy and not (inside and _is_activation(inside[-1]))
            if not known:
                return function(*args, **(kwargs or {}))
            x = args[0].clone() if name.endswith("_") else args[0]
            self.busy = True  # a function of torch may call another of its name
            try:
                y = function(*args, **(kwargs or {}))
                where = named.get(inside[-1], "") if inside else ""
                label = f"{where} {name}()".strip()
                plain = function if not name.endswith("_") else getattr(torch.Tensor, name.rstrip("_"), function)
                look.tally(label, x, y, lambda x: plain(x, *args[1:], **(kwargs or {})))
            finally:
                self.busy = False
            return y

    del again
    return Seeing()


class _Tally:
    """Sums over batches of what one activation gave, for each of its units."""

    def __init__(self) -> None:
        self.count = 0
        self.total = self.squares = self.gradients = 0.0
        self.least, self.most = math.inf, -math.inf
        self.alive: Any = None  # how often each unit had a slope above 0, and above FLAT
        self.steep: Any = None
        self.lost = dict.fromkeys(HALF, 0)
        self.pulled = 0

    def add(self, x: Tensor, y: Tensor, function: Callable[..., Any]) -> None:
        import torch

        with torch.enable_grad():
            leaf = x.detach().clone().requires_grad_()
            out = function.forward(leaf) if isinstance(function, torch.nn.Module) else function(leaf)
            (slopes,) = torch.autograd.grad(out, leaf, torch.ones_like(out), allow_unused=True)
        slopes = torch.zeros_like(leaf) if slopes is None else slopes
        y_, axis = y.detach().double(), _unit_axis(y)
        per_unit = slopes.detach().abs().movedim(axis, 0).reshape(slopes.shape[axis], -1) if y.ndim else slopes.reshape(1, 1)
        alive, steep = (per_unit > 0).sum(1), (per_unit >= FLAT).sum(1)
        if self.alive is None:
            self.alive, self.steep = alive, steep
        else:
            self.alive, self.steep = self.alive + alive, self.steep + steep
        self.count += y.numel()
        self.total += float(y_.sum())
        self.squares += float(y_.square().sum())
        self.least, self.most = min(self.least, float(y_.min())), max(self.most, float(y_.max()))
        size = y_.abs()
        for dtype, (largest, smallest) in HALF.items():
            self.lost[dtype] += int(((size > largest) | ((size > 0) & (size < smallest / 2))).sum())
        if y.requires_grad:
            y.register_hook(self._gradient)

    def _gradient(self, gradient: Tensor) -> None:
        self.gradients += float(gradient.detach().double().square().sum())
        self.pulled += gradient.numel()

    def layer(self, name: str, samples: int) -> Layer:
        from scipy.stats import binomtest

        units = len(self.alive)
        per_unit = self.count // units
        dead = self.alive == 0
        saturated = ~dead & (self.steep <= (1 - MOSTLY) * per_unit)
        interval = binomtest(int(dead.sum()), units).proportion_ci(method="wilson")
        mean = self.total / self.count
        return Layer(
            name, units, per_unit, mean, math.sqrt(max(self.squares / self.count - mean**2, 0.0)), self.least, self.most,
            float(dead.double().mean()), float(interval.low), float(interval.high), float(saturated.double().mean()),
            1 - float(self.steep.sum()) / self.count,
            math.sqrt(self.gradients / self.pulled) / samples if self.pulled else math.nan,
            {dtype: count / self.count for dtype, count in self.lost.items()},
        )  # fmt: skip


def _unit_axis(y: Tensor) -> int:
    """Where the units lie: the channels of pictures, else the last axis."""
    return 1 if y.ndim in (4, 5) else y.ndim - 1


# ----------------------------------------------------------------------------------------------- watching


class Watcher:
    """Diagnoses a model every so many steps of a plain training loop.

    ::

        watcher = slopes.Watcher(model, every=50)
        for inputs, target in loader:
            with watcher:
                loss(model(inputs), target).backward()
                optimizer.step()
        print(watcher.diagnosis)

    In a step that is not watched it does nothing. `history` has a `Diagnosis` for each that was; gradients must be
    there at the end of the block, so zero them before it or at its beginning.
    """

    def __init__(self, model: Any, *, every: int = 50) -> None:
        require("slopes.Watcher", "torch", "torch")
        if type(every) is not int or every < 1:
            raise ValueError(f"Watcher: every must be an integer >= 1, got {every!r}")
        self.model, self.every = model, every
        self.step = 0  #: how many steps there were
        self.history: list[Diagnosis] = []
        self._look: _Look | None = None
        self._block: Any = None
        self._before: dict[str, Any] = {}

    @property
    def diagnosis(self) -> Diagnosis:
        """The latest one. Raises ValueError where no step was watched yet."""
        if not self.history:
            raise ValueError("Watcher: no step was watched yet")
        return self.history[-1]

    def __enter__(self) -> Watcher:
        if self.step % self.every == 0:
            self._look = _Look(self.model)
            self._before = {name: p.detach().clone() for name, p in self.model.named_parameters()}
            self._block = self._look.looking()
            self._block.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        if self._look is not None:
            self._block.__exit__(*error)
            if error[0] is None:
                layers = self._look.layers(1)
                samples = max((layer.samples for layer in layers), default=0)
                self.history.append(Diagnosis(layers, _weights(self.model, self._before), samples, self.step))
            self._look, self._before = None, {}
        self.step += 1
