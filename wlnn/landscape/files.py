"""Landscapes in run directories."""

from __future__ import annotations

from pathlib import Path

from wlnn.landscape.landscape import Landscape


def finished(directory) -> Landscape | None:
    """The landscape of a run directory if nothing is left to do there."""
    path = Path(directory) / "landscape.npz"
    landscape = Landscape.load(path) if path.exists() else None
    return landscape if landscape is not None and landscape.meta.get("finished") else None
