"""The threads of PyTorch, which are OpenMP's, run other work, too.

After an operation they look for the next one in a loop, for milliseconds, and any other thread waits for a processor.
"""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Callable
from functools import lru_cache
from typing import Any

NEEDED = ("GOMP_parallel_start", "GOMP_parallel_end", "omp_pause_resource_all")
_SOFT = 1  #: OpenMP's omp_pause_soft
_Enter = ctypes.CFUNCTYPE(None, ctypes.c_void_p)


@lru_cache
def _library() -> Any:
    """The OpenMP library that PyTorch has loaded, by GCC's names, which LLVM's has as well; None without them."""
    library = ctypes.CDLL(None)
    if not all(hasattr(library, name) for name in NEEDED):
        return None
    library.GOMP_parallel_start.argtypes = (_Enter, ctypes.c_void_p, ctypes.c_uint)
    library.GOMP_parallel_start.restype = library.GOMP_parallel_end.restype = None
    # A forked child would wait for threads that it does not have.
    os.register_at_fork(before=lambda: library.omp_pause_resource_all(_SOFT))
    return library


def run(work: Callable[[], object], threads: int) -> bool:
    """Call `work` on this thread and on others at once; False, without a call, if there are none of PyTorch's.

    On others it must not raise.
    """
    if sys.platform != "linux" or "torch" not in sys.modules:
        return False
    library = _library()
    if library is None:
        return False
    enter = _Enter(lambda _: work())
    try:
        library.GOMP_parallel_start(enter, None, threads)  # Ctrl-C is raised after it, not within
        work()
    finally:
        library.GOMP_parallel_end()  # waits for the others
    return True
