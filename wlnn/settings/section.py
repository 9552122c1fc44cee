"""What a section of the settings is: a frozen dataclass whose fields have limits and are checked.

It knows no section in particular.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import field, fields
from math import isfinite
from numbers import Real

from wlnn.base.errors import UserError


def option(default, low=None, high=None, above=None, choices=None):
    """A field with its limits: low <= value <= high, value > above, value among the choices."""
    limits = {"low": low, "high": high, "above": above, "choices": choices}
    return field(default=default, metadata=limits)


def nearest(name: str, known: Iterable[str]) -> str:
    """How a sentence about an unknown name ends: with the known one that it resembles, or all."""
    close = difflib.get_close_matches(str(name), known := list(known), n=1)
    return f"; did you mean '{close[0]}'?" if close else f"; use one of {', '.join(known)}."


class KnownNames(type):
    """Of dataclasses that are made by people: an unknown name gets a sentence with the nearest."""

    def __call__(cls, *values, **options):
        """The dataclass with these fields."""
        known = [option.name for option in fields(cls)]
        for name in options:
            if name not in known:
                section = getattr(cls, "name", "")
                said = f"{section}.{name}" if section else f"section '{name}'"
                raise UserError(f"there is no {said}{nearest(name, known)}")
        return super().__call__(*values, **options)


class Section(metaclass=KnownNames):
    """Checks every field of the dataclass that inherits it; ``name`` is the table's section."""

    name = ""

    def __post_init__(self):
        for option in fields(self):
            value = self._checked(option, getattr(self, option.name))
            object.__setattr__(self, option.name, value)

    def _checked(self, option, value):
        limits, kind = option.metadata, type(option.default)
        if limits["choices"]:
            if value not in limits["choices"]:
                said = ", ".join(f"'{choice}'" for choice in limits["choices"])
                raise self._refusal(option, f"one of {said}", value)
            return limits["choices"][limits["choices"].index(value)]
        number = isinstance(value, Real) and not isinstance(value, bool)
        if kind is bool:
            if not isinstance(value, bool):
                raise self._refusal(option, "true or false", value)
            return value
        if kind is int:  # 6e7 in a table is a float
            if not number or not isfinite(value) or value != int(value):
                raise self._refusal(option, "a whole number", value)
            value = int(value)
        elif not number or not isfinite(value):
            raise self._refusal(option, "a number", value)
        else:
            value = float(value)
        low, high, above = limits["low"], limits["high"], limits["above"]
        if low is not None and value < low:
            raise self._refusal(option, f"{low:g} or more", value)
        if high is not None and value > high:
            raise self._refusal(option, f"{high:g} or less", value)
        if above is not None and value <= above:
            raise self._refusal(option, f"above {above:g}", value)
        return value

    def _refusal(self, option, wanted, value) -> UserError:
        return UserError(f"{self.name}.{option.name} must be {wanted}, not {value!r}.")
