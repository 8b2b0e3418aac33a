"""Training: `train(job, cells)` returns an outcome for each cell, `fit(job, cell)` also the network."""

from slopes.comparing.training.engine import fit, train

__all__ = ["fit", "train"]
