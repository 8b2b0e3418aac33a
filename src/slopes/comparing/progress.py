"""Display of progress."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from slopes import notebook
from slopes.comparing.words import counted, duration


@dataclass(frozen=True)
class Progress:
    """Progress of a study, passed to the callback at the start and whenever runs end."""

    done: int  #: ended runs, with failed and resumed ones
    total: int
    resumed: int  #: runs that an earlier start recorded
    diverged: int
    failed: int  #: runs to try again at the next start
    elapsed: float  #: seconds since this start
    latest: str = ""  #: pair that ended last
    added: int = 0  #: learning rates by which the default grid was extended

    @property
    def left(self) -> float | None:
        """Estimated seconds left at the pace of this start; None before the first run."""
        new = self.done - self.resumed
        return (self.total - self.done) * self.elapsed / new if new else None

    def __str__(self) -> str:
        parts = [f"{self.done}/{self.total} runs", f"{self.diverged} diverged", f"{self.failed} failed"]
        if self.added:
            parts.append(f"{counted(self.added, 'learning rate')} added")
        if self.left is not None and self.done < self.total:
            parts.append(f"about {duration(self.left)} left")
        elif self.done == self.resumed and self.resumed:
            parts.append("recorded earlier")
        return ", ".join(parts)


Callback = Callable[[Progress], None]


@contextmanager
def display(progress: Callback | bool | None) -> Iterator[Callback]:
    """Yield the callback: the caller's, none (False), or one that suits the output."""
    if progress is False:
        yield lambda state: None
    elif callable(progress):
        yield progress
    elif notebook.has_kernel():
        yield _BarInNotebook()
    elif sys.stderr.isatty():
        with _bar() as update:
            yield update
    else:
        yield _Lines()


class _Lines:
    """A line per tenth of the runs, for logs."""

    def __init__(self) -> None:
        self._shown = (0, -1)

    def __call__(self, state: Progress) -> None:
        shown = state.total, 10 * state.done // max(state.total, 1)
        if shown > self._shown:
            self._shown = shown
            print(f"compare: {state}", file=sys.stderr, flush=True)


class _BarInNotebook:
    def __init__(self) -> None:
        self._handle: Any = None

    def __call__(self, state: Progress) -> None:
        style = "width: 20em; vertical-align: middle"
        bar = f'<progress max="{state.total}" value="{state.done}" style="{style}"></progress>'
        content = notebook.Html(f"{bar} {notebook.escape(state)}", f"compare: {state}")
        if self._handle is None:
            self._handle = import_module("IPython.display").display(content, display_id=True)
        else:
            self._handle.update(content)


@contextmanager
def _bar() -> Iterator[Callback]:
    from rich import progress as bars
    from rich.console import Console

    columns = (
        bars.TextColumn("{task.description}"),
        bars.BarColumn(bar_width=None),
        bars.MofNCompleteColumn(),
        bars.TextColumn("runs, {task.fields[diverged]} diverged, {task.fields[failed]} failed,"),
        bars.TextColumn("{task.fields[left]}"),
    )
    with bars.Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("training", total=None, diverged=0, failed=0, left="starting")

        def update(state: Progress) -> None:
            left = "done" if state.done == state.total else "starting"
            if state.left is not None and state.done < state.total:
                left = f"{duration(state.left)} left"
            text = state.latest or "training"
            bar.update(
                task, completed=state.done, total=state.total, diverged=state.diverged, failed=state.failed, left=left,
                description=text,
            )  # fmt: skip

        yield update
