"""Resolution of the user's `model` argument to a network that fits the task."""

from __future__ import annotations

from dataclasses import replace as changed
from typing import TYPE_CHECKING, Any

from torch import nn

from slopes.comparing import identity
from slopes.comparing.networks.drawing import is_lazy
from slopes.comparing.networks.network import Network
from slopes.comparing.networks.notes import on_copies, on_same_weights, on_the_end
from slopes.comparing.networks.replacing import check_replacement, find_calls, only_class
from slopes.comparing.networks.source import argument_of, copied, made_by, source_of
from slopes.comparing.networks.trial import (
    built,
    check_factory,
    check_tensors,
    check_training,
    find_classes,
    kept_weights,
    probe,
    run,
)

if TYPE_CHECKING:
    from slopes.comparing.tasks import Task


def resolve(model: Any, task: Task, replace: Any = None, output: Any = None, replaces: bool = True) -> Network:
    """Try a model on samples of the task, and return its network.

    `model` is a built-in network, as in "mlp(hidden=256, depth=2)"; a module, which each seed copies with reset
    parameters; a factory, without arguments or with one that makes an activation module; or either of these in a file,
    as in "file.py:Model". `replace` is by default the model's only class of activations, unless nothing is replaced.
    Raises TypeError or ValueError if the model cannot be trained.
    """
    classes = _classes(replace)
    if output is not None and not callable(output) and (isinstance(output, bool) or not isinstance(output, (int, str))):
        raise TypeError(f"compare: output must be a place, a key or a function, got {output!r}.")
    name, source, notes = source_of(model, task)
    network = Network(name, source, classes, "", output, takes=argument_of(source))
    again = source if isinstance(source, nn.Module) else made_by(name, source)
    trial = copied(name, source) if again is source else again
    check_tensors(name, again)
    if is_lazy(again):
        network = changed(network, example=task.first(2))
        run(name, trial, task)  # raises the reason if the model fails
        again = built(network, 0)
    first = built(network, 0)
    if not isinstance(source, nn.Module):
        check_factory(name, network, again, first)
    network, more = find_classes(network, first, task)
    notes += more
    predicted, last = probe(network, first, task)
    check_training(network, first, task)
    if replaces:
        if not classes and not network.takes:
            network = changed(network, replace=(only_class(network, task),))
        network = changed(network, calls=find_calls(network, task))
        notes += check_replacement(network, first, predicted, task)
    notes += on_the_end(network, predicted, last, task)
    first = built(network, 0)  # running may have changed buffers
    kept = kept_weights(network, first)
    if isinstance(source, nn.Module):
        notes += on_copies(source, network.example)
    else:
        notes += on_same_weights(first, kept)
    digest = identity.of_network(network, kept, task.first(8))
    return changed(network, notes=tuple(notes), digest=digest)


def _classes(given: Any) -> tuple[type[nn.Module], ...]:
    if given is None:
        return ()
    classes = given if isinstance(given, tuple) else (given,)
    if not classes or not all(isinstance(kind, type) and issubclass(kind, nn.Module) for kind in classes):
        raise TypeError(
            f"compare: replace must be a class of modules, such as torch.nn.ReLU, or a tuple of them, got {given!r}."
        )
    return classes
