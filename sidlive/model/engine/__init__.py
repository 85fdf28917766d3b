"""The engine: it generates frames from int8 weights with numba kernels, without torch."""
