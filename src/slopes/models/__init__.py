"""The activations of a model: listed, found, replaced, and recorded while the model runs."""
