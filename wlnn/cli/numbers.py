"""Numbers of the command line: what a text must be to be one. Knows no option."""

from __future__ import annotations

import math

import click

from wlnn.base.errors import UserError
from wlnn.settings.section import MOST


class Number(click.ParamType):
    """A finite number, whole ones as int; 6e7 is one too, and the settings check the rest."""

    name = "number"

    def __init__(self, low: float = -math.inf, high: float = math.inf):
        self.low, self.high = low, high

    def convert(self, value, param, ctx):
        """The number of a text."""
        try:
            found = int(value) if str(value).strip().lstrip("+-").isdecimal() else number(value)
            if self.low <= found <= self.high:
                return found
            self.fail(f"{value} does not lie from {self.low:g} to {self.high:g}.", param, ctx)
        except ValueError:
            self.fail(f"'{value}' is no finite number; write 7, 0.01 or 1e6.", param, ctx)


class Count(click.IntRange):
    """A whole number between limits; 1e6 is one too."""

    def convert(self, value, param, ctx):
        """The whole number of a text."""
        try:
            found = NUMBER["type"].convert(value, param, ctx)
        except click.BadParameter:
            found = math.nan
        if found != found or found != int(found):
            self.fail(f"'{value}' is no whole number; write 7 or 1e6.", param, ctx)
        if abs(found) > MOST:
            self.fail(f"{value} is more than {MOST:g}, and means nothing here.", param, ctx)
        return super().convert(int(found), param, ctx)


def number(text) -> float:
    """The finite number that a text is; ValueError for anything else."""
    if not math.isfinite(value := float(text)):
        raise ValueError(text)
    return value


NUMBER = {"type": Number(), "metavar": "N"}


def whole_number(option: str, value: float) -> int:
    """The whole number of 0 or more that an option is; UserError for any other."""
    if value != int(value) or value < 0:
        raise UserError(f"{option} must be a whole number of 0 or more, not {value:g}.")
    return int(value)


def numbers(option: str, text: str, count: int) -> list[float]:
    """The ``count`` numbers of an option's value "a,b"; UserError for anything else."""
    try:
        found = [number(part) for part in text.split(",")]
    except ValueError:
        found = []
    if len(found) != count:
        wanted = "a finite number" if count == 1 else f"{count} finite numbers, as in 1,2"
        raise UserError(f"{option} must be {wanted}, not '{text}'.")
    return found
