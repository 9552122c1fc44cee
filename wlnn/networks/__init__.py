"""Networks as the papers define them: layers, losses, forward and backward passes in NumPy."""
