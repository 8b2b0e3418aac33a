"""A job whose training is arithmetic, for the tests of where chunks run.

Wherever a `Toy` is loaded, `slopes.comparing.training.train` becomes the toy's, as a worker process cannot be patched
from outside; and where that module is not loaded yet, it never is, so that these processes start without torch.
"""

from __future__ import annotations

import hashlib
import os
import signal
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType

from slopes.comparing.job import Cell


@dataclass
class Toy:
    """Trains nothing; some of its seeds do harm, in any process but the one that made it."""

    harm: dict[int, str] = field(default_factory=dict)  #: by seed: raise, die, exit, die once, leave
    seconds: float = 0.0
    folder: str = ""  #: where each process leaves a file, and `log` of each cell a line
    safe: int = field(default_factory=os.getpid)
    log: str = ""
    most: int | None = None  #: once its log has so many lines, training takes until somebody kills the process

    def __setstate__(self, state):
        self.__dict__ |= state
        install()


def install(train=None):
    """Make the toy's training, or another, what is called for training here."""
    name = "slopes.comparing.training"
    sys.modules.setdefault(name, ModuleType(name)).train = train or globals()["train"]


def number(cell):
    text = f"{cell.activation} {cell.loss} {cell.rate} {cell.seed}"
    return int(hashlib.sha256(text.encode()).hexdigest()[:12], 16) / 16**12


def train(job, cells, _seconds=None):
    if job.folder:
        Path(job.folder, f"process-{os.getpid()}").touch()
    for cell in cells:
        harm = job.harm.get(cell.seed)
        if harm == "raise":
            raise ArithmeticError(f"seed {cell.seed} will not do")
        if harm == "leave":
            raise SystemExit(4)
        if os.getpid() != job.safe:
            once = Path(job.folder, f"died-{cell.seed}")
            if harm == "exit":
                os._exit(3)
            if harm == "die" or (harm == "die once" and not once.exists()):
                if harm == "die once":
                    once.touch()
                os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(job.seconds)
        if job.log:
            with Path(job.folder, job.log).open("a+") as file:
                file.seek(0)
                if len(file.readlines()) == job.most:
                    time.sleep(3600)
                file.write(f"{cell.seed}\n")
    torch = sys.modules.get("torch")
    threads = torch.get_num_threads() if torch else int(os.environ["OMP_NUM_THREADS"])
    common = {"threads": threads, "process": os.getpid(), "stack": len(cells)}
    return [{"test": {"accuracy": number(cell)}, "curve": [number(cell), None]} | common for cell in cells]


def cells(count, pairs=2):
    return [Cell(seed % pairs, 0, 0.01, seed) for seed in range(count)]
