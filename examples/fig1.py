"""Fig. 1: on two spirals, networks drawn at equilibrium classify better than trained ones.

(a) S(ln train loss, test accuracy) of the 3x6 network, its equilibrium curve (magenta) and the mean
of 100 trainings (black). (b) Equilibrium against trained accuracy where training ends: four sizes,
two lengths of training, each a mean over data sets.

    python examples/fig1.py [--quick] [--sizes 4] [--data-sets 6] [--set wlmc.steps=1e7]

An hour on one core with the six data sets of the paper, half of it with --set wlmc.walkers=4 --set
train.runs=50; --quick takes seconds and shows the form alone.
"""

from figure import landscape_and_trainings, options, save

import wlnn

SIZES = ((3, 6), (3, 8), (4, 6), (4, 8))

if __name__ == "__main__":
    chosen = options(__doc__, sizes=4, data_sets=6)
    pairs = [
        landscape_and_trainings(
            "spiral-classify", chosen,
            f"network.layers={layers}", f"network.width={width}", f"data.seed={seed}",
        )
        for layers, width in SIZES[: 1 if chosen.quick else chosen.sizes]
        for seed in range(1 if chosen.quick else chosen.data_sets)
    ]  # fmt: skip
    save(wlnn.plot_advantage(*pairs[0]), "fig1a", chosen)
    longest = pairs[0][1][0].epochs
    points = [
        (f"{name}, {epochs} epochs", one)
        for epochs in (longest // 5, longest)
        for name, _, _, one in wlnn.by_network(pairs, until=epochs)
    ]
    for name, one in points:
        print(f"{name}: ln L {one.x:.2f}, {wlnn.advantage_in_words(one, 'test-accuracy')}")
    if points:
        save(wlnn.plot_endings(points, "test-accuracy"), "fig1b", chosen)
