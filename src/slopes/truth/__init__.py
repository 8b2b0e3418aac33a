"""Exact results, inputs over whole formats, errors in ulps, and results of peers."""
