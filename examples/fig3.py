"""Fig. 3: the wider the network, the smaller the advantage of equilibrium on a spiral surface.

S(ln train loss, ln test loss) of 2-W-W-1 networks, W = 30, 100, 300, 1000, with their equilibrium
curve (magenta) and the mean of 100 trainings by Adam (black); below, the difference.

    python examples/fig3.py [--quick] [--widths 2] [--set wlmd.steps=1e6] [--out FOLDER]

W = 30 takes some ten minutes on four cores, 100 some hours, 1000 weeks; --widths takes the first
ones. --quick takes seconds and shows the form alone.
"""

from figure import QUICK_DYNAMICS, options, save

import wlnn

WIDTHS = (30, 100, 300, 1000)


def figure(chosen):
    """Sample and train what is not there yet, and draw."""
    widths = (4, 8) if chosen.quick else WIDTHS[: chosen.widths]
    more = (*(QUICK_DYNAMICS if chosen.quick else ()), *chosen.set)
    where = {"preset": "quick" if chosen.quick else "default", "folder": chosen.runs}
    pairs = []
    for width in widths:
        what = ("spiral-regress", f"network.width={width}", *more)
        pairs.append((wlnn.run_landscape(*what, **where), [wlnn.run_trainings(*what, **where)]))
    save(wlnn.plot_widths(pairs), "fig3", chosen)
    points = wlnn.by_network(pairs)
    for name, _, _, one in points:
        print(f"{name}: ln L {one.x:.2f}, {wlnn.advantage_in_words(one, 'ln-test-loss')}")
    if points:
        ends = [(parameters, one) for _, parameters, _, one in points]
        save(wlnn.plot_differences(ends, "ln-test-loss"), "fig3-parameters", chosen)


if __name__ == "__main__":
    figure(options(__doc__, widths=4))
