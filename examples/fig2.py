"""Fig. 2: house prices, digits and polymers: one landscape each, with what training reaches.

S over ln(train loss) and test performance with the equilibrium curve (magenta) and the mean of 100
trainings by SGD (black); below, the difference. (a) 331-20-1 on house prices, (b) a convolutional
network of 2 channels on digits, (c) 768-10-1 on an embedding of polymers. In (a) SGD has three
batch sizes, and the black curve is the lowest of the three at each train loss. The files of (a) and
(c) are named with --houses and --polymers; what is not named is left out.

    python examples/fig2.py [--houses train.csv] [--polymers Egb.csv] [--embedding FILE] [--quick]

Days on two cores; --quick takes seconds and shows the form alone.
"""

from figure import landscape_and_trainings, options, save

import wlnn

if __name__ == "__main__":
    chosen = options(__doc__, paths=("houses", "polymers", "embedding"))
    pairs = [landscape_and_trainings("mnist", chosen, "network.width=2")]
    if chosen.houses:
        files = {"data": chosen.houses, "batches": (16, 32, 64)}
        pairs.insert(0, landscape_and_trainings("house-price", chosen, "network.width=20", **files))
    if chosen.polymers:
        files = {"data": chosen.polymers, "embedding": chosen.embedding}
        pairs.append(landscape_and_trainings("polymer", chosen, "network.width=10", **files))
    save(wlnn.plot_widths(pairs), "fig2", chosen)
