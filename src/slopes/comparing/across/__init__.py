"""Several tasks in one comparison: studies of each, and ranks over all."""

from slopes.comparing.across.benchmark import Benchmark, compare_tasks

__all__ = ["Benchmark", "compare_tasks"]
