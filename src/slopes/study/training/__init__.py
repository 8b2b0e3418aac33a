"""Training: `train(job, cells)` gives an outcome for each cell, `fit(job, cell)` the network as well."""

from slopes.study.training.engine import fit, train

__all__ = ["fit", "train"]
