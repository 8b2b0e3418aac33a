"""Where chunks of cells are trained: in this process, in worker processes, by any executor, or on a Dask cluster.

`outcomes` is the whole of it. Nothing here writes the record, and nothing here knows how training is done.
"""

from slopes.study.executing.dispatch import Done, Failed, outcomes

__all__ = ["Done", "Failed", "outcomes"]
