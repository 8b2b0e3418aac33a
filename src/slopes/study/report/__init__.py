"""HTML page of a study."""

from slopes.study.report.page import render, write

__all__ = ["render", "write"]
