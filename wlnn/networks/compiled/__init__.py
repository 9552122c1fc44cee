"""The networks once more, as loops that Numba compiles; each names its NumPy definition."""
