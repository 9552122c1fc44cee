"""The one file of styles: fonts, widths and colours of pictures for a screen, a journal, a slide.

A style is in force while a picture is drawn and written: ``with styled("paper"): ...``.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from matplotlib import rc_context, rcParams
from matplotlib.figure import Figure
from matplotlib.text import Text

CM = 1 / 2.54  # inches
LEAST = 7.0  # points at the printed size: what journals ask for
DPI = 200  # of pixels, where a style says nothing else
FORE, BACK = "#e6e6e6", "#15171a"  # of a dark screen, as in page_style.py
# Okabe and Ito's colours beside black or white, which all kinds of colour vision tell apart
COLOURS = ("#d55e00", "#0072b2", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
TITLED = ("screen", "slide", "dark")  # others have a caption that says what is to be seen
STYLES = {
    "screen": {},
    "paper": {
        "font.size": 8.0,
        "axes.titlesize": 8.0,
        "axes.linewidth": 0.6,
        "xtick.major.width": 0.6,
        "ytick.major.width": 0.6,
        "savefig.dpi": 600,
        "pdf.fonttype": 42,  # letters that can be searched and edited
        "svg.fonttype": "none",
    },
    "slide": {"font.size": 15.0, "axes.linewidth": 1.2, "lines.linewidth": 2.5},
    "dark": {
        **dict.fromkeys(("figure.facecolor", "axes.facecolor", "savefig.facecolor"), BACK),
        **dict.fromkeys(
            ("text.color", "axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color"), FORE
        ),
        "legend.edgecolor": FORE,
    },
}


@contextmanager
def styled(name: str) -> Iterator[None]:
    """Draw and write in one of :data:`STYLES`."""
    with rc_context(STYLES[name]):
        yield


def ink() -> str:
    """The colour of text and lines on the background of the style in force."""
    return rcParams["text.color"]


def dpi() -> int:
    """Pixels per inch of the style in force."""
    asked = rcParams["savefig.dpi"]
    return DPI if asked == "figure" else int(asked)


def fitted(figure: Figure, style: str, width_cm: float | None = None) -> Figure:
    """The figure as wide as it will be printed, no letter below 7 points.

    Its shape stays. In a style with a caption titles and the line of provenance are left out; the
    run directory and the page of `wlnn report` have what they say.
    """
    if style not in TITLED:
        for ax in figure.axes:
            ax.set_title("")
        if figure.get_suptitle():
            figure.suptitle("").set_in_layout(False)
        if figure.get_supxlabel():
            figure.supxlabel("").set_in_layout(False)
    if width_cm is not None:
        width, height = figure.get_size_inches()
        figure.set_size_inches(width_cm * CM, height * width_cm * CM / width)
    for text in figure.findobj(Text):
        if text.get_fontsize() < LEAST:
            text.set_fontsize(LEAST)
    return figure
