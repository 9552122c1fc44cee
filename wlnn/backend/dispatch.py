"""Functions chosen by the type of their first argument: one text for plain Python and for Numba.

Numba compiles a loop once for each type, and the choice is made then: it costs nothing in the loop.
What the functions compute is not known here.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import wraps

from numba import njit
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


def with_ends(compiled: Callable) -> Callable:
    """A user's compiled function once more, so that reading beyond an array is an IndexError.

    What it calls is compiled already, and reads as ever.
    """
    return njit(boundscheck=True)(compiled.py_func)
