"""Training: `train(job, cells)` returns an outcome for each cell, `fit(job, cell)` also the network.

`try_functions(job, cell)` tries the user's functions first; `pace` and `cost` measure without training.
"""

from slopes.comparing.training.cost import cost
from slopes.comparing.training.engine import fit, pace, train
from slopes.comparing.training.trial import try_functions

__all__ = ["cost", "fit", "pace", "train", "try_functions"]
