"""Streams of random numbers: which key belongs to what. Nothing is drawn here.

A stream depends on the seed of a run and on a key, most often (number of a walker, of a stage or
record of it), so that no stream depends on how far another was read.
"""

from __future__ import annotations

import numpy as np

# In the place of a walker's number, which is far below.
ANCHOR = 2**31 - 1  # uniform draws of the box, which fix the zero of S
TRAININGS = 2**31 - 2  # leads the keys of all trainings; those of walkers and data are shorter
EXCHANGES = 2**31 - 3  # of replicas
THEORY = 2**30  # random directions of the theory beside a sampled landscape


def words_of(seed: int, *key: int) -> np.random.SeedSequence:
    """The words from which the stream ``key`` of a seed begins."""
    return np.random.SeedSequence(seed, spawn_key=key)


def generator(seed: int, *key: int) -> np.random.Generator:
    """A generator of the stream ``key`` of a seed."""
    return np.random.default_rng(words_of(seed, *key))
