"""Runs `wlnn` inside the test process, and the tiny problems that these tests sample."""

from __future__ import annotations

import hashlib
import io
import signal
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import NamedTuple

from wlnn.base.signals import SIGNALS
from wlnn.cli.main import main

BALL = '''
import numpy as np
import wlnn


def squares(theta):
    """x = |theta|^2, y = the first coordinate; plain Python, so nothing is compiled."""
    return float(theta @ theta), float(theta[0])


grid = wlnn.Grid(wlnn.Axis("square", 0.0, 2.5, 5), wlnn.Axis("first", -1.0, 1.5, 5))
problem = wlnn.Problem("ball", -np.ones(3), np.ones(3), grid, squares)
nothing = 3
'''
SHORT = ("--walkers", "2", "--steps", "1000", "--threads", "1", "--set", "wlmc.stages=8")
AVERAGE = ("--set", "wlmc.estimator=average", "--set", "wlmc.production=0.5")  # a file a walker
WIDE = ("--set", "wlmc.step_width=0.5")  # moves that reach every bin of the ball soon
SMOOTH = ("--set", "grid.y=smoothed-accuracy")  # has no compiled form: nothing to wait for
NETWORK = ("--layers", "1", "--width", "2", "--points", "8", *SMOOTH)


class Outcome(NamedTuple):
    """What a command left behind on the terminal."""

    status: int
    out: str
    err: str


def run(*arguments) -> Outcome:
    """`wlnn ARGUMENTS` as a shell would run it, in this process."""
    out, err = io.StringIO(), io.StringIO()
    before = {number: signal.getsignal(number) for number in SIGNALS}
    try:
        with redirect_stdout(out), redirect_stderr(err):
            main([str(argument) for argument in arguments])
    except SystemExit as end:
        status = end.code or 0
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    return Outcome(status, out.getvalue(), err.getvalue())


def contents(folder) -> dict[str, str]:
    """Path and hash of every file below a folder."""
    return {
        str(path): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(Path(folder).rglob("*"))
        if path.is_file()
    }
