"""Exact results, inputs over the whole range of a format, errors in ulps, and results of peers."""
