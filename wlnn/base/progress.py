"""Progress on stderr with the time left: one rewritten line on a terminal, few lines in a log.

For runs from Python a bar of tqdm, where it is installed. It computes and decides nothing.
"""

from __future__ import annotations

import contextlib
import math
import shutil
import sys
import time
import warnings

PATIENCE = 0.5  # seconds between two rewritings of the line
PARTS = 10  # lines in a log, from nothing done to all ...
SOON, SELDOM = 60.0, 1800.0  # ... and one after so many seconds, then one at least every so many


class Progress:
    """Call it with (done, total) as often as you like; close it at the end (or use ``with``).

    Examples:
        >>> import wlnn
        >>> with wlnn.Progress("counting") as line:  # on stderr, where it takes two seconds or more
        ...     for done in range(1, 1001):
        ...         line(done, 1000)

    Args:
        what: leads the line.
        quiet: seconds before anything is shown; work that takes less passes in silence.
    """

    def __init__(self, what: str, quiet: float = 2.0):
        self.what, self.quiet = what, quiet
        self.started = time.monotonic()
        self.shown = -math.inf
        self.part = 0
        self.due = self.started + SOON
        self.first: tuple[float, float] | None = None  # time and work done at the first call
        self.terminal = sys.stderr.isatty()
        self.open_line = False
        self.told: set[str] = set()

    def report(self, state) -> None:
        """Show a :class:`wlnn.base.running.Report`: each of its notes once, then its line."""
        for note in state.notes:
            if note not in self.told:
                self.told.add(note)
                self.note(f"  {note}")
        if state.line or not state.notes:
            self(state.part, 1.0, state.line, state.seconds_left)

    def __call__(self, done: float, total: float, text: str = "", left: float = math.nan) -> None:
        """``done`` of ``total`` units of work are behind us; ``text`` says more.

        ``left`` is the number of seconds to the end; if NaN it is judged by the pace since the
        first call.
        """
        now = time.monotonic()
        if self.first is None:
            self.first, self.part = (now, done), int(PARTS * done / total)
        begun, before = self.first
        if now - self.started < self.quiet or not 0 < done <= total:
            return
        if math.isnan(left) and done > before:
            left = (now - begun) * (total - done) / (done - before)
        rest = f", {duration(left)} left" if not math.isnan(left) and done < total else ""
        rest += f"  {text}" if text else ""
        if self.terminal:
            if now - self.shown > PATIENCE or done == total:
                self.shown = now
                self._rewrite(done / total, rest)
        elif int(PARTS * done / total) > self.part or now > self.due:
            self.part, self.due = int(PARTS * done / total), now + SELDOM
            _say(self._words(done / total, rest))

    def note(self, text: str) -> None:
        """A line of its own, at once."""
        self.close()
        _say(text)

    def close(self) -> None:
        """End the rewritten line."""
        if self.open_line:
            _say("")
            self.open_line = False

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def _words(self, part: float, rest: str) -> str:
        return f"{self.what}: " * bool(self.what) + f"{100 * part:.0f} %{rest}"

    def _rewrite(self, part: float, rest: str) -> None:
        width = shutil.get_terminal_size().columns - 1  # a line that wraps cannot be rewritten
        _say(f"\r{self._words(part, rest)[:width]:<{width}}", end="")
        self.open_line = True


class Bar(Progress):
    """The same as a bar of tqdm, on a terminal or in a notebook; ``tqdm`` is its class."""

    def __init__(self, what: str, tqdm, quiet: float = 2.0):
        super().__init__(what, quiet)
        self.tqdm, self.bar, self.terminal = tqdm, None, True

    def note(self, text: str) -> None:
        """A line of its own, above the bar."""
        self.tqdm.write(text, file=sys.stderr)

    def close(self) -> None:
        """Leave the bar as it is."""
        if self.bar is not None:
            self.bar.close()
            self.bar = None

    def _rewrite(self, part: float, rest: str) -> None:
        if self.bar is None:
            form = "{desc}: {percentage:.0f} %|{bar}|{postfix}"
            self.bar = self.tqdm(total=1.0, desc=self.what, bar_format=form, file=sys.stderr)
        self.bar.n = part
        self.bar.set_postfix_str(rest.lstrip(", "))


def bar(what: str) -> Progress:
    """A bar where tqdm is installed and somebody looks: a terminal or a notebook; else the line."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a notebook without widgets gets a bar of characters
            from tqdm.auto import tqdm
    except ImportError:
        return Progress(what)
    seen = sys.stderr.isatty() or "ipykernel" in sys.modules
    return Bar(what, tqdm) if seen else Progress(what)


def _say(words: str, end: str = "\n") -> None:
    with contextlib.suppress(OSError):  # a closed terminal is no reason to lose what is computed
        print(words, end=end, file=sys.stderr, flush=True)


def duration(seconds: float) -> str:
    """Seconds as people say them: ``8 s``, ``3 min``, ``2.1 h``, ``4.5 days``."""
    if seconds < 90:
        return f"{max(seconds, 1):.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h" if seconds < 172_800 else f"{seconds / 86_400:.1f} days"
