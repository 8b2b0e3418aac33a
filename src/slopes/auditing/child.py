"""Audit of an object in a file, in a child process that may hang or die without harm.

The parent sends a pickled job and reads lines of JSON: the name of each check as it begins, at last the report or the
error. The child ends with its parent, and at the latest when its time is over.
"""

from __future__ import annotations

import builtins
import faulthandler
import json
import os
import pickle
import signal
import socket
import sys
import tempfile
import threading
from collections.abc import Mapping
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any

from slopes import loading
from slopes.auditing import processes
from slopes.auditing.report import Report, unusable

#: stages of a child before the first check, in a report's words
STARTING, CALLING = "while its file was run", "when it was first called"

_running: set[processes.Process] = set()


def audit(spec: str, declared: Mapping[str, Any], *, time_limit: float, **options: Any) -> Report:
    try:
        job = pickle.dumps({"spec": spec, "declared": dict(declared), "time_limit": time_limit, **options})
    except Exception as error:
        raise TypeError(
            f"audit: a file is audited in a process of its own, to which this cannot be sent: {error}; "
            "name it by text, as in against='my_losses.py:reference', or audit the imported object"
        ) from error
    with tempfile.TemporaryDirectory() as folder:
        return _supervised(spec, job, Path(folder), time_limit)


def _supervised(spec: str, job: bytes, folder: Path, time_limit: float) -> Report:
    told, trace = folder / "told", folder / "trace"
    told.touch()
    process = processes.start(told, trace)
    _running.add(process)
    hung = False
    try:
        process.send(job)
        process.wait(time_limit + 300.0)  # time to import torch, which the limit does not count
    except TimeoutError:
        hung = True
    finally:
        processes.end(process)
        _running.discard(process)
    lines = [json.loads(line) for line in told.read_text().splitlines()]
    last = lines[-1] if lines else {"check": STARTING}
    if "report" in last:
        return Report.from_json(json.dumps(last["report"]))
    if "error" in last:
        raise _known_error(last["error"])(last["message"])
    errors_text = trace.read_text(errors="replace")
    hung = hung or "Timeout (" in errors_text
    return _lost(spec, last["check"], hung, process.returncode, errors_text, time_limit)


def end_all() -> None:
    """End the processes of all audits that run in other threads."""
    for process in list(_running):
        processes.kill(process)


def _known_error(name: str) -> type[Exception]:
    kind = getattr(builtins, name, None)
    return kind if isinstance(kind, type) and issubclass(kind, Exception) else ValueError


def _lost(spec: str, check: str, hung: bool, status: int | None, trace: str, time_limit: float) -> Report:
    """Report a subject that made its process hang or die."""
    where = check if check in (STARTING, CALLING) else f"in the check {check}"
    line = _line_in(spec, trace)
    at = f", at {line}" if line else ""
    if hung:
        message = f"training hangs: it gives no answer within {time_limit:g} s {where}{at}"
        repair = "look for a loop or a wait without end"
    else:
        told = f"by signal {signal.Signals(-status).name}" if status and status < 0 else f"with status {status}"
        message = f"training dies: it ends its process {told} {where}{at}"
        repair = "look for sys.exit, os._exit, or a fault in compiled code"
    return unusable(spec, message, repair)


def _line_in(spec: str, trace: str) -> str:
    """Line of the user's file that ran last, from faulthandler's trace."""
    file, *_ = loading.parts(spec)
    name = Path(str(file)).name
    found = [line.strip() for line in trace.splitlines() if f'{name}"' in line]
    if not found:
        return ""
    _, _, rest = found[0].partition('", ')
    return f"{name}, {rest}"


def main(file: str) -> None:
    """Run the job from standard input, and write progress and result to a file."""
    with open(file, "a", encoding="utf-8", buffering=1) as told:

        def tell(**line: Any) -> None:
            told.write(json.dumps(line) + "\n")

        size = int.from_bytes(sys.stdin.buffer.read(8), "big")
        payload = sys.stdin.buffer.read(size)
        threading.Thread(target=_end_with_parent, daemon=True).start()
        tell(check=STARTING)
        import torch

        torch.set_num_threads(min(torch.get_num_threads(), 2))
        from slopes.auditing.examination import examine

        job = pickle.loads(payload)
        faulthandler.enable()
        faulthandler.dump_traceback_later(job["time_limit"], exit=True)
        job["time_limit"] *= 0.9  # checks that come later are skipped, so that a report is made before the end
        spec, declared = job.pop("spec"), job.pop("declared")
        try:
            thing = loading.find(spec)
            tell(check=CALLING)
            report = examine(thing, declared, spec=spec, watch=lambda name: tell(check=name), **job)
        except Exception as error:
            tell(error=type(error).__name__, message=str(error))
        else:
            tell(report=json.loads(report.to_json()))
        sys.stdout.flush()
        os._exit(0)  # without waiting for threads of the subject


def _end_with_parent() -> None:
    """Exit when standard input ends, as it does with the parent."""
    with suppress(Exception):
        sys.stdin.buffer.read()
    os._exit(1)


def serve() -> None:
    """Import all that an audit needs, and run one for each connection that comes over standard input."""
    for module in ("torch", "torch._dynamo", "sympy", "slopes.auditing.examination"):
        import_module(module)
    processes.serve(socket.socket(fileno=0), main)
    os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1]) if sys.argv[1:] else serve()
