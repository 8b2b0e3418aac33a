"""Processes that measure."""

from __future__ import annotations

import signal


def use_one_thread() -> None:
    """Limit a worker to one thread; an interrupt ends it silently."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        import torch
    except ImportError:
        return
    torch.set_num_threads(1)
