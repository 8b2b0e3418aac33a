"""Training: `train(job, cells)` returns an outcome for each cell, `fit(job, cell)` also the network.

`try_functions(job, cell)` tries the user's functions first.
"""

from slopes.comparing.training.engine import fit, train
from slopes.comparing.training.trial import try_functions

__all__ = ["fit", "train", "try_functions"]
