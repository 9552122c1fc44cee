"""Wang-Landau Monte Carlo: one parameter moves at a time."""
