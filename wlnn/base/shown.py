"""How a result shows itself at a prompt and in a notebook: by the view in `report/shown.py`.

Results are made on lower floors than their view; they find it by name, as the front door finds
what it hands out, and only when somebody looks.
"""

from __future__ import annotations

from importlib import import_module

VIEW = "wlnn.report.shown"


def in_words(thing) -> str:
    """Six lines at most: the ``__repr__`` of results."""
    return "\n".join(import_module(VIEW).words(thing))


def in_html(thing) -> str:
    """The same with a small picture: the ``_repr_html_`` of results."""
    return import_module(VIEW).html(thing)
