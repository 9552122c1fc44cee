"""Rows of cells as lines of text with aligned columns; it knows nothing of what they mean."""

from __future__ import annotations

from collections.abc import Sequence

INTERVAL = "± is half the 95 % interval"  # what tables say below them
ERROR = "± is one standard error"


def aligned(rows: Sequence[Sequence[str]], notes: bool = False) -> list[str]:
    """A line for each row: columns two spaces apart, cells to the right of their column.

    With ``notes`` the last column begins on the left. Blanks at the ends of lines are kept.
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    if notes:
        widths[-1] = 0
    return ["  ".join(map(str.rjust, row, widths)) for row in rows]
