"""Fig. 9: band gaps of polymers, 768-W-1 networks of W = 2, 10, 50, 100 units on an embedding.

S(ln train loss, ln test loss) with the equilibrium curve (magenta) and the mean of 100 trainings by
SGD (black); below, the difference.

    python examples/fig9.py --data Egb.csv [--embedding FILE] [--quick] [--widths 2]

Fifteen minutes on two cores at W = 10, hours at 100; --widths takes the first ones. --quick takes
seconds and shows the form alone. `wlnn data` says where the file comes from.
"""

from figure import options, width_figure

if __name__ == "__main__":
    width_figure("polymer", (2, 10, 50, 100), "fig9", options(__doc__, files=True, widths=4))
