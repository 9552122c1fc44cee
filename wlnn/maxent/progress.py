"""A line of progress with the time left, for work longer than two seconds; it computes nothing."""

from __future__ import annotations

import sys
import time


class Progress:
    """Call it with (done, total) as often as you like; it prints to stderr now and then.

    On a terminal one line is rewritten twice a second; in a log a line is printed every 15 s. The
    time left is judged by the pace since the first call, so that compilation does not count.
    """

    def __init__(self, what: str):
        self.what = what
        self.started = self.printed = time.monotonic()
        self.first: tuple[float, float] | None = None  # time and work done at the first call
        self.terminal = sys.stderr.isatty()
        self.open_line = False

    def __call__(self, done: float, total: float) -> None:
        """``done`` of ``total`` units of work are behind us."""
        now = time.monotonic()
        if self.first is None:
            self.first = now, done
        begun, before = self.first
        if now - self.started < 2 or not before < done < total:
            return
        if now - self.printed < (0.5 if self.terminal else 15):
            return
        self.printed = now
        left = (now - begun) * (total - done) / (done - before)
        line = f"{self.what}: {100 * done / total:.0f} % done, about {duration(left)} left"
        print(f"\r{line:<70}" if self.terminal else line, end="", file=sys.stderr)
        print("" if self.terminal else "\n", end="", file=sys.stderr, flush=True)
        self.open_line = self.terminal

    def close(self) -> None:
        """End the rewritten line."""
        if self.open_line:
            print(file=sys.stderr, flush=True)
            self.open_line = False


def duration(seconds: float) -> str:
    """Seconds as people say them: ``8 s``, ``3 min``, ``2.1 h``."""
    if seconds < 90:
        return f"{max(seconds, 1):.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
