"""The loss cards, one module per task."""
