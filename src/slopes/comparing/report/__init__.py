"""HTML page of a study."""

from slopes.comparing.report.page import render, write

__all__ = ["render", "write"]
