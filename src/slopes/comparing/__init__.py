"""Studies that train a network for every activation x loss.

Names load on first use, so that the command line reads the options without torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from slopes.comparing.across import Benchmark as Benchmark
    from slopes.comparing.across import compare_tasks as compare_tasks
    from slopes.comparing.api import compare as compare
    from slopes.comparing.errors import StudyError as StudyError
    from slopes.comparing.estimating import Estimate as Estimate
    from slopes.comparing.estimating import estimate as estimate
    from slopes.comparing.pair import Run as Run
    from slopes.comparing.progress import Progress as Progress
    from slopes.comparing.study import Study as Study

_HOMES = {
    "Benchmark": "across", "Estimate": "estimating", "Progress": "progress", "Run": "pair", "Study": "study",
    "StudyError": "errors", "compare": "api", "compare_tasks": "across", "estimate": "estimating",
}  # fmt: skip
__all__ = ["Benchmark", "Estimate", "Progress", "Run", "Study", "StudyError", "compare", "compare_tasks", "estimate"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
