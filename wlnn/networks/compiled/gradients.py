"""What motion asks of a system: two functions, chosen by the system's type.

    evaluate(system, theta) -> (x, y, accuracy)   keeps in its buffers what ``backward`` needs
    backward(system, ux, uy)                      writes the gradient of ux x + uy y

A system is a NamedTuple with a field ``gradient (P,)``; files that define one :func:`register` it
where they do. Nothing moves here.
"""

from __future__ import annotations

from wlnn.backend.dispatch import by_type

# Sums may be reordered and multiply-adds fused; NaN and infinity keep their meaning, for the
# checks. Which of it is done depends on what a function is compiled with. One that is called exists
# twice, made by itself and again within each loop on disk, and a process uses the one it loads
# first: the process that compiles would get other bits than all later ones. So whatever has FAST,
# or calls what has it, is forced into the loop (``forceinline``), and whole loops alone are kept on
# disk. Arithmetic without FAST has the same bits however it is compiled.
FAST = {"reassoc", "contract", "nsz", "arcp"}


@by_type(forceinline=True)
def evaluate(system, theta):
    """Collective variables and true accuracy (x, y, accuracy) at ``theta (P,)``."""


@by_type(forceinline=True)
def backward(system, ux, uy):
    """Fill ``system.gradient`` with the gradient of ux x + uy y at the last evaluated theta."""


_ASKED = evaluate, backward


def register(kind: type, *, evaluate, backward) -> None:
    """Teach the driver a system: the NamedTuple class ``kind`` and its two functions."""
    for function, taught in zip(_ASKED, (evaluate, backward), strict=True):
        function.register(kind)(taught)
