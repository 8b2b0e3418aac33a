"""Run kernels on a GPU, by Triton."""
