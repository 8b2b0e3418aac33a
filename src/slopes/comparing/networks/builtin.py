"""Built-in networks, made for a task from options, with `torch.nn.ReLU` in place of the activations."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from slopes.comparing.tasks.inputs import describe_inputs

if TYPE_CHECKING:
    from slopes.comparing.tasks import Task

START = "initial weights are uniform by Glorot's rule, whatever the activation, and biases are 0"


def mlp(task: Task, hidden: Any = None, depth: Any = None) -> tuple[Callable[[], nn.Module], str]:
    """(factory, description); `hidden` is a width or a tuple of widths, `depth` the number of layers of one width."""
    inputs = _only_input("mlp", task)
    if task.kind.has_positions:
        raise _no_positions("mlp", task)
    if isinstance(hidden, tuple):
        if depth is not None:
            raise ValueError(f"compare: mlp takes depth with one width, got hidden={hidden} and depth={depth}.")
        widths = tuple(_whole("mlp", "hidden", width) for width in hidden)
    else:
        width = 64 if hidden is None else _whole("mlp", "hidden", hidden)
        widths = (width,) * (3 if depth is None else _whole("mlp", "depth", depth))
    if not widths:
        raise ValueError("compare: mlp takes at least one hidden layer, got hidden=().")
    layers = ", ".join(map(str, widths))
    made = partial(Mlp, (inputs[0].numel(), *widths, task.outputs))
    return made, f"a multilayer perceptron with hidden layers of {layers} units"


def cnn(task: Task, channels: Any = (16, 32), hidden: Any = 64) -> tuple[Callable[[], nn.Module], str]:
    """(factory, description); for a segmentation the convolutions are dilated instead of pooled, and keep the size."""
    inputs = _only_input("cnn", task)
    if task.kind.has_positions and not task.kind.has_pixels:
        raise _no_positions("cnn", task)
    shape = tuple(inputs.shape[1:])
    if len(shape) != 3:
        instead = "take 'mlp'" if len(shape) == 1 else "take 'transformer' or 'mlp', or add an axis of channels"
        raise ValueError(
            f"compare: the cnn takes (channel, height, width), and the task {task.name} gives {shape}; {instead}."
        )
    given = channels if isinstance(channels, tuple) else (channels,)
    widths = tuple(_whole("cnn", "channels", width) for width in given)
    if not widths:
        raise ValueError("compare: cnn takes at least one convolution, got channels=().")
    named = ", ".join(map(str, widths))
    if task.kind.has_pixels:
        words = f"a fully convolutional network of dilated 3 x 3 convolutions with {named} channels"
        return partial(Segmenter, (shape[0], *widths), task.outputs), words
    if min(shape[1:]) < 2 ** len(widths):
        raise ValueError(
            f"compare: the cnn halves an image {len(widths)} times, and the task {task.name} gives {shape}; "
            "take fewer channels, as in 'cnn(channels=16)'."
        )
    made = partial(Cnn, shape, widths, _whole("cnn", "hidden", hidden), task.outputs)
    return made, (
        f"a convolutional network of 3 x 3 convolutions with {named} channels, each pooled, "
        f"and a hidden layer of {hidden} units"
    )


def transformer(task: Task, width: Any = 32, depth: Any = 2, heads: Any = 4) -> tuple[Callable[[], nn.Module], str]:
    """(factory, description), for (token, feature) or the rows of an image."""
    inputs = _only_input("transformer", task)
    if task.kind.has_positions:
        raise _no_positions("transformer", task)
    shape = tuple(inputs.shape[1:])
    if len(shape) not in (2, 3):
        raise ValueError(
            f"compare: the transformer takes (token, feature) or (channel, height, width), and the task {task.name} "
            f"gives {shape}; take 'mlp'."
        )
    for name, value in (("width", width), ("depth", depth), ("heads", heads)):
        _whole("transformer", name, value)
    if width % heads:
        raise ValueError(f"compare: the transformer's width must be a multiple of heads, got {width} and {heads}.")
    made = partial(Transformer, shape, width, depth, heads, task.outputs)
    cells = "the rows of an image" if len(shape) == 3 else "the tokens"
    return made, (
        f"a transformer encoder on {cells} with {depth} layers of width {width} and {heads} heads, whose feed-forward "
        "parts have the activation"
    )


BUILTIN: dict[str, Callable[..., tuple[Callable[[], nn.Module], str]]] = {
    "mlp": mlp,
    "cnn": cnn,
    "transformer": transformer,
}


class Mlp(nn.Sequential):
    def __init__(self, sizes: Sequence[int]) -> None:
        layers: list[nn.Module] = [nn.Flatten()]
        for inputs, outputs in pairwise(sizes):
            layers += [nn.Linear(inputs, outputs), nn.ReLU()]
        super().__init__(*layers[:-1])
        glorot(self)


class Cnn(nn.Sequential):
    def __init__(self, shape: Sequence[int], channels: Sequence[int], hidden: int, outputs: int) -> None:
        layers: list[nn.Module] = []
        for inner, outer in pairwise((shape[0], *channels)):
            layers += [nn.Conv2d(inner, outer, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)]
        height, width = (side // 2 ** len(channels) for side in shape[1:])
        flat = channels[-1] * height * width
        super().__init__(*layers, nn.Flatten(), nn.Linear(flat, hidden), nn.ReLU(), nn.Linear(hidden, outputs))
        glorot(self)


class Segmenter(nn.Sequential):
    """Convolutions of growing dilation, then logits per pixel."""

    def __init__(self, channels: Sequence[int], outputs: int) -> None:
        layers: list[nn.Module] = []
        for place, (inner, outer) in enumerate(pairwise(channels)):
            layers += [nn.Conv2d(inner, outer, 3, padding=2**place, dilation=2**place), nn.ReLU()]
        super().__init__(*layers, nn.Conv2d(channels[-1], outputs, 1))
        glorot(self)


class Transformer(nn.Module):
    """Transformer encoder over tokens with learned positions; the outputs are averaged."""

    def __init__(self, shape: Sequence[int], width: int, depth: int, heads: int, outputs: int) -> None:
        super().__init__()
        channels, tokens, features = shape if len(shape) == 3 else (1, *shape)
        self.embed = nn.Linear(channels * features, width)
        self.places = nn.Parameter(torch.empty(tokens, width))
        self.layers = nn.Sequential(*(Encoder(width, heads) for _ in range(depth)))
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, outputs)
        glorot(self)
        nn.init.xavier_uniform_(self.places)

    def forward(self, inputs: Tensor) -> Tensor:
        """Map (batch, token, feature), or images as (batch, channel, row, column), to (batch, output)."""
        if inputs.dim() == 4:
            inputs = inputs.transpose(1, 2).flatten(2)
        tokens = self.layers(self.embed(inputs) + self.places)
        outputs: Tensor = self.head(self.norm(tokens).mean(1))
        return outputs


class Encoder(nn.Module):
    """Pre-norm encoder layer."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm, self.attend, self.merge = nn.LayerNorm(width), nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.forth = nn.Sequential(
            nn.LayerNorm(width), nn.Linear(width, 2 * width), nn.ReLU(), nn.Linear(2 * width, width)
        )

    def forward(self, tokens: Tensor) -> Tensor:
        parts = self.attend(self.norm(tokens)).unflatten(-1, (3, self.heads, -1))
        queries, keys, values = parts.permute(2, 0, 3, 1, 4).unbind()  # each (batch, head, token, feature)
        # the fused kernel has no rule for vmap on a processor, and falls back to a loop
        scores = queries @ keys.transpose(-1, -2) / math.sqrt(queries.shape[-1])
        attended = (torch.softmax(scores, -1) @ values).transpose(1, 2).flatten(2)
        tokens = tokens + self.merge(attended)
        added: Tensor = self.forth(tokens)
        return tokens + added


def glorot(model: nn.Module) -> None:
    for module in model.modules():
        if isinstance(module, (nn.Linear, nn.Conv2d)):
            nn.init.xavier_uniform_(module.weight)
            if module.bias is not None:
                nn.init.zeros_(module.bias)


def _whole(network: str, option: str, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ValueError(f"compare: {network} takes whole numbers of at least 1 for {option}, got {value!r}.")
    return value


def _no_positions(network: str, task: Task) -> ValueError:
    place, way = ("pixel", "take 'cnn'") if task.kind.has_pixels else ("token", "pass a model of your own")
    return ValueError(f"compare: the {network} gives no number for each {place}, as the task {task.name} wants; {way}.")


def _only_input(network: str, task: Task) -> Tensor:
    """Inputs of the task; ValueError unless they are one tensor of real numbers."""
    if not isinstance(task.inputs, Tensor):
        raise ValueError(
            f"compare: the {network} takes one input, and the task {task.name} gives several "
            f"({describe_inputs(task.inputs, lambda each: str(tuple(each.shape[1:])))}); pass a model of your own."
        )
    if not task.inputs.is_floating_point():
        raise ValueError(
            f"compare: the {network} takes real numbers, and the task {task.name} gives {dtype_name(task.inputs)}; "
            "pass a model of your own that embeds them."
        )
    return task.inputs


def dtype_name(tensor: Tensor) -> str:
    return str(tensor.dtype).removeprefix("torch.")
