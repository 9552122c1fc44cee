"""Whole runs: what run.json holds, how directories are called, where results are found."""
