"""The activations of a model: which there are, how they are found, replaced, and recorded while the model runs.

`slopes.swap`, `slopes.compare` and `slopes.diagnose` stand on this.
"""
