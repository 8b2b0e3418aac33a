"""Comparing: trains a real network for every activation x loss asked for, and shows what the choice changed.

`compare` is the whole of it; a `Study` is what it gives, `StudyError` what it raises where the record or the
output folder will not do. Nothing heavy loads before a study starts.
"""

from slopes.study.compare import compare
from slopes.study.errors import StudyError
from slopes.study.progress import Progress
from slopes.study.results import Run, Study

__all__ = ["Progress", "Run", "Study", "StudyError", "compare"]
