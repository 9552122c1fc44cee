"""What motion asks of a system: two functions, chosen by the system's type.

    evaluate(system, theta) -> (x, y, accuracy)   keeps in its buffers what ``sweep`` needs
    sweep(system, ux, uy)                         writes the gradient of ux x + uy y

A system is a NamedTuple with a field ``gradient (P,)``; files that define one :func:`register` it
where they do. Nothing moves here.
"""

from __future__ import annotations

from wlnn.backend.dispatch import by_type

# sums may be reordered and multiply-adds fused; NaN and infinity keep their meaning, for the checks
FAST = {"reassoc", "contract", "nsz", "arcp"}


@by_type()
def evaluate(system, theta):
    """Collective variables and true accuracy (x, y, accuracy) at ``theta (P,)``."""


@by_type()
def sweep(system, ux, uy):
    """Fill ``system.gradient`` with the gradient of ux x + uy y at the last evaluated theta."""


_ASKED = evaluate, sweep


def register(kind: type, *, evaluate, sweep) -> None:
    """Teach the driver a system: the NamedTuple class ``kind`` and its two functions."""
    for function, taught in zip(_ASKED, (evaluate, sweep), strict=True):
        function.register(kind)(taught)
