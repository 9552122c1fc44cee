"""Options and fixtures of every test."""

from __future__ import annotations

import signal

import numpy as np
import pytest


def pytest_addoption(parser):
    parser.addoption("--slow", action="store_true", help="also run the tests that take minutes")


def pytest_configure():
    """A job in the background of a script ignores Ctrl-C, and so would all that it starts."""
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(config, items):
    if config.getoption("--slow"):
        return
    skip = pytest.mark.skip(reason="takes minutes: give --slow to run it")
    for item in items:
        if "slow" in item.keywords:
            item.add_marker(skip)


def pytest_collection_finish():
    """Tests that call a compiled function by itself must not run what was made of an older text."""
    from wlnn.backend.cache import drop_stale

    drop_stale()


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture
def tiny_task():
    """A spiral task with 2-2-2 parameters and 4 + 4 points: everything is quick on it."""
    from wlnn.tasks.catalogue import load_task

    return load_task(
        "spiral-classify", seed=0, layers=1, width=2, points=4, x_low=-2, x_high=1, x_width=0.25
    )
