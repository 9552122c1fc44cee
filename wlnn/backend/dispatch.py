"""Functions chosen by the type of their first argument: one text for plain Python and for Numba.

Numba compiles a loop once for each type, and the choice is made then: it costs nothing in the loop.
What the functions compute is not known here.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import wraps
from types import CellType, FunctionType

from numba import njit
from numba.core.registry import CPUDispatcher
from numba.extending import overload


def by_type(**jit_options) -> Callable:
    """Decorator: the function calls what the type of its first argument was taught.

    The text below it is its signature and docstring alone. ``function.register(*kinds)``, itself a
    decorator, teaches it what to call for NamedTuple classes; ``jit_options`` are those of
    :func:`numba.extending.overload`.
    """

    def decorate(declared: Callable) -> Callable:
        taught: dict[type, Callable] = {}

        @wraps(declared)
        def function(*arguments):
            return taught[type(arguments[0])](*arguments)

        def chosen(*types):
            return taught[types[0].instance_class]

        def register(*kinds):
            def teach(text):
                taught.update(dict.fromkeys(kinds, text))
                return text

            return teach

        chosen.__signature__ = inspect.signature(declared)  # Numba compares names of parameters
        overload(function, jit_options=jit_options)(chosen)
        function.register = register
        return function

    return decorate


def with_ends(compiled: Callable, known: dict | None = None) -> Callable:
    """A user's compiled function once more, so that reading beyond an array is an IndexError.

    The compiled functions that it calls by a name of its module, or of the function around it,
    are made once more likewise; those reached in another way (``module.function``) read as ever.
    """
    known = {} if known is None else known
    if compiled in known:
        return known[compiled]
    own = compiled.py_func
    scope, cells = dict(own.__globals__), tuple(CellType() for _ in own.__closure__ or ())
    twin = FunctionType(own.__code__, scope, own.__name__, own.__defaults__, cells or None)
    known[compiled] = njit(boundscheck=True)(twin)  # before what it calls: that may call it

    def again(value):
        return with_ends(value, known) if isinstance(value, CPUDispatcher) else value

    scope.update({name: again(scope[name]) for name in own.__code__.co_names if name in scope})
    for cell, before in zip(cells, own.__closure__ or (), strict=True):
        cell.cell_contents = again(before.cell_contents)
    return known[compiled]
