"""Wrong samplers: small edits of the driver's own source text, and settings that are wrong.

Each names the exact cases that must catch it. A mutant is compiled under a module name of its own
and never reaches the disk cache. Nothing here is judged; see ``test_mutants.py``.
"""

from __future__ import annotations

import functools
import re
import sys
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

from wlnn.reference.judges import wlmc_replicas
from wlnn.wlmc import driver as real
from wlnn.wlmc import rules

FILES = rules, real, wlmc_replicas  # one text, in this order
OWN = "__future__|wlnn.wlmc.rules|wlnn.wlmc.driver"  # imports that the one text needs no more
# Lines of the driver that the edits change.
NEW = "new = theta[i] + width * (hi[i] - lo[i]) * (2.0 * u - 1.0)"
LEAVES_BOX = "        if new < lo[i] or new > hi[i]:"
OUT_OF_BOX = "            out_of_box += 1\n"
OUT_OF_WINDOW = "                out_of_window += 1\n"
NBX = "nbx = x_bin(system, bins, x_new)"
BX = "bx = min(max(x_bin(system, bins, x), 0), bins.nx - 1)"
NBY = "nby = y_bin(bins, y_new)"
INSIDE = "inside = nbx >= 0 and nbx < bins.nx and nby >= 0 and nby < bins.ny"
PLACE = "(x_value(system, x_new) - bins.x_limits[0]) * bins.x_per_bin"  # along x, in bins
DIFFERENCE = "difference = entropies[here] - entropies[there]"
DECIDED = "                if difference >= 0.0 or u"
LAST_UNIFORM = "                u = float(word >> np.uint64(11)) * _MANTISSA\n" + DECIDED
ENTER = "                    bx = nbx\n"
PRIOR = "difference += _ln_prior_ratio(theta[i], new, sigma[i])"
RAISE = "entropies[here] += stage.ln_f"
COUNT = "counts[here] += 1\n        # counters"  # of a walk, not of uniform draws
WORD = "    return word, (s0, s1, s2, s3)"
LCG = """    s0 = (s[0] * np.uint64(1103515245) + np.uint64(12345)) & np.uint64(0x7FFF)
    return s0 << np.uint64(49), (s0, s1, s2, s3)"""
REFLECT_HALF = """        if new < lo[i]:
            new = lo[i] + 0.5 * (lo[i] - new)
        elif new > hi[i]:
            new = hi[i] - 0.5 * (new - hi[i])
"""
REDRAW = f"""        while new < lo[i] or new > hi[i]:
            word, words = _next_word(words)
            u = float(word >> np.uint64(11)) * _MANTISSA
            {NEW}
"""


class Mutant(NamedTuple):
    """A wrong sampler: edits (old text, new text) of the driver, options of the judges."""

    name: str
    caught_by: str  # names of the judges in ``test_mutants.JUDGES``; the quickest comes first
    edits: tuple = ()
    options: tuple = ()  # (option of a judge, value)


def _twice(line: str, indent: int) -> tuple:
    again = " " * indent
    return ((line, f"{line}{again}{RAISE}\n{again}counts[here] += 1\n"),)


MUTANTS = [
    Mutant(
        "rejected moves not counted",
        "C A-R1 A-R2 R3 R4 R5",
        ((RAISE, f"{RAISE} * moved"), (COUNT, COUNT.replace("1", "moved", 1))),
    ),
    Mutant(
        "out of the box skipped",
        "A-R1 A-R2 R3",
        ((OUT_OF_BOX, f"{OUT_OF_BOX}            continue\n"),),
    ),
    Mutant("out of the box counted twice", "A-R1 A-R2", _twice(OUT_OF_BOX, 12)),
    Mutant(
        "out of the window skipped",
        "A-R2 A-R1",
        ((OUT_OF_WINDOW, f"{OUT_OF_WINDOW}                continue\n"),),
    ),
    Mutant("out of the window counted twice", "A-R2 A-R1", _twice(OUT_OF_WINDOW, 16)),
    Mutant(
        "clipped to the box",
        "A-R1 A-R2 R3",
        ((NEW, NEW.replace("new = ", "new = min(max(") + ", lo[i]), hi[i])"),),
    ),
    Mutant("redrawn until in the box", "A-R1 A-R2 R3", ((LEAVES_BOX, REDRAW + LEAVES_BOX),)),
    Mutant("half reflected", "A-R1 A-R2 R3", ((LEAVES_BOX, REFLECT_HALF + LEAVES_BOX),)),
    Mutant(
        "box 1 % too large",
        "A-R1 A-R2 R3",
        ((LEAVES_BOX, "        if new < 1.02 * lo[i] or new > 1.02 * hi[i]:"),),
    ),
    Mutant("proposals drift by 2 %", "A-R1 A-R2", ((NEW, NEW.replace("- 1.0", "- 0.98")),)),
    Mutant("one side 10 % shorter", "A-R2", ((NEW, NEW + " * (1.0 if u > 0.5 else 0.9)"),)),
    Mutant(
        "proposal proportional to theta",
        "C A-R1 A-R2 R3",
        ((NEW, "new = theta[i] * (1.0 + 2.0 * width * (2.0 * u - 1.0))"),),
    ),
    Mutant(
        "bins truncated towards zero",
        "A-R1*",
        ((NBX, f"{NBX}\n            if {PLACE} > -1.0:\n                nbx = max(nbx, 0)"),),
    ),
    Mutant(
        "bins clamped to the grid",
        "A-R1 A-R2 R3",
        (
            (INSIDE, "inside = True"),
            (NBX, NBX.replace("= ", "= min(max(") + ", 0), bins.nx - 1)"),
            (NBY, NBY.replace("= ", "= min(max(") + ", 0), bins.ny - 1)"),
        ),
    ),
    Mutant("x bins rounded", "A-R1 A-R2 R3", ((NBX, f"nbx = int(math.floor({PLACE} + 0.5))"),)),
    Mutant(
        "bins of a loss off by one",
        "R15 R4",
        ((NBX, f"{NBX} + 1"), (BX, BX.replace("x),", "x) + 1,"))),
    ),
    Mutant("accuracy bins off by one", "A-R2 R5 R15", ((NBY, f"{NBY} + 1"),)),
    Mutant(
        "accuracy of the previous state",
        "A-R2 R5",
        ((NBY, NBY.replace("y_new", "y")), (ENTER, f"{ENTER}                    y = y_new\n")),
    ),
    Mutant(
        "one random number used twice",
        "C A-R1 A-R2 R3",
        ((LAST_UNIFORM, DECIDED),),
    ),
    Mutant("prior left out of the acceptance", "R17", ((PRIOR, "difference += 0.0"),)),
    Mutant(
        "prior upside down",
        "R17",
        ((PRIOR, PRIOR.replace("theta[i], new", "new, theta[i]")),),
    ),
    Mutant("prior of another parameter", "R17", ((PRIOR, PRIOR.replace("[i])", "[0])")),)),
    Mutant("prior of half the weight", "R17", (("return 0.5 * (old", "return 0.25 * (old"),)),
    Mutant("15-bit random numbers", "C A-R1 A-R2", ((WORD, LCG),)),
    Mutant(
        "last parameter never moved",
        "C R3 R4 R5",
        (("* np.uint64(n_parameters))", "* np.uint64(n_parameters - 1))"),),
    ),
    Mutant(
        "S raised at the proposed bin",
        "C A-R1 A-R2 R3",
        (
            ("        moved = False\n", "        moved = False\n        there = here\n"),
            (RAISE, RAISE.replace("here", "there")),
            (COUNT, COUNT.replace("here", "there")),
        ),
    ),
    Mutant(
        "S of the old bin remembered",
        "R3 R4 R5",
        (
            ("    done = 0\n", "    done = 0\n    stale = entropies[here]\n"),
            (DIFFERENCE, DIFFERENCE.replace("entropies[here]", "stale")),
            (ENTER, f"{ENTER}                    stale = entropies[there]\n"),
        ),
    ),
    Mutant(
        "acceptance upside down",
        "C A-R1 A-R2 R3",
        ((DIFFERENCE, "difference = entropies[there] - entropies[here]"),),
    ),
    Mutant(
        "cache not restored after a move out of the window",
        "D A-R2",
        ((OUT_OF_WINDOW, f"{OUT_OF_WINDOW}                commit(system, theta, i, new)\n"),),
    ),
    Mutant(
        "cache not restored after a rejection",
        "D A-R2",
        (
            (
                "            else:\n" + OUT_OF_WINDOW,
                "            if not moved:\n                commit(system, theta, i, new)\n"
                "            if not inside:\n" + OUT_OF_WINDOW,
            ),
        ),
    ),
    Mutant("float32 caches", "D", options=(("precision", "float32"),)),
    Mutant(
        "step adapted at each move",
        "C R3",
        (("ADAPT_EVERY = 1_000", "ADAPT_EVERY = 1"),),
        (("step_rule", "paper"),),
    ),
    Mutant(
        "step adapted every sweep",
        "C R3 R4 R5",
        (("ADAPT_EVERY = 1_000", "ADAPT_EVERY = 4"),),
        (("step_rule", "paper"),),
    ),
    Mutant(
        "step adapted every 100 moves",
        "C R3",
        (("ADAPT_EVERY = 1_000", "ADAPT_EVERY = 100"),),
        (("step_rule", "paper"),),
    ),
    Mutant("step adapted every 1000 moves, never frozen", "C", options=(("step_rule", "paper"),)),
]


@functools.lru_cache(maxsize=1)
def driver(edits: tuple = ()) -> ModuleType:
    """A copy of the driver with the edits made; every old text must be there exactly once."""
    text = "\n".join(Path(file.__file__).read_text(encoding="utf-8") for file in FILES)
    for old, new in edits:
        found = text.count(old)
        if found != 1:
            raise AssertionError(f"the driver holds {found} times, not once: {old!r}")
        text = text.replace(old, new)
    text = re.sub(rf"^from (?:{OWN}) import (?:\([^)]*\)|.*)$", "", text, flags=re.MULTILINE)
    text = text.replace("cache=True", "cache=False")
    module = ModuleType("wlnn_mutant")
    module.__file__ = "<mutant of wlnn/wlmc/driver.py>"
    sys.modules[module.__name__] = module  # NamedTuple looks its module up by name
    exec(compile(text, module.__file__, "exec"), vars(module))
    return module
