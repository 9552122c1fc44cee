import warnings

import numpy as np
import pytest
from matplotlib import colormaps
from matplotlib.colors import Normalize, to_rgb

from wlnn.base.errors import UserError
from wlnn.landscape.grid import Axis, Grid
from wlnn.landscape.landscape import Landscape
from wlnn.landscape.merge import WalkerResult, merge
from wlnn.report import plot

META = {
    "task": {
        "task": "spiral-classify",
        "network": {"sizes": [2, 6, 2], "activation": "relu"},
        "parameters": 32,
        "data": {"seed": 4},
    },
    "wlmc": {"steps": 60_000_000, "seed": 9},
    "versions": {"wlnn": "0.1.0"},
}


def landscape(walkers=3, meta=META, y=None, history=True):
    grid = Grid(Axis("ln train loss", -2.0, 1.0, 6), y or Axis.counts("test accuracy", 4))
    rng = np.random.default_rng(0)
    results = []
    for _ in range(walkers):
        visits = np.ones(grid.shape, int)
        visits[0] = 0
        if not results:
            visits[1] = 0
        entropy = rng.normal(0, 0.1, grid.shape) + np.arange(6)[:, None]
        stages = {"ln_f": [0.1, 0.01, 0.0], "round_trips": [0, 1, 2], "steps": [10, 10, 10]}
        kept = {name: np.array(values) for name, values in stages.items()} if history else {}
        results.append(WalkerResult(entropy, visits, None, kept))
    return merge(grid, results, meta=meta)


def pixels(figure):
    """RGB image of a figure, and the pixel of a data point."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    image = np.asarray(canvas.buffer_rgba())[..., :3] / 255

    def at(ax, x, y):
        column, row = ax.transData.transform((x, y))
        return image[image.shape[0] - 1 - int(row), int(column)]

    return at


def test_colours_show_entropy_white_where_never_visited_pale_where_unsure():
    ax = plot.plot_landscape(landscape())
    ax.set_xlim(-2, 1)
    ax.figure.legends[0].remove()
    at = pixels(ax.figure)
    np.testing.assert_allclose(at(ax, -1.75, 0.3), 1)
    full, pale = at(ax, 0.75, 0.1), at(ax, -1.25, 0.1)
    entropy = landscape().entropy
    reliable = entropy[landscape().reliable]  # sets the colours
    norm, colours = Normalize(reliable.min(), reliable.max()), colormaps["viridis"]
    np.testing.assert_allclose(full, colours(norm(entropy[5, 0]))[:3], atol=0.02)
    solid = np.array(colours(norm(entropy[1, 0]))[:3])
    np.testing.assert_allclose(pale, 1 - 0.45 * (1 - solid), atol=0.02)
    assert ax.figure.axes[1].get_ylim() == pytest.approx((norm.vmin, norm.vmax))  # colour bar


def test_a_large_landscape_is_thinned_to_what_a_picture_has_room_for(monkeypatch):
    whole = landscape()
    (image,) = plot.plot_landscape(whole).images
    assert image.get_array().shape == (5, 6, 4)
    assert image.get_array().dtype == np.uint8
    monkeypatch.setattr(plot, "MOST_PIXELS", 3)
    (thin,) = plot.plot_landscape(whole).images
    np.testing.assert_array_equal(thin.get_array(), image.get_array()[:, ::2])
    assert thin.get_extent() == pytest.approx(image.get_extent())


def test_curves_are_those_of_the_landscape():
    result = landscape()
    ax = plot.plot_landscape(result)
    curve = result.equilibrium_accuracy()
    magenta = [line for line in ax.lines if to_rgb(line.get_color()) == to_rgb(plot.MAGENTA)]
    np.testing.assert_array_equal(magenta[0].get_ydata(), curve.value)
    safe = np.where(curve.reliable, curve.value, np.nan)
    np.testing.assert_array_equal(magenta[1].get_ydata(), safe)
    band = ax.collections[-1].get_paths()[0].vertices[:, 1]
    half = result.t_factor() * curve.error
    assert band.max() == pytest.approx(np.nanmax(safe + half))
    assert band.min() == pytest.approx(np.nanmin(safe - half))
    ink = [line for line in ax.lines if to_rgb(line.get_color()) == to_rgb(plot.INK)]
    np.testing.assert_array_equal(ink[0].get_ydata(), result.max_entropy_curve().value)


def test_an_interval_beyond_0_and_1_is_drawn_to_the_ends_of_a_logit_axis():
    """Two walkers that disagree: Student's interval of an accuracy of 0.5 is wider than 0 to 1."""
    grid = Grid(Axis("ln train loss", -1, 1, 2), Axis("smoothed accuracy", -9, 9, 9))
    entropies = np.zeros((2, *grid.shape))
    entropies[0, :, 1] = entropies[1, :, 7] = 50.0
    everywhere = np.ones(grid.shape)
    meta = {"task": {"task": "made", "y": "smoothed-accuracy", "y_axis": "logit"}}
    both = Landscape(grid, entropies, everywhere, everywhere > 0, meta)
    assert both.t_factor() * both.equilibrium_accuracy().error.min() > 0.6
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        band = plot.plot_landscape(both).collections[-1].get_paths()[0].vertices
    assert np.isfinite(band).all()
    assert band[:, 1].max() == pytest.approx(np.log((1 - 1e-4) / 1e-4))


def test_labels_say_what_is_shown():
    result = landscape()
    ax = plot.plot_landscape(result)
    assert ax.get_xlabel() == "ln(train loss)"
    assert ax.get_ylabel() == "test accuracy"
    assert ax.get_title() == "spiral-classify, 2-6-2 relu, 32 parameters"
    assert ax.figure.axes[1].get_ylabel() == "entropy S (nats, relative)"
    words = [text.get_text() for text in ax.figure.legends[0].get_texts()]
    assert words == [
        "equilibrium accuracy", "95 % interval", "maximum entropy", "not reliable",
    ]  # fmt: skip
    assert plot.describe(result)[1] == "3 walkers × 6e7 steps, data seed 4, seed 9, wlnn 0.1.0"
    bare = landscape(walkers=1, meta={}, y=Axis("ln test loss", -1.0, 1.0, 3))
    assert plot.describe(bare) == ("landscape", "1 walker")
    assert plot.plot_landscape(bare).get_ylabel() == "ln(test loss)"


@pytest.mark.parametrize("walkers", [1, 3])
@pytest.mark.parametrize("history", [True, False])
@pytest.mark.parametrize("y", [None, Axis.single()])
def test_diagnostics_are_drawn_from_whatever_was_recorded(walkers, history, y):
    result = landscape(walkers, y=y, history=history)
    figure = plot.plot_diagnostics(result)
    pixels(figure)  # draws everything, without a warning
    trips = next(ax for ax in figure.axes if ax.get_ylabel() == "round trips so far")
    if walkers > 1 and y is None:
        curve = result.equilibrium_accuracy()
        middle = next(ax for ax in figure.axes if ax.get_title().startswith("equilibrium"))
        bars = [s for s in middle.collections[0].get_segments() if len(s)]
        half = np.nan_to_num(result.t_factor() * curve.error)
        np.testing.assert_allclose(np.ptp(np.array(bars)[-4:, :, 1], axis=1), 2 * half[2:])
    if history:
        assert len(trips.lines) == walkers
        np.testing.assert_array_equal(trips.lines[0].get_xdata(), [10, 20, 30])
        np.testing.assert_array_equal(trips.lines[0].get_ydata(), [0, 1, 3])
    else:
        assert trips.texts[0].get_text() == "not recorded"


def test_a_landscape_can_share_a_figure_and_be_saved_in_three_formats(tmp_path):
    from matplotlib.figure import Figure

    figure = Figure()
    left, _ = figure.subplots(1, 2)
    assert plot.plot_landscape(landscape(), left) is left
    for suffix, magic in ((".png", b"\x89PNG"), (".pdf", b"%PDF"), (".SVG", b"<?xml")):
        path = plot.save(figure, tmp_path / f"a{suffix}")
        assert path.read_bytes().startswith(magic)
    assert len(list(tmp_path.iterdir())) == 3


def test_what_cannot_be_drawn_is_told(tmp_path):
    with pytest.raises(UserError, match=r"end in \.png, \.pdf, \.svg"):
        plot.save(plot.plot_diagnostics(landscape()), tmp_path / "a.bmp")
    with pytest.raises(UserError, match="cannot be written"):
        plot.save(plot.plot_diagnostics(landscape()), tmp_path / "none" / "a.png")
    with pytest.raises(UserError, match="single y bin"):
        plot.plot_landscape(landscape(y=Axis.single()))
