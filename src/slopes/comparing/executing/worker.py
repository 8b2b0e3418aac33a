"""Worker process: reads chunks from standard input, writes results to standard output.

It ends with its input or its parent.
"""

from __future__ import annotations

import os
import pickle
import queue
import signal
import sys
import threading
import time
from typing import Any, BinaryIO


def main(parent: int) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent handles interrupts
    results = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # a card that prints must not garble the results
    threading.Thread(target=_watch, args=(parent,), daemon=True).start()
    chunks: queue.SimpleQueue[Any] = queue.SimpleQueue()
    pickled = _receive(sys.stdin.buffer)
    threading.Thread(target=_listen, args=(sys.stdin.buffer, chunks), daemon=True).start()
    from slopes.comparing.executing.attempt import attempt, refusal

    try:
        job = pickle.loads(pickled)  # loads torch; the parent has set its number of threads
    except (Exception, SystemExit) as error:
        _send(results, refusal(error))
        chunks.get()  # the parent ends this process
        return
    del pickled
    _send(results, None)
    while True:
        _send(results, attempt(job, chunks.get()))


def _watch(parent: int) -> None:
    """End with the parent, even if another of its children keeps the pipe open."""
    while os.name != "posix" or os.getppid() == parent:
        time.sleep(1)
    os._exit(0)


def _listen(stream: BinaryIO, chunks: queue.SimpleQueue[Any]) -> None:
    """Queue chunks while the main thread trains; end the process with the input."""
    while True:
        try:
            chunks.put(pickle.load(stream))
        except (EOFError, OSError, pickle.UnpicklingError):
            os._exit(0)


def _receive(stream: BinaryIO) -> Any:
    try:
        return pickle.load(stream)
    except EOFError:
        sys.exit(0)


def _send(stream: BinaryIO, result: Any) -> None:
    try:
        pickle.dump(result, stream)
        stream.flush()
    except BrokenPipeError:
        os._exit(0)
