"""Networks trained by SGD and Adam, and how they differ from equilibrium."""
