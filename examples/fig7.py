"""Fig. 7: house prices, 331-W-1 networks of W = 10, 20, 50, 100 units.

S(ln train loss, ln test loss) with the equilibrium curve (magenta) and SGD (black): 100 trainings
of each of three batch sizes, and at each train loss the lowest mean test loss of the three, a
choice that favours training; below, the difference.

    python examples/fig7.py --data train.csv [--quick] [--widths 2] [--set ladder.steps=4e6]

Twenty minutes on two cores at W = 20, hours at 100; --widths takes the first ones. --quick takes
seconds and shows the form alone. `wlnn data` says where the file comes from.
"""

from figure import options, width_figure

if __name__ == "__main__":
    chosen = options(__doc__, files=True, widths=4)
    width_figure("house-price", (10, 20, 50, 100), "fig7", chosen, batches=(16, 32, 64))
