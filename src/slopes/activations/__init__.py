"""The activation cards, one module per family."""
