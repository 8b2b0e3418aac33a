"""The arithmetic that kernels call, for Numba to compile."""
