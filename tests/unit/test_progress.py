"""The progress line: when it speaks, in a log and on a terminal, and the time left it tells."""

import ctypes
import signal
import sys
import types
from itertools import pairwise

import pytest

from wlnn.base import progress
from wlnn.base.progress import Progress, duration
from wlnn.base.running import STOPPING, Clocks, stoppable
from wlnn.base.signals import SIGNALS, heard


class Bars:
    """What is used of tqdm's class."""

    shown, written = [], []

    def __init__(self, **how):
        self.how = how

    def set_postfix_str(self, text):
        self.shown.append((self.how["desc"], self.n, text))

    def close(self):
        self.shown.append("closed")

    @classmethod
    def write(cls, text, file):
        cls.written.append(text)


def test_a_bar_where_tqdm_is_and_somebody_looks(clock, monkeypatch, capsys):
    auto = types.SimpleNamespace(tqdm=Bars)
    monkeypatch.setitem(sys.modules, "tqdm", types.SimpleNamespace(auto=auto))
    monkeypatch.setitem(sys.modules, "tqdm.auto", auto)
    assert type(progress.bar("work")) is Progress  # a log
    monkeypatch.setitem(sys.modules, "ipykernel", None)
    with progress.bar("work") as line:
        for k in range(5):
            clock[0] = float(k)
            line(k, 4, f"step {k}")
        line.note("a note")
    assert Bars.shown == [
        ("work", 0.5, "2 s left  step 2"), ("work", 0.75, "1 s left  step 3"),
        ("work", 1.0, "step 4"), "closed",
    ]  # fmt: skip
    assert Bars.written == ["a note"]
    assert capsys.readouterr().err == ""
    monkeypatch.setitem(sys.modules, "tqdm.auto", None)  # not installed
    assert type(progress.bar("work")) is Progress


@pytest.fixture
def clock(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    return now


def lines_of_a_log(clock, capsys, seconds, calls=1000):
    """What work of so many seconds prints, with the time of each line."""
    found, clock[0] = [], 0.0
    with Progress("work") as report:
        for k in range(calls + 1):
            clock[0] = seconds * k / calls
            report(k, calls)
            found += [(clock[0], line) for line in capsys.readouterr().err.splitlines()]
    return found


def test_work_of_a_moment_passes_in_silence(clock, capsys):
    assert lines_of_a_log(clock, capsys, 1.9) == []


def test_a_log_gets_a_line_at_every_tenth(clock, capsys):
    found = [line for _, line in lines_of_a_log(clock, capsys, 50)]
    assert len(found) == 10
    assert found[4] == "work: 50 %, 25 s left"
    assert found[-1] == "work: 100 %"


def test_a_long_job_speaks_after_a_minute_and_never_falls_silent(clock, capsys):
    found = lines_of_a_log(clock, capsys, 200_000, calls=20_000)
    assert found[0] == (70.0, "work: 0 %, 2.3 days left")
    times = [time for time, _ in found]
    assert max(b - a for a, b in pairwise(times)) <= 1810


def test_time_left_is_judged_by_the_pace_since_the_first_call(clock, capsys):
    """A run that goes on from a checkpoint at 60 % knows its pace from what it did itself."""
    with Progress("work") as report:
        report(60, 100)
        clock[0] = 100.0
        report(70, 100, "text")
    assert capsys.readouterr().err == "work: 70 %, 5 min left  text\n"


def test_a_terminal_has_one_line_that_fits(clock, capsys, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    monkeypatch.setenv("COLUMNS", "30")
    with Progress("work") as report:
        for second in range(11):
            clock[0] = float(second)
            report(second, 10, "and much more to say than fits")
    out = capsys.readouterr().err
    assert out.count("\n") == 1
    assert all(len(line) == 29 for line in out.rstrip("\n").split("\r")[1:])


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.2, "1 s"), (8, "8 s"), (89, "89 s"), (90, "2 min"), (7200, "2.0 h"), (200_000, "2.3 days")],
)
def test_durations(seconds, words):
    assert duration(seconds) == words


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_cuts_compilation_short_and_is_heard_at_once(number):
    said, before = [], signal.getsignal(number)
    signal.signal(number, signal.default_int_handler)
    try:
        with stoppable() as stop:
            clocks = Clocks(lambda report: said.append(report.notes), None)
            with pytest.raises(KeyboardInterrupt), clocks.compiling():
                signal.raise_signal(number)
            assert stop[0] == 1
            assert said == [(STOPPING,)]
            signal.raise_signal(number)  # elsewhere the flag is enough
    finally:
        signal.signal(number, before)


def test_errors_that_an_interrupted_compiler_leaves_are_not_printed(monkeypatch):
    class HalfMade:
        """As objects of llvmlite whose making was cut short."""

        def __del__(self):
            del self.pointer

    def lose(module):
        HalfMade.__del__.__module__ = module
        HalfMade()

    said, before = [], signal.getsignal(signal.SIGINT)
    hook = lambda unraisable: said.append(unraisable.exc_type)  # noqa: E731
    monkeypatch.setattr(sys, "unraisablehook", hook)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with heard(lambda: None):
            pass
        assert sys.unraisablehook is hook  # where no signal came nothing is left behind
        with stoppable() as stop, heard(lambda: None):
            ctypes.CFUNCTYPE(None)(lambda: signal.raise_signal(signal.SIGINT))()
            assert stop[0] == 1
        lose("llvmlite.binding.ffi")
        assert said == []
        ctypes.CFUNCTYPE(None)(lambda: int("x"))()
        lose("somebody.else")
        assert said == [ValueError, AttributeError]
    finally:
        signal.signal(signal.SIGINT, before)


def test_a_closed_terminal_is_no_error(monkeypatch):
    class Closed:
        def isatty(self):
            return False

        def write(self, _):
            raise OSError(5, "Input/output error")

    monkeypatch.setattr("sys.stderr", Closed())
    with Progress("sampling", 0.0) as progress:
        progress.note("a note")
        progress(1, 1)


def test_the_time_that_compiling_took_is_no_pace(monkeypatch):
    now, said = [0.0], []
    monkeypatch.setattr("wlnn.base.running.time.monotonic", lambda: now[0])
    clocks = Clocks(said.append, None)
    with clocks.compiling():
        now[0] += 90  # of the compiler
    now[0] += 1
    clocks.saw(0.1, lambda: "", None)
    assert said[-1].seconds_left == pytest.approx(9)


def test_what_waits_is_saved_when_nothing_more_comes(monkeypatch):
    now, saved = [0.0], []
    monkeypatch.setattr("wlnn.base.running.time.monotonic", lambda: now[0])
    clocks = Clocks(None, saved.append)
    for second, part, state in [
        (1.0, 0.1, "a"),  # not five seconds since the beginning
        (3.4, 0.1, "a"),
        (3.6, 0.1, "a"),  # nothing new: it is saved
        (6.5, 0.1, "a"),  # once
        (7.0, 0.2, "b"),
        (8.5, 0.3, "c"),  # as long as something comes, every five seconds
        (8.7, 0.4, "d"),
        (9.0, 0.4, "d"),
    ]:
        now[0] = second
        clocks.saw(part, str, state)
    assert saved == ["a", "d"]


def test_checkpoints_that_take_long_are_written_less_often(monkeypatch):
    now, saved = [0.0], []

    def save(_):
        saved.append(now[0])
        now[0] += 4  # as those of nine million bins

    monkeypatch.setattr("wlnn.base.running.time.monotonic", lambda: now[0])
    clocks = Clocks(None, save)
    while now[0] < 200:
        now[0] += 1
        clocks.saw(now[0] / 1000, lambda: "", None)
    assert saved == [6, 47, 88, 129, 170]
