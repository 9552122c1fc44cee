"""What a section of the settings is: a frozen dataclass whose fields have limits and are checked.

It knows no section in particular.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import asdict, field, fields
from math import isfinite
from numbers import Real
from typing import ClassVar

from wlnn.base.errors import UserError

MOST = 10**15  # steps, or anything that is counted: three years at 100 ns each
WIDEST = 1e9  # any other number: settings are of order one in the units of their axes


def option(default, low=None, high=None, above=None, choices=None, why="", later=False):
    """A field with its limits: low <= value <= high, value > above, value among the choices.

    ``why`` is the reason of ``high``. Without one, numbers end where they can mean nothing: whole
    ones at :data:`MOST`, others at +- :data:`WIDEST`. ``later``: runs are on disk from before there
    was this option; see :meth:`Section.identity`.
    """
    limits = {"low": low, "high": high, "above": above, "choices": choices}
    limits |= {"why": why, "later": later}
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
    gone: ClassVar[dict] = {}  # options that are no more, and the value that meant nothing

    def __post_init__(self):
        for option in fields(self):
            value = self._checked(option, getattr(self, option.name))
            object.__setattr__(self, option.name, value)

    def identity(self) -> dict:
        """What two runs must share: all options but the later ones that stand at their default, so
        that a run from before goes on as what it is, and those that are gone."""
        values = asdict(self) | self.gone
        for option in fields(self):
            if option.metadata["later"] and values[option.name] == option.default:
                del values[option.name]
        return values

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
        low, high, above, why = (limits[name] for name in ("low", "high", "above", "why"))
        if high is None:
            high = MOST if kind is int else WIDEST
            why = "what is larger means nothing here"
        if above is None and value < (low := -high if low is None else low):
            raise self._refusal(option, f"{low:g} or more", value)
        if value > high:
            because = f" ({why})" if why else ""
            raise self._refusal(option, f"{high:g} or less{because}", value)
        if above is not None and value <= above:
            raise self._refusal(option, f"above {above:g}", value)
        return value

    def _refusal(self, option, wanted, value) -> UserError:
        return UserError(f"{self.name}.{option.name} must be {wanted}, not {_short(value)}.")


def _short(value) -> str:
    large = isinstance(value, int) and abs(value) > MOST
    return f"{float(value):g}" if large and abs(value) < 1e300 else repr(value)
