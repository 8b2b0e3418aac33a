"""Run kernels on tensors of a CPU."""
