"""Execution of chunks of cells: in this process, in worker processes, by any executor, or on a Dask cluster."""

from slopes.comparing.executing.dispatch import Done, Failed, outcomes

__all__ = ["Done", "Failed", "outcomes"]
