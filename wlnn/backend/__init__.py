"""What knows the machine: Numba's cache and dispatch, explicit vectors, fast binning."""
