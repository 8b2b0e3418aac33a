"""The threads of PyTorch, which are OpenMP's, run other work, too.

After an operation they look for the next one in a loop, for milliseconds, and any other thread waits for a processor.
"""

from __future__ import annotations

import ctypes
import os
import sys
import threading
from collections.abc import Callable
from functools import lru_cache
from typing import Any

_SOFT = 1  #: OpenMP's omp_pause_soft
_Enter = ctypes.CFUNCTYPE(None, ctypes.c_void_p)


@lru_cache
def _library() -> Any:
    """The OpenMP library that PyTorch has loaded, by GCC's names, which LLVM's has as well; None without them."""
    library = ctypes.CDLL(None)
    if not (hasattr(library, "GOMP_parallel") and hasattr(library, "omp_pause_resource_all")):
        return None
    library.GOMP_parallel.argtypes = (_Enter, ctypes.c_void_p, ctypes.c_uint, ctypes.c_uint)
    library.GOMP_parallel.restype = None
    # A forked child would wait for threads that it does not have.
    os.register_at_fork(before=lambda: library.omp_pause_resource_all(_SOFT))
    return library


def run(work: Callable[[], object], threads: int) -> bool:
    """Call `work` on this thread and on others at once; False, without a call, if there are none of PyTorch's.

    An error in one is raised.
    """
    if sys.platform != "linux" or "torch" not in sys.modules:
        return False
    library = _library()
    if library is None:
        return False
    entered: list[int] = []
    errors: list[BaseException] = []

    def enter(_: Any) -> None:
        try:
            entered.append(threading.get_ident())
            work()
        except BaseException as error:  # ctypes would print it
            errors.append(error)

    library.GOMP_parallel(_Enter(enter), None, threads, 0)
    if errors:
        raise errors[0]
    if threading.get_ident() not in entered:  # Ctrl-C came before the first line
        raise KeyboardInterrupt
    return True
