"""Processes for audits of files, one for each.

Importing torch takes longer than an audit. So on Linux one process, the nursery, imports all that an audit needs, and
forks a process for each audit. Elsewhere, where forking is not safe, each audit starts an interpreter.
"""

from __future__ import annotations

import atexit
import importlib
import os
import pickle
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

MODULE = "slopes.auditing.child"  #: runs one audit with a file for its lines as argument, else the nursery
IDLE = 60.0  #: seconds until a nursery without work ends, as it keeps 300 MB


class Process(Protocol):
    """Process of one audit, with the job as standard input."""

    pid: int
    returncode: int | None

    def send(self, job: bytes) -> None:
        """Write the job, after its size in 8 bytes."""

    def wait(self, seconds: float | None = None) -> None:
        """Wait for the end and set `returncode`, or raise TimeoutError."""

    def close(self) -> None:
        """Close standard input, which ends the process."""


def start(told: Path, trace: Path) -> Process:
    """Start a process that writes its lines to one file, and errors to another."""
    if sys.platform == "linux":
        for _ in range(2):  # the first may have met a nursery that was just ending
            with suppress(EOFError, OSError):
                return Forked(told, trace)
    return Started(told, trace)


def end(process: Process) -> None:
    """Kill a process and all that it has started, and wait until it has ended."""
    kill(process)
    process.wait()
    process.close()


def kill(process: Process) -> None:
    """Kill a process and all that it has started."""
    with suppress(ProcessLookupError, PermissionError, AttributeError):
        os.killpg(process.pid, signal.SIGKILL)
    if process.returncode is None:
        with suppress(ProcessLookupError):
            os.kill(process.pid, getattr(signal, "SIGKILL", signal.SIGTERM))


class Started:
    """Process of an interpreter of its own."""

    def __init__(self, told: Path, trace: Path) -> None:
        with trace.open("wb") as errors:
            self._process = _run_module(str(told), stdin=subprocess.PIPE, stderr=errors)
        self.pid = self._process.pid
        self.returncode: int | None = None

    def send(self, job: bytes) -> None:
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):
            self._process.stdin.write(_framed(job))
            self._process.stdin.flush()

    def wait(self, seconds: float | None = None) -> None:
        try:
            self.returncode = self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise TimeoutError from None

    def close(self) -> None:
        with suppress(OSError):
            self._process.stdin.close()  # type: ignore[union-attr]


class Forked:
    """Process that the nursery has forked."""

    def __init__(self, told: Path, trace: Path) -> None:
        request = {
            "told": str(told), "trace": str(trace), "path": _import_path(), "environment": _environment(),
            "folder": os.getcwd(),
        }  # fmt: skip
        self.returncode: int | None = None
        self._connection = _connect()
        try:
            _send(self._connection, pickle.dumps(request))
            self.pid = int(_receive(self._connection))
        except BaseException:
            self._connection.close()
            raise

    def send(self, job: bytes) -> None:
        with suppress(BrokenPipeError):
            _send(self._connection, job)

    def wait(self, seconds: float | None = None) -> None:
        if self.returncode is None:
            self._connection.settimeout(seconds)
            try:
                self.returncode = int(_receive(self._connection))
            except (EOFError, ConnectionError):  # the nursery's processes have been killed, too
                self.returncode = -signal.SIGKILL

    def close(self) -> None:
        self._connection.close()


def _import_path() -> list[str]:
    return [path for path in sys.path if path]


def _environment() -> dict[str, str]:
    return os.environ | {"PYTHONPATH": os.pathsep.join(_import_path())}


def _run_module(*arguments: str, **streams: Any) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-P", "-m", MODULE, *arguments]  # -P: nothing of the working directory is imported
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, env=_environment(), start_new_session=True, **streams)


# ---------------------------------------------------------------------------------------- the side of the caller

_lock = threading.Lock()
_nursery: Nursery | None = None


class Nursery:
    """Nursery as its caller sees it."""

    def __init__(self) -> None:
        self._owner = os.getpid()
        self._control, theirs = socket.socketpair()
        with theirs:
            self._process = _run_module(stdin=theirs, stderr=subprocess.DEVNULL)
        atexit.register(self.end)

    @property
    def is_ours(self) -> bool:
        """False in a fork of the process that started it."""
        return self._owner == os.getpid()

    def hand_over(self, connection: socket.socket) -> None:
        socket.send_fds(self._control, [b"+"], [connection.fileno()])

    def end(self) -> None:
        atexit.unregister(self.end)
        self._control.close()
        if self.is_ours:
            self._process.kill()
            self._process.wait()


def _connect() -> socket.socket:
    """Hand one end of a new connection to the nursery, which is started where none runs, and return the other."""
    global _nursery
    ours, theirs = socket.socketpair()
    with _lock, theirs:
        while True:
            if _nursery is None or not _nursery.is_ours:
                _nursery = Nursery()
            try:
                _nursery.hand_over(theirs)
                return ours
            except OSError:  # its time was over
                _nursery.end()
                _nursery = None


def _framed(message: bytes) -> bytes:
    return len(message).to_bytes(8, "big") + message


def _send(connection: socket.socket, message: bytes) -> None:
    connection.sendall(_framed(message))


def _receive(connection: socket.socket) -> bytes:
    """Receive one message, and nothing of the next."""

    def read(size: int) -> bytes:
        message = b""
        while len(message) < size:
            part = connection.recv(size - len(message))
            if not part:
                raise EOFError
            message += part
        return message

    return read(int.from_bytes(read(8), "big"))


# --------------------------------------------------------------------------------------- the side of the nursery


def serve(control: socket.socket, run: Callable[[str], None]) -> None:
    """Fork a process that calls `run` for each connection that is handed over, until the caller or the time ends."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for those that wait for a child
    while select.select([control], [], [], IDLE)[0]:
        _, descriptors, *_ = socket.recv_fds(control, 1, 1)
        if not descriptors:
            return
        if os.fork() == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            _attend(socket.socket(fileno=descriptors[0]), run)
            os._exit(0)
        os.close(descriptors[0])


def _attend(connection: socket.socket, run: Callable[[str], None]) -> None:
    """Fork the process of one audit, and tell its number and its status."""
    request = pickle.loads(_receive(connection))
    pid = os.fork()
    if pid == 0:
        os.setsid()
        os.dup2(connection.fileno(), 0)
        os.dup2(os.open(request["trace"], os.O_WRONLY | os.O_CREAT | os.O_APPEND), 2)
        os.environ.clear()
        os.environ.update(request["environment"])
        sys.path[:] = request["path"]
        os.chdir(request["folder"])
        importlib.invalidate_caches()
        run(request["told"])
        os._exit(1)
    with suppress(OSError):
        _send(connection, b"%d" % pid)
        _send(connection, b"%d" % os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
