"""A worker process: reads units of work from its standard input, writes outcomes to its standard output.

It ends when its input does, so none outlives the process that started it.
"""

from __future__ import annotations

import os
import pickle
import queue
import signal
import sys
import threading
import traceback
from typing import Any, BinaryIO


def main() -> None:
    """Serve until the input ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides what an interrupt means
    results = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # a card that prints must not garble the outcomes
    units: queue.SimpleQueue[Any] = queue.SimpleQueue()
    cards = _receive(sys.stdin.buffer)
    threading.Thread(target=_listen, args=(sys.stdin.buffer, units), daemon=True).start()
    try:
        activations, losses = pickle.loads(cards)
    except Exception:
        _send(results, ("refused", traceback.format_exc()))
        return
    import torch

    from slopes.study.tasks import digits
    from slopes.study.training import train

    torch.set_num_threads(1)
    _send(results, ("ready", None))
    while True:
        unit = units.get()
        try:
            activation, loss = activations[unit.pair.activation], losses[unit.pair.loss]
            answer: tuple[str, Any] = (
                "done",
                train(activation, loss, unit.rate, unit.seeds, unit.epochs, digits()),
            )
        except Exception as error:
            answer = ("failed", (f"{type(error).__name__}: {error}", traceback.format_exc()))
        _send(results, answer)


def _listen(stream: BinaryIO, units: queue.SimpleQueue[Any]) -> None:
    """Pass on what is read while the main thread trains; at the end of the input end the process at once."""
    while True:
        try:
            units.put(pickle.load(stream))
        except (EOFError, OSError, pickle.UnpicklingError):
            os._exit(0)


def _receive(stream: BinaryIO) -> Any:
    try:
        return pickle.load(stream)
    except EOFError:
        sys.exit(0)


def _send(stream: BinaryIO, answer: tuple[str, Any]) -> None:
    try:
        pickle.dump(answer, stream)
        stream.flush()
    except BrokenPipeError:
        os._exit(0)
