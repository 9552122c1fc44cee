"""Fig. 3: a spiral surface, 2-W-W-1 networks of W = 30, 100, 300, 1000 units.

S(ln train loss, ln test loss) with the equilibrium curve (magenta) and the mean of 100 trainings by
Adam (black); below, the difference. The claim: the wider the network, the smaller the advantage.

    python examples/fig3.py [--quick] [--widths 2] [--set ladder.steps=4e6] [--out FOLDER]

W = 30 takes eight core-minutes, 100 an hour of two cores, 1000 days; --widths takes the first
ones. --quick takes seconds and shows the form alone.
"""

from figure import options, width_figure

if __name__ == "__main__":
    width_figure("spiral-regress", (30, 100, 300, 1000), "fig3", options(__doc__, widths=4))
