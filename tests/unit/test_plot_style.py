"""Pictures for a journal: sizes, letters and colours, on a landscape made up for it."""

import numpy as np
import pytest
from command_line import run
from matplotlib.colors import to_rgb
from matplotlib.text import Text

from wlnn.landscape.grid import Axis, Grid
from wlnn.landscape.landscape import Landscape
from wlnn.report import plot
from wlnn.report.plot_style import CM, COLOURS, FORE, LEAST, STYLES, fitted, styled

GRID = Grid(Axis("ln train loss", -3.0, 1.0, 8), Axis.counts("test accuracy", 6))
SEEN = {  # Machado, Oliveira & Fernandes (2009), severity 1: what a colour is seen as, linear RGB
    "normal": np.eye(3),
    "protan": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216],
               [-0.003882, -0.048116, 1.051998]],
    "deutan": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413],
               [-0.011820, 0.042940, 0.968881]],
    "tritan": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602],
               [0.004733, 0.691367, 0.303900]],
}  # fmt: skip


@pytest.fixture(scope="module")
def landscape():
    """Three walkers; in one corner lies a bin that only one of them saw, far below all others."""
    rng = np.random.default_rng(0)
    x, y = np.meshgrid(GRID.x.centres, GRID.y.centres, indexing="ij")
    entropy = 6 * x - 20 * (y - 0.6) ** 2 + 0.1 * rng.normal(size=(3, *GRID.shape))
    entropy[1:, 0, 0] = np.nan
    entropy[0, 0, 0] = -500.0
    reliable = ~np.isnan(entropy).any(axis=0)
    meta = {"task": {"task": "made-up"}, "gauge": "box"}
    return Landscape(GRID, entropy, np.ones(GRID.shape, int), reliable, meta)


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("width", [8.6, 17.8])
def test_no_letter_is_too_small_and_the_width_is_kept(landscape, style, width):
    with styled(style):
        figure = fitted(plot.plot_landscape(landscape).figure, style, width)
    assert figure.get_size_inches()[0] == pytest.approx(width * CM)
    sizes = [text.get_fontsize() for text in figure.findobj(Text) if text.get_text()]
    assert min(sizes) >= LEAST
    titles = [ax.get_title() for ax in figure.axes if ax.get_title()]
    assert bool(titles) == (style != "paper")


def test_diagnostics_of_a_paper_have_letters_and_no_titles(landscape):
    with styled("paper"):
        figure = fitted(plot.plot_diagnostics(landscape), "paper", 17.2)
    said = [text.get_text() for ax in figure.axes for text in ax.texts]
    assert [word for word in said if word in "abcdef"] == list("abcdef")
    assert not any(ax.get_title() for ax in figure.axes)
    assert figure.get_suptitle() == figure.get_supxlabel() == ""


def test_what_not_all_walkers_saw_does_not_stretch_the_colours(landscape):
    low, high = plot.plot_landscape(landscape).figure.axes[1].get_ylim()  # of the colour bar
    reliable = landscape.entropy[landscape.reliable]
    assert (low, high) == pytest.approx((reliable.min(), reliable.max()))
    assert low > -100 > np.nanmin(landscape.entropy)


def test_the_legend_stands_beside_the_axes_and_names_the_band(landscape):
    ax = plot.plot_landscape(landscape)
    assert ax.get_legend() is None
    [legend] = ax.figure.legends
    words = [text.get_text() for text in legend.get_texts()]
    assert words == [
        "equilibrium accuracy", "95 % interval", "maximum entropy", "not reliable",
    ]  # fmt: skip
    ax.figure.draw_without_rendering()
    assert not legend.get_window_extent().overlaps(ax.get_window_extent())


def test_contours_lie_below_the_highest_of_each_row(landscape):
    plain = plot.plot_landscape(landscape)
    ax = plot.plot_landscape(landscape, contours=True)
    [contours] = [one for one in ax.collections if hasattr(one, "levels")]
    assert not [one for one in plain.collections if hasattr(one, "levels")]
    assert tuple(contours.levels) == plot.CONTOURS
    # S = 6 x - 20 (y - 0.6)^2: 2 nats below the top at y = 0.6 +- sqrt(0.1)
    lines = [path.vertices for path in [contours.get_paths()[2]] if len(path)]
    y = np.concatenate(lines)[:, 1]
    assert np.abs(np.abs(y - 0.6) - np.sqrt(0.1)).max() < 0.08


def distances(colours):
    """Least distance of two colours in CIE Lab, as each kind of eye sees them."""
    found = {}
    rgb = np.array([to_rgb(colour) for colour in colours])
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    to_xyz = np.array(
        [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
    )
    for name, matrix in SEEN.items():
        seen = np.clip(linear @ np.transpose(matrix), 0, 1)
        xyz = np.cbrt(np.maximum(seen @ np.transpose(to_xyz) / [0.9505, 1.0, 1.089], 1e-6))
        lab = np.stack(
            [116 * xyz[:, 1] - 16, 500 * (xyz[:, 0] - xyz[:, 1]), 200 * (xyz[:, 1] - xyz[:, 2])], 1
        )
        apart = np.linalg.norm(lab[:, None] - lab[None], axis=-1)
        found[name] = apart[np.triu_indices(len(colours), 1)].min()
    return found


def test_colours_are_told_apart_by_all_kinds_of_colour_vision():
    """5 is about twice what can just be seen; side by side 10 is plain."""
    for reference in ("#000000", FORE):  # on a light and on a dark screen
        assert min(distances([reference, *COLOURS]).values()) > 10
    assert min(distances([plot.MAGENTA, plot.INK, "#ffffff"]).values()) > 20
    bad = distances(["#d55e00", "#d62728", "#2ca02c"])  # the test can fail
    assert min(bad.values()) < 10


def test_the_command(tmp_path):
    from pathlib import Path

    golden = Path(__file__).parents[1] / "golden" / "runs" / "wlmc"
    out = tmp_path / "one.pdf"
    words = ("plot", golden, "--out", out, "--style", "paper", "--width-cm", "8.6", "--contours")
    done = run(*words)
    assert done.status == 0, done.err
    text = out.read_bytes()
    [box] = [part for part in text.split(b"/") if part.startswith(b"MediaBox")]
    assert float(box.split()[4]) == pytest.approx(72 * 8.6 / 2.54, abs=0.1)
    wrong = run("plot", golden, "--out", out, "--width-cm", "1")
    assert wrong.status == 2
    assert "--width-cm" in wrong.err
