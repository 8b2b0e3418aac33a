"""Limits of time for code that may hang."""

from __future__ import annotations

import math
import signal
import threading
import time
from typing import Any, Self

STEP = 600.0  #: seconds in which any step of a training ends, unless it hangs


class Deadline:
    """Context that raises TimeoutError in a step that hangs, and once its steps took `seconds` together.

    An alarm of the system interrupts a step. In threads and on Windows there is none, and only `begin_step` looks at
    the time.
    """

    def __init__(self, seconds: float = math.inf) -> None:
        self._seconds = seconds
        self._has_alarm = hasattr(signal, "setitimer") and threading.current_thread() is threading.main_thread()

    def __enter__(self) -> Self:
        self._start = time.monotonic()
        if self._has_alarm:
            self._handler = signal.signal(signal.SIGALRM, self._ring)
            self._before = signal.setitimer(signal.ITIMER_REAL, 0)
        self.begin_step()
        return self

    def __exit__(self, *_: object) -> None:
        if self._has_alarm:
            left, interval = self._before
            left = max(left - self._passed, 1e-6) if left else 0.0
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, self._handler or signal.SIG_DFL)
            signal.setitimer(signal.ITIMER_REAL, left, interval)

    def begin_step(self, seconds: float = STEP) -> None:
        """Let the next step take `seconds`, if so many are left; TimeoutError if none are."""
        left = self._seconds - self._passed
        if left <= 0:
            raise self._error()
        if self._has_alarm:
            allowed = min(seconds, left)
            signal.setitimer(signal.ITIMER_REAL, 0 if allowed == math.inf else allowed)

    @property
    def _passed(self) -> float:
        return time.monotonic() - self._start

    def _ring(self, *_: Any) -> None:
        raise self._error()

    def _error(self) -> TimeoutError:
        if self._passed >= 0.99 * self._seconds:  # the clocks of alarms and of Python differ a little
            return TimeoutError(f"it took more than {self._seconds:g} s")
        return TimeoutError(f"a step took more than {STEP:g} s")
