"""Print programs as the source of kernels."""
