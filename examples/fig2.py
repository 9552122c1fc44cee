"""Fig. 2: house prices, digits and polymers: one landscape each, with what training reaches.

S over ln(train loss) and test performance with the equilibrium curve (magenta) and the mean of 100
trainings by SGD (black); below, the difference. (a) 331-20-1 on house prices, (b) a convolutional
network of 2 channels on digits, (c) 768-10-1 on an embedding of polymers. The files of (a) and (c)
are named with --houses and --polymers; what is not named is left out.

    python examples/fig2.py [--houses train.csv] [--polymers Egb.csv] [--embedding FILE] [--quick]

Days on two cores; --quick takes seconds and shows the form alone.
"""

from figure import landscape_and_trainings, options, save

import wlnn

if __name__ == "__main__":
    chosen = options(__doc__, paths=("houses", "polymers", "embedding"))
    pairs = [landscape_and_trainings("mnist", 2, chosen)]
    if chosen.houses:
        pairs.insert(0, landscape_and_trainings("house-price", 20, chosen, data=chosen.houses))
    if chosen.polymers:
        files = {"data": chosen.polymers, "embedding": chosen.embedding}
        pairs.append(landscape_and_trainings("polymer", 10, chosen, **files))
    save(wlnn.plot_widths(pairs), "fig2", chosen)
