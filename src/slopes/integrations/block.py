"""A watcher whose blocks a framework begins and ends by calls."""

from __future__ import annotations

import math

from slopes.diagnosing import Diagnosis, Watcher


class Block:
    """The block ``with watcher:`` of one step of the optimizer; to begin it twice, or to end it twice, does nothing."""

    def __init__(self, watcher: Watcher) -> None:
        self.watcher = watcher
        self._is_open = False

    def begin(self) -> None:
        """Begin a step."""
        if not self._is_open:
            self.watcher.__enter__()
            self._is_open = True

    def end(self, error: BaseException | None = None) -> dict[str, float]:
        """End a step, which an error may have stopped, and return the numbers of the diagnosis that it completes.

        They are none where it completes none.
        """
        if not self._is_open:
            return {}
        self._is_open = False
        earlier = len(self.watcher.history)
        self.watcher.__exit__(type(error) if error else None, error, error.__traceback__ if error else None)
        return numbers_of(self.watcher.history[-1]) if len(self.watcher.history) > earlier else {}


def numbers_of(diagnosis: Diagnosis) -> dict[str, float]:
    """Return the numbers to log, by names that every logger takes, without unknown ones."""
    numbers = {
        "findings": float(len(diagnosis.findings)),
        "dead": max((layer.dead for layer in diagnosis.layers), default=math.nan),
        "saturated": max((layer.saturated for layer in diagnosis.layers), default=math.nan),
        "gradient_ratio": diagnosis.gradient_ratio,
        "update": max((w.update for w in diagnosis.weights if not math.isnan(w.update)), default=math.nan),
    }
    return {f"slopes/{name}": number for name, number in numbers.items() if not math.isnan(number)}
