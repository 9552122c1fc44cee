"""What every long run shares: one report, the flag that Ctrl-C sets, and the clocks of a run.

What runs, and on what, is not known here; :mod:`wlnn.base.pool` has the loop over units of work.
"""

from __future__ import annotations

import math
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import NamedTuple

import numpy as np

from wlnn.base.errors import UserError
from wlnn.base.signals import SIGNALS, cut_short, heard

SAVE_SECONDS = 5.0  # between two checkpoints
REST_SECONDS = 2.5  # without anything new, after which what came is saved
SAVE_SHARE = 0.1  # of the time that saving may take: those of millions of bins are gigabytes
REPORT_SECONDS = 0.5  # between two reports
COMPILING = "compiling (once per kind of network; later runs load what it made)"
STOPPING = "stopping as soon as the compiler comes up for air; nothing is lost"
PATIENCE = 1.5  # seconds of compiling before anything is said
_RAISE = signal.default_int_handler


class Report(NamedTuple):
    """Where a run stands; handed to the ``report`` function about twice a second."""

    part: float  # of the whole run
    seconds_left: float = math.nan  # nan until it can be told
    line: str = ""  # how far the sampler has come, in a few words
    notes: tuple[str, ...] = ()  # what should be told once, each on a line of its own


class Interrupted(Exception):  # noqa: N818 - no error
    """The run was stopped; ``result`` is what there is of it, or None.

    Examples:
        >>> import wlnn
        >>> small = dict(length="quick", layers=1, width=2, points=8, threads=1, progress=False)
        >>> try:
        ...     found = wlnn.run("spiral-classify", **small, steps=2e4, directory="runs/small")
        ... except wlnn.Interrupted as stopped:  # Ctrl-C; the same call goes on
        ...     found = stopped.result
        >>> found.n_walkers
        4
    """

    def __init__(self, result=None):
        super().__init__("interrupted")
        self.result = result


@contextmanager
def stoppable() -> Iterator[np.ndarray]:
    """A flag ``(1,)`` that Ctrl-C sets, where it would raise KeyboardInterrupt at any moment.

    It is 1 then, and 2 after another Ctrl-C, of somebody who does not want to wait.
    Taken over is every signal that would raise it (a program may have made SIGTERM one of them).
    While Numba compiles it is raised still, since nothing looks at the flag then.
    """
    stop = np.zeros(1, np.uint8)

    def stopped(*_) -> None:
        stop.fill(min(stop[0] + 1, 2))
        if cut_short.is_set():
            raise KeyboardInterrupt

    ours = []
    if threading.current_thread() is threading.main_thread():
        ours = [number for number in SIGNALS if signal.getsignal(number) is _RAISE]
    try:
        for number in ours:
            signal.signal(number, stopped)
        yield stop
    finally:
        for number in ours:
            signal.signal(number, _RAISE)


class Clocks:
    """When a run saves and when it speaks; neither changes a bit of what comes out.

    Args:
        report: called with a :class:`Report`, or None.
        save: writes the states it is given; None where nothing is written.
        part: of the whole run that was done before.
    """

    def __init__(self, report: Callable[[Report], None] | None, save: Callable | None, part=0.0):
        self.report, self.save, self.first = report or (lambda _: None), save, part
        self.begun = self.saved = time.monotonic()
        self.took = 0.0  # seconds of the last checkpoint
        self.said = -math.inf
        self.part = self.kept = part  # what was seen last, and what is saved
        self.came = self.begun
        self.latest = None

    def tell(self, notes: tuple[str, ...]) -> None:
        """What should be known before anything runs."""
        if notes:
            self.report(Report(self.first, notes=notes))

    def saw(self, part: float, line: Callable[[], str], states, notes: tuple[str, ...] = ()):
        """Something was done: save and report if it is time to, and at the end.

        Called again with nothing new, it saves what waits: the next may be half a minute away.
        """
        now, self.latest = time.monotonic(), states
        if part != self.part:
            self.part, self.came = part, now
        pause = max(SAVE_SECONDS, self.took * (1 / SAVE_SHARE - 1))
        due = now - self.saved > pause or now - self.came > REST_SECONDS
        if self.save is not None and part != self.kept and due:
            self.save(states)
            self.saved, self.kept = time.monotonic(), part
            self.took = self.saved - now
        if notes or part >= 1 or now - self.said > REPORT_SECONDS:
            self.said, before = now, part - self.first
            left = (now - self.begun) * (1 - part) / before if before > 0 else math.nan
            self.report(Report(part, left, line(), notes))

    @contextmanager
    def saving(self) -> Iterator[None]:
        """Save what was seen last if what happens inside fails."""
        try:
            yield
        except BaseException:
            if self.save is not None and self.latest is not None:
                with suppress(UserError):  # it may be the saving that failed
                    self.save(self.latest)
            raise

    @contextmanager
    def compiling(self, note: str = COMPILING) -> Iterator[None]:
        """Say that Numba compiles, if what happens inside takes long, and that Ctrl-C was heard."""

        def tell(said: str) -> None:
            self.report(Report(self.first, notes=(said,)))

        timer = threading.Timer(PATIENCE, tell, (note,))
        timer.daemon = True
        timer.start()
        begun = time.monotonic()
        try:
            with heard(lambda: tell(STOPPING)):
                yield
        finally:
            timer.cancel()
            self.begun += time.monotonic() - begun  # no part of the pace, which is that of steps
